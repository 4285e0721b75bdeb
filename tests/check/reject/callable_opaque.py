"""A callable of which only the type is known may capture anything."""

from collections.abc import Callable
from typing import Any

from capsend import spawn


def f(cb: Callable[[], int], anything: Any, many: list[Callable[[], int]]) -> None:
    spawn(cb)  # E: the callable object "cb" is Callable[[], int], whose captures are unknown  [capsend-opaque]
    # N: Instead: annotate it Spawnable[...], or pass a function by its name.
    spawn(anything)  # E: the callable object "anything" is Any, which says nothing about ProcessSend  [capsend-any]
    for one in many:
        spawn(one)  # E: [capsend-opaque]
    spawn(make(3))  # E: the callable object "make(...)"
    spawn(lambda: cb())  # E: captured "cb" is Callable[[], int]


def make(n: int) -> Callable[[], int]:
    return [lambda: n, lambda: -n][n % 2]


class Item:
    def __init__(self) -> None:
        self.rows: list[int] = []

    @property
    def act(self) -> Callable[[int], int]:
        return abs


def property_is_no_method(item: Item) -> None:
    spawn(item.act, 3)  # E: Callable[[int], int], whose captures are unknown  [capsend-opaque]
