"""Handles in a guest: objects for capabilities of the host, each identified by a number in this process."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from capsend.codec.operations import Operation

from . import host_operations

if TYPE_CHECKING:
    from collections.abc import Callable

# {kind of handle: maker}. A maker is called with the number and the description, once per live number. The end of an
# object that is not a `Handle` is not reported.
KINDS: dict[str, Callable[[int, Any], Any]] = {}

_alive: weakref.WeakValueDictionary[int, Handle] = weakref.WeakValueDictionary()
_dropped: list[str] = []
_PORTION = 10_000
FEW = 100


class Handle:
    """The base class of handles; a copy of a handle is the handle itself.

    The host learns of a dropped handle with the next request for mail or about a process, or once many are dropped.

    Attributes:
        number: the handle's number.
    """

    __slots__ = ("__weakref__", "_holds", "number")

    def __init__(self, number: int) -> None:
        self.number: int = number
        self._holds = 0

    @property
    def __capsend_handle__(self) -> Any:
        """The grant that represents the handle in programs shipped by this process."""
        from .held import HeldGrant

        return HeldGrant(self)

    @property
    def told_as(self) -> str:
        """The handle's name for the host in a message or call."""
        return str(self.number)

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, _memo: Any) -> Any:
        return self

    def __reduce__(self) -> Any:
        raise TypeError(f"a {type(self).__name__} cannot be pickled: only capsend can send it")

    def __del__(self) -> None:
        if getattr(self, "_holds", 0):
            _dropped.append(f"{self.number}*{self._holds}")


def receive(told: list[list[Any]]) -> list[Any]:
    """Return the handles for the host's descriptions.

    Args:
        told: `[[number, kind, description], ...]`.

    Returns:
        A list of handles; the same object for the same number.
    """
    handles: list[Any] = []
    for number, kind, description in told:
        handle: Any = _alive.get(number)
        if handle is None:
            handle = KINDS[kind](number, description)
        if isinstance(handle, Handle):
            _alive[number] = handle
            handle._holds += 1  # noqa: SLF001 - its own module
        handles.append(handle)
    return handles


def take_dropped() -> str:
    """Return the handles dropped since the last call, in the form for the host: at most as many as the host accepts at once."""
    if not _dropped:
        return ""
    text = ",".join(_dropped[:_PORTION])
    del _dropped[:_PORTION]
    return text


def flush(few: int = 0) -> None:
    """Report dropped handles to the host now, unless they are few."""
    while len(_dropped) > few:
        host_operations.request(Operation.DROP, take_dropped())
