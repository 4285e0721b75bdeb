"""The number of probes for free places in building a dict or set, found by a rehearsal under a budget.

Numbers hash to themselves, so a sender who chooses them chooses where the interpreter probes. All hashes may differ,
and still each key may be compared with all earlier ones. The interpreter builds a dict or set in one uninterruptible
step: hence the rehearsal.
"""

from __future__ import annotations

import sys
from itertools import compress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

# From CPython since 3.7: Objects/dictobject.c and Objects/setobject.c.
_SHIFT: Final = 5
_NEIGHBOURS: Final = 9
_MANY_IN_A_SET: Final = 50_000
_SMALLEST: Final = 8

FEW: Final = 100
"""The number of keys up to which probing costs almost nothing, whatever the keys."""

_WORD: Final = (1 << sys.hash_info.width) - 1
_PIECE: Final = 4_096


class _Table:
    """One table of places for hashes; each probe after the first is charged.

    Args:
        size: places in the table.
        spend: called with the number of probes.
        neighbours: the adjacent places that one probe covers, as in a set.
    """

    def __init__(self, size: int, spend: Callable[[int], None], *, neighbours: int = 0) -> None:
        self._taken = bytearray(size)
        self._values = [0] * size
        self._spend = spend
        self._neighbours = neighbours

    def fill(self, hashes: list[int]) -> None:
        """Enter hashes, in this order."""
        taken, values, neighbours = self._taken, self._values, self._neighbours
        mask = len(taken) - 1
        looks = 0
        for value in hashes:
            at = value & mask
            if taken[at]:
                perturb = value & _WORD
                while True:
                    looks += 1
                    if neighbours and at + neighbours <= mask:
                        free = taken.find(0, at + 1, at + 1 + neighbours)
                        if free >= 0:
                            at = free
                            break
                    perturb >>= _SHIFT
                    at = (5 * at + perturb + 1) & mask
                    if not taken[at]:
                        break
                if looks > _PIECE:
                    self._spend(looks)
                    looks = 0
            taken[at] = 1
            values[at] = value
        self._spend(looks)

    def hashes(self) -> list[int]:
        """Return its hashes in the order of the places: the order in which a set moves to a larger table."""
        return list(compress(self._values, self._taken))


def charge_dict(hashes: list[int], spend: Callable[[int], None]) -> None:
    """Charge the cost of a dict of keys with these hashes, including the smaller tables that it outgrows."""
    span = max(hashes) - min(hashes)
    size = _SMALLEST
    while True:
        room = (size << 1) // 3
        # Numbers close together have a place each.
        if room > FEW and span >= size:
            _Table(size, spend).fill(hashes[:room])
        if room >= len(hashes):
            return
        size *= 2


def charge_set(hashes: list[int], spend: Callable[[int], None]) -> None:
    """Charge the cost of a set of elements with these hashes, and of a copy of the set."""
    count, span = len(hashes), max(hashes) - min(hashes)
    copied = _above(2 * count)
    size, done, moved = _SMALLEST, 0, list[int]()
    while span >= size or span >= copied:
        room = -(-3 * (size - 1) // 5)  # the table grows at this number of elements
        table = _Table(size, spend, neighbours=_NEIGHBOURS)
        table.fill([*moved, *hashes[done:room]])
        if room > count:
            if copied != size:
                _Table(copied, spend, neighbours=_NEIGHBOURS).fill(table.hashes())
            return
        done, moved = room, table.hashes()
        size = _above(room * (2 if room > _MANY_IN_A_SET else 4))


def _above(number: int) -> int:
    size = _SMALLEST
    while size <= number:
        size <<= 1
    return size
