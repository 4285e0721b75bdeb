"""Both verdicts on programs of several modules agree: a line with `# no` is refused by the plugin and the run time, any other taken."""

from __future__ import annotations

import importlib
import re
import sys
from typing import TYPE_CHECKING, Final

import pytest

import capsend

api = pytest.importorskip("mypy.api")

if TYPE_CHECKING:
    from pathlib import Path

SHADOWING: Final = {
    "colorsys.py": """
import threading
LOCK = threading.Lock()
def dumps(x: int) -> str:
    with LOCK:
        return str(x)
class Box:
    def get(self) -> int: return 4
""",
    "verdict_shadowing.py": """
import colorsys
import statistics
from capsend import spawn
from colorsys import Box, dumps
def by_module() -> str: return colorsys.dumps(4)
def by_name() -> str: return dumps(4)
def by_class() -> int: return Box().get()
def of_library() -> float: return statistics.mean([1.0, 2.0])
box = Box()
def spawns() -> None:
    spawn(by_module)  # no
    spawn(by_name)  # no
    spawn(by_class)  # no
    spawn(lambda: colorsys.dumps(4))  # no
    spawn(lambda: box)  # no
    spawn(box.get)  # no
    spawn(of_library)
""",
}
BOUND: Final = {
    "verdict_bound.py": """
import contextlib
import enum
import functools
import re
from dataclasses import dataclass
from typing import Final, NamedTuple
from capsend import spawn

@dataclass(frozen=True)
class Frozen:
    n: int
    def get(self) -> int: return self.n
    @classmethod
    def make(cls, n: int) -> "Frozen": return cls(n)
@dataclass
class Mutable:
    rows: list[int]
    def get(self) -> int: return len(self.rows)
class Pair(NamedTuple):
    n: int
    def get(self) -> int: return self.n
class Color(enum.Enum):
    RED = 1
    def get(self) -> int: return 3

frozen = Frozen(5)
mutable = Mutable([1])
CALL = Frozen(4).get
GLOBAL: Final = frozen.get
MEMBER = Color.RED.get
MADE = Frozen.make(3).get
PIECE = functools.partial(Pair(3).get)
MATCH = re.compile("a").match
JOIN = ", ".join
OF_MUTABLE = mutable.get
OF_MADE = Mutable([1]).get
OPEN = open(__file__).read
TABLE: Final = (Frozen(1).get, Color.RED.get)
BAD_TABLE: Final = (Frozen(1).get, Mutable([2]).get)
def call() -> int: return CALL()
def global_() -> int: return GLOBAL()
def member() -> int: return MEMBER()
def made() -> int: return MADE()
def piece() -> int: return PIECE()
def match() -> bool: return MATCH("a") is not None
def join() -> str: return JOIN(["a"])
def table() -> int: return TABLE[0]()
def of_mutable() -> int: return OF_MUTABLE()
def of_made() -> int: return OF_MADE()
def open_() -> str: return OPEN()
def bad_table() -> int: return BAD_TABLE[0]()
def spawns() -> None:
    spawn(call)
    spawn(global_)
    spawn(member)
    spawn(made)
    spawn(piece)
    spawn(match)
    spawn(join)
    spawn(table)
    spawn(of_mutable)  # no
    spawn(of_made)  # no
    spawn(open_)  # no
    spawn(bad_table)  # no
""",
    "verdict_context.py": """
import contextlib
import functools
from typing import Final
from capsend import spawn
class Timed(contextlib.ContextDecorator):
    def __init__(self, name: str = "") -> None:
        self.name: Final = name
    def __enter__(self) -> "Timed": return self
    def __exit__(self, *exc: object) -> None: return None
class Listed(Timed):
    def __init__(self) -> None:
        super().__init__("a")
        self.names: list[str] = []
class AsyncTimed(contextlib.AsyncContextDecorator):
    async def __aenter__(self) -> "AsyncTimed": return self
    async def __aexit__(self, *exc: object) -> None: return None
timed = Timed()
@Timed("a")
def decorated() -> int: return 1
@timed
def by_variable() -> int: return 1
@Timed()
@functools.lru_cache
def twice() -> int: return 1
@AsyncTimed()
async def awaited() -> int: return 1
@Listed()
def of_mutable() -> int: return 1
def caller() -> int: return decorated()
def spawns() -> None:
    spawn(decorated)
    spawn(by_variable)
    spawn(twice)
    spawn(awaited)
    spawn(caller)
    spawn(of_mutable)  # no
""",
}
OPERATORS: Final = {
    "verdict_operators.py": """
from collections.abc import Iterator, MutableMapping
from typing import Final
from capsend import spawn
USED: list[int] = []
UNUSED: list[int] = []
def used() -> int:
    USED.append(1)
    return 1
def unused() -> int:
    UNUSED.append(1)
    return 1
class Number:
    def __init__(self) -> None: self.n: Final = 1
    def __ior__(self, other: int) -> "Number":
        unused()
        return self
    def __matmul__(self, other: int) -> int: return unused()
    def __enter__(self) -> int: return unused()
    def __exit__(self, *exc: object) -> None: unused()
class Shifted:
    def __init__(self) -> None: self.n: Final = 1
    def __lshift__(self, other: int) -> int: return used()
class Both:
    def __init__(self) -> None: self.n: Final = 1
    def __rshift__(self, other: int) -> int: return unused()
def not_used() -> int: return Number().n
def shifts() -> int: return Shifted() << 3
def by_another_way() -> int:
    made = Both().n
    return made + unused()
def spawns() -> None:
    spawn(not_used)
    spawn(shifts)  # no
    spawn(by_another_way)  # no
""",
}
STUBBED: Final = {
    "verdict_library.py": """
import threading
LOCK = threading.Lock()
SEEN = []
TABLE = {"a": 1}
def good(n):
    return _private(n) + TABLE["a"]
def _private(n):
    return n + 1
def locking(n):
    with LOCK:
        return n
def changing():
    SEEN.append(1)
    return 1
class Box:
    def __init__(self, n):
        self.n = n
    def get(self):
        return _private(self.n)
    def lock(self):
        return locking(3)
def decorate(fn):
    def wrapper():
        return fn() + 1
    return wrapper
""",
    "verdict_library.pyi": """
from collections.abc import Callable
TABLE: dict[str, int]
def good(n: int) -> int: ...
def locking(n: int) -> int: ...
def changing() -> int: ...
class Box:
    n: int
    def __init__(self, n: int) -> None: ...
    def get(self) -> int: ...
    def lock(self) -> int: ...
def decorate(fn: Callable[[], int]) -> Callable[[], int]: ...
""",
    "verdict_stubs.py": """
import verdict_library
from capsend import spawn
from verdict_library import Box, good
def calls() -> int: return good(1)
def locks() -> int: return verdict_library.locking(1)
def changes() -> int: return verdict_library.changing()
def makes() -> int: return Box(3).get()
def makes_lock() -> int: return Box(3).lock()
def reads() -> int: return verdict_library.TABLE["a"]
@verdict_library.decorate
def decorated() -> int: return 3
def spawns() -> None:
    spawn(calls)
    spawn(locks)  # no
    spawn(changes)  # no
    spawn(makes)
    spawn(makes_lock)  # no
    spawn(reads)
    spawn(decorated)
""",
}
PROGRAMS: Final = {**SHADOWING, **BOUND, **OPERATORS, **STUBBED}
MAINS: Final = sorted(name for name, text in PROGRAMS.items() if "def spawns" in text)
SPAWN: Final = re.compile(r"    spawn\((.*)\)(  # no)?$")


def refused(output: str, module: str) -> set[int]:
    """Return the lines of a module's spawns that mypy reports: a report at the capture names the line of the spawn."""
    errors = set(map(int, re.findall(rf"(?m)^{module}\.py:(\d+): error:", output)))
    return errors | set(map(int, re.findall(rf"(?m)^{module}\.py:\d+: note: spawned in line (\d+)", output)))


def is_refused(module: object, expression: str) -> bool:
    """Return whether the run time refuses a callable."""
    try:
        capsend.check(eval(expression, vars(module)))
    except capsend.CaptureError:
        return True
    return False


def test_both_verdicts_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The plugin and `check` refuse the same callables: shadowing modules, bound methods, context decorators, operators, stubs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "mypy.ini").write_text("[mypy]\nplugins = capsend_mypy\nstrict = True\n")
    for name, text in PROGRAMS.items():
        (tmp_path / name).write_text(text)
        monkeypatch.delitem(sys.modules, name.removesuffix(".py"), raising=False)
    output = api.run(["--config-file", "mypy.ini", "--cache-dir", "cache", *MAINS])[0]
    for name, text in PROGRAMS.items():
        if name.endswith(".pyi"):
            continue
        module = name.removesuffix(".py")
        spawned = {line: found for line, row in enumerate(text.split("\n"), 1) if (found := SPAWN.match(row))}
        expected = {line for line, found in spawned.items() if found[2]}
        loaded = importlib.import_module(module) if spawned else None
        assert {line for line, found in spawned.items() if is_refused(loaded, found[1])} == expected, module
        assert _of_spawns(output, module, text) == expected, output
    for name in PROGRAMS:
        sys.modules.pop(name.removesuffix(".py"), None)


def _of_spawns(output: str, module: str, text: str) -> set[int]:
    lines = text.split("\n")
    return {line for line in refused(output, module) if SPAWN.match(lines[line - 1])}
