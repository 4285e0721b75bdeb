"""A table, or a default, that some code does more to than read it; and what the lambdas in a table reach."""

import types
from collections.abc import Callable
from typing import NamedTuple

from capsend import spawn

SIZES: dict[str, int] = {}
for index, name in enumerate(("small", "large")):
    SIZES[name] = 2**index
GIVEN: dict[str, int] = {}
GIVEN["a"] = 1
ROWS: list[int] = []


class Row(NamedTuple):
    name: str
    counts: dict[str, int]


ROW = Row("a", {"b": 1})
ROWS_OF = [Row("a", {"b": 1})]


def grow() -> None:
    SIZES["huge"] = 8
    ROWS.append(1)


def give() -> dict[str, int]:
    return GIVEN


LAMBDAS: dict[str, Callable[[], int]] = {"rows": lambda: len(ROWS)}  # E: global "ROWS" is list[int]


def sizes() -> int:
    return len(SIZES)  # E: global "SIZES" is dict[str, int]


def given() -> int:
    return len(GIVEN)  # E: global "GIVEN" is dict[str, int]


def lambdas() -> int:
    return LAMBDAS["rows"]()


def row() -> int:
    return len(ROW)  # E: global "ROW.counts" is dict[str, int]


def rows_of() -> int:
    return len(ROWS_OF)  # E: global "ROWS_OF" is list[Row]


def append(n: int, to: list[int] = []) -> int:  # E: the default of parameter "to" is list
    to.append(n)
    return len(to)


def spawned(of: list[int] = [1]) -> int:  # E: the default of parameter "of" is list
    return len(of)


spawn(sizes)
spawn(given)
spawn(lambdas)
spawn(row)
spawn(rows_of)
spawn(lambda: append(3))
spawn(spawned)


def named(n: int) -> int:
    return n


VIEW = types.MappingProxyType({"named": named})


def reads_a_view(n: int) -> int:
    return VIEW["named"](n)  # E: global "VIEW" is MappingProxyType[str, Callable[[int], int]], which is not ProcessSend
    # N: or make a global a plain dict, which is sent if no code changes it


def spawns_a_view() -> None:
    spawn(reads_a_view, 3)
