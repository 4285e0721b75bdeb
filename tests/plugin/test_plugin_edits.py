"""mypy prints the same with a cache as without, after any edit of any module that a spawn rests on.

A project of four modules is edited at random, one place of one module at a time, and checked with the cache of all edits before and with one that
knows the library alone. `CAPSEND_EDITS=200` runs the long form.
"""

from __future__ import annotations

import os
import random
import shutil
from typing import TYPE_CHECKING, Final

import pytest

api = pytest.importorskip("mypy.api")

if TYPE_CHECKING:
    from pathlib import Path

COUNT: Final = int(os.environ.get("CAPSEND_EDITS", "2"))
CONFIGURATION: Final = """
[mypy]
plugins = capsend_mypy
strict = True
warn_unused_ignores = False
disable_error_code = func-returns-value, has-type, no-redef
"""
MODULES: Final = {
    "main": """
from capsend import spawn
import dep
from dep import Sub, make, run, shape, total
def uses() -> int:
    return dep.indirect()
def f() -> None:
    spawn(dep.indirect)
    spawn(run)
    spawn(lambda: total())
    c = make()
    spawn(lambda: c)
    spawn(uses)
    spawn(shape, 3)
    spawn(Sub(1).go)
    spawn(dep.table)
    spawn(dep.wrapped)
    spawn(dep.defaulted)
""",
    "dep": """
import functools
import dep2
from dep2 import TABLE, Base, Box, K, deco
class Sub(Base):
    {attribute}
    def work(self) -> int:
        return {work}
def run() -> int:
    return {run}
def indirect() -> int:
    return dep2.helper() + {indirect}
def total() -> int:
    return sum(TABLE) + K
def make() -> Box:
    return Box(1)
@functools.singledispatch
def shape(x: object) -> str:
    return "a"
def table() -> int:
    return dep2.NAMES["a"]()
@deco
def wrapped() -> int:
    return 1
def defaulted(x: list[int] = {default}) -> int:
    return {uses_default}
def call(b: Base) -> int:
    return {call}
def other() -> int:
    {declared}
    K = 3
    return 1
""",
    "dep2": """
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
import dep3
LOG: list[int] = []
LOCK = threading.Lock()
K = {k}
TABLE = {table}
def plain() -> int:
    return 1
NAMES = {names}
def log() -> None:
    LOG.append(1)
class Base:
    {attribute}
    def __init__(self, x: int) -> None:
        self.x: Final = x
        {field}
    def work(self) -> int:
        return 0
    def go(self) -> int:
        return {go}
@dataclass({frozen})
class Box:
    n: int
    {box}
def helper() -> int:
    return {helper}
def deco(fn: Callable[[], int]) -> Callable[[], int]:
    mark = {mark}
    def wrapper() -> int:
        {wrapping}
        return fn() + hash(mark)
    return wrapper
{more}
""",
    "dep3": """
STATE = {{"a": 1}}
K3 = {k}
def deep() -> int:
    return {deep}
class Reader:
    def read(self, b: object) -> object:
        return {read}
def deeper() -> int:
    {deeper}
    return 1
""",
}
CHOICES: Final = {
    "dep.attribute": [
        "x2 = 1",
        "LIMITS = [1]",
        "def __del__(self) -> None: dep2.log()",
        "def __lshift__(self, o: int) -> int: return len(dep2.LOG)",
    ],
    "dep.work": ["1", "len(dep2.LOG)", "dep2.K"],
    "dep.run": ["Sub(1).x", "Sub(1).work()", "call(Sub(1))", "len(str(Sub))"],
    "dep.indirect": ["0", "len(dep2.LOG)", "other()", "Sub(1).x", "int(Sub(1) == 3)"],
    "dep.default": ["[1]", "[]", "dep2.LOG"],
    "dep.uses_default": ["1", "len(x)", "x.append(2) or 1"],
    "dep.call": ["b.go()", "b.work()", "3", "b << 1  # type: ignore[operator]"],
    "dep.declared": ["global K", "pass"],
    "dep2.k": ["3", "[3]", "object()", "dep3.K3"],
    "dep2.table": ["[1, 2]", "(1, 2)", "[K, 2]", "list((1, 2))"],
    "dep2.names": ['{"a": plain}', '{"a": plain, "b": lambda: 1}', '{"a": lambda: len(LOG)}'],
    "dep2.attribute": [
        "x1 = 1",
        "LIMIT: list[int] = []",
        "def __del__(self) -> None: log()",
        "def __repr__(self) -> str: return str(LOG)",
    ],
    "dep2.field": ["pass", "self.rows: Final = [1]", "self.lock = LOCK"],
    "dep2.go": ["1", "self.work()", "self.x", "len(LOG)"],
    "dep2.frozen": ["", "frozen=True"],
    "dep2.box": ["pass", "m: list[int] | None = None", "lock: object = None"],
    "dep2.helper": ["1", "dep3.deep()", "len(TABLE)", "TABLE.append(3) or 1", "log() or 2", "hash(LOCK)"],
    "dep2.mark": ["3", "LOCK", "LOG"],
    "dep2.wrapping": ["pass", "log()"],
    "dep2.more": [
        "",
        "def grow() -> None: TABLE.append(3)",
        "def change() -> None:\n    global K\n    K = 4",
        "TABLE = [4]",
        "NAMES['c'] = plain",
    ],
    "dep3.k": ["1", "[1]"],
    "dep3.deep": ["1", "STATE['a']", "len(STATE)", "deeper()"],
    "dep3.read": [
        "b",
        'getattr(b, "work")()',
        "b.work()  # type: ignore[attr-defined]",
        "b << 2  # type: ignore[operator]",
    ],
    "dep3.deeper": ["pass", "STATE['b'] = 1"],
}


class Project:
    """The modules in a folder, with one choice for each of their places."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.chosen = dict.fromkeys(CHOICES, 0)
        self.moment = 1_600_000_000
        (folder / "mypy.ini").write_text(CONFIGURATION)
        self.write()

    def write(self) -> None:
        """Write the modules that differ; each with a modification time of its own, as mypy asks for that first."""
        for module, text in MODULES.items():
            filled = {place: CHOICES[place][at] for place, at in self.chosen.items() if place.startswith(f"{module}.")}
            path = self.folder / f"{module}.py"
            new = text.format(**{place.rpartition(".")[2]: value for place, value in filled.items()})
            if not path.exists() or path.read_text() != new:
                path.write_text(new)
                self.moment += 10
                os.utime(path, (self.moment, self.moment))

    def check(self, cache: Path) -> str:
        """Return what mypy prints."""
        output, errors, code = api.run(["--config-file", "mypy.ini", "--cache-dir", str(cache), "main.py"])
        assert code in {0, 1}, output + errors
        assert "capsend-internal" not in output, output
        return str(output)


def test_a_cache_changes_no_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After each edit mypy prints with the cache of all runs before what it prints with a cache of the library alone."""
    monkeypatch.chdir(tmp_path)
    project, draw = Project(tmp_path), random.Random(f"capsend edits {COUNT}")
    warm, clean = tmp_path / "warm", tmp_path / "clean"
    project.check(warm)
    for _ in range(COUNT):
        place = draw.choice(sorted(CHOICES))
        before = project.chosen[place]
        project.chosen[place] = draw.choice([at for at in range(len(CHOICES[place])) if at != before])
        project.write()
        shutil.rmtree(clean, ignore_errors=True)
        shutil.copytree(warm, clean)
        for path in (path for module in MODULES for path in clean.rglob(f"{module}.*")):
            path.unlink()
        edit = place, CHOICES[place][before], CHOICES[place][project.chosen[place]]
        assert project.check(warm) == project.check(clean), edit
