"""The methods that operators, statements and built-in functions call are reached with their class, and judged like other code."""

from dataclasses import dataclass
from typing import Any

from capsend import spawn

CACHE: dict[str, int] = {}


def fill() -> None:
    CACHE["a"] = 1


class Sized:
    def __len__(self) -> int:
        return len(CACHE)  # E: global "CACHE"


class Added:
    def __radd__(self, other: int) -> int:
        return len(CACHE)  # E: global "CACHE"


class Base:
    def __enter__(self) -> int:
        return len(CACHE)  # E: global "CACHE"

    def __exit__(self, *_: object) -> None: ...


class Inherits(Base): ...


@dataclass(frozen=True)
class Captured:
    n: int

    def __getitem__(self, key: str) -> int:
        return CACHE[key]  # E: global "CACHE"


class Singletons(type):
    def __call__(cls, *args: Any) -> Any:
        CACHE["a"] = 1  # E: global "CACHE"
        return super().__call__(*args)


class Config(metaclass=Singletons): ...


def in_with() -> int:
    with Inherits() as n:
        return n


def truth() -> bool:
    return bool(Config())


def f(captured: Captured) -> None:
    spawn(lambda: len(Sized()))
    spawn(lambda: 1 + Added())
    spawn(in_with)
    spawn(lambda: captured["a"])
    spawn(truth)
