"""The bounds on decoding: values too deep to be freed, chosen keys, patterns, exceptions, and the end of decoding without a waiter."""

from __future__ import annotations

import collections
import contextlib
import enum
import functools
import gc
import json
import operator
import random
import re
import threading
import time
import types
from pathlib import Path
from typing import Any

import pytest
from crowding import hostile_keys
from hypothesis import given, settings
from hypothesis import strategies as st

from capsend import Dir, Environment, ProcessFailed, codec, spawn
from capsend.codec import standard_types, wire
from capsend.codec.limits import Budget, Limits
from capsend.codec.probes import charge_dict, charge_set
from capsend.shipping import failure

DEEPEST = wire.LIMITS.max_depth


def general(nodes: list[Any], blobs: str = "") -> str:
    text = json.dumps(nodes, separators=(",", ":"))
    return f"g{len(text):x}:{text}{blobs}"


def decoded(nodes: list[Any]) -> Any:
    return wire.decode_value(general(nodes), resolve=lambda _: int)


def one_deeper(tag: str, index: int) -> list[list[Any]]:
    """Return the nodes by which a value of this kind contains the node at `index`, for kinds that can contain others."""
    after = index + 1
    return {
        "slice": [["slice", [index], None, None]],
        "itemgetter": [["itemgetter", [index]]],
        "methodcaller": [["t", [index]], ["methodcaller", "x", [after], [0]]],
        "alias": [["t", [index]], ["alias", 1, [after]]],
        "method": [["method", [1], [index]]],
        "partial": [["t", [index]], ["partial", [1], [after], [0], [0]]],
        "deque": [["deque", None, [index]]],
        "defaultdict": [["d", {"a": [index]}], ["defaultdict", None, [after]]],
        "ordered": [["d", {"a": [index]}], ["ordered", [after]]],
        "counter": [["d", {"a": [index]}], ["counter", [after]]],
        "namespace": [["d", {"a": [index]}], ["namespace", [after]]],
    }.get(tag, [])


NESTED = [tag for tag in standard_types.BY_TAG if one_deeper(tag, 0)]


def nested(tag: str, count: int) -> list[list[Any]]:
    nodes: list[list[Any]] = [["d", {}], ["x", {}]]
    for _ in range(count):
        nodes += one_deeper(tag, len(nodes) - 1)
    return nodes


@pytest.mark.parametrize("tag", NESTED)
def test_every_kind_is_freed_at_its_greatest_depth(tag: str) -> None:
    """On a thread with a small stack, as programs have them; one level more is refused."""
    done = []

    def decode_and_drop() -> None:
        value = decoded(nested(tag, DEEPEST))
        del value
        gc.collect()
        done.append(tag)

    previous = threading.stack_size(512 << 10)
    try:
        thread = threading.Thread(target=decode_and_drop)
        thread.start()
    finally:
        threading.stack_size(previous)
    thread.join()
    assert done == [tag]
    with pytest.raises(ProcessFailed, match="nested deeper than 1000 levels"):
        decoded(nested(tag, DEEPEST + 1))


def test_every_kind_that_can_contain_something_is_nested() -> None:
    """An entry of the table that takes parts of any class is among those above; those that take dates or numbers alone are not."""
    leaves = {"time", "datetime", "timezone"}  # whose part is a tzinfo, which is checked
    leaves |= {"dtype", "ndarray", "scalar"}  # whose part describes a dtype in texts and tuples, which are checked
    assert {e.tag for e in standard_types.STANDARD if any(not part.kinds for part in e.parts)} - leaves <= set(NESTED)


def test_lists_and_dicts_may_be_as_deep_as_they_are_many() -> None:
    """The interpreter frees them without recursion."""
    nodes: list[list[Any]] = [["l", [index]] if index % 2 else ["d", {"a": [index]}] for index in range(60_000)]
    value = decoded([["l"], *nodes])
    del value


def test_references_that_point_forward_do_not_hide_how_deep_a_value_is() -> None:
    """Neither in a cycle nor without one, nor with lists between."""
    count = 5_000
    forward = [["deque", None, [n + 1]] for n in range(count)] + [["deque", None]]
    ring = [["deque", None, [(n + 1) % count]] for n in range(count)]
    lists = [node for n in range(count) for node in (["l", [2 * n + 1]], ["slice", [2 * n + 2], None, None])] + [["l"]]
    for nodes in (forward, ring, lists):
        with pytest.raises(ProcessFailed, match="nested deeper"):
            decoded(nodes)


def test_large_cycles_of_ordinary_data_are_taken() -> None:
    """A tree of thousands of nodes that refer to their parents, with a deque each: one cycle."""
    count = 5_000
    nodes: list[list[Any]] = []
    for n in range(count):
        nodes += [["deque", None], ["d", {"children": [2 * n], "parent": [2 * count + 1]}]]
    nodes += [["deque", None, *([2 * n + 1] for n in range(count))], ["d", {"children": [2 * count]}]]
    value = decoded(nodes)
    assert value["children"][17]["parent"] is value


def test_keys_that_seek_for_ever_are_refused() -> None:
    """All their hashes differ; building the dict would take time that grows with the square of their number."""
    keys = list(dict.fromkeys(hostile_keys(12)))
    assert len(set(map(hash, keys))) == len(keys)
    with pytest.raises(ProcessFailed, match="work"):
        decoded([["m", *(part for key in keys for part in (key, 1))]] * 20)


ADVERSARIAL = st.one_of(
    st.integers(0, 1 << 62),
    st.builds(lambda n, shift: n << shift, st.integers(0, 1 << 12), st.integers(0, 50)),
    st.builds(lambda n: n * (2**61 - 1) + n, st.integers(0, 1 << 20)),
)


@settings(max_examples=60)
@given(st.lists(ADVERSARIAL, min_size=101, max_size=2_000, unique=True))
def test_what_looking_costs_is_charged(keys: list[int]) -> None:
    """A dict and a set are built within the limit of work, or not at all: a look is a step, and the charge is at least what a plain count says."""
    charged = [0]

    def spend(looks: int) -> None:
        charged[0] += looks

    hashes = list(map(hash, keys))
    charge_dict(hashes, spend)
    size = 8
    while (size << 1) // 3 < len(hashes):
        size *= 2
    taken, looks = set(), 0
    for value in hashes:
        at, rest = value % size, value
        while at in taken:
            rest >>= 5
            at = (5 * at + rest + 1) % size
            looks += 1
        taken.add(at)
    assert charged[0] >= looks
    charge_set(hashes, spend)
    with contextlib.suppress(ProcessFailed):
        assert decoded([["s", *keys]]) == set(keys)


def test_ordinary_numbers_are_keys_at_little_cost() -> None:
    """Ranges, multiples, floats and random numbers, 100,000 of each, are far below the limit."""
    chance = random.Random(2)
    for keys in (range(100_000), [n * 1024 for n in range(100_000)], [n / 7 for n in range(100_000)],
                 [chance.getrandbits(60) for _ in range(100_000)]):  # fmt: skip
        spent = [0]

        def spend(looks: int, spent: list[int] = spent) -> None:
            spent[0] += looks

        charge_dict(list(map(hash, keys)), spend)
        charge_set(list(map(hash, keys)), spend)
        assert spent[0] < wire.LIMITS.max_work // 4


WORDS = r"[ ] ^ - -- && || ~~ [[ a z \ \] \[ ( (?: (?i) (?x) # ) | * {1,3} \u0000 \uffff \d \W ."
PIECES = st.sampled_from([*WORDS.split(), "\n", "\u0100", "\uffff", "\U0001f600"])


@pytest.mark.filterwarnings("error")
@settings(max_examples=300)
@given(st.lists(PIECES, max_size=60).map("".join), st.sampled_from([0, 2, 32, 34, 96, 98]))
def test_compiling_a_pattern_costs_what_is_charged(pattern: str, flags: int) -> None:
    """It takes a few times as long as its steps say at most, and never warns: a warning is printed, and kept for ever."""

    def compiled() -> tuple[float, float]:
        budget = Budget(Limits())
        began = time.thread_time()
        with contextlib.suppress(ValueError, re.error, RecursionError, OverflowError):
            standard_types.BY_TAG["pattern"].build(budget, pattern, flags)
        return time.thread_time() - began, (Limits().max_work - budget.left) * 1e-7

    # A collection of garbage, or the machine, may take time beside it: the shortest of three counts.
    took, spent = min(compiled() for _ in range(3))
    assert took < 10 * spent + 0.05


def test_patterns_are_not_kept() -> None:
    """The cache of `re` holds what this program compiled itself."""
    pattern = "what only a process has compiled"
    assert decoded([["pattern", pattern, 32]]).match(pattern)
    cache = vars(re)["_cache"]
    assert not any(pattern in map(str, key) for key in cache)


class Rights(enum.Flag):
    """Twelve flags, which have 4,096 combinations."""

    A, B, C, D, E, F, G, H, I, J, K, L = (1 << n for n in range(12))  # noqa: E741 - twelve letters


def test_combinations_of_flags_that_strangers_ask_for_are_bounded() -> None:
    """Each new one is kept by its class for ever."""
    nodes: list[list[Any]] = [["x", {}], *(["E", [0], n] for n in range(4_096)), ["l", [9]]]
    with pytest.raises(ProcessFailed, match="combinations"):
        wire.decode_value(general(nodes), resolve=lambda _: Rights)
    assert len(Rights._value2member_map_) <= 1_025
    before = len(re.RegexFlag._value2member_map_)
    nodes = [["x", {}], *(["E", [0], n << 12] for n in range(1, 3_000))]
    value = wire.decode_value(general(nodes), resolve=lambda _: re.RegexFlag)
    assert value == 2_999 << 12
    assert len(re.RegexFlag._value2member_map_) == before
    assert wire.decode_value(general([["x", {}], ["E", [0], 3]]), resolve=lambda _: Rights) is Rights.A | Rights.B


def test_decoding_ends_when_nobody_waits_for_the_value() -> None:
    """However much is left to do."""
    asked = []

    def is_unwanted() -> bool:
        asked.append(1)
        return len(asked) > 3

    with pytest.raises(codec.Stopped):
        wire.decode_value(general([["t", n] for n in range(100_000)]), resolve=lambda _: int, is_unwanted=is_unwanted)
    assert len(asked) == 4


def test_an_exception_costs_what_its_description_is_long() -> None:
    """A hundred exceptions of two hundred frames, in a chain or in groups of groups: soon, in few frames, and its text within a bound."""
    frames = [[__file__, 8 + n % 20, 8 + n % 20, 0, 60, "f"] for n in range(200)]
    for kind in ("chain", "groups"):
        told: list[dict[str, Any]] = []
        for n in range(100):
            each = {"type": "builtins.ValueError", "message": "m" * 5_000, "bare": True, "frames": frames}
            if n < 99:
                each |= (
                    {"context": n + 1}
                    if kind == "chain"
                    else {"type": "builtins.ExceptionGroup", "group": "g", "members": [n + 1]}
                )
            told.append(each)
        began = time.thread_time()
        error = failure.rebuild(
            json.dumps({"errors": told}), resolve=lambda _: int, process_id=1, files=frozenset({__file__})
        )
        assert time.thread_time() - began < 5
        text: Any = error.__cause__
        assert len(text.text) < 2 << 20


def test_methods_of_an_exception_are_those_of_its_class() -> None:
    """A field does not take their place."""
    fields = {"with_traceback": None, "add_note": 5, "__notes__": 7, "kept": 1}
    payload = codec.encode((("x",), fields, {}))
    told = {"type": "builtins.ValueError", "message": "x", "payload": payload}
    error = failure.rebuild(json.dumps({"errors": [told]}), resolve=lambda _: int, process_id=1)
    assert vars(error) == {"kept": 1}
    error.add_note("works")
    assert error.with_traceback(None) is error


def test_values_of_a_message_are_what_the_table_says() -> None:
    """The nodes of these tests are well-formed."""
    assert decoded(nested("deque", 1)) == collections.deque([int])
    assert isinstance(decoded(nested("partial", 2)), functools.partial)
    assert isinstance(decoded(nested("methodcaller", 2)), operator.methodcaller)
    assert isinstance(decoded(nested("method", 1)), types.MethodType)


def log_a_forgery() -> None:
    import logging

    logging.getLogger("x\ny").error("hello\n2026-11-25 CRITICAL root payment approved\x1b[2K\x07")


def test_records_are_lines_and_go_nowhere_without_stderr(caplog: pytest.LogCaptureFixture) -> None:
    """Nobody can forge a line of the log, or hide one behind a control sequence."""
    Environment(stderr=None).spawn(log_a_forgery).result(timeout=60)
    assert caplog.messages == []
    Environment().spawn(log_a_forgery).result(timeout=60)
    (line,) = caplog.messages
    assert line.isprintable()
    assert "payment approved\\x1b[2K" in line


def test_a_folder_that_is_imported_from_needs_a_word_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """This program would run files that a process writes there; the same holds for an enclosing folder, and for a package."""
    inner = tmp_path / "inner"
    inner.mkdir()
    monkeypatch.syspath_prepend(str(inner))
    for folder in (inner, tmp_path):
        with pytest.raises(ValueError, match="importable=True"):
            Dir(folder, write=True)
        with pytest.warns(RuntimeWarning, match="can run code in this program"):
            assert Dir(folder, write=True, importable=True).write
        assert not Dir(folder).write
    data = inner / "data"
    data.mkdir()
    assert Dir(data, write=True).write
    (data / "__init__.py").touch()
    with pytest.raises(ValueError, match="package"):
        Dir(data, write=True)


@pytest.mark.parametrize("place", ["", "images", "modules/x"])
def test_a_folder_with_compiled_code_needs_a_word_more(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files in the cache are loaded and run in this program: no process may write there."""
    monkeypatch.setenv("CAPSEND_CACHE_DIR", str(tmp_path / "cache"))
    folder = tmp_path / "cache" / place
    folder.mkdir(parents=True)
    for each in {folder, tmp_path} if not place else {folder}:
        with pytest.raises(ValueError, match="importable=True"):
            Dir(each, write=True)
    assert not Dir(folder).write


def test_memory_errors_of_the_users_stay_what_they_are() -> None:
    """One with a message is no limit that was reached."""

    def refuse() -> None:
        raise MemoryError("model too large")

    with pytest.raises(MemoryError, match=r"^model too large$") as caught:
        spawn(refuse).result(timeout=60)
    assert type(caught.value) is MemoryError
