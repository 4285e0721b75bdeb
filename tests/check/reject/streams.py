"""Captures, arguments and items of a stream are judged as those of any spawn."""

import threading
from collections.abc import AsyncIterator, Iterator

from capsend import Environment, stream

SMALL = stream.within(Environment(timeout=60), window=2)


def numbers(most: int) -> Iterator[int]:
    yield most


def locks() -> Iterator[threading.Lock]:
    yield threading.Lock()


async def nested() -> AsyncIterator[Iterator[int]]:
    yield numbers(1)


def f() -> None:
    m = [42]
    stream(lambda: iter(m))  # E: captured "m" is list[int], which is not ProcessSend
    SMALL(lambda: iter(m))  # E: captured "m" is list[int], which is not ProcessSend
    stream(locks)  # E: result "the items" is lock
    SMALL(nested)  # E: result "the items" is Iterator[int], which is not Serializable
    stream(numbers, "3")  # E: Argument 2 to "__call__" of "_Stream" has incompatible type "str"; expected "int"
    stream(numbers)  # E: Missing positional argument "most"
    stream(len, [1])  # E: Argument 1 to "__call__" of "_Stream" has incompatible type
