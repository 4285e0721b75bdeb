"""The time and the memory of decoding are at most a stated multiple of the size of an answer, whatever the answer is.

The multiples are those of SECURITY.md: 60 bytes and 3 microseconds for each character, and what `Limits.max_work` allows beside that: copies and
keys of 100 MB, and 20,000,000 steps of about 100 nanoseconds, for which the test grants three times as long.
"""

from __future__ import annotations

import collections
import contextlib
import gc
import json
import time
import traceback
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capsend import ProcessFailed
from capsend.codec import standard_types, wire
from capsend.outcome import Outcome
from capsend.shipping import failure
from capsend.shipping.records import Record

if TYPE_CHECKING:
    from collections.abc import Callable

MIB = 1 << 20
BYTES_EACH = 60
BYTES_BESIDE = 100 * MIB
SECONDS_EACH = 3e-6
SECONDS_BESIDE = wire.LIMITS.max_work * 3e-7
SIZES = ((2_000, 2_000), (4, 20_000), (20_000, 4))


class WithState:
    """A class that gets its state itself."""

    def __setstate__(self, state: Any) -> None:
        vars(self).update(state)


class Lists(list[Any]):
    """A class with a built-in part, as the following."""


class Dicts(dict[Any, Any]):
    """As above."""


class Ordered(collections.OrderedDict[Any, Any]):
    """As above."""


class Tuples(tuple[Any, ...]):
    """As above."""

    __slots__ = ()


class Bytes(bytes):
    """As above."""


class Ints(int):
    """As above."""


class Plain:
    """A class with fields."""


CLASSES = {cls.__name__: cls for cls in (WithState, Lists, Dicts, Ordered, Tuples, Bytes, Ints, Plain)}


def known(reference: Any) -> Any:
    """Return one of the classes above; int for whatever else is named."""
    return CLASSES.get(reference.get("n", "") if type(reference) is dict else "", int)


def general(nodes: list[Any], blob: str = "") -> str:
    """Return a message."""
    text = json.dumps(nodes, separators=(",", ":"))
    return f"g{len(text):x}:{text}{blob}"


def shared(part: Any, *others: Any, of: Callable[[int], list[Any]]) -> Callable[[int, int], str]:
    """Return the maker of a message with one large part, and many values that hold it."""

    def make(size: int, count: int) -> str:
        nodes = [part(size), *others]
        return general([*nodes, *(of(k) for k in range(count))], "x" * size if nodes[0][0] in "bu" else "")

    return make


def a_dict(size: int) -> list[Any]:
    return ["d", {f"k{n}": 1 for n in range(size)}]


def a_mapping(size: int) -> list[Any]:
    return ["m", *(part for n in range(size) for part in (n, 1))]


def a_tuple(size: int) -> list[Any]:
    return ["t", *range(size)]


def a_list(size: int) -> list[Any]:
    return ["l", *range(size)]


def a_text(size: int) -> list[Any]:
    return ["u", size, 7]


def a_blob(size: int) -> list[Any]:
    return ["b", size, 7]


def an_int(size: int) -> list[Any]:
    return ["n", "f" * size]


def instance(tag: str, name: str) -> dict[str, Any]:
    """The arguments of `shared` for instances of a class of this module."""
    rest = [] if tag == "o" else [{}]
    return {"of": lambda _: [tag, [1], [0], *rest]}


EMPTY, NOTHING = ["d", {}], ["t"]
KINDS: dict[str, Callable[[int, int], str]] = {
    "ordered": shared(a_dict, of=lambda _: ["ordered", [0]]),
    "ordered of numbers": shared(a_mapping, of=lambda _: ["ordered", [0]]),
    "defaultdict": shared(a_dict, of=lambda _: ["defaultdict", None, [0]]),
    "counter": shared(a_dict, of=lambda _: ["counter", [0]]),
    "namespace": shared(a_dict, of=lambda _: ["namespace", [0]]),
    "methodcaller": shared(a_tuple, EMPTY, of=lambda _: ["methodcaller", "x", [0], [1]]),
    "methodcaller by keyword": shared(a_dict, NOTHING, of=lambda _: ["methodcaller", "x", [1], [0]]),
    "partial": shared(a_tuple, EMPTY, ["itemgetter", 1], of=lambda _: ["partial", [2], [0], [1], [1]]),
    "alias": shared(a_tuple, of=lambda _: ["alias", 1, [0]]),
    "itemgetter": shared(a_tuple, of=lambda _: ["itemgetter", [0], [0]]),
    "attrgetter": shared(a_text, of=lambda _: ["attrgetter", [0]]),
    "array": shared(a_blob, of=lambda _: ["array", "b", 1, [0]]),
    "path": shared(a_text, of=lambda _: ["path", "PurePosixPath", [0]]),
    "struct": shared(a_text, of=lambda _: ["struct", [0]]),
    "fraction": shared(an_int, of=lambda k: ["fraction", [0], k + 2]),
    "range": shared(an_int, of=lambda _: ["range", 0, [0], 1]),
    "states": shared(a_dict, ["x", {"n": "WithState"}], **instance("o", "WithState")),
    "lists": shared(a_list, ["x", {"n": "Lists"}], **instance("k", "Lists")),
    "dicts": shared(a_dict, ["x", {"n": "Dicts"}], **instance("k", "Dicts")),
    "tuples": shared(a_tuple, ["x", {"n": "Tuples"}], **instance("k", "Tuples")),
    "bytes": shared(a_blob, ["x", {"n": "Bytes"}], **instance("k", "Bytes")),
    "ints": shared(an_int, ["x", {"n": "Ints"}], **instance("k", "Ints")),
    "sets of a tuple": shared(a_tuple, of=lambda _: ["s", [0]]),
    "frozensets in each other": shared(a_tuple, of=lambda k: ["f", [k]]),
    "keys of a tuple": shared(a_tuple, of=lambda _: ["m", [0], 1]),
    "decimal keys": lambda size, count: general([["decimal", "9" * size], *(["s", [0]] for _ in range(count))]),
    "empty deques": lambda size, count: general([["deque", None]] * size * (1 + count // 1_000)),
    "small sets": lambda size, count: general([["s", 1, 2, 3, 4, 5]] * size * (1 + count // 1_000)),
    "empty dicts": lambda size, count: "p[" + ",".join(["{}"] * size * (1 + count // 100)) + "]",
    "patterns": lambda size, count: general([["pattern", "[a-z]" * (size % 800), 2]] * (count % 30)),
    "members of a chain": lambda size, count: general(
        [["deque", None, [n + 1]] for n in range(min(size, 900))] + [["l"]] * count
    ),
    "forward": lambda size, count: general([*(["t", [n + 1]] for n in range(size)), ["t", *range(count)]]),
    "fields read again": lambda size, count: general(
        [["x", {"n": "Plain"}], *(["i", [0], {f"f{k}": [n + 2] for k in range(min(size, 30))}] for n in range(count)), ["t"]]
    ),
}  # fmt: skip


def measured(text: str) -> tuple[float, int]:
    """Return the seconds and the bytes that decoding a message takes at most, refused or not."""

    def decode() -> None:
        with contextlib.suppress(ProcessFailed):
            wire.decode_value(text, resolve=known)

    gc.collect()
    began = time.thread_time()
    decode()
    seconds = time.thread_time() - began
    tracemalloc.start()
    try:
        decode()
        return seconds, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def check(text: str) -> None:
    """Hold one message against the multiples."""
    seconds, peak = measured(text)
    assert seconds < SECONDS_EACH * len(text) + SECONDS_BESIDE, text[:300]
    assert peak < BYTES_EACH * len(text) + BYTES_BESIDE, text[:300]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_sharing_costs_a_multiple_of_its_size(kind: str) -> None:
    """A part that many values copy is paid for."""
    for size, count in SIZES:
        check(KINDS[kind](size, count))


TAGS = [*standard_types.BY_TAG, *"ltdmsfnioKkTeE"]
ATOMS = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 40), st.integers(), st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=9), st.sampled_from(["PurePosixPath", "IPv4Address", "a.b", "9" * 400, "Etc/UTC", "(a|b)*", "i"]),
)  # fmt: skip
PARTS = st.one_of(ATOMS, st.integers(0, 30).map(lambda n: [n]), st.dictionaries(st.text(max_size=3), ATOMS, max_size=3))
NODES = st.lists(
    st.builds(lambda tag, parts: [tag, *parts], st.sampled_from(TAGS), st.lists(PARTS, max_size=6)), max_size=12
)


@settings(max_examples=150)
@given(NODES, st.sampled_from([1, 30, 1_000]))
def test_random_nodes_many_times_cost_a_multiple_of_their_size(nodes: list[Any], times: int) -> None:
    """Whatever they are."""
    check(general([["x", {"n": "Plain"}], ["d", {"a": 1}], ["t", 1, 2], *nodes * times]))


def shown(described: list[dict[str, Any]]) -> None:
    """Rebuild an exception and show it in every way in which programs do; the text and the time are within the multiples."""
    text = json.dumps({"errors": described})
    began = time.thread_time()
    error = failure.rebuild(text, resolve=known, process_id=1, files=frozenset({__file__}))
    length = len("".join(traceback.format_exception(error))) + len(repr(error)) + len(str(error))
    cause: Any = error.__cause__
    length += len(cause.text)
    assert time.thread_time() - began < 10 * SECONDS_EACH * len(text) + SECONDS_BESIDE
    assert length < 4 * (8 * len(text) + (4 << 20))


def test_an_exception_that_groups_of_groups_hold_twice_can_be_shown() -> None:
    """Each level doubles the text of the traceback: at forty levels it would never end."""
    group = {"type": "builtins.ExceptionGroup", "group": "g", "message": "m", "bare": True}
    leaf = {"type": "builtins.ValueError", "message": "m", "bare": True}
    for width in (2, 50):
        shown([*({**group, "members": [n + 1] * width} for n in range(60)), leaf])


def failed(nodes: list[Any], *more: dict[str, Any]) -> list[dict[str, Any]]:
    """The description of an exception whose arguments are the last node."""
    end = len(nodes)
    payload = general([*nodes, ["t", [end - 1]], ["d", {}], ["t", [end], [end + 1], [end + 1]]])
    return [{"type": "builtins.ValueError", "message": "m", "payload": payload}, *more]


def test_arguments_of_an_exception_that_are_a_tree_without_end_are_not_taken() -> None:
    """`str` of such an exception would be the whole tree; capsend itself calls it to report the end of a process."""
    lists = [["l"], *(["l", [n], [n]] for n in range(60))]
    shown(failed(lists))
    shown(failed([*lists[:-1], ["deque", None, [59], [59]]]))
    shown(failed([["l", *([k] for k in range(20))] for n in range(20)]))
    texts = [["u", 100_000, 7], ["l", *[[0]] * 1_000], *(["t", [n], [n]] for n in range(1, 20))]
    shown(failed(texts))
    others = [{**failed([["x", {"e": n + 1}], ["t", [0], [0]]])[0]} for n in range(60)]
    shown([*others, {"type": "builtins.ValueError", "message": "m", "bare": True}])


def test_arguments_of_ordinary_exceptions_are_taken() -> None:
    """Large ones, those that hold a part twice, and those that hold themselves."""
    for nodes in (
        [["t", *range(100_000)]],
        [["l", 1, 2], ["t", [0], [0], [0]]],
        [["l", [0]]],
        [["d", {"itself": [1]}], ["l", [0], 1]],
        [["u", 300_000, 7]],
    ):
        blob = "x" * 300_000 if nodes[0][0] == "u" else ""
        described = failed(nodes)
        described[0]["payload"] += blob
        error = failure.rebuild(json.dumps({"errors": described}), resolve=known, process_id=1)
        assert type(error) is ValueError, error


def outcome(value: Any) -> Outcome[Any]:
    """An outcome with this value."""
    return Outcome(
        value=value, error=None, stdout="", stderr="", exit_reason="normal", seconds=0, cpu_seconds=0, memory=0
    )


def test_outcomes_of_values_that_are_trees_without_end_are_json_of_a_bearable_length() -> None:
    """Lists, and what only `repr` shows."""
    lists: Any = []
    queues: Any = collections.deque()
    for _ in range(60):
        lists = [lists, lists]
        queues = collections.deque([queues, queues])
    rings: list[Any] = [[] for _ in range(30)]
    for ring in rings:
        ring.extend(rings)
    record = Record("R", {})
    for _ in range(60):
        record = Record("R", {"a": record, "b": record})
    assert len(repr(record)) < 1_000
    for value in (lists, {"a": lists}, queues, [queues], rings, collections.deque(rings), record, [record]):
        began = time.thread_time()
        assert len(outcome(value).to_json()) < 30 << 20
        assert time.thread_time() - began < 5
    large = [[n, str(n)] for n in range(100_000)]
    assert json.loads(outcome([large, large]).to_json())["value"] == [large, large]
    assert json.loads(outcome([collections.deque([1])]).to_json())["value"] == [{"repr": "deque([1])"}]
