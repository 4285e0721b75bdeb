"""Additions to functions and classes of other modules: implementations of single dispatch, and subclasses that code looks up."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import pytest

api = pytest.importorskip("mypy.api")

if TYPE_CHECKING:
    from pathlib import Path

BASE = """
import functools

class Base:
    def size(self) -> int:
        return 0

@functools.singledispatch
def show(x: object) -> str:
    return "object"

def sizes() -> int:
    return sum(each().size() for each in Base.__subclasses__())
"""
ADDED = """
from base import Base, show

SEEN: list[int] = []

def see() -> None:
    SEEN.append(1)

@show.register
def _(x: int) -> str:
    return str({value})

class Sub(Base):
    def size(self) -> int:
        return {value}
"""
MAIN = """
import added
from base import show, sizes
from capsend import spawn

spawn(show, 3)
spawn(sizes)
"""


def errors(folder: Path, *files: str) -> list[str]:
    """Return the errors that mypy reports of a folder, with its cache there."""
    (folder / "mypy.ini").write_text("[mypy]\nplugins = capsend_mypy\nstrict = True\n")
    paths = [str(folder / name) for name in files]
    output = api.run(["--config-file", str(folder / "mypy.ini"), "--cache-dir", str(folder / "cache"), *paths])[0]
    return [line for line in output.splitlines() if ": error: " in line]


def test_what_other_modules_add_is_followed_with_a_cache_and_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bad implementation or subclass of another module is an error at the spawn, in a run that reads that module from the cache as well."""
    monkeypatch.chdir(tmp_path)
    files = {"base.py": BASE, "added.py": ADDED.format(value="len(SEEN)"), "main.py": MAIN}
    for name, text in files.items():
        (tmp_path / name).write_text(textwrap.dedent(text))
    first = errors(tmp_path, *files)
    assert [line.split(":")[1] for line in first if 'global "SEEN"' in line] == ["6", "7"], first
    (tmp_path / "main.py").write_text(MAIN + "\n")
    assert len(errors(tmp_path, *files)) == 2
    (tmp_path / "added.py").write_text(ADDED.format(value="3"))
    assert errors(tmp_path, *files) == []


OVERRIDDEN = """
from typing import Final
SEEN: list[int] = []
class Base:
    def __init__(self) -> None:
        self.n: Final = 1
    def work(self) -> int:
        return 0
    def __lshift__(self, other: int) -> int:
        SEEN.append(other)
        return 0
class Sub(Base):
    def work(self) -> int:
        SEEN.append(1)
        return 1
def make() -> int:
    return Sub().n
"""
READER = """
import overridden
def read(base: overridden.Base) -> object:
    return {body}
"""
READING = """
import overridden
import reader
from capsend import spawn
spawn(overridden.make)
"""


def test_what_a_body_of_another_module_calls_is_noticed_with_a_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A module that begins to call a method, by name, by a text or by an operator, changes a cached verdict, and one that ends it as well."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "overridden.py").write_text(OVERRIDDEN)
    (tmp_path / "reading.py").write_text(READING)
    for body in ("base.n", "base.work()", "base << 1", "1", "getattr(base, 'work')()"):
        (tmp_path / "reader.py").write_text(READER.format(body=body))
        found = errors(tmp_path, "reading.py")
        assert len(found) == ("work" in body or "<<" in body), (body, found)


def test_the_source_beside_a_stub_is_read_and_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The functions of a module with a stub are judged by the source that runs, and a change of that alone is noticed with a cache."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "described.pyi").write_text("def size() -> int: ...\n")
    (tmp_path / "spawning.py").write_text("import described\nfrom capsend import spawn\nspawn(described.size)\n")
    for body in ("1", "len(SEEN)"):
        source = f"SEEN: list[int] = []\ndef see() -> None: SEEN.append(1)\ndef size() -> int: return {body}\n"
        (tmp_path / "described.py").write_text(source)
        assert len(errors(tmp_path, "spawning.py")) == ("SEEN" in body), body
