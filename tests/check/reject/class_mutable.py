"""A class is ProcessSend when all its fields are Final or frozen, and their types are."""

from dataclasses import dataclass
from typing import Final

import attrs

from capsend import spawn


@dataclass
class Mutable:
    n: int


@attrs.define
class Defined:
    n: int


class Ordinary:
    def __init__(self) -> None:
        self.n = 1


class Slots:
    __slots__ = ("n",)

    def __init__(self) -> None:
        self.n = 1


class Counter:
    count = 0

    def tick(self) -> None:
        self.count += 1


class FinalList:
    def __init__(self) -> None:
        self.xs: Final[list[int]] = []


@dataclass(frozen=True)
class Frozen(Ordinary):
    m: int


def f(m: Mutable, d: Defined, o: Ordinary, s: Slots, c: Counter, x: FinalList, z: Frozen) -> None:
    spawn(lambda: m)  # E: captured "m" is Mutable
    # N: Instead: declare the class with @dataclass(frozen=True), or pass it as an argument.
    spawn(lambda: d)  # E: captured "d" is Defined
    # N: Instead: declare the class with @attrs.frozen, or pass it as an argument.
    spawn(lambda: o)  # E: captured "o" is Ordinary
    # N: Instead: declare its fields Final, or pass it as an argument.
    spawn(lambda: s)  # E: captured "s" is Slots
    spawn(lambda: c)  # E: captured "c" is Counter
    spawn(lambda: x)  # E: captured "x.xs" is list[int]
    spawn(lambda: z)  # E: captured "z" is Frozen
