"""Tables: many dicts with the same keys, written as their columns, which packs numbers and reads several times as fast."""

from __future__ import annotations

from itertools import chain, repeat
from operator import itemgetter
from typing import Any, Final

FEWEST_ROWS: Final = 512
MEMORY_PER_CHARACTER: Final = 55
"""Bytes of memory that one character or byte of a message may become; see `capsend.codec.limits`."""

_MOST_KEYS: Final = 100
_DICT: Final = 200
_ENTRY: Final = 40
_PACKED: Final = 8
_WRITTEN: Final = 2
_ATOMS: Final = frozenset({type(None), bool, int, float, str})
_NUMBERS: Final[tuple[set[type], ...]] = ({int}, {float})


def cost_of(rows: int, keys: int) -> int:
    """Return the bytes of memory of the dicts of a table, without their values."""
    return rows * (_DICT + _ENTRY * keys)


def columns_of(rows: list[Any]) -> tuple[list[str], list[list[Any]], list[set[type]]] | None:
    """Return the keys of a list of dicts, its columns and their classes; None if they are no table, or too small for the memory that they take.

    A table has dicts only, each of them once, with the same keys, which are texts, in the same order, and with values that are atoms, some
    of them numbers.
    """
    if len(rows) < FEWEST_ROWS or type(rows[0]) is not dict or set(map(type, rows)) != {dict}:
        return None
    keys = tuple(rows[0])
    if not 0 < len(keys) <= _MOST_KEYS or len(set(map(id, rows))) < len(rows) or set(map(tuple, rows)) != {keys}:
        return None
    if set(map(type, chain.from_iterable(rows))) != {str}:
        return None
    columns = [list(map(itemgetter(key), rows)) for key in keys]
    kinds: list[set[type]] = [set(map(type, column)) for column in columns]
    if not all(kind <= _ATOMS for kind in kinds):
        return None
    packed = sum(kind in _NUMBERS for kind in kinds)
    least = packed * _PACKED + (len(kinds) - packed) * _WRITTEN
    if not packed or cost_of(1, len(keys)) > least * MEMORY_PER_CHARACTER:
        return None
    return list(keys), columns, kinds


def rows_of(keys: list[str], columns: list[list[Any]]) -> list[dict[str, Any]]:
    """Return the dicts of a table."""
    # No bytecode runs for a row. The caller has compared the lengths.
    return list(map(dict, map(zip, repeat(keys), zip(*columns))))  # noqa: B905 - as above
