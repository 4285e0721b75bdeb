"""The arguments of `receive` and of its forms for event loops: timeouts, and kinds of messages.

Shared by the mailboxes of host and guest, so that both take the same.
"""

from __future__ import annotations

import contextlib
import types
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")


class HasAddress(Protocol):
    """A handle of a process, which represents its address."""

    @property
    def address(self) -> Any:
        """The address of the process."""


def address_of(peer: Any, *, kind: type[T]) -> T:
    """Return the address of a peer that is given by its address or its handle.

    Args:
        peer: an address, or the handle of a process.
        kind: the class of addresses.

    Raises:
        TypeError: *peer* is neither.
    """
    address = getattr(peer, "address", peer)
    if not isinstance(address, kind):
        raise TypeError(f"an Address or a Process is needed, not {peer!r}")
    return address


def check_timeout(timeout: Any) -> None:
    """Refuse a timeout that is not a number, such as a class meant as `kind`.

    Raises:
        TypeError: *timeout* is neither a number nor None.
    """
    if timeout is not None and not isinstance(timeout, int | float):
        message = f"timeout must be a number of seconds, or None to wait for ever, not {timeout!r}"
        raise TypeError(f"{message}. To choose messages, write receive(kind=...)")


async def in_time(waiting: Coroutine[Any, Any, T], *, timeout: float | None, words: str) -> T:
    """Await *waiting*; raise `TimeoutError` with *words* after *timeout* seconds."""
    if timeout is None:
        return await waiting
    import asyncio

    try:
        async with asyncio.timeout(timeout) as scope:
            return await waiting
    except TimeoutError:
        if not scope.expired():
            raise
        raise TimeoutError(f"{words} within {timeout:g} s") from None


def matcher(kind: Any) -> Callable[[Any], bool] | None:
    """Return *kind*, as given to `receive`, as a predicate; None matches every message.

    Raises:
        TypeError: *kind* is no class, tuple of classes or function.
    """
    if kind is None:
        return None
    if isinstance(kind, type | types.UnionType) or (
        isinstance(kind, tuple) and all(isinstance(each, type | types.UnionType) for each in kind)
    ):
        with contextlib.suppress(TypeError):
            isinstance(None, kind)  # isinstance(x, list[int] | None) raises
            return lambda message: isinstance(message, kind)
    if not callable(kind) or isinstance(kind, types.GenericAlias | types.UnionType):
        raise TypeError(
            f"kind must be a class, several classes or a function, not {kind!r}. Write kind=lambda message: ..."
        )
    function: Callable[[Any], bool] = kind
    return function
