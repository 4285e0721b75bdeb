"""Names for addresses: a process can be found by its name as long as it lives."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, TypeVar

from capsend.mailbox.address import Address
from capsend.mailbox.receiving import address_of
from capsend.process import Process

if TYPE_CHECKING:
    from collections.abc import Callable

R = TypeVar("R")

_lock = threading.RLock()
_names: dict[str, Address[Any]] = {}
_held: dict[str, Process[Any]] = {}


def register(name: str, peer: Address[Any] | Process[Any]) -> None:
    """Give an address, or that of a process, a name, until its process ends, its mailbox is closed, or `unregister` is called.

    Raises:
        ValueError: the name belongs to a live address.
        TypeError: *peer* has no address.

    Source:
        Erlang's `register/2` and `whereis/1`.
    """
    address: Address[Any] = address_of(peer, kind=Address)
    port = address.__capsend_handle__.port
    with _lock:
        known = _names.get(name)
        if known is not None and known.alive:
            raise ValueError(f"the name {name!r} belongs to {known!r}; unregister it first")
        _names[name] = address
    port.watch(lambda _reason, _words: _forget(name, address))


def unregister(name: str) -> None:
    """Release a name; do nothing when no address has it."""
    with _lock:
        _names.pop(name, None)
        _held.pop(name, None)


def whereis(name: str) -> Address[Any] | None:
    """Return the address called *name*; None when no live address has that name."""
    with _lock:
        address = _names.get(name)
    return address if address is not None and address.alive else None


def ensure(name: str, start: Callable[[], Process[Any]]) -> Address[Any]:
    """Return the address called *name*; if no live address has that name, start a process, keep its handle, and name it.

    Two threads that ask at the same time get the same process.

    Raises:
        TypeError: `start` returned no process.
    """
    with _lock:
        address = whereis(name)
        if address is None:
            p = start()
            if not isinstance(p, Process):
                raise TypeError(f"start must spawn a process and return it, not {p!r}. Write lambda: spawn(...)")
            address = p.address
            register(name, address)
            _held[name] = p
            if p.done():
                _forget(name, address)
        return address


def names() -> tuple[str, ...]:
    """Return the names of all live addresses.

    Returns:
        A sorted tuple: `(name, ...)`.
    """
    with _lock:
        return tuple(sorted(name for name, address in _names.items() if address.alive))


def _forget(name: str, address: Address[Any]) -> None:
    with _lock:
        if _names.get(name) is address:
            del _names[name]
            _held.pop(name, None)
