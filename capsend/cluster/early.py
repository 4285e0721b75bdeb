"""Requests for ports of processes that this node does not know yet: home has spawned them, and other nodes know them already."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from capsend.cluster.items import Malformed

if TYPE_CHECKING:
    from collections.abc import Callable

_MOST_EARLY: Final = 10_000
_MOST_EARLY_BYTES: Final = 64 << 20
"""Acts for ports that home has not announced yet, and the bytes of their items; see `Early`."""


class Early:
    """The delayed requests of a node: each is about the port of a process that home has not announced yet. Safe to use from any thread.

    Args:
        is_home: True for home, which knows all processes first, so that it delays no requests.
    """

    def __init__(self, *, is_home: bool) -> None:
        self._is_home = is_home
        self._lock = threading.RLock()
        self._announced = 0
        self._waiting: dict[int, list[tuple[int, Callable[[], object]]]] = {}
        self._acts = 0
        self._bytes = 0

    def announce(self, number: int) -> None:
        """Note that home has spawned a process: other nodes may have learned of its port earlier than this program."""
        self._announced = max(self._announced, number)

    def expect(self, key: int) -> None:
        """Delay requests for a port until `settle`: its process is announced but not started yet."""
        with self._lock:
            self._waiting.setdefault(key, [])

    def settle(self, key: int) -> None:
        """Handle the delayed requests for a port: the port exists now, or never will."""
        while True:
            with self._lock:
                waiting = self._waiting.get(key)
                if not waiting:
                    self._waiting.pop(key, None)
                    return
                size, act = waiting.pop(0)
                self._acts -= 1
                self._bytes -= size
            act()

    def holds(self, key: int, act: Callable[[], object], *, size: int = 0) -> bool:
        """Return whether home has not announced a port yet; if so, delay the request *act*, whose item has *size* bytes.

        Raises:
            Malformed: more acts wait than peers that keep to their windows have on their way.
        """
        if key >= 0 or (-key <= self._announced and not self._waiting) or self._is_home:
            return False
        with self._lock:
            waiting = self._waiting.get(key)
            if waiting is None and -key <= self._announced:
                return False
            if self._acts >= _MOST_EARLY or self._bytes >= _MOST_EARLY_BYTES:
                raise Malformed("it sends to processes that home has not started")
            self._acts += 1
            self._bytes += size
            self._waiting.setdefault(key, []).append((size, act))
            return True
