"""The numbers of nodes: unique within this program, and the beginning of the numbers of a node's processes."""

from __future__ import annotations

import threading
from typing import Final

_lock: Final = threading.Lock()
_first_free = 1


def take_numbers(count: int) -> int:
    """Return the first of *count* numbers that no node of this program has had."""
    global _first_free
    with _lock:
        first, _first_free = _first_free, _first_free + count
    return first
