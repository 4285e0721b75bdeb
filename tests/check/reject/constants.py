"""A mutable global is not a constant if its module rebinds it, changes it, passes it to code that might, or puts unsendable objects in it."""

import threading
from collections.abc import Callable
from typing import ClassVar

from capsend import spawn

WRITTEN = [1]
CHANGED = {"a": 1}
RETURNED = [1]
PASSED = [1]
ALIASED = [1]
ALIAS = ALIASED
NESTED = {"a": [1]}
HELD = {"a": threading.Lock()}
COMPUTED = {"a": [threading.Lock()]}
CACHE: dict[str, int] = {}


def uses_cache(key: str) -> int:
    return CACHE.setdefault(key, len(key))  # E: global "CACHE" is dict[str, int]


def counts() -> int:
    return CACHE_OF_TABLE["uses"]("a")


CACHE_OF_TABLE: dict[str, Callable[[str], int]] = {"uses": uses_cache}


def rewrite() -> None:
    global WRITTEN
    WRITTEN = [2]


def register() -> None:
    CHANGED["b"] = 2


def expose() -> list[int]:
    return RETURNED


def hand_on(take: Callable[[list[int]], None]) -> None:
    take(PASSED)


def inner() -> list[int]:
    return NESTED["a"]


def change_alias() -> None:
    ALIAS.append(1)


class Codec:
    widths = {"a": 1}
    order: ClassVar[list[str]] = ["b", "a"]

    def width(self, name: str) -> int:
        return self.widths[name]  # E: class attribute "Codec.widths"

    def learn(self, name: str) -> None:
        self.widths[name] = 1

    def all(self) -> list[str]:
        return self.order  # E: class attribute "Codec.order"


def f() -> None:
    spawn(lambda: WRITTEN[0])  # E: global "WRITTEN"
    spawn(lambda: CHANGED["a"])  # E: global "CHANGED"
    spawn(lambda: RETURNED[0])  # E: global "RETURNED"
    spawn(lambda: PASSED[0])  # E: global "PASSED"
    spawn(lambda: ALIASED[0])  # E: global "ALIASED"
    spawn(lambda: NESTED["a"][0])  # E: global "NESTED"
    spawn(lambda: "a" in HELD)  # E: global "HELD"
    spawn(lambda: len(COMPUTED))  # E: global "COMPUTED"
    spawn(counts)
    spawn(lambda: Codec().width("a"))
    spawn(lambda: Codec().all())
