"""A decorated function is the result of its decorators: the wrapper and its captures are judged, wherever the name is used."""

import functools
import threading
from collections.abc import Callable
from typing import Final, Generic, ParamSpec, TypeVar

from capsend import spawn

P = ParamSpec("P")
R = TypeVar("R")


def counted(fn: Callable[[], int]) -> Callable[[], int]:
    calls: list[str] = []

    @functools.wraps(fn)
    def wrapper() -> int:
        calls.append(fn.__name__)  # E: captured "calls" is list, which is not ProcessSend
        # N: return the value, take it from result(), and change it on the host
        # N: spawned in line 121
        return fn()

    return wrapper


def marked(fn: Callable[[], int]) -> Callable[[], int]:
    return fn


def locked(times: int) -> Callable[[Callable[P, R]], Callable[P, R]]:
    lock = threading.Lock()

    def decorate(fn: Callable[P, R]) -> Callable[P, R]:
        def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
            with lock:  # E: captured "lock" is lock
                return [fn(*args, **kwargs) for _ in range(times)][0]

        return wrapper

    return decorate


def numbered(fn: Callable[P, R]) -> Callable[P, R]:
    count = 0

    @functools.wraps(fn)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        nonlocal count  # E: "count" is assigned in wrapper
        count += 1
        return fn(*args, **kwargs)

    return wrapper


class Kept(Generic[P, R]):
    def __init__(self, fn: Callable[P, R]) -> None:
        self.fn: Final = fn
        self.results: Final[list[R]] = []

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        self.results.append(self.fn(*args, **kwargs))
        return self.results[-1]


def tell(value: Callable[[int], int], *, log: Callable[[str], None]) -> Callable[[int], int]:
    def wrapper(n: int) -> int:
        log(str(n))
        return value(n)

    return wrapper


CACHE: dict[int, int] = {}
LINES: list[str] = []


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


@locked(3)
def thrice(n: int) -> int:
    return n


@numbered
def first(n: int) -> int:
    return n


@Kept
def kept(n: int) -> int:
    return n


def double(n: int) -> int:
    return 2 * n


def log(line: str) -> None:
    LINES.append(line)  # E: global "LINES"


def f() -> None:
    spawn(job)
    spawn(lambda: job())
    spawn(other)
    spawn(cached, 1)
    spawn(thrice, 1)
    spawn(first, 1)
    spawn(kept, 1)  # E: global "kept.results" is list
    spawn(tell(double, log=log), 1)
    names = ["a"]
    shown = tell(lambda n: n + len(names), log=print)  # E: captured "names" is list[str]
    spawn(shown, 1)

    @marked
    @counted
    def local() -> int:
        return len(names)  # E: captured "names" is list[str]

    spawn(local)
