"""Tables that their module fills and then only reads, whatever functions they hold; defaults that are only read."""

import functools
import operator
from collections.abc import Callable
from typing import Final

from capsend import spawn

OPERATIONS: Final[dict[str, Callable[[int, int], int]]] = {"+": operator.add, "-": operator.sub, "max": max}
UNTYPED = {"*": operator.mul}
SPELLINGS: dict[str, Callable[[str], str]] = {"upper": str.upper, "plain": lambda text: text}
STEPS: dict[str, Callable[[int], int]] = {"square": functools.partial(pow, exp=2), "name": abs}
SIZES: dict[str, int] = {}
for index, name in enumerate(("small", "large")):
    SIZES[name] = 2**index
NAMES = ["small"]
NAMES += ["large"]


def made() -> dict[str, int]:
    return {"a": 3}


MADE = made()


def _fill() -> None:
    SIZES["huge"] = 8


_fill()


class Reader:
    def read(self, name: str, options: dict[str, int] = {"huge": 0}) -> int:
        return options.get(name, 1)


def count(texts: tuple[str, ...], counted: list[str] = ["a", "b"]) -> int:
    return sum(text in counted for text in texts)


def work() -> tuple[int, ...]:
    return (
        OPERATIONS["+"](1, 2) + OPERATIONS["max"](1, 2),
        int(UNTYPED["*"](2, 3)),
        len(SPELLINGS["upper"]("a") + SPELLINGS["plain"]("b")),
        STEPS["square"](3),
        sum(SIZES[name] for name in NAMES) + SIZES["huge"],
        MADE["a"],
        Reader().read("huge") + count(("a", "c")),
    )


def run() -> None:
    assert spawn(work).result() == (5, 6, 2, 9, 11, 3, 1)
