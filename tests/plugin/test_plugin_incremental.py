"""Tests that the mypy plugin is right under every way people run mypy: each cache, workers, the daemon, silenced imports.

A session is a project of three modules, `main` -> `dep` -> `dep2`, that is checked, edited two imports away, checked, reverted, checked.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FILES: Final = {
    "main.py": """
from capsend import spawn
import dep
def f() -> None:
    spawn(dep.indirect)
def g(c: dep.C) -> None:
    spawn(lambda: print(c))
spawn(dep.indirect)
""",
    "dep.py": """
from typing import Final
import dep2
class C:
    def __init__(self, d: dep2.D) -> None:
        self.d: Final = d
@dep2.noted
def indirect() -> int:
    return dep2.helper()
""",
    "dep2.py": """
import threading
from collections.abc import Callable
from typing import Final
from capsend import PerProcess, not_process_send
LOCK = threading.Lock()
LIMIT = 5
TABLE: PerProcess[dict[str, int]] = {}
NAMES = ["a"]
class D:
    x: Final[int]
    def __init__(self) -> None:
        self.x = 1
def noted(fn: Callable[[], int]) -> Callable[[], int]:
    mark = 3
    def wrapper() -> int:
        return fn() + hash(mark)
    return wrapper
def helper() -> int:
    return inner() + hash(str(LIMIT)) + len(TABLE) + len(NAMES)
def inner() -> int:
    return 5
def other() -> None:
    print(NAMES[0])
""",
}


@dataclass(frozen=True)
class Edit:
    """One edit of `dep2.py`, and the lines of `main.py` in which it makes an error appear."""

    name: str
    old: str
    new: str
    lines: tuple[int, ...]


EDITS: Final = (
    Edit("a body uses a lock", "return 5", "return hash(LOCK)", (5, 8)),
    Edit(
        "a field is added",
        "    x: Final[int]\n",
        "    x: Final[int]\n    lock: Final = threading.Lock()\n    rows: list[int]\n",
        (7,),
    ),
    Edit("a body writes a global", "    return 5", "    global LIMIT\n    LIMIT += 1\n    return 5", (5, 8)),
    Edit("an impl is added", "class D:", '@not_process_send("it is mine")\nclass D:', (7,)),
    Edit("a global becomes mutable", "LIMIT = 5", "LIMIT = [5]\ndef extend() -> None:\n    LIMIT.append(6)", (5, 8)),
    Edit(
        "a field changes its type", "x: Final[int]\n    def __init__(self) -> None:\n        self.x = 1", "x: int", (7,)
    ),
    Edit("a wrapper closes over a lock", "mark = 3", "mark = threading.Lock()", (5, 8)),
    Edit(
        "a declaration goes",
        "TABLE: PerProcess[dict[str, int]] = {}",
        "TABLE: dict[str, int] = {}\ndef extend() -> None:\n    TABLE['a'] = 1",
        (5, 8),
    ),
    Edit("an instance gets another field", "self.x = 1", "self.x = 1; self.rows: Final = [1]", (7,)),
    Edit("a body changes a table that was a constant", "print(NAMES[0])", "NAMES.append('b')", (5, 8)),
)
"""Neighbours make errors in different lines: a check after each shows that one was noticed and the one before forgotten."""


class Session:
    """A project folder, and one way to run mypy on it."""

    def __init__(self, folder: Path, check: Callable[[Path], str]) -> None:
        self.folder = folder
        self.check = check
        self.moment = 1_600_000_000

    def write(self, **changed: str) -> None:
        """Write all files, each with a different modification time, which mypy checks first."""
        for name, text in {**FILES, **changed}.items():
            path = self.folder / name
            if not path.exists() or path.read_text() != text:
                path.write_text(text)
                self.moment += 10
                os.utime(path, (self.moment, self.moment))

    def lines(self) -> tuple[int, ...]:
        """Check the project, and return the lines of `main.py` with an error of ours."""
        output = self.check(self.folder)
        assert "Traceback" not in output, output
        assert "capsend-internal" not in output, output
        found = re.findall(r"^main\.py:(\d+): error: .*\[capsend-\w+\]$", output, re.MULTILINE)
        others = [line for line in output.splitlines() if ": error:" in line and "[capsend-" not in line]
        assert not others, output
        return tuple(sorted({int(line) for line in found}))


LATE: Final = "Failed to establish connection with worker"
"""mypy's last message when a worker takes more than three seconds to start, as may happen on a busy machine."""


def run(folder: Path, *arguments: str, module: str = "mypy") -> str:
    """Run mypy or its daemon in a project folder; it must have come to a verdict."""
    command = [sys.executable, "-m", module, *arguments]
    for _ in range(3):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=200)
        output = done.stdout + done.stderr
        if LATE not in output:
            assert done.returncode in {0, 1}, output
            return output
    return pytest.skip("the machine is too busy for mypy's workers, which have three seconds to start")


def flags(*more: str) -> Callable[[Path], str]:
    """Return the way to run mypy with certain flags."""
    return lambda folder: run(folder, "--config-file=mypy.ini", "--no-error-summary", *more, "main.py")


CONFIG: Final = "[mypy]\nplugins = capsend_mypy\nstrict = True\n[mypy-capsend.*]\nfollow_imports = silent\n"
KNOWN: Final = "import threading\nfrom typing import Final\nfrom capsend import PerProcess, not_process_send, spawn\n"


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Make, once for each format, a cache of what the project imports, but of nothing that is in it."""

    @functools.cache
    def make(*more: str) -> Path:
        folder = tmp_path_factory.mktemp("warm")
        (folder / "mypy.ini").write_text(CONFIG)
        (folder / "known.py").write_text(KNOWN)
        assert run(folder, "--config-file=mypy.ini", "--no-error-summary", *more, "known.py") == ""
        return folder / ".mypy_cache"

    return make


IS_LONG: Final = os.environ.get("CAPSEND_INCREMENTAL") == "all"
"""True to also try the older formats of mypy's cache."""

WAYS: Final[dict[str, list[str]]] = {
    **({"JSON cache": ["--no-fixed-format-cache"], "cache in files": ["--no-sqlite-cache"]} if IS_LONG else {}),
    "two workers": ["-n2"],
    "old parser": ["--no-native-parser"],
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project folder with a configuration that turns the plugin on."""
    (tmp_path / "mypy.ini").write_text(CONFIG)
    return tmp_path


@pytest.fixture
def warm_project(project: Path, warm: Callable[..., Path]) -> Path:
    """A project folder in which mypy knows the standard library already."""
    shutil.copytree(warm(), project / ".mypy_cache")
    return project


def play(session: Session) -> None:
    """Make each edit and undo it, and compare every check with its expectation."""
    session.write()
    assert session.lines() == (), "before any edit"
    for edit in EDITS:
        assert edit.old in FILES["dep2.py"]
        session.write(**{"dep2.py": FILES["dep2.py"].replace(edit.old, edit.new)})
        assert session.lines() == edit.lines, edit.name
        session.write()
        assert session.lines() == (), f"after: {edit.name}"


def test_an_edit_two_imports_away_is_noticed_and_forgotten(warm_project: Path) -> None:
    """A cached verdict holds exactly as long as what it rests on."""
    play(Session(warm_project, flags()))


@pytest.mark.timeout(900)  # twelve runs of mypy, some with two more processes that read its cache
@pytest.mark.parametrize("way", WAYS)
def test_an_edit_after_another_is_noticed_each_way(project: Path, warm: Callable[..., Path], way: str) -> None:
    """The same holds for every cache format, with workers, and with the old parser."""
    formats = [flag for flag in WAYS[way] if "cache" in flag]
    shutil.copytree(warm(*formats), project / ".mypy_cache")
    session = Session(project, flags(*WAYS[way]))
    session.write()
    assert session.lines() == (), "before any edit"
    for edit in EDITS:
        session.write(**{"dep2.py": FILES["dep2.py"].replace(edit.old, edit.new)})
        assert session.lines() == edit.lines, edit.name
    session.write()
    assert session.lines() == (), "without any edit"


@pytest.fixture
def daemon(project: Path) -> Iterator[Callable[..., Session]]:
    """A way to start a daemon in the project."""

    def start(*more: str) -> Session:
        run(project, "start", "--", "--config-file=mypy.ini", "--no-error-summary", *more, module="mypy.dmypy")
        return Session(project, lambda folder: run(folder, "check", "main.py", module="mypy.dmypy"))

    yield start
    run(project, "kill", module="mypy.dmypy")


def test_the_daemon_notices_every_edit(daemon: Callable[..., Session]) -> None:
    """The daemon keeps types in memory and rechecks functions one by one: these must include the functions that depend on an edit."""
    play(daemon())


def test_the_daemon_starts_from_a_fine_grained_cache(project: Path, daemon: Callable[..., Session]) -> None:
    """A daemon that loads a cache has no syntax trees: the summaries in it have to do."""
    Session(project, flags()).write()
    flags("--cache-fine-grained")(project)
    play(daemon("--use-fine-grained-cache"))


def test_no_cache_at_all(project: Path) -> None:
    """Without a cache nothing is written, so summaries are attached when a module is done."""
    session = Session(project, flags("--cache-dir=/dev/null"))
    session.write(**{"dep2.py": FILES["dep2.py"].replace("return 5", "return hash(LOCK)")})
    assert session.lines() == (5, 8)


def test_a_project_that_begins_to_spawn_is_judged_whole(project: Path) -> None:
    """Modules checked and cached before anything imported capsend are judged like the others once something does."""
    dep2 = "import threading\nLOCK = threading.Lock()\ndef helper() -> int:\n    return hash(LOCK)\n"
    before = "import dep\ndef f() -> None:\n    dep.indirect()\n"
    after = "from capsend import spawn\nimport dep\ndef f() -> None:\n    spawn(dep.indirect)\n"
    dep = "import dep2\ndef indirect() -> int:\n    return dep2.helper()\n"
    session = Session(project, flags())
    session.write(**{"main.py": before, "dep.py": dep, "dep2.py": dep2})
    assert session.lines() == ()
    session.write(**{"main.py": after, "dep.py": dep, "dep2.py": dep2})
    assert session.lines() == (4,)


def test_modules_cached_before_the_first_spawn_are_judged_in_the_run_that_takes_them_from_the_cache(
    project: Path,
) -> None:
    """Named on the command line, `dep` and `dep2` come from the cache before mypy has parsed what now imports capsend."""
    dep2 = "import threading\nLOCK = threading.Lock()\ndef helper() -> int:\n    return hash(LOCK)\n"
    dep = "import dep2\ndef indirect() -> int:\n    return dep2.helper()\n"
    after = "from capsend import spawn\nimport dep\ndef f() -> None:\n    spawn(dep.indirect)\n"
    session = Session(project, flags("dep.py", "dep2.py"))
    session.write(**{"main.py": "import dep\n", "dep.py": dep, "dep2.py": dep2})
    assert session.lines() == ()
    session.write(**{"main.py": after, "dep.py": dep, "dep2.py": dep2})
    assert session.lines() == (4,)
    session.write(**{"main.py": after, "dep.py": dep, "dep2.py": dep2.replace("hash(LOCK)", "1")})
    assert session.lines() == ()


def test_a_build_without_capsend_keeps_no_summaries(project: Path) -> None:
    """Without a spawn the plugin costs almost nothing: it reads no function, and does not change mypy's cache."""
    (project / "lib.py").write_text(
        "import threading\nLOCK = threading.Lock()\ndef f() -> int:\n    return hash(LOCK)\n"
    )
    for way in WAYS.values():
        run(project, "--config-file=mypy.ini", *way, "lib.py")
    cached = b"".join(path.read_bytes() for path in (project / ".mypy_cache").rglob("*") if path.is_file())
    assert b"lib" in cached
    assert b"__capsend__" not in cached


def test_functions_of_silenced_modules_are_opaque(project: Path) -> None:
    """Modules that mypy follows silently have no bodies, so their captures are unknown."""
    session = Session(project, flags("--follow-imports=silent"))
    session.write()
    assert session.lines() == (5, 7, 8)
    assert "[capsend-opaque]" in session.check(project)


def test_an_import_cycle_with_a_spawn_at_module_level(warm_project: Path) -> None:
    """A type that is not inferred yet makes a check wait until the module is done; it is not taken for a yes or a no."""
    (warm_project / "main.py").write_text(
        "from capsend import spawn\nimport other\nLOCK = other.LOCK\nspawn(other.f)\nspawn(lambda: other.g())\n"
    )
    (warm_project / "other.py").write_text(
        "import threading\nimport main\ndef f() -> object:\n    return hash(main.LOCK)\ndef g() -> int:\n    return 1\nLOCK = threading.Lock()\n"
    )
    session = Session(warm_project, flags())
    for _ in range(2):
        assert session.lines() == (4,)


def test_a_harmless_edit_leaves_dependents_alone(warm_project: Path) -> None:
    """A function that can be spawned leaves no trace in its module's interface: using one more harmless global rechecks one module."""
    session = Session(warm_project, flags())
    session.write()
    session.lines()
    session.write(**{"dep2.py": FILES["dep2.py"].replace("return 5", "return 5 + LIMIT + len(str(LIMIT))")})
    output = run(warm_project, "--config-file=mypy.ini", "-v", "main.py")
    rechecked = re.findall(r"Processing SCC \S+ \((.*?)\)|Parsing \S*/(\w+)\.py \((\w+)\)", output)
    assert "dep2" in str(rechecked)
    assert "(main)" not in "".join(f"({name[2]})" for name in rechecked)
