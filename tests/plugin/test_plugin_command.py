"""Tests of `python -m capsend_mypy`, which the `capsend` command calls."""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("mypy")

from capsend_mypy import command
from mypy.modulefinder import BuildSource

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from capsend_mypy.program import Program

    Run = Callable[..., subprocess.CompletedProcess[str]]

BAD = """
import threading
from capsend import spawn, unsafe_process_send
LOCK = threading.Lock()
def reads() -> int:
    return hash(LOCK)
def f(xs: list[int]) -> None:
    spawn(lambda: len(xs))
    nonsense: int = ""
@unsafe_process_send("nobody writes it")
class Table:
    def __init__(self) -> None:
        self.rows = [1]
COUNTS: dict[str, int] = {}
def counts(name: str) -> None:
    COUNTS[name] = 1
NAMES = ("a",)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project that does not configure mypy."""
    (tmp_path / "bad.py").write_text(BAD)
    (tmp_path / "good.py").write_text("from capsend import spawn\nspawn(len, 'abc')\n")
    return tmp_path


@pytest.fixture
def run(project: Path, mypy_caches: Path) -> Run:
    """Run the module in the project."""
    environment = os.environ | {"MYPY_CACHE_DIR": str(mypy_caches / "command")}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "capsend_mypy", *arguments]
        return subprocess.run(
            command, cwd=project, env=environment, capture_output=True, text=True, check=False, timeout=120
        )

    return run


def test_check_prints_only_our_errors_and_exits_with_1(run: Run) -> None:
    """`check` needs no configuration, prints errors in mypy's format with their notes, and leaves mypy's own errors out."""
    done = run("check", "bad.py", "good.py")
    lines = done.stdout.splitlines()
    assert lines[0] == 'bad.py:8:23: error: captured "xs" is list[int], which is not ProcessSend  [capsend-capture]'
    assert lines[1:3] == ["        spawn(lambda: len(xs))", f"{' ' * 26}^^"]
    assert all(": note: " in line for line in lines[3:-1])
    assert (done.returncode, lines[-1]) == (1, "found 1 error in 1 file")
    done = run("check", "good.py")
    assert (done.returncode, done.stdout) == (0, "all is well: every capture and every sent value can be sent\n")


def test_check_and_audit_take_the_current_folder(project: Path, run: Run) -> None:
    """If neither the command nor mypy's configuration names anything else; an audit without findings reports so."""
    assert "bad.py:8:23: error" in run("check").stdout
    assert "bad.py:10: Table: nobody writes it" in run("audit").stdout
    (project / "mypy.ini").write_text("[mypy]\nfiles = good.py\n")
    assert run("check").stdout.startswith("all is well")
    assert run("audit").stdout == "no class is promised to be sendable with @unsafe_process_send\n"


def test_check_writes_json_and_sarif(run: Run) -> None:
    """The machine formats hold the same errors: one object a line, or one SARIF document."""
    [line] = run("check", "--json", "bad.py").stdout.splitlines()
    assert json.loads(line)["code"] == "capsend-capture"
    [told] = json.loads(run("check", "--sarif", "bad.py").stdout)["runs"]
    [result] = told["results"]
    assert told["tool"]["driver"]["version"] == importlib.metadata.version("capsend")
    assert result["ruleId"] == "capsend-capture"
    assert result["locations"][0]["physicalLocation"]["region"] == {"startLine": 8, "startColumn": 23}


def test_check_exits_with_2_when_mypy_cannot_check(project: Path, run: Run) -> None:
    """A syntax error or a file that is not there is neither clean nor a finding."""
    (project / "broken.py").write_text("def f(:\n")
    for name in ("broken.py", "missing.py"):
        done = run("check", name)
        assert done.returncode == 2
        assert name.removesuffix(".py") in done.stderr


def test_check_passes_paths_and_options_on_in_their_order(project: Path, run: Run) -> None:
    """An option of mypy with a value may come after a path."""
    done = run("check", ".", "--exclude", "bad.py")
    assert (done.returncode, done.stdout) == (0, "all is well: every capture and every sent value can be sent\n")
    assert run("check", "--exclude", "good.py", ".").returncode == 1


def test_check_names_an_unknown_option_and_prints_no_usage_of_mypys(project: Path, run: Run) -> None:
    """Two modules of one name are reported without a line that no file has."""
    done = run("check", "--frobnicate", ".")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "Error: No such option '--frobnicate', neither of capsend's nor of mypy's.\n"
    (project / "sub").mkdir()
    (project / "sub" / "good.py").write_text("")
    assert "good.py: Duplicate module" in run("check", ".").stderr


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Program:
    """The program of the project for `explain`, built without a cache, which takes as long as the rest of this file."""
    folder = tmp_path_factory.mktemp("explained")
    (folder / "bad.py").write_text(BAD)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return command._program([BuildSource(None, None, "import bad\n")], "")


def test_explain_judges_a_class_by_both_traits(run: Run) -> None:
    """By its full name; functions are explained in `test_cli.py`, where `audit` is called as well."""
    done = run("explain", "bad.Table")
    assert (done.returncode, done.stdout) == (0, "bad.Table: ProcessSend\nbad.Table: Serializable\n")


def test_explain_judges_a_value_by_both_traits(program: Program, capsys: pytest.CaptureFixture[str]) -> None:
    """A variable is judged as a capture, with the reason and the cure, and as an argument."""
    assert command.show(program, "bad.COUNTS") == 1
    shown = capsys.readouterr().out
    assert shown.startswith("bad.COUNTS: dict[str, int], not ProcessSend\n")
    assert "mutable: a captured dict would silently become a copy" in shown
    assert shown.endswith("bad.COUNTS: Serializable\n")
    assert command.show(program, "bad.LOCK") == 1
    assert capsys.readouterr().out.count("bad.LOCK: not Serializable") == 1
    assert command.show(program, "bad.NAMES") == 0
    assert capsys.readouterr().out == "bad.NAMES: tuple[str], ProcessSend\nbad.NAMES: Serializable\n"


def test_explain_names_what_does_not_exist(program: Program, capsys: pytest.CaptureFixture[str]) -> None:
    """With the form that a name has, and exit code 2."""
    assert command.show(program, "bad.nothing") == 2
    assert "bad.nothing: mypy knows no such class, function or variable" in capsys.readouterr().err
