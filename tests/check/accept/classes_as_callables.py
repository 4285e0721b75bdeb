"""Classes are callables whose result is an instance: it comes back where its class is data."""

import enum
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import PurePosixPath

from capsend import Executor, spawn


class Color(enum.Enum):
    RED = 1
    BLUE = 2


@dataclass
class Point:
    x: int
    y: int = 0


def run() -> None:
    """Spawn and map classes of the language, of the standard library and of this module."""
    assert spawn(int, "3").result() == 3
    assert spawn(Color, 2).result() is Color.BLUE
    assert spawn(Decimal, "1.5").result() == Decimal("1.5")
    assert spawn(Fraction, 1, 2).result() == Fraction(1, 2)
    assert spawn(PurePosixPath, "a", "b").result() == PurePosixPath("a/b")
    assert spawn(Point, 1).result() == Point(1)
    assert spawn(list, (1, 2)).result() == [1, 2]
    with Executor(max_workers=1) as executor:
        assert list(executor.map(str, [1, 2])) == ["1", "2"]
        assert list(executor.map(Point, [1, 2])) == [Point(1), Point(2)]
        assert list(executor.map(Color, [1])) == [Color.RED]
        assert executor.submit(Decimal, "1.5").result() == Decimal("1.5")
