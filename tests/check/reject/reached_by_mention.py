"""An attribute of a value whose class no declaration shows may be one of any class that the function mentions."""

import ast
from collections.abc import Iterator
from typing import NamedTuple, Protocol, TypeVar

from capsend import spawn

ROWS: list[int] = []


def fill() -> None:
    ROWS.append(1)


class InLoops:
    def size(self) -> int:
        return len(ROWS)  # E: global "ROWS" is list[int]


class InTypes(InLoops):
    def size(self) -> int:
        return len(ROWS)  # E: global "ROWS" is list[int]


class InPatterns:
    @property
    def size(self) -> int:
        return len(ROWS)  # E: global "ROWS" is list[int]


class HasSize(Protocol):
    def measure(self) -> int: ...


class Measured:
    def measure(self) -> int:
        return len(ROWS)  # E: global "ROWS" is list[int]


class Base:
    def run(self) -> int:
        return self.step()

    def step(self) -> int:
        return 0


class Overriding(Base):
    def step(self) -> int:
        return len(ROWS)  # E: global "ROWS" is list[int]


class First(Base):
    def step(self) -> int:
        return super().step()


class Second(Base):
    def step(self) -> int:
        return len(ROWS)  # E: global "ROWS" is list[int]


class Both(First, Second):
    pass


class Visitor(ast.NodeVisitor):
    def visit(self, node: ast.AST) -> int:
        return len(ROWS)  # E: global "ROWS" is list[int]


class Point(NamedTuple):
    x: int

    def size(self) -> int:
        return len(ROWS)  # E: global "ROWS" is list[int]


class Outer:
    class Inner:
        def size(self) -> int:
            return len(ROWS)  # E: global "ROWS" is list[int]


class Setting:
    @property
    def x(self) -> int:
        return 1

    @x.setter
    def x(self, n: int) -> None:
        ROWS.append(n)  # E: global "ROWS" is list[int]


class Meta(type):
    count: int = 0

    def bump(cls) -> None:
        cls.count += 1  # E: "Meta.count" is assigned in bump


class Counted(metaclass=Meta):
    pass


class Copied:
    def __deepcopy__(self, memo: dict[int, object]) -> "Copied":
        ROWS.append(1)  # E: global "ROWS" is list[int]
        return self


T = TypeVar("T", bound=InTypes)


def made() -> Iterator[InTypes]:
    yield InTypes()


def measured(x: HasSize) -> int:
    return x.measure()


def in_types() -> list[int]:
    return [each.size() for each in made()]


def in_patterns() -> int:
    match InPatterns():
        case InPatterns(size=n):
            return n
    return 0


def sets() -> None:
    setting = Setting()
    setting.x = 3


spawn(lambda: sum(each.size() for each in [InLoops()]))
spawn(in_types)
spawn(in_patterns)
spawn(lambda: measured(Measured()))
spawn(lambda: Overriding().run())
spawn(lambda: Both().run())
spawn(lambda: Visitor().generic_visit(ast.parse("a")))
spawn(lambda: Point(1)._replace(x=3).size())
spawn(lambda: Outer.Inner().size())
spawn(sets)
spawn(lambda: Counted.bump())
spawn(lambda: Copied() is None)
