"""The numbers of nodes: each is one node's, for the life of this program, and the numbers of its processes begin with it."""

from __future__ import annotations

import threading
from typing import Final

_lock: Final = threading.Lock()
_first_free = 1


def take_numbers(count: int) -> int:
    """Return the first of *count* numbers of nodes that no other node of this program has."""
    global _first_free
    with _lock:
        first, _first_free = _first_free, _first_free + count
    return first
