"""Names for addresses: a live process can be found by its name."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

from capsend.mailbox.address import Address
from capsend.mailbox.receiving import address_of
from capsend.process import Process

if TYPE_CHECKING:
    from collections.abc import Callable


class Registry:
    """A table of names for addresses: the program's, which the functions of this module use, or a cluster's.

    Each method does the same as the function of its name in `capsend.registry`.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._names: dict[str, Address[Any]] = {}
        self._held: dict[str, Process[Any]] = {}

    def register(self, name: str, peer: Address[Any] | Process[Any]) -> None:
        """Give an address, or that of a process, a name; see `capsend.registry.register`.

        Args:
            name: the name, which one live address has at a time.
            peer: the address, or a process that has one.
        """
        address: Address[Any] = address_of(peer, kind=Address)
        port = address.__capsend_handle__.port
        with self._lock:
            known = self._names.get(name)
            if known is not None and known.alive:
                raise ValueError(f"the name {name!r} belongs to {known!r}; unregister it first")
            self._names[name] = address
        port.watch(lambda _reason, _words: self._forget(name, address))

    def unregister(self, name: str) -> None:
        """Release a name; see `capsend.registry.unregister`."""
        with self._lock:
            self._names.pop(name, None)
            self._held.pop(name, None)

    def whereis(self, name: str) -> Address[Any] | None:
        """Return the address of a name; see `capsend.registry.whereis`."""
        with self._lock:
            address = self._names.get(name)
        return address if address is not None and address.alive else None

    def ensure(self, name: str, start: Callable[[], Process[Any]]) -> Address[Any]:
        """Return the address called *name*, or start its process if no live address has the name; see `capsend.registry.ensure`."""
        with self._lock:
            address = self.whereis(name)
            if address is None:
                p = start()
                if not isinstance(p, Process):
                    raise TypeError(f"start must spawn a process and return it, not {p!r}. Write lambda: spawn(...)")
                address = p.address
                self.register(name, address)
                self._held[name] = p
                if p.done():
                    self._forget(name, address)
            return address

    def names(self) -> tuple[str, ...]:
        """Return the names of all live addresses; see `capsend.registry.names`."""
        with self._lock:
            return tuple(sorted(name for name, address in self._names.items() if address.alive))

    def _forget(self, name: str, address: Address[Any]) -> None:
        with self._lock:
            if self._names.get(name) is address:
                del self._names[name]
                self._held.pop(name, None)


_own: Final = Registry()


def register(name: str, peer: Address[Any] | Process[Any]) -> None:
    """Give an address, or that of a process, a name, until its process ends, its mailbox is closed, or `unregister` is called.

    Raises:
        ValueError: the name belongs to a live address.
        TypeError: *peer* has no address.

    Source:
        Erlang's `register/2` and `whereis/1`.
    """
    _own.register(name, peer)


def unregister(name: str) -> None:
    """Release a name; do nothing when no address has it."""
    _own.unregister(name)


def whereis(name: str) -> Address[Any] | None:
    """Return the address called *name*; None when no live address has that name."""
    return _own.whereis(name)


def ensure(name: str, start: Callable[[], Process[Any]]) -> Address[Any]:
    """Return the address called *name*; if no live address has the name, start a process, keep its handle and name it.

    Two threads that ask at the same time get the same process.

    Raises:
        TypeError: `start` returned no process.
    """
    return _own.ensure(name, start)


def names() -> tuple[str, ...]:
    """Return the names of all live addresses.

    Returns:
        A sorted tuple: `(name, ...)`.
    """
    return _own.names()
