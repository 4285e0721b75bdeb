"""A callable object is a captured instance, and what its `__call__` reads counts as well."""

from dataclasses import dataclass

from capsend import spawn

CACHE: dict[int, int] = {}


def fill() -> None:
    CACHE[1] = 1


@dataclass
class Mutable:
    n: int

    def __call__(self) -> int:
        return self.n


@dataclass(frozen=True)
class Reads:
    n: int

    def __call__(self) -> int:
        return CACHE[self.n]  # E: global "CACHE" is dict[int, int]


def f(m: Mutable, r: Reads) -> None:
    spawn(m)  # E: the callable object "m" is Mutable, which is not ProcessSend
    # N: Mutable has a field that is not ProcessSend: n can be assigned, so a captured copy could differ
    spawn(r)
