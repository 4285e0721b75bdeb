"""Tables: lists of dicts with the same keys, written as columns, so that numbers are packed and reading is several times as fast."""

from __future__ import annotations

from itertools import chain, cycle, repeat
from operator import is_
from sys import getrefcount
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

FEWEST_ROWS: Final = 512
MEMORY_PER_CHARACTER: Final = 55
"""Bytes of memory per character or byte of a message; see `capsend.codec.limits`."""

_MOST_KEYS: Final = 100
_DICT: Final = 200
_ENTRY: Final = 40
_PACKED: Final = 8
_WRITTEN: Final = 2
_ATOMS: Final = frozenset({type(None), bool, int, float, str})
_NUMBERS: Final[tuple[set[type], ...]] = ({int}, {float})


def cost_of(rows: int, keys: int) -> int:
    """Return the bytes of memory that the dicts of a table take, without their values."""
    return rows * (_DICT + _ENTRY * keys)


def columns_of(rows: list[Any]) -> tuple[list[str], list[list[Any]], list[set[type]]] | None:
    """Return (keys, columns, classes in each column) of a list of dicts.

    None if the list is not a table, or too small to be worth it.

    A table is a list of distinct dicts with the same keys in the same order. The keys are texts; the values are atoms,
    some of them numbers.
    """
    if len(rows) < FEWEST_ROWS or type(rows[0]) is not dict or set(map(type, rows)) != {dict}:
        return None
    keys = tuple(rows[0])
    if not 0 < len(keys) <= _MOST_KEYS or set(map(type, keys)) != {str} or not _are_distinct(rows):
        return None
    try:
        columns = [[row[key] for row in rows] for key in keys]
    except KeyError:
        return None
    if not _have_no_others(rows, keys):
        return None
    kinds: list[set[type]] = [set(map(type, column)) for column in columns]
    if not all(kind <= _ATOMS for kind in kinds):
        return None
    packed = sum(kind in _NUMBERS for kind in kinds)
    least = packed * _PACKED + (len(kinds) - packed) * _WRITTEN
    if not packed or cost_of(1, len(keys)) > least * MEMORY_PER_CHARACTER:
        return None
    return list(keys), columns, kinds


def held_elsewhere(rows: list[Any]) -> set[int]:
    """Return the identities of the rows; none if nothing but the list holds any of them."""
    # To count references takes a third of the time of collecting identities.
    return set() if set(map(getrefcount, rows)) == _HELD_ONCE else set(map(id, rows))


_HELD_ONCE: Final = set(map(getrefcount, [{}]))


def _are_distinct(rows: list[Any]) -> bool:
    """Return whether no row occurs twice in the list."""
    identities = held_elsewhere(rows)
    return not identities or len(identities) == len(rows)


def _have_no_others(rows: list[Any], keys: tuple[str, ...]) -> bool:
    """Return whether all rows, each of which has these keys, have only them, and in this order."""
    # Keys written in a program are the same objects in all rows, which is found out in half the time.
    if all(map(is_, chain.from_iterable(rows), cycle(keys))):
        return True
    return set(map(tuple, rows)) == {keys} and set(map(type, chain.from_iterable(rows))) == {str}


_FEW: Final[dict[int, Callable[[Any, Any], list[dict[str, Any]]]]] = {
    1: lambda k, rows: [{k[0]: a} for (a,) in rows],
    2: lambda k, rows: [{k[0]: a, k[1]: b} for a, b in rows],
    3: lambda k, rows: [{x: a, y: b, z: c} for x, y, z in (k,) for a, b, c in rows],
    4: lambda k, rows: [{w: a, x: b, y: c, z: d} for w, x, y, z in (k,) for a, b, c, d in rows],
    5: lambda k, rows: [{v: a, w: b, x: c, y: d, z: e} for v, w, x, y, z in (k,) for a, b, c, d, e in rows],
    6: lambda k, rows: [{u: a, v: b, w: c, x: d, y: e, z: f} for u, v, w, x, y, z in (k,) for a, b, c, d, e, f in rows],
}
"""{number of keys: maker of the dicts}: a dict display takes a third of the time of a call of `dict`."""


def rows_of(keys: list[str], columns: list[list[Any]]) -> list[dict[str, Any]]:
    """Return the dicts of a table."""
    # The caller has compared the lengths.
    made = _FEW.get(len(keys))
    if made is not None:
        return made(keys, zip(*columns))  # noqa: B905 - as above
    return list(map(dict, map(zip, repeat(keys), zip(*columns))))  # noqa: B905 - as above
