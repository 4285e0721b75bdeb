"""Methods are followed where they are called: by `self`, by declared types, by `super()`, by construction."""

from typing import Final

from capsend import spawn

CACHE: dict[str, int] = {}


def fill() -> None:
    CACHE["a"] = 1


class Base:
    def low(self) -> int:
        return len(CACHE)  # E: global "CACHE"


class Deep(Base):
    def __init__(self) -> None:
        self.n: Final = len(CACHE)  # E: global "CACHE"

    def high(self) -> int:
        return self.mid()

    def mid(self) -> int:
        return super().low()

    def unused(self) -> int:
        return len(CACHE)


def uses(d: Deep) -> int:
    return d.high()


def makes() -> None:
    Deep()


def f() -> None:
    spawn(makes)
    spawn(lambda: uses(Deep()))
