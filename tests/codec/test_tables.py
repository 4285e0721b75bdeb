"""Tables: lists of dicts as their columns, and back."""

from __future__ import annotations

import pytest

from capsend.codec.tables import FEWEST_ROWS, columns_of, rows_of

ROWS = FEWEST_ROWS + 1


class Text(str):
    """A subclass of str."""

    __slots__ = ()


@pytest.mark.parametrize("count", range(1, 10))
def test_rows_come_back_with_their_keys_in_order(count: int) -> None:
    """However many keys they have."""
    rows = [{f"k{key}": key * row for key in range(count)} for row in range(ROWS)]
    found = columns_of(rows)
    assert found is not None
    made = rows_of(found[0], found[1])
    assert made == rows
    assert [list(row) for row in made] == [list(row) for row in rows]
    assert len(set(map(id, made))) == ROWS


def test_keys_need_not_be_the_same_objects() -> None:
    """Those that were read from a file are not."""
    assert columns_of([{f"a{str(row)[:0]}b": row} for row in range(ROWS)]) is not None


@pytest.mark.parametrize(
    "last", [{Text("a"): 1, "b": 2}, {"b": 2, "a": 1}, {"a": 1}, {"a": 1, "c": 2}, {"a": 1, "b": 2, "c": 3}]
)
def test_one_row_with_other_keys_is_enough_for_no_table(last: dict[str, int]) -> None:
    """By their class, their order or their number."""
    assert columns_of([{"a": row, "b": row} for row in range(ROWS)] + [last]) is None


def test_keys_of_other_classes_are_no_table() -> None:
    """Also where all rows have them."""
    assert columns_of([{Text("a"): row} for row in range(ROWS)]) is None
    assert columns_of([{1: row} for row in range(ROWS)]) is None


def test_row_that_occurs_twice_is_no_table() -> None:
    """It would come back as two rows; rows that something else holds too are one."""
    rows = [{"a": row} for row in range(ROWS)]
    others = rows[::2]
    assert columns_of(rows) is not None
    assert columns_of([*rows, others[0]]) is None
    assert columns_of([*({"a": row} for row in range(ROWS)), row := {"a": 1}, row]) is None


def test_keys_that_move_from_one_row_to_the_next_are_no_table() -> None:
    """One after the other they are those of the other rows."""
    rows = [{"a": row, "b": row} for row in range(ROWS)]
    assert columns_of([*rows, {"a": 1}, {"b": 1, "a": 1}, {"b": 2}]) is None
