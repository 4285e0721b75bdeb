"""A program is written down in the same way whatever the hash seed, and code that did not change is never called changed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from capsend.source.importable import importable

SEEDS = tuple(map(str, range(8)))

# Two methods that use the same class, a base and its subclass, many classes that name each other, sets of names.
PROGRAMS = {
    "two_methods": """
        RATE = 3
        class Item:
            def __init__(self, price: int) -> None:
                self.price = price
        class Shop:
            def cheapest(self) -> int:
                return Item(1).price
            def total(self) -> int:
                return Item(2).price * RATE
        def work() -> int:
            shop = Shop()
            return shop.cheapest() + shop.total()
        """,
    "base_and_subclass": """
        class Base:
            def hi(self) -> str:
                return "base"
        class Sub(Base):
            def hi(self) -> str:
                return "sub"
        class World:
            def one(self) -> str:
                return Base().hi()
            def two(self) -> str:
                return Sub().hi()
        def work() -> str:
            w = World()
            return w.one() + w.two()
        """,
    "many_classes": "\n".join(
        f"        class K{i}:\n            n: int = {i}\n            def m(self) -> int:\n                return K{(i * 7 + 3) % 30}.n + K{i}.n"
        for i in range(30)
    )
    + "\n        def work() -> int:\n            return "
    + " + ".join(f"K{i}().m()" for i in range(30))
    + "\n",
    "attributes": """
        import abc
        class Shape(abc.ABC):
            kinds = frozenset({"a", "b", "c", "d"})
            def area(self) -> int:
                return self.width() * self.height() + len(self.kinds)
            def width(self) -> int:
                return self.one + self.two
            def height(self) -> int:
                return self.three + self.four
            one, two, three, four = 1, 2, 3, 4
        class Square(Shape):
            def width(self) -> int:
                return helper(self)
        @Shape.register
        class Round:
            def area(self) -> int:
                return 3
        def helper(x: object) -> int:
            return isinstance(x, Shape) + isinstance(x, Round)
        def work() -> int:
            return Square().area() + Round().area()
        """,
}
MAIN = """
import hashlib, sys
import program
from capsend.environment import default, prepare
prepared = prepare(default(), program.work, (), {})
print(hashlib.sha256(prepared.shipment.program.encode()).hexdigest(), prepared.start().result() == program.work())
"""

SETS = """
def work() -> object:
    return [word for word in ("a", "e", "g") if word in {"a", "b", "c", "d", "e", "f"}], (lambda x: x in {"one", "two", "three"})("two")

class Words:
    def has(self, word: str, known: object = frozenset({"x", "y", "z"})) -> bool:
        return word in {"alpha", "beta", "gamma", "delta"}

def use() -> object:
    return Words().has("beta"), work()
"""
MAIN_SETS = """
import program
from capsend import spawn
print(spawn(program.use).result() == program.use())
"""


def _run(folder: Path, main: str, *options: str, **environment: str) -> str:
    ended = subprocess.run(
        [sys.executable, *options, "-c", main],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    return ended.stdout.strip()


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_has_the_same_text_under_every_hash_seed(name: str, tmp_path: Path, template: object) -> None:
    """Nothing that the walk decides or writes depends on the order of a set."""
    lines = [line.removeprefix("        ") for line in PROGRAMS[name].splitlines()]
    (tmp_path / "program.py").write_text("\n".join(lines) + "\n", encoding="utf-8")
    found = {_run(tmp_path, MAIN, PYTHONHASHSEED=seed) for seed in SEEDS}
    assert len(found) == 1
    assert found.pop().endswith(" True")


def test_unchanged_code_is_not_called_changed_with_or_without_byte_code(tmp_path: Path, template: object) -> None:
    """The order of sets of constants in byte code depends on the hash seed; the code is the same."""
    (tmp_path / "program.py").write_text(SETS, encoding="utf-8")
    assert _run(tmp_path, MAIN_SETS, "-B", PYTHONHASHSEED="1") == "True"
    assert not (tmp_path / "__pycache__").exists()
    for seed in SEEDS:
        environment = {"PYTHONHASHSEED": seed, "PYTHONDONTWRITEBYTECODE": ""}
        assert _run(tmp_path, MAIN_SETS, **environment) == "True"  # the first one writes it
        assert (tmp_path / "__pycache__").exists()


def test_only_what_an_import_finds_is_among_the_names_of_a_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the text of a program that imports by computed names would change with every file beside it."""
    for name in ("module.py", "rows.json", "not-one.py"):
        (tmp_path / name).touch()
    (tmp_path / "folder").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    assert importable() & {"module", "rows", "not-one", "folder"} == {"module", "folder"}  # type: ignore[operator]  # None in a process alone
