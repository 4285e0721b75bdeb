"""Bytes beside the text of a message: what goes in comes out, and whatever a stranger says of them is refused or a value."""

from __future__ import annotations

import contextlib
import json
import math
import sys
from array import array
from typing import Any

import pytest
import values
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from values import same

from capsend import codec
from capsend.codec import wire
from capsend.codec.segments import COST, MOST, SMALLEST, Reader, Writer, size_of
from capsend.exceptions import OutputLimitExceeded

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::hypothesis.errors.HypothesisWarning")
MANY = settings(max_examples=100, suppress_health_check=list(HealthCheck))


def there(value: object, **options: Any) -> tuple[str, list[bytes]]:
    segments: list[bytes] = []
    return codec.encode(value, externals=values.externals, segments=segments, **options), segments


def back(text: str, segments: list[bytes], limits: codec.Limits | None = wire.LIMITS) -> Any:
    return codec.decode(text, resolve=values.resolve, limits=limits, segments=segments)


sizes = st.sampled_from([0, 1, 100, SMALLEST - 1, SMALLEST, 5_000, 65_535, 65_536, 200_000])
large = st.builds(
    lambda size, end: bytes(range(256)) * (size // 256) + bytes(size % 256) + end, sizes, st.binary(max_size=3)
)
ints = st.lists(st.sampled_from([0, -1, 2**63 - 1, -(2**63), 10]), min_size=1, max_size=9).map(lambda few: few * 200)
too_large = st.sampled_from([[2**63] * 600, [-(2**63) - 1] * 600, [True] * 600, [*[1] * 600, True], [1.5, *[1] * 600]])
floats = st.lists(st.floats(), min_size=1, max_size=9).map(lambda few: few * 200)
cells = st.sampled_from([0, 1, -(2**63), 2**63, 2**70, 1.5, math.inf, "a", "", "\ud800", "\xe9", None, True])
rows = st.builds(
    lambda row, other, count, index: (
        [dict(row) for _ in range(count)][:index] + [dict(other)] + [dict(row) for _ in range(count)]
    ),
    st.dictionaries(st.text(max_size=3), cells, max_size=4),
    st.dictionaries(st.sampled_from(["a", "b"]), cells | st.just([]), max_size=2),
    st.sampled_from([300, 600]),
    st.integers(0, 300),
)
tables = st.builds(
    lambda row, more: [{**row, "n": n, "m": more} for n in range(600)],
    st.dictionaries(st.text(max_size=3), cells, max_size=4),
    cells | st.just([]),
)
pieces = st.one_of(
    rows,
    tables,
    tables.map(lambda table: [*table, table[0]]),
    tables.map(lambda table: [*table, dict(reversed(table[0].items()))]),
    large,
    large.map(bytearray),
    ints,
    ints.map(tuple),
    too_large,
    floats,
    floats.map(tuple),
    floats.map(lambda numbers: array("d", numbers)),
    values.values,
)
mixed = st.recursive(
    pieces,
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.lists(inner, max_size=5).map(tuple)
        | st.dictionaries(st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=8,
)


@MANY
@given(mixed)
def test_what_goes_in_comes_out(value: object) -> None:
    """decode(encode(x)) is x, class by class, with bytes of every size beside the text, from the host and from a process."""
    assert same(value, back(*there(value)))
    assert same(value, back(*there(value, pickled=True), limits=None))


@MANY
@given(st.lists(pieces, max_size=4), st.dictionaries(st.sampled_from("abc"), pieces, max_size=2))
def test_calls_come_out(args: list[Any], kwargs: dict[str, Any]) -> None:
    """Arguments that are bytes have a way of their own."""
    call = tuple(args), kwargs
    assert same(call, back(*there(call, pickled=True), limits=None))


@settings(MANY, max_examples=30)
@given(st.lists(tables | rows | ints | large, min_size=1, max_size=2), st.data())
def test_what_occurs_twice_is_one_thing(few: list[Any], data: st.DataObject) -> None:
    """A table, a row of it, a list of numbers, and whatever else stands in several places of a message, in any order."""
    parts = [*few, *(part for each in few if type(each) is list for part in each[:3])]
    chosen = data.draw(st.lists(st.sampled_from(parts), min_size=2, max_size=5))
    for value in (
        tuple(chosen),
        chosen,
        ((chosen[0], *chosen[1:]), {"last": chosen[-1]}),
        {"a": chosen[0], "b": chosen},
    ):
        assert same(value, back(*there(value)))
        assert same(value, back(*there(value, pickled=True), limits=None))


@MANY
@given(mixed)
def test_without_segments_all_is_in_the_text(value: object) -> None:
    """A message for a receiver that reads no segments needs none."""
    text = codec.encode(value, externals=values.externals)
    assert text.isascii()
    assert same(value, codec.decode(text, resolve=values.resolve, limits=wire.LIMITS))


def test_shared_bytes_stay_shared() -> None:
    """One segment for the same object, however often it occurs."""
    data = bytes(100_000)
    text, segments = there([data, [data]])
    one, (other,) = back(text, segments)
    assert one is other
    assert len(segments) == 1


def test_whole_segments_are_not_copied() -> None:
    """Neither when they are written, nor when they are read."""
    data = bytes(range(256)) * 1_000
    text, segments = there({"data": data})
    assert segments[0] is data
    assert back(text, segments)["data"] is data


def test_nothing_of_floats_is_lost() -> None:
    """Signs of zeros, and what is no number."""
    numbers = [0.0, -0.0, math.inf, -math.inf, math.nan, 5e-324] * 100
    assert list(map(repr, back(*there(numbers)))) == list(map(repr, numbers))


def test_few_bytes_are_in_the_text() -> None:
    """A separate request would cost more than the digits of a few bytes."""
    assert there([bytes(SMALLEST // 2)])[1] == []
    assert size_of(there([bytes(SMALLEST // 2)] * 10)[1]) == 0  # one object
    assert len(there([bytes(SMALLEST // 2) + bytes([n]) for n in range(10)])[1]) == 1


def test_a_message_has_a_bounded_number_of_segments() -> None:
    """Small pieces share a segment, whatever comes between them: the largest message has no more than a process may name."""
    segments: list[bytes] = []
    writer = Writer(segments)
    for _ in range(100):
        for size in (65_536, 5_000, 1, 300):
            assert writer.wants(size)
            writer.put(bytes(size))
    writer.close()
    assert len(segments) == 200
    assert wire.LIMITS.max_chars // 65_536 * 2 <= MOST


class Name(str):  # noqa: SLOT000 - as users write it
    """A text that is more than a text."""


def test_many_dicts_are_columns() -> None:
    """Numbers are packed, and every dict comes back on its own, in order."""
    table: list[Any] = [{"id": n, "name": f"n{n}", "price": n / 4} for n in range(1_000)]
    text, segments = there(table)
    assert '["D","id",' in text
    assert len(segments) == 1
    made = back(text, segments)
    assert made == table
    assert len(set(map(id, made))) == 1_000
    assert list(made[0]) == ["id", "name", "price"]


@pytest.mark.parametrize(
    "odd",
    [
        {"id": 1},
        {"price": 1, "id": 1},
        {"id": 1, "price": []},
        {"id": 1, "price": 1, "x": 1},
        {Name("id"): 1, "price": 1},
        5,
        {},
    ],
    ids=repr,
)
def test_a_list_with_one_odd_row_is_no_table(odd: Any) -> None:
    """Other keys, another order, other values, or no dict at all."""
    table: list[Any] = [{"id": n, "price": n / 4} for n in range(1_000)] + [odd]
    with contextlib.suppress(codec.NotEncodable):  # a class of the test's own
        text, segments = there(table)
        assert '["D"' not in text
        assert same(table, back(text, segments))


@pytest.mark.parametrize("cell", ["\ud800", "a\udfff", 2**63, -(2**70), 10**30, math.inf], ids=ascii)
def test_columns_may_hold_atoms_that_have_nodes_of_their_own(cell: Any) -> None:
    """Texts and numbers that JSON cannot say everywhere stand beside their column."""
    table: list[Any] = [{"n": n, "cell": cell if n % 2 else n} for n in range(1_000)]
    text, segments = there(table)
    assert '["D"' in text
    assert same(table, back(text, segments))


@pytest.mark.parametrize("place", ["before", "after", "within", "twice", "in another table"])
def test_a_row_that_occurs_elsewhere_stays_one_dict(place: str) -> None:
    """Whoever changes it in one place sees the change in the other."""
    table: list[Any] = [{"n": n, "half": n / 2} for n in range(1_000)]
    row = table[7]
    value = {
        "before": (row, table),
        "after": (table, row),
        "within": (table, {"chosen": [row]}),
        "twice": (table, [*table[:100], row], table),
        "in another table": (table, table[::-1]),
    }[place]
    assert same(value, back(*there(value)))


def test_tables_whose_rows_are_held_elsewhere_are_still_tables() -> None:
    """Only what is sent counts."""
    table: list[Any] = [{"n": n, "half": n / 2} for n in range(1_000)]
    by_number = {row["n"]: row for row in table}
    text, segments = there((table, {"settings": [{"n": 5}]}))
    assert '["D"' in text
    assert back(text, segments)[0] == list(by_number.values())


def test_small_rows_are_no_table() -> None:
    """A dict takes much memory, and a message no more than so much for each character."""
    assert there([{"a": "x"} for _ in range(1_000)])[0].startswith("p")


# Input from untrusted senders


@pytest.mark.parametrize(
    "nodes",
    [
        [["D"]],
        [["l", 1], ["D", "a", [0], "a", [0]]],
        [["l", 1], ["l"], ["D", "a", [0], "b", [1]]],
        [["l", 1], ["D", 5, [0]]],
        [["l", 1], ["D", "a", [0], "b"]],
        [["t", 1], ["D", "a", [0]]],
        [["l"], ["l", [0]], ["D", "a", [1]]],
        [["D", "a", [0]]],
        [["D", "a", [1]], ["l", [0]], ["l", [0]]],
        [["l", *[0] * 100], *[["D", "a", [0]]] * 20],
        [["l", *[0] * 2_000], ["D", "a", [0]]],
        [["l", "x" * 50], ["D", "a", [0]]],
    ],
    ids=lambda nodes: json.dumps(nodes)[:40],
)
def test_tables_that_are_none_are_refused(nodes: list[Any]) -> None:
    """Columns that are missing, not lists, of several lengths or of something other than atoms; and more dicts than the text is worth."""
    for beside in ([], [["b", 10, 8], ["l", [0]]]):
        shifted = [[part if type(part) is not list else [part[0] + len(beside)] for part in node] for node in nodes]
        text = json.dumps([*beside, *shifted], separators=(",", ":"))
        if beside and nodes[0][0] == "l" and nodes[0][1:] == ["x" * 50]:
            continue  # a proper one
        with pytest.raises(codec.Malformed):
            back(f"g{len(text):x}:{text}", [bytes(10)] if beside else [])


nodes = st.lists(
    st.tuples(
        st.sampled_from("bBuLUqQ"),
        st.integers(-2, 40) | st.just(8),
        st.sampled_from([8, 7, 16, 64, 9, None, 8.0, True]),
    )
    | st.tuples(st.just("l"), st.integers(0, 5).map(lambda k: [k])),
    min_size=1,
    max_size=6,
)


@MANY
@given(nodes, st.lists(st.binary(max_size=20), max_size=4), st.text("0123456789abcdef", max_size=8))
def test_random_sizes_of_segments_are_survived(graph: list[Any], segments: list[bytes], blobs: str) -> None:
    """A value, or Malformed; and nothing outside the segments is ever read."""
    text = json.dumps(graph)
    with contextlib.suppress(codec.Malformed):
        value = back(f"g{len(text):x}:{text}{blobs}", segments)
        if type(value) is bytes:
            assert len(value) <= sum(map(len, segments)) + len(blobs)


@pytest.mark.parametrize("form", ["s", "pnull", "t[]", "c[[],{}]", 'g9:["l"]'])
def test_segments_that_nothing_uses_are_refused(form: str) -> None:
    """Whatever the form of the text."""
    with pytest.raises(codec.Malformed):
        back(form, [b"x"])


@pytest.mark.parametrize(
    ("sizes", "segments"),
    [
        ([5], []),
        ([5], [b"1234"]),
        ([5], [b"123456"]),
        ([3, 3], [b"1234", b"56"]),
        ([0], [b""]),
        ([-1], [b"1"]),
        ([1], [b""]),
    ],
)
def test_pieces_that_do_not_fit_are_refused(sizes: list[int], segments: list[bytes]) -> None:
    """A piece lies in one segment, and no byte is left over."""
    text = json.dumps([["b", size, 8] for size in sizes])
    with pytest.raises(codec.Malformed):
        back(f"g{len(text):x}:{text}", segments)


def test_packed_numbers_count_as_items() -> None:
    """Bytes that become numbers are charged as the list that they become."""
    few = wire.LIMITS._replace(max_items=1_000)
    for number in (1, 1.5):
        text, segments = there([number] * 600)
        assert back(text, segments, few) == [number] * 600
        text, segments = there([[number] * 600, [number] * 600])
        with pytest.raises(codec.Malformed, match="more than 1000 items"):
            back(text, segments, few)


def test_segments_count_as_characters() -> None:
    """The limit on a message is one on all of it, and small segments cost more than their bytes."""
    limits = wire.LIMITS._replace(max_chars=10_000)
    with pytest.raises(codec.Malformed, match="above the limit"):
        back("g9:[[]]", [bytes(10_000)], limits)
    with pytest.raises(OutputLimitExceeded, match="above the limit"):
        wire.decode_value("g9:[[]]", resolve=values.resolve, limits=limits, segments=[b"1"] * (10_000 // COST))


def test_a_stranger_does_not_write_pickles() -> None:
    """Not in a segment either."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(
        1_000
    )  # mypy, which other tests run in this interpreter, raises it, and nothing is pickled then
    try:
        text, segments = there(list(map(str, range(10_000))), pickled=True)
    finally:
        sys.setrecursionlimit(before)
    assert text.startswith("k")
    with pytest.raises(codec.Malformed):
        back(text, segments)


def test_a_reader_gives_nothing_beyond_its_segments() -> None:
    """Not even nothing."""
    reader = Reader([b"12"])
    assert (reader.read(1), reader.read(1), reader.is_empty) == (b"1", b"2", True)
    for size in (0, 1, -1):
        with pytest.raises(codec.Malformed):
            reader.read(size)
