"""An instance that changes itself is not frozen, whatever its class says; nor is an enum member or a descriptor that does."""

import enum
import functools
from dataclasses import dataclass

from capsend import spawn


@dataclass(frozen=True)
class Counter:
    n: int

    def bump(self) -> None:
        object.__setattr__(self, "n", self.n + 1)


@dataclass(frozen=True)
class ByDict:
    n: int

    def bump(self) -> None:
        self.__dict__["n"] = 2


@dataclass(frozen=True)
class Page:
    url: str

    @functools.cached_property
    def hits(self) -> list[int]:
        return []


class Color(enum.Enum):
    RED = 1

    def __init__(self, number: int) -> None:
        self._seen: list[int] = []

    def seen(self) -> list[int]:
        return self._seen


class Level(enum.Enum):
    LOW = 1

    def __init__(self, number: int) -> None:
        self.uses = 0

    def use(self) -> None:
        self.uses += 1


class Limit:
    def __init__(self, most: int) -> None:
        self.most = most

    def __get__(self, instance: object, owner: type) -> int:
        return self.most

    def raise_to(self, most: int) -> None:
        self.most = most


class Config:
    limit = Limit(10)


@functools.cache
def registry() -> list[int]:
    return []


@functools.lru_cache(maxsize=3)
def squares(n: int) -> dict[int, int]:
    return {n: n * n}


def by_name() -> str:
    return Level.LOW.name  # E: global "Level" is Level, which is not ProcessSend


def f(counter: Counter, by_dict: ByDict, page: Page) -> None:
    spawn(lambda: counter.n)  # E: captured "counter" is Counter, which is not ProcessSend
    # N: Counter has a method that changes it after it was made, so a captured copy could differ
    # N: Instead: let the method return a new object, or pass it as an argument.
    spawn(lambda: by_dict.n)  # E: captured "by_dict" is ByDict
    spawn(lambda: page.hits)  # E: captured "page.hits" is list[int]
    red = Color.RED
    spawn(lambda: red.seen())  # E: captured "red._seen" is list[int]
    spawn(by_name)
    spawn(lambda: Config.limit)  # E: class attribute "Config.limit" is Limit
    spawn(lambda: registry())  # E: the cached result of "registry" is list[int], which is not ProcessSend
    # N: Instead: return an immutable value, or do without the cache: each process would have its own.
    spawn(squares, 3)  # E: the cached result of "squares" is dict[int, int]
