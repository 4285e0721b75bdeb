"""The result comes back as a copy, so it must be Serializable."""

import threading
from collections.abc import AsyncIterator, Callable, Iterator

from capsend import process, spawn


def numbers() -> Iterator[int]:
    yield 1


async def later() -> AsyncIterator[int]:
    yield 1


def closure() -> Callable[[], int]:
    return lambda: 1


@process
def locks() -> list[threading.Lock]:  # E: result "the result[...]" is lock
    return []


def f() -> None:
    spawn(numbers)  # E: result "the result" is Iterator[int], which is not Serializable  [capsend-result]
    spawn(later)  # E: result "the result" is AsyncIterator[int]
    spawn(threading.Lock)  # E: result "the result" is lock
    spawn(closure)  # E: result "the result" is Callable[[], int], whose captures are unknown  [capsend-opaque]
