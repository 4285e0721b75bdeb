"""Programs with capsend, judged by type checkers that know nothing of it: mypy without the plugin, and pyright as basedpyright packs it.

The handles of calls have the plugin's types, every example and every block of the documents passes, and errors are
where the plugin reports them.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).parents[2]
HANDLES = ROOT / "tests" / "check" / "typing" / "handles.py"
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"# ([\w./]+\.py)\n")
LINE = re.compile(r"^(.*?):(\d+): error: (.*)$")
SOURCE_TEXTS = "examples/plugin_host/plugins"
"""Texts that get their names when they run, and are checked by `capsend check --text`."""

Errors = dict[str, dict[int, list[str]]]


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs; each document's blocks are in a separate folder, as a reader would save them."""
    folder = tmp_path_factory.mktemp("programs")
    (folder / "handles.py").write_text(HANDLES.read_text(encoding="utf-8"), encoding="utf-8")
    for document in DOCUMENTS:
        for number, match in enumerate(BLOCK.finditer(document.read_text(encoding="utf-8"))):
            named = NAMED.match(match[1])
            path = folder / "docs" / document.stem / (named[1] if named else f"block_{number}.py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(match[1], encoding="utf-8")
    for program in sorted((ROOT / "examples").rglob("*.py")):
        if SOURCE_TEXTS not in program.as_posix():
            path = folder / program.relative_to(ROOT)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(program.read_text(encoding="utf-8"), encoding="utf-8")
    return folder


def run_mypy(folder: Path, configuration: str, places: Iterable[Path] = ()) -> Errors:
    """Return mypy's errors, {file: {line: [message]}}; programs of different folders may share a name, so each folder is a run."""
    (folder / "mypy.ini").write_text(f"[mypy]\n{configuration}", encoding="utf-8")
    found: Errors = defaultdict(lambda: defaultdict(list))
    for place in places or sorted({path.parent for path in folder.rglob("*.py")}):
        if not any((above / "__init__.py").exists() for above in (place, *place.parents)):
            files = sorted(str(path.relative_to(place)) for path in place.glob("*.py"))
            done = subprocess.run(
                [
                    *(sys.executable, "-m", "mypy", "--config-file", folder / "mypy.ini", "--no-error-summary"),
                    *("--cache-dir", folder / ".mypy_cache", *files),
                ],
                cwd=place,
                capture_output=True,
                text=True,
                timeout=250,
                check=False,
            )
            assert not done.stderr, done.stderr
            for match in filter(None, map(LINE.match, done.stdout.splitlines())):
                found[str((place / match[1]).relative_to(folder))][int(match[2])].append(match[3])
    return found


@pytest.fixture(scope="module")
def pyright(programs: Path) -> Errors:
    """The findings of pyright's standard rules."""
    settings = {
        "typeCheckingMode": "standard",
        "enableTypeIgnoreComments": True,
        "reportImplicitRelativeImport": False,
        "reportMissingImports": False,  # packages that an example is for
    }
    (programs / "pyrightconfig.json").write_text(json.dumps(settings), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "basedpyright", "--outputjson", "-p", programs],
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    found: Errors = defaultdict(lambda: defaultdict(list))
    for each in json.loads(done.stdout)["generalDiagnostics"]:
        if each["severity"] == "error":
            name = str(Path(each["file"]).relative_to(programs.resolve()))
            found[name][each["range"]["start"]["line"] + 1].append(each["message"])
    return found


@pytest.fixture(scope="module")
def bare_mypy(programs: Path) -> Errors:
    """The findings of mypy without the plugin."""
    return run_mypy(programs, "allow_redefinition = True\nignore_missing_imports = True\n")


def marked() -> set[int]:
    """Return the lines of `handles.py` that have an error."""
    lines = HANDLES.read_text(encoding="utf-8").splitlines()
    return {number for number, line in enumerate(lines, 1) if line.endswith("# E")}


def test_mypy_without_the_plugin_sees_the_handles(bare_mypy: Errors) -> None:
    """Every `assert_type` holds, and each wrong call is an error."""
    assert set(bare_mypy["handles.py"]) == marked(), bare_mypy["handles.py"]


def test_pyright_sees_the_handles(pyright: Errors) -> None:
    """Every `assert_type` holds, and each wrong call is an error."""
    assert set(pyright["handles.py"]) == marked(), pyright["handles.py"]


def test_plugin_sees_the_handles_and_says_each_error_once(tmp_path: Path) -> None:
    """The plugin answers without overloads: an error comes once, and names the argument."""
    (tmp_path / "handles.py").write_text(HANDLES.read_text(encoding="utf-8"), encoding="utf-8")
    found = run_mypy(tmp_path, "plugins = capsend_mypy\nstrict = True\n")["handles.py"]
    assert set(found) == marked(), found
    assert {len(messages) for messages in found.values()} == {1}, found
    assert not any("overload" in message for messages in found.values() for message in messages), found


def test_plugin_needs_no_overloads_of_a_module_that_is_analysed_again(tmp_path: Path) -> None:
    """A module of capsend in mypy's cache is parsed again when one that it depends on has changed."""
    shutil.copytree(ROOT / "capsend", tmp_path / "capsend", ignore=shutil.ignore_patterns("guest", "__pycache__"))
    (tmp_path / "use.py").write_text(
        'from capsend import spawn\n\ndef f(n: int) -> str:\n    return str(n)\n\nspawn(f, "4")\n', encoding="utf-8"
    )
    configuration = "plugins = capsend_mypy\n[mypy-capsend.*]\nignore_errors = True\n"
    first = run_mypy(tmp_path, configuration, places=(tmp_path,))["use.py"]
    assert ["overload" in text for text in first[6]] == [False]
    with (tmp_path / "capsend" / "process.py").open("a", encoding="utf-8") as file:
        file.write("\n\nADDED = 1\n")
    assert run_mypy(tmp_path, configuration, places=(tmp_path,))["use.py"] == first


@pytest.mark.parametrize("checker", ["bare_mypy", "pyright"])
def test_programs_of_documents_and_examples_pass(checker: str, request: pytest.FixtureRequest) -> None:
    """No newcomer sees an error that is not theirs."""
    errors: Errors = request.getfixturevalue(checker)
    false = [
        f"{name}:{line}: {text}"
        for name, found in errors.items()
        if name != "handles.py"
        for line, texts in found.items()
        for text in texts
    ]
    assert not false, "\n".join(false)


def test_types_of_everything_that_can_be_imported_are_known() -> None:
    """By pyright's count, no type checker has to guess; the guest's own files, which programs do not import, are left out."""
    done = subprocess.run(
        [sys.executable, "-m", "basedpyright", "--verifytypes", "capsend", "--ignoreexternal", "--outputjson"],
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    symbols = json.loads(done.stdout)["typeCompleteness"]["symbols"]
    exported = [each for each in symbols if each["isExported"] and not each["name"].startswith("capsend.guest.")]
    assert len(exported) > 2_000
    assert [each["name"] for each in exported if not each["isTypeKnown"] or each["isTypeAmbiguous"]] == []
