"""What `receive` and the forms for event loops are given: times, and what kind of message is wanted.

Shared: the host's mailboxes and those inside understand the same.
"""

from __future__ import annotations

import contextlib
import types
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")


class HasAddress(Protocol):
    """A handle of a process: it stands for its address."""

    @property
    def address(self) -> Any:
        """The address."""


def address_of(peer: Any, *, kind: type[T]) -> T:
    """Return the address of what is given by its address or its handle.

    Args:
        peer: one or the other.
        kind: the class of addresses.

    Raises:
        TypeError: it is neither.
    """
    address = getattr(peer, "address", peer)
    if not isinstance(address, kind):
        raise TypeError(f"an Address or a Process is needed, not {peer!r}")
    return address


def check_timeout(timeout: Any) -> None:
    """Refuse what is no time, such as a class that was meant as `kind`.

    Raises:
        TypeError: it is neither a number nor None.
    """
    if timeout is not None and not isinstance(timeout, int | float):
        message = f"timeout must be a number of seconds, or None to wait for ever, not {timeout!r}"
        raise TypeError(f"{message}. To choose messages, write receive(kind=...)")


async def in_time(waiting: Coroutine[Any, Any, T], *, timeout: float | None, words: str) -> T:
    """Wait; raise `TimeoutError` with these words when that takes longer."""
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
    """What `receive` is to look for, as a function.

    Raises:
        TypeError: it is no class, classes or function.
    """
    if kind is None:
        return None
    if isinstance(kind, type | types.UnionType) or (
        isinstance(kind, tuple) and all(isinstance(each, type | types.UnionType) for each in kind)
    ):
        with contextlib.suppress(TypeError):
            isinstance(None, kind)  # list[int] | None cannot be asked for
            return lambda message: isinstance(message, kind)
    if not callable(kind) or isinstance(kind, types.GenericAlias | types.UnionType):
        raise TypeError(
            f"kind must be a class, several classes or a function, not {kind!r}. Write kind=lambda message: ..."
        )
    function: Callable[[Any], bool] = kind
    return function
