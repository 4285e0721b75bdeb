"""The bytes between peers: what is packed is unpacked, and nothing that a peer writes does more than end its line."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capsend.cluster import items
from capsend.cluster.items import (
    LARGEST_HEAD,
    LENGTHS,
    WORDS,
    Item,
    Malformed,
    in_parts,
    joined,
    lengths,
    message_head,
    pack,
    split,
    unpack,
)
from capsend.cluster.lines import Line, Plain, Refused, Token, admit, dial
from capsend.cluster.peers import HOME, Peer, Switch
from capsend.mailbox.ports import Port
from tests.eventually import eventually

LEAVES = st.none() | st.booleans() | st.integers(-5, 300) | st.floats(allow_nan=False) | st.text(max_size=8)
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
ADDRESSES = st.builds(
    lambda node, key, tag, rights, root: ["a", node, key, tag, rights, "label", 10, 1000, root, 1, ""],
    st.sampled_from(["home", "1.a", "2.b", "nobody"]),
    st.integers(-3, 3),
    st.integers(0, 2),
    st.integers(0, 7),
    st.integers(0, 3),
)
FUNCTIONS = st.builds(lambda root, number: ["f", root, number, "name", False], st.integers(-1, 3), st.integers(-1, 3))
REFERENCES = ADDRESSES | FUNCTIONS
FIELDS = (
    JSON
    | REFERENCES
    | st.lists(REFERENCES, max_size=3)
    | st.lists(st.integers(-2, 5), max_size=9)
    | st.dictionaries(st.sampled_from(["0", "1", "x"]), REFERENCES, max_size=2)
)


@settings(max_examples=60)
@given(word=st.sampled_from(sorted(WORDS)), fields=st.lists(FIELDS, max_size=13), body=st.binary(max_size=20))
def test_unpack_is_the_inverse_of_pack_or_refuses(word: str, fields: list[Any], body: bytes) -> None:
    """Fields of the kinds of the word come back as they were; all else is refused."""
    data = pack(word, fields, body)
    head, size = lengths(data[: LENGTHS.size])
    assert size == len(body)
    try:
        item = unpack(data[LENGTHS.size : LENGTHS.size + head], body)
    except Malformed:
        return
    assert (item.word, item.fields, item.body) == (word, json.loads(json.dumps(fields)), body)
    assert len(item.fields) == len(WORDS[word])


@given(head=st.binary(max_size=60), body=st.binary(max_size=10))
def test_any_bytes_are_an_item_or_refused(head: bytes, body: bytes) -> None:
    """Nothing but `Malformed` comes of any head."""
    with contextlib.suppress(Malformed):
        assert isinstance(unpack(head, body), Item)


@pytest.mark.parametrize(
    "head", [b"[" * 100_000, b'["m"' + b",[" * 50_000, b'["hello"]', b"7", b'["exec","x"]', b"\xff"]
)
def test_heads_that_are_no_item_are_refused(head: bytes) -> None:
    """Deep nesting, unknown words and missing fields."""
    with pytest.raises(Malformed):
        unpack(head, b"")


def test_sizes_that_no_item_has_are_refused() -> None:
    """Before anything of that size is read."""
    with pytest.raises(Malformed):
        lengths(LENGTHS.pack(LARGEST_HEAD + 1, 0))
    with pytest.raises(Malformed):
        pack("out", (1, 1, False), bytes((1 << 30) + 1))


@given(
    texts=st.lists(st.text(max_size=5), min_size=1, max_size=3), segments=st.lists(st.binary(max_size=5), max_size=3)
)
def test_split_is_the_inverse_of_joined(texts: list[str], segments: list[bytes]) -> None:
    """And sizes that are not those of the body are refused."""
    sizes, body = joined(texts, segments)
    assert split(body, sizes, len(texts)) == (texts, segments)
    for wrong in ([*sizes, 1], [-1, *sizes[1:]], sizes[:-1] + [sizes[-1] + 1]):
        with pytest.raises(Malformed):
            split(body, wrong, len(texts))


@given(
    texts=st.lists(st.text(max_size=5), min_size=1, max_size=3),
    segments=st.lists(st.binary(max_size=9), max_size=3),
    most=st.integers(1, 12),
)
def test_split_is_the_inverse_of_parts(texts: list[str], segments: list[bytes], most: int) -> None:
    """However the body was cut on its way: each part has as many bytes as a part can have, and the last one those that are left."""
    sizes, whole = joined(texts, segments)
    pieces = [text.encode("utf-8", "surrogatepass") for text in texts] + segments
    *before, body = map(bytes, in_parts(pieces, most=most))
    assert b"".join((*before, body)) == whole
    assert all(len(part) == most for part in before)
    assert 0 < len(body) <= most or not whole
    assert split(body, sizes, len(texts), before=before) == (texts, segments)
    with pytest.raises(Malformed):
        split(body, [*sizes, 1], len(texts), before=before)


@given(
    numbers=st.tuples(st.integers(-(1 << 59), 1 << 59), st.integers(0, 1 << 59), st.integers(0, 1 << 59)),
    flags=st.tuples(st.booleans(), st.booleans(), st.booleans()),
    body=st.binary(max_size=5),
)
def test_plain_message_has_the_bytes_and_the_fields_of_any_item(
    numbers: tuple[int, int, int], flags: tuple[bool, bool, bool], body: bytes
) -> None:
    """They are written and read without JSON, since there are many."""
    (key, tag, root), (trusted, is_data, is_child) = numbers, flags
    head = message_head(key, tag, len(body), trusted=trusted, is_data=is_data, root=root, is_child=is_child)
    fields = [key, tag, trusted, is_data, root, is_child, [], [len(body)]]
    assert head + body == pack("m", fields, body)
    assert items._MESSAGE.fullmatch(head[LENGTHS.size :])
    assert unpack(head[LENGTHS.size :], body) == Item("m", fields, body)


class Quiet:
    """A program that knows nothing of processes."""

    def origin(self, root: int, *, is_child: bool) -> None:
        """Return nothing."""

    def namer(self, root: int) -> None:
        """Return nothing."""

    def function(self, root: int, number: int, name: str, *, is_async: bool) -> None:
        """Return nothing."""

    def describe(self, grant: Any) -> None:
        """Return nothing."""


@settings(max_examples=60)
@given(
    items=st.lists(
        st.tuples(
            st.sampled_from(["m", "ack", "watch", "unwatch", "closed", "link", "unlink", "sync", "synced"]),
            st.lists(FIELDS, max_size=8),
            st.binary(max_size=9),
        ),
        max_size=8,
    ),
    me=st.sampled_from(["home", "1.a"]),
    sender=st.sampled_from(["home", "2.b"]),
)
def test_no_item_about_ports_does_more_than_be_refused(items: list[Any], me: str, sender: str) -> None:
    """In both directions, whatever its fields; a port that it was given gets messages and nothing else."""
    switch = Switch(me, Quiet(), dial=lambda _peer: None)
    port = Port("p", messages=3)
    switch.export(port)
    peer = Peer(switch, sender)
    switch.add(peer)
    for word, fields, body in items:
        try:
            item = unpack(json.dumps([word, *fields]).encode(), body)
            peer.handle(item)
        except Malformed:
            continue
    assert port.reason is None
    while (envelope := port.take()) is not None:
        assert envelope.trusted is (envelope.trusted and sender == HOME)
        assert envelope.trusted or not envelope.text.startswith("k")


VALID = {
    "m": lambda key: [key, 0, True, False, 0, False, [], [5]],
    "watch": lambda key: [key],
}


def test_only_home_is_trusted_and_nobody_by_home() -> None:
    """A node that claims that home wrote a message is not believed; a pickle of its is refused."""
    for me, sender, trusted in (("1.a", HOME, True), ("1.a", "2.b", False), (HOME, "2.b", False)):
        switch = Switch(me, Quiet(), dial=lambda _peer: None)
        port = Port("p")
        key, peer = switch.export(port), Peer(switch, sender)
        peer.handle(Item("m", VALID["m"](key), b"p1234"))
        envelope = port.take()
        assert envelope is not None
        assert envelope.trusted is trusted
        if not trusted:
            with pytest.raises(Malformed, match="no text of a guest"):
                peer.handle(Item("m", VALID["m"](key), b"k1234"))


def connected(client: Token, server: Token) -> tuple[Any, Any]:
    """Return what both ends of a greeting end with."""
    listener = socket.create_server(("127.0.0.1", 0))
    found: list[Any] = []

    def accept() -> None:
        connection, _ = listener.accept()
        try:
            found.append(admit(connection, server)[0])
        except Exception as error:
            found.append(error)

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        mine: Any = dial(*listener.getsockname(), client, peer="1.a")[0]
    except Exception as error:
        mine = error
    thread.join()
    listener.close()
    return mine, found[0]


def test_other_token_is_refused() -> None:
    """By the end that connects, which learns first, and so by the other."""
    mine, theirs = connected(Token(b"a" * 32), Token(b"b" * 32))
    assert isinstance(mine, Refused)
    assert isinstance(theirs, OSError)
    with pytest.raises(ValueError, match="32 bytes"):
        Token(b"short")


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\n\r\n" * 4, b"capsend\1" + bytes(32) + bytes(32)])
def test_what_has_no_token_is_not_let_in(said: bytes) -> None:
    """A browser, a port scanner, or one that guesses the proof."""
    ours, theirs = socket.socketpair()
    theirs.sendall(said)
    theirs.shutdown(socket.SHUT_WR)
    with pytest.raises((Refused, OSError)):
        Token(b"a" * 32).server(ours)
    ours.close()
    theirs.close()


def test_line_carries_items_in_order_and_says_when_it_ends() -> None:
    """Items put while the other end does not read wait without blocking the caller; bulk items go last."""
    ours, theirs = socket.socketpair()
    line = Line(ours, Plain(), name="ours")
    got: list[Item] = []
    ends: list[str] = []
    line.start(got.append, ends.append)
    for number in range(50):
        line.put(pack("part", (number,), bytes(100_000)), bulk=True)
        line.put(pack("kill", (number, "")))
    assert not line.has_room or line._size < 16 << 20
    other = Line(theirs, Plain(), name="theirs")
    read: list[Item] = []
    done: list[str] = []
    other.start(read.append, done.append)
    eventually(lambda: len(read) == 100)
    assert [item.fields[0] for item in read if item.word == "kill"] == list(range(50))
    assert [item.fields[0] for item in read if item.word == "part"] == list(range(50))
    theirs.sendall(LENGTHS.pack(5, 0) + b"[1,2]")
    eventually(lambda: ends)
    assert "it sent bytes that no node sends" in ends[0]
    eventually(lambda: done)
    assert line.has_room
