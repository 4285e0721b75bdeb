"""Fields that are set only while an object is made stay as they are: those of enum members, of descriptors, and of frozen classes."""

import enum
import functools
from dataclasses import dataclass, replace
from typing import Any

from capsend import spawn


class Planet(enum.Enum):
    EARTH = (5.976, 6.37814)
    MARS = (0.6421, 3.3972)

    def __init__(self, mass: float, radius: float) -> None:
        self.mass = mass
        self.radius = radius


@dataclass(frozen=True)
class Point:
    x: int
    y: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "y", self.x + 1)

    @functools.cached_property
    def total(self) -> int:
        return self.x + self.y

    def moved(self) -> "Point":
        return replace(self, x=self.x + 1)


class Scale:
    def __init__(self, by: int) -> None:
        self.by = by

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: object, owner: Any = None) -> int:
        return self.by


class Config:
    factor = Scale(3)


@functools.cache
def square(n: int) -> int:
    return n * n


def run() -> None:
    earth, point = Planet.EARTH, Point(1)
    assert point.total == 3
    assert spawn(lambda: earth.mass + Planet.MARS.radius).result() == 5.976 + 3.3972
    assert spawn(lambda: (point.total, point.moved().total)).result() == (3, 5)
    assert spawn(lambda: Config.factor + Config().factor).result() == 6
    assert spawn(square, 3).result() == 9
