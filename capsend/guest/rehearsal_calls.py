"""Calls that are made while the image is built: code that ran before has its caches filled, and lies close together.

The host loads this file as a module of its own, ships the calls like any user's, and bakes the texts in.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

FACTOR = 2


def ordinary(n: int, values: object = None, *, name: str = "") -> dict[str, object]:
    """Use the parts of Python that most functions use."""
    total = 0.0
    for index in range(n):
        total += helper(index)
    print(name, total)  # noqa: T201 - most programs print
    return {"total": total, "values": values, "name": name, "pair": (n, [name])}


def helper(index: int) -> float:
    """Be called."""
    return index / FACTOR


async def asynchronous() -> int:
    """Run on an event loop."""
    await asyncio.sleep(0)
    return 1


def calls() -> list[tuple[Callable[..., object], tuple[Any, ...], dict[str, Any]]]:
    """Return (function, arguments, keyword arguments) of every call."""
    number, pair = 41, (1, "two")
    empty: tuple[int, ...] = ()
    return [
        (asynchronous, (), {}),
        (ordinary, (3,), {"name": "sample"}),
        (ordinary, (0, [1, "two", {"three": 4.5}, None, (True,)]), {}),
        (lambda data: data, (b"bytes",), {}),
        (lambda: empty[0], (), {}),
        (lambda: (number, pair), (), {}),
        (lambda: number + 1, (), {}),
    ]
