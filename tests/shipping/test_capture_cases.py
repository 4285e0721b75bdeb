"""The programs of `capture_cases/`, at run time: `spawn` takes or refuses each as its file says, and what is taken runs."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import capsend

if TYPE_CHECKING:
    import types

HERE = Path(__file__).parents[1] / "capture_cases"
CASES = [case for case in json.loads((HERE / "cases.json").read_text()) if case["runtime"] is not None]


@pytest.mark.filterwarnings("ignore:.*unclosed:ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_spawn_gives_the_expected_verdict(
    case: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each program is accepted or refused as its case states; an accepted one ends, successfully or with the program's own error."""
    processes: list[capsend.Process[object]] = []
    spawn = capsend.spawn

    def spawn_and_keep(function: Any, /, *args: Any, **kwargs: Any) -> capsend.Process[Any]:
        processes.append(spawn(function, *args, **kwargs))
        return processes[-1]

    monkeypatch.setattr(capsend, "spawn", spawn_and_keep)
    if case["runtime"] == "reject":
        with pytest.raises((capsend.CaptureError, capsend.SerializationError)):
            run(case, tmp_path)
        return
    run(case, tmp_path)
    for process in processes:
        try:
            process.result(timeout=60)
        except (capsend.ProcessFailed, capsend.SerializationError):
            assert case["id"] in {"S108", "S91"}, "only these end with an error of their own"


def run(case: dict[str, Any], folder: Path) -> types.ModuleType:
    """Import the program of a case as a module, with its `run` statements in a function at the end."""
    statements = (case["run"] or "pass").replace("\n", "\n    ")
    name = f"case_{case['id']}"
    path = folder / f"{name}.py"
    path.write_text(f"{(HERE / 'prelude.py').read_text()}\n{case['code']}\ndef run_case() -> None:\n    {statements}\n")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
        module.run_case()
    finally:
        del sys.modules[name]
    return module
