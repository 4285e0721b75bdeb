"""Hostile peers: whatever the fields of a word are, within their kinds, home and nodes refuse it or do it, and nothing else happens."""

from __future__ import annotations

import contextlib
import functools
import os
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capsend import Environment, host_function
from capsend.cluster import items
from capsend.cluster.engines import Started
from capsend.cluster.home import Home
from capsend.cluster.hosting import Host
from capsend.cluster.items import WORDS, Item, Malformed, pack, unpack
from capsend.cluster.lines import Token
from capsend.cluster.lives import RemoteLife
from capsend.cluster.members import Member
from capsend.cluster.peers import HOME, Peer
from capsend.environment import prepare
from tests.eventually import eventually

EXAMPLES = int(os.environ.get("CAPSEND_FUZZ_EXAMPLES", "20"))
NODE = "3.0123456789ab"

NUMBERS = st.sampled_from([0, 1, -1, 5, -5, 6, 9]) | st.integers(-(1 << 61), 1 << 61)
TEXTS = st.sampled_from(["", "v", "e", "x", "u", "b", "normal", "killed", HOME, NODE, "0", "5"]) | st.text(max_size=6)
SECONDS = st.none() | st.integers(-5, 300) | st.floats(-1e9, 1e9)
REFERENCES = st.builds(
    lambda owner, key, number, root: ["a", owner, key, number, 7, "label", number, number, root, 3, ""],
    st.sampled_from([HOME, NODE, "2.b"]), st.sampled_from([-5, 1, 2]), st.integers(0, 9), st.sampled_from([0, 5])
) | st.builds(lambda root, place: ["f", root, place, "name", False], NUMBERS, NUMBERS)  # fmt: skip
SIZES = st.lists(st.integers(-1, 9) | st.just(1 << 40), max_size=4)
TABLES = st.dictionaries(TEXTS, TEXTS, max_size=2)
KINDS: dict[Any, st.SearchStrategy[Any]] = {
    items._number: NUMBERS,
    items._text: TEXTS,
    items._flag: st.booleans(),
    items._seconds: SECONDS,
    items._reference: REFERENCES,
    items._references: st.lists(REFERENCES, max_size=2),
    items._numbered: st.dictionaries(TEXTS, REFERENCES, max_size=2),
    items._sizes: SIZES,
    items._texts: st.lists(TEXTS, max_size=3),
    items._limits: st.lists(SECONDS, max_size=9) | st.just([1 << 26, 5.0, None, 100, 100, 10, 1000, 5, None]),
    items._variables: TABLES,
    items._figures: st.lists(SECONDS, max_size=7) | st.just([0.5, 1, 2, 3, 4, 5, 6]),
}
NEVER = {"serve", "serving", "refused", "bye"}  # those of the daemon, and the end of the program


def an_item(word: str) -> st.SearchStrategy[Item]:
    """Make items of a word, with bodies that fit their sizes about half of the time."""
    fields = st.tuples(*(KINDS.get(kind, st.just({})) for kind in WORDS[word]))

    def make(told: tuple[tuple[Any, ...], bytes, bool]) -> Item:
        given, body, fits = told
        sizes = next((field for kind, field in zip(WORDS[word], given, strict=True) if kind is items._sizes), None)
        if fits and sizes is not None and all(0 <= size < 100 for size in sizes):
            body = b"p1x"[:3].ljust(sum(sizes), b"1")[: sum(sizes)]
        data = pack(word, given, body)
        head = int.from_bytes(data[:4], "big")
        return unpack(data[8 : 8 + head], body)

    return st.tuples(fields, st.binary(max_size=9), st.booleans()).map(make)


SOME = st.lists(st.sampled_from(sorted(WORDS.keys() - NEVER)).flatmap(an_item), min_size=1, max_size=6)


class Nowhere:
    """An engine that has started nothing."""

    credentials = Token(b"t" * 32)

    def discard(self, id_: str) -> None:
        """Do nothing."""


@functools.cache
def a_call() -> Any:
    """A call that was given a function of home."""

    @host_function(remote=True)
    def known(number: int) -> int:
        return number

    return prepare(Environment(), lambda fn: fn(1), (known,), {}).shipment


@settings(max_examples=EXAMPLES)
@given(told=SOME)
def test_home_takes_any_word_of_a_node(told: list[Item]) -> None:
    """A process of the node may be ended by it, as by its end; its function may be called, with arguments that are judged."""
    home = Home(
        Nowhere(), heartbeat=1.0, lost_after=5.0, place=lambda nodes, _: nodes[0], make_node=lambda member: member
    )
    peer = Peer(home.switch, NODE)
    home.switch.add(peer)
    member = Member(Started("node", NODE, "nowhere", 1), peer, forget=lambda _life: None)
    home.members[NODE] = member
    port = home.switch.remote(NODE, -5, "p", messages=9, size=99, root=5, flags=1, watched=False)
    life = RemoteLife(5, a_call(), Environment(stdout=lambda _: None, stderr=None), member=member, port=port)
    member.admit(life)
    try:
        for item in told:
            with contextlib.suppress(Malformed):
                home._handle(member, item)
    finally:
        home._lose(NODE, "the test is over")
        eventually(life.finished.is_set)
    assert life.reason in {"normal", "failed", "killed", "limit", "trap", "lost"}


@settings(max_examples=EXAMPLES)
@given(told=SOME, sender=st.sampled_from([HOME, "2.b"]))
def test_node_takes_any_word_of_home_and_of_other_nodes(told: list[Item], sender: str) -> None:
    """Nothing of home's is trusted to be well formed; of another node nothing is taken but words about ports."""
    host = Host(NODE, Nowhere.credentials, heartbeat=1.0, lost_after=5.0)
    peer = host.home if sender == HOME else Peer(host.switch, sender)
    host.switch.add(peer)
    for item in told:
        is_taken = False
        with contextlib.suppress(Malformed):
            host._handle(peer, item)
            is_taken = True
        if sender != HOME and item.word in host._acts:
            assert not is_taken
    for life in list(host.lives.values()):
        life.kill()


@pytest.mark.parametrize("word", sorted(WORDS))
def test_each_kind_of_field_has_a_strategy(word: str) -> None:
    """So that a word that is added is tried, too."""
    assert word in NEVER or all(kind in KINDS for kind in WORDS[word])
