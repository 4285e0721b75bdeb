"""Runs mypy with the plugin over `check/` and `capture_cases/`: one small file per rule, with the expectations next to the lines.

`# E: text` expects one error on its line that contains the text; `# N: text` below it expects a note of that error. A
file of `reject` without an error, and any unexpected error, is a failure. The files of `accept` also run, each in real
processes.
"""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

api = pytest.importorskip("mypy.api")

HERE: Path = Path(__file__).parents[1]
ACCEPT = sorted((HERE / "check" / "accept").glob("*.py"))
REJECT = sorted((HERE / "check" / "reject").glob("*.py"))
CASES: list[dict[str, Any]] = json.loads((HERE / "capture_cases" / "cases.json").read_text())
PRELUDE = (HERE / "capture_cases" / "prelude.py").read_text()
# The cases' common beginning, which they share with the run time, does not import it; an import at the end moves no
# line.
IMPORTED = "from capsend import Address\n"
# Files of `accept` that the run time does not take yet.
LINE = re.compile(r"^(.*?):(\d+)(?::\d+)*: (error|note): (.*)$")
CONFIG = """[mypy]
plugins = capsend_mypy
strict = True
disable_error_code = name-defined, explicit-override
python_version = 3.12
[mypy-capsend.*]
follow_imports = silent
"""

Messages = dict[str, dict[int, list[tuple[str, str]]]]


@pytest.fixture(scope="module")
def messages(tmp_path_factory: pytest.TempPathFactory) -> Messages:
    """Mypy's output for all files, from one run: {file name: {line: [(severity, text)]}}."""
    folder = tmp_path_factory.mktemp("check")
    (folder / "mypy.ini").write_text(CONFIG)
    for case in CASES:
        (folder / f"{case['id']}.py").write_text(f"{PRELUDE}{case['code']}\n{IMPORTED}")
    for path in [*ACCEPT, *REJECT]:
        (folder / f"{path.parent.name}_{path.name}").write_text(path.read_text())
    files = sorted(str(path) for path in folder.glob("*.py"))
    output, errors, _ = api.run(
        ["--config-file", str(folder / "mypy.ini"), "--no-error-summary", "--cache-dir=/dev/null", *files]
    )
    assert not errors
    found: Messages = defaultdict(lambda: defaultdict(list))
    for line in output.splitlines():
        match = LINE.match(line)
        assert match, line
        found[Path(match[1]).name][int(match[2])].append((match[3], match[4]))
    return found


@pytest.mark.parametrize("path", [*ACCEPT, *REJECT], ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_rule_gives_exactly_the_expected_errors(messages: Messages, path: Path) -> None:
    """Each file says beside its lines which errors and notes it gets, and gets no others."""
    found = messages[f"{path.parent.name}_{path.name}"]
    expected: dict[int, list[str]] = {}
    last = 0
    for number, text in enumerate(path.read_text().splitlines(), 1):
        wanted = [part.strip() for part in re.findall(r"# E: (.*?)(?=  # E:|$)", text)]
        if wanted:
            expected[number], last = wanted, number
        for note in re.findall(r"# N: (.*)$", text):
            assert any(note in said for severity, said in found[last] if severity == "note"), (last, note, found[last])
    errors = {line: [text for severity, text in said if severity == "error"] for line, said in found.items()}
    errors = {line: texts for line, texts in errors.items() if texts}
    assert sorted(errors) == sorted(expected), errors
    for line, wanted in expected.items():
        assert len(errors[line]) == len(wanted), (line, errors[line])
        for text in wanted:
            assert any(text in said for said in errors[line]), (line, text, errors[line])
    assert bool(expected) == (path.parent.name == "reject")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_a_capture_case_has_errors_on_exactly_its_lines(messages: Messages, case: dict[str, Any]) -> None:
    """The plugin reports each shared capture case on the very lines that it names."""
    start = PRELUDE.count("\n")
    found = messages[f"{case['id']}.py"]
    lines = sorted(line - start for line, said in found.items() if any(severity == "error" for severity, _ in said))
    assert lines == case["static_error_lines"], dict(found)


@pytest.mark.parametrize("path", ACCEPT, ids=lambda path: path.stem)
def test_what_is_accepted_runs(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file of `accept`, which the plugin accepts, also runs."""
    name = f"accept_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)
    module.run()
