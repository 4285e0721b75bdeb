"""Deeply immutable values can be captured, however they are nested, narrowed or bound."""

import datetime
import decimal
import enum
import fractions
import pathlib
import re
import uuid
from dataclasses import dataclass
from typing import Annotated, Final, Generic, Literal, NamedTuple, NewType, TypeVar, final

import attrs

from capsend import spawn

T = TypeVar("T")
UserId = NewType("UserId", int)


class Color(enum.Enum):
    RED = 1


class Point(NamedTuple):
    x: int
    y: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Row(Generic[T]):
    value: T
    names: tuple[str, ...] = ()


@attrs.frozen
class Conf:
    rows: frozenset[int]
    color: Color = Color.RED


@final
@dataclass(frozen=True)
class Tree:
    kids: "tuple[Tree, ...]"
    n: int


class Fixed:
    def __init__(self) -> None:
        self.n: Final = 1


def run() -> None:
    a: int | None = 1
    b: tuple[int, tuple[str, ...], frozenset[bytes]] = (1, ("a",), frozenset({b"b"}))
    c, d, e = Point(1, ("y",)), Row((1, 2)), Conf(frozenset({1}))
    f, g, h = Tree((Tree((), 2),), 1), Fixed(), Color.RED
    i, j, k = decimal.Decimal(1), fractions.Fraction(1, 2), uuid.UUID(int=1)
    m, n, o = datetime.date(2026, 1, 1), re.compile("a"), pathlib.PurePosixPath("a")
    p: Literal["x"] = "x"
    q: Annotated[int, "meters"] = 1
    r = UserId(1)
    assert spawn(lambda: (a, b, c.x, d.value, e.rows, f.n, g.n, h.name)).result()[2:4] == (1, (1, 2))
    assert spawn(lambda: [str(x) for x in (i, j, k, m, o, p, q, r)] + [n.pattern]).result()[-1] == "a"
    values: object = "text"
    if isinstance(values, str):
        assert spawn(lambda: values.upper()).result() == "TEXT"
    for index in range(2):
        assert spawn(lambda: index).result() == index
        assert spawn(lambda index=index: index).result() == index
    assert [spawn(lambda: x).result() for x in (1, 2)] == [1, 2]
