"""Keys that make a table of CPython slow."""

from __future__ import annotations

import random


def hostile_keys(bits: int) -> list[int]:
    """Ints with different hashes that fill the way on which later ones look for a place in the table of a dict with 2 ** *bits* places."""
    size = 1 << bits
    mask, taken, keys, place = size - 1, bytearray(size), [], 0
    order: dict[int, int] = {}
    for turn in range(size * 4 // 9):
        keys.append(place)
        taken[place], order[place] = 1, turn
        place = (5 * place + 1) & mask
    chance = random.Random(1)
    while len(keys) < size * 2 // 3 - 1:
        key = chance.getrandbits(21)
        place, rest = key & mask, key
        while taken[place] and rest:
            rest >>= 5
            place = (5 * place + rest + 1) & mask
        if taken[place] and order.get(place, size) <= size // 8:
            while taken[place]:
                place = (5 * place + 1) & mask
            taken[place] = 1
            keys.append(key)
    return keys
