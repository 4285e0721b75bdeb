"""The table of handles: what a process may name, how numbers are given and taken back."""

import attrs
import pytest

from capsend.capabilities.handles import MOST_HANDLES, Grant, Handles, TooManyHandles


@attrs.frozen
class Thing(Grant):
    kind = "thing"
    name: object

    def describe(self):
        return [self.name]

    def handle(self):
        return self.name


def test_numbers_are_given_in_order_from_zero():
    """The handles of a program's start are numbered in the order of the program's list."""
    assert Handles().deliver([Thing("a"), Thing("b")]) == [[0, "thing", ["a"]], [1, "thing", ["b"]]]


def test_equal_grants_share_a_number():
    """A thing that is sent again and again takes one place in the table."""
    table = Handles()
    assert [told[0] for told in table.deliver([Thing("a"), Thing("a")])] == [0, 0]
    assert len(table) == 1


def test_unknown_number_stands_for_nothing():
    """A process cannot name what it was not given."""
    table = Handles()
    table.hold(Thing("a"))
    assert (table.get(1), table.get(-1), table.all_of([0, 7])) == (None, None, None)


def test_handle_lives_until_every_hold_is_taken_back():
    """A handle that is delivered while the process lets go of an earlier copy stays."""
    table = Handles()
    table.hold(Thing("a"))
    table.hold(Thing("a"))
    table.drop(0, 1)
    assert table.get(0) == Thing("a")
    table.drop(0, 1)
    assert table.get(0) is None


def test_number_is_not_used_again():
    """A number that a process kept after letting go of it names nothing else later."""
    table = Handles()
    table.drop(table.hold(Thing("a")), 1)
    assert table.hold(Thing("b")) == 1


@pytest.mark.parametrize("holds", [0, -5])
def test_holds_cannot_be_made_by_taking_back_less_than_one(holds):
    """A process cannot keep a handle alive by wrong counts; too many only let go."""
    table = Handles()
    table.hold(Thing("a"))
    table.drop(0, holds)
    table.drop(0, 1_000)
    assert len(table) == 0


def test_table_is_bounded():
    """Handles beyond the limit are refused as a whole, and those that are known still fit."""
    table = Handles()
    table.deliver([Thing(n) for n in range(MOST_HANDLES)])
    with pytest.raises(TooManyHandles):
        table.deliver([Thing(0), Thing("new")])
    assert len(table) == MOST_HANDLES
    assert table.deliver([Thing(0)]) == [[0, "thing", [0]]]
