"""`@process` checks at the definition; spawns of the result are not checked again."""

from capsend import process, spawn

CACHE: dict[str, int] = {}


def fill() -> None:
    CACHE["a"] = 1


@process
def bad() -> int:
    return len(CACHE)  # E: global "CACHE"


def f(xs: list[int]) -> None:
    @process
    def local() -> int:
        return len(xs)  # E: captured "xs"

    spawn(local)
    spawn(bad)
    process(lambda: len(xs))  # E: captured "xs"


class Service:
    def __init__(self) -> None:
        self.n = 1

    @process
    def method(self) -> int:
        return len(CACHE)  # E: global "CACHE"
