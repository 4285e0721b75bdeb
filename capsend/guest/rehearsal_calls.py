"""Calls made while the image is built: they fill the caches of the code that processes run, and place it close together.

The host imports this file as a module, ships the calls like a user's, and bakes their texts into the image.
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
    """Return a number, for a caller that is a function too."""
    return index / FACTOR


async def asynchronous() -> int:
    """Return a number; runs on an event loop."""
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
