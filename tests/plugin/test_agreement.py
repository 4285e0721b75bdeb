"""The plugin and the run time agree: random programs get the same verdict from both, or one of the contract's few reasons applies.

`CAPSEND_PROGRAMS=20000` runs the long form.
"""

from __future__ import annotations

import importlib.util
import os
import random
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from mypy import api

import capsend
from capsend.environment import default, prepare

HERE = Path(__file__).parents[1]
COUNT = int(os.environ.get("CAPSEND_PROGRAMS", "2000"))
BATCH = 250
if TYPE_CHECKING:
    import types


def load(name: str, path: Path) -> types.ModuleType:
    """Import a file as a module."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


generator = load("programs_generator", HERE / "programs_generator.py")


@dataclass
class Verdict:
    """The two verdicts on a program: the first error of the plugin, and of the run time; "" for acceptance."""

    program: Any
    static: str
    actual: str


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> list[Verdict]:
    """Both verdicts on every program: one run of mypy over all programs, and one preparation of each spawn."""
    folder = tmp_path_factory.mktemp("agreement")
    (folder / "mypy.ini").write_text("[mypy]\nplugins = capsend_mypy\nstrict = True\n")
    written = list(generator.programs(lambda index: random.Random(f"capsend {index}"), COUNT))
    starts: dict[str, list[tuple[int, int]]] = {}
    files = []
    for first in range(0, COUNT, BATCH):
        files.append(folder / f"batch_{first}.py")
        text = generator.HEADER
        for index in range(first, min(first + BATCH, COUNT)):
            starts.setdefault(files[-1].name, []).append((text.count("\n") + 1, index))
            text += written[index].text() + "\n"
        files[-1].write_text(text)
    static = _static(folder, files, starts)
    actual: dict[int, str] = {}
    for file in files:
        module = load(file.stem, file)
        for _, index in starts[file.name]:
            actual[index] = _actual(module, f"case_{index}")
        del sys.modules[file.stem]
    return [Verdict(program, static.get(index, ""), actual[index]) for index, program in enumerate(written)]


def _static(folder: Path, files: list[Path], starts: dict[str, list[tuple[int, int]]]) -> dict[int, str]:
    arguments = [
        "--config-file",
        str(folder / "mypy.ini"),
        "--no-error-summary",
        "--cache-dir=/dev/null",
        *map(str, files),
    ]
    found: dict[int, str] = {}
    for line in api.run(arguments)[0].splitlines():
        match = re.match(r"^(.*?):(\d+): error: (.*)$", line)
        if match is None:
            continue
        assert "[capsend-" in match[3], line
        index = [index for start, index in starts[Path(match[1]).name] if start <= int(match[2])][-1]
        found.setdefault(index, match[3])
    return found


def _actual(module: Any, name: str) -> str:
    def attempt(function: Any, /, *args: Any, **kwargs: Any) -> None:
        prepare(default(), function, args, kwargs)

    module.spawn = attempt
    try:
        getattr(module, name)()
    except (capsend.CaptureError, capsend.SerializationError) as error:
        return str(error) or "refused"
    finally:
        module.spawn = capsend.spawn
    return ""


def test_no_program_is_taken_by_the_plugin_and_refused_at_run_time(verdicts: list[Verdict]) -> None:
    """A program accepted by the plugin is accepted by the run time."""
    wrong = [v for v in verdicts if v.actual and not v.static]
    assert not wrong, f"{len(wrong)}:\n" + "\n".join(f"{v.program.text()}\n{v.actual}" for v in wrong[:5])


def test_the_plugin_refuses_more_only_where_a_type_says_less_than_its_value(verdicts: list[Verdict]) -> None:
    """A program refused by the plugin only has a type such as `Sequence`, `object`, `Any` or a bare callable in it."""
    # An enum whose values can be changed, in a table that each process owns: its type alone says that code reads the class.
    wrong = [v for v in verdicts if v.static and not v.actual and not v.program.loose and '"Odd.A"' not in v.static]
    assert not wrong, f"{len(wrong)}:\n" + "\n".join(f"{v.program.text()}\n{v.static}" for v in wrong[:5])


def test_the_programs_are_worth_it(verdicts: list[Verdict]) -> None:
    """A good part of the programs is refused, and a good part is not."""
    refused = sum(bool(v.actual) for v in verdicts)
    assert 0.2 < refused / len(verdicts) < 0.8
    print(
        f"{len(verdicts)} programs, {refused} refused at run time, {sum(bool(v.static) for v in verdicts)} by the plugin"
    )
