"""A decorator may wrap anything: what it returns is opaque, unless it returns the function it is given."""

import functools
from collections.abc import Callable

from capsend import spawn


def counted(fn: Callable[[], int]) -> Callable[[], int]:
    calls: list[str] = []

    @functools.wraps(fn)
    def wrapper() -> int:
        calls.append(fn.__name__)
        return fn()

    return wrapper


def marked(fn: Callable[[], int]) -> Callable[[], int]:
    return fn


CACHE: dict[int, int] = {}


def fill() -> None:
    CACHE[1] = 1


@counted
def job() -> int:
    return 1


@marked
def other() -> int:
    return len(CACHE)  # E: global "CACHE"


@functools.cache
def cached(n: int) -> int:
    return CACHE[n]  # E: global "CACHE"


def f() -> None:
    spawn(job)  # E: global "job" is Callable[[], int], whose captures are unknown  [capsend-opaque]
    # N: a decorator wraps it, and what the wrapper captures is unknown
    spawn(lambda: job())  # E: global "job"
    spawn(other)
    spawn(cached, 1)
