"""Streams: items of a generator in a process, one by one, with a window, an end, errors and a kill."""

from __future__ import annotations

import asyncio
import doctest
import itertools
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import attrs
import pytest

import capsend
from capsend import (
    CaptureError,
    Environment,
    HostFunction,
    ProcessKilled,
    SerializationError,
    TimeLimitExceeded,
    host_function,
    stream,
    streams,
)


@attrs.frozen
class Item:
    """A class of the host's."""

    number: int


def squares(n: int) -> Iterator[int]:
    """A generator function."""
    for number in range(n):
        yield number * number


async def asynchronous(n: int) -> AsyncIterator[Item]:
    """An asynchronous one, of instances."""
    for number in range(n):
        await asyncio.sleep(0)
        yield Item(number)


def failing(n: int) -> Iterator[int]:
    """One that fails after some items."""
    yield from range(n)
    raise LookupError("no more")


def endless(tell: HostFunction[[int], None]) -> Iterator[int]:
    """One that says how far it is."""
    for number in itertools.count():
        tell(number)
        yield number


async def taken(items: streams.Stream[Any]) -> list[Any]:
    """All items, taken on an event loop."""
    return [item async for item in items]


def test_items_come_one_by_one_in_their_order() -> None:
    """More than a window of them; of a generator, of an asynchronous one, and of any callable that gives an iterable."""
    assert list(stream(squares, 100)) == [n * n for n in range(100)]
    assert list(stream(asynchronous, 20)) == [Item(n) for n in range(20)]
    assert list(stream(range, 3)) == [0, 1, 2]
    assert list(stream(lambda: ())) == []


def test_items_are_awaited_on_an_event_loop() -> None:
    """Of both kinds of generators, and several at a time."""

    async def run() -> list[list[Any]]:
        return list(await asyncio.gather(taken(stream(squares, 50)), taken(stream(asynchronous, 3))))

    assert asyncio.run(run()) == [[n * n for n in range(50)], [Item(0), Item(1), Item(2)]]


def test_error_comes_after_the_items_before_it() -> None:
    """As the generator raised it, and once."""
    items = stream(failing, 3)
    assert [next(items), next(items), next(items)] == [0, 1, 2]
    with pytest.raises(LookupError, match="no more"):
        next(items)
    assert list(items) == []


def test_process_is_at_most_a_window_ahead() -> None:
    """The process waits until the items are taken."""
    told: list[int] = []

    @host_function
    def tell(number: int) -> None:
        told.append(number)

    with stream.within(Environment(timeout=30), window=2)(endless, tell) as items:
        for expected in range(10):
            assert next(items) == expected
            assert len(told) <= expected + 5


def test_left_stream_is_killed() -> None:
    """A stream is left by its `with` block, or when its last reference goes."""

    @host_function
    def tell(number: int) -> None:
        del number

    with stream(endless, tell) as items:
        assert next(items) == 0
    with pytest.raises(ProcessKilled):
        items.process.result()
    other = stream(endless, tell)
    life = other.process._life
    del other
    assert life.finished.wait(20)


def test_killed_stream_raises_after_its_items() -> None:
    """And so does one that runs into a limit."""

    @host_function
    def tell(number: int) -> None:
        del number

    items = stream(endless, tell)
    items.process.kill()
    with pytest.raises(ProcessKilled):
        for _ in items:
            pass
    with pytest.raises(TimeLimitExceeded):
        list(stream.within(Environment(timeout=0.2))(lambda: iter(time.time, 0)))


def test_captures_arguments_and_items_are_judged() -> None:
    """As those of a spawn; an item that cannot be sent ends the stream."""
    box: list[int] = []
    with pytest.raises((CaptureError, SerializationError), match="box"):
        stream(lambda: iter(box))
    with pytest.raises(SerializationError):
        list(stream(lambda: [len, print, open]))
    with pytest.raises(TypeError, match="without calling it"):
        stream(squares(3))  # type: ignore[call-overload]  # which is refused


def test_docstring_examples_hold() -> None:
    """Every example of the module."""
    assert capsend.stream is stream
    result = doctest.testmod(streams)
    assert not result.failed
