"""Large bytes on their way: copied into a process and out of it where its memory is reached, sent as text elsewhere, with the same limits."""

from __future__ import annotations

import os
import subprocess
import sys
from array import array
from pathlib import Path
from typing import Any

import pytest

from capsend import (
    Address,
    Environment,
    Image,
    LimitExceeded,
    Mailbox,
    OutputLimitExceeded,
    engine,
    host_function,
    process,
    spawn,
)
from capsend.engine import OutOfBounds
from capsend.runtime.transit import Transit

MIB = 1 << 20
DATA = bytes(range(256)) * 4_000
BOTH = [
    DATA,
    bytearray(DATA),
    [DATA, DATA[:5_000]],
    {"a": DATA},
    list(range(5_000)),
    [0.5] * 5_000,
    array("d", [1.5]) * 5_000,
]


def echo(*args: Any, **kwargs: Any) -> Any:
    return args, kwargs


@process
def forward(inbox: Mailbox[Any], back: Address[Any]) -> None:
    for message in inbox:
        back.send(message)


@host_function
def reverse(data: bytes) -> bytes:
    return data[::-1]


def through_child(data: bytes) -> bytes:
    child: bytes = spawn(bytes.upper, data).result()
    return child


def test_arguments_and_results_arrive_as_they_were() -> None:
    """Of every kind that is packed, alone and among others."""
    for value in BOTH:
        assert spawn(echo, value, 1, named=value).result() == ((value, 1), {"named": value})


def test_messages_arrive_as_they_were() -> None:
    """From the host, from process to process, and to the host."""
    with Mailbox[Any]() as inbox, spawn(forward, inbox.address) as last, spawn(forward, last.address) as first:
        for value in BOTH:
            first.address.send(value)
            assert inbox.receive(timeout=60) == value


def test_answers_to_calls_arrive_as_they_were() -> None:
    """They have a queue of their own."""

    @process
    def answer(inbox: Mailbox[tuple[Any, Address[Any]]]) -> None:
        for value, reply in inbox:
            reply.send(value)

    with spawn(answer) as p:
        for value in BOTH:
            assert p.address.call(lambda reply, value=value: (value, reply), timeout=60) == value


def test_host_functions_get_and_give_bytes() -> None:
    """As arguments and as results."""
    assert spawn(lambda data: reverse(data), DATA).result() == DATA[::-1]


def test_children_get_and_give_bytes() -> None:
    """The host forwards their arguments, and does not read their results."""
    assert spawn(through_child, b"abc" * 10_000).result() == b"ABC" * 10_000


def test_a_process_may_change_nothing_that_others_have() -> None:
    """The received object is a copy."""

    def change(data: bytearray) -> bytearray:
        data[:3] = b"new"
        return data

    mine = bytearray(DATA)
    assert spawn(change, mine).result()[:3] == b"new"
    assert mine == DATA


def test_results_are_limited_by_their_bytes() -> None:
    """A result of a little less than the limit is taken, and a larger one is not."""
    small = Environment(result=MIB)
    assert len(small.spawn(bytes, MIB - 1_000).result()) == MIB - 1_000
    for size in (MIB, 3 * MIB):
        with pytest.raises(OutputLimitExceeded, match="more than the 1048576 bytes in transit"):
            small.spawn(bytes, size).result()


def test_messages_are_limited_by_their_bytes() -> None:
    """Of the sender a process, and of the host."""

    def pour(to: Address[Any]) -> str:
        try:
            to.send(bytes(2 * MIB))
        except LimitExceeded as error:
            return str(error)
        return ""

    with Mailbox[Any](size=MIB) as inbox:
        assert "larger than the mailbox" in spawn(pour, inbox.address).result()
        with pytest.raises(LimitExceeded, match="larger than the mailbox"):
            inbox.address.send([bytes(2 * MIB)])
        assert len(inbox) == 0


def test_the_image_says_where_its_memory_is() -> None:
    """Wherever an image of this version is built; without it all bytes cross as text."""
    if os.environ.get("CAPSEND_IN_PLACE") == "0":
        assert Image().template().instance is None
    else:
        assert Image().template().instance is not None


def test_all_of_this_works_without_the_memory() -> None:
    """As on a system where it is not found: bytes cross as text."""
    if os.environ.get("CAPSEND_IN_PLACE") == "0":
        return
    environment = os.environ | {"CAPSEND_IN_PLACE": "0"}
    command = [sys.executable, "-m", "pytest", "-n", "0", "-q", "-p", "no:cacheprovider", __file__]
    root = Path(__file__).parent.parent.parent
    done = subprocess.run(command, env=environment, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3_000:]


@pytest.fixture
def guest() -> Any:
    guest = engine.Guest(Image().template(), memory=128 * MIB, host=lambda _operation, _payload: "")
    yield guest
    guest.close()


def test_only_the_memory_of_the_guest_is_read_and_written(guest: Any) -> None:
    """To its last byte, and none before or behind it."""
    place = guest.place
    if place is None:
        return
    size = place.size
    assert place.read(size - 4, 4) == bytes(4)
    place.write(size - 4, b"last")
    assert place.read(size - 4, 4) == b"last"
    assert place.read(size, 0) == b""
    for address, length in (
        (-1, 4),
        (size - 3, 4),
        (size + 1, 0),
        (0, size + 1),
        (1 << 40, 1),
        (-(1 << 63), 1),
        (4, -1),
    ):
        with pytest.raises(OutOfBounds):
            place.read(address, length)
    for address in (-1, size - 3, size, 1 << 40, 1 << 65):
        with pytest.raises(OutOfBounds):
            place.write(address, b"four")


def test_nothing_is_copied_before_it_is_charged(guest: Any) -> None:
    """A process names segments, and all of them together have to be within the limit first."""
    transit = Transit()
    transit.guest = guest
    if not transit.is_in_place:
        return
    charged: list[int] = []

    def refuse(size: int) -> None:
        charged.append(size)
        raise LimitExceeded("too much", limit=1)

    with pytest.raises(LimitExceeded):
        transit.read("0+100,5+1000000000,-4+7", charge=refuse)
    assert charged == [1_000_000_107 + 3 * 64]
    for names in (
        "0+-1",
        "0+0",
        "x+1",
        "1",
        "+",
        "0+1,",
        "0+1+1",
        "99999999999+1",
        "0+1" + ",0+1" * 9_000,
        "=0",
        "=xy",
    ):
        with pytest.raises(ValueError):
            transit.read(names, charge=len_of)
    assert transit.read("", charge=refuse) == []


def len_of(size: int) -> int:
    return size


def test_segments_wait_for_one_taker(guest: Any) -> None:
    """They go where the process says, once, and not at all when it names another number of places."""
    transit = Transit()
    transit.guest = guest
    if not transit.is_in_place:
        return
    end = guest.place.size - 100
    assert transit.hand_out([b"one", b"three"]) == "3,5"
    for places in ("1", "1,2,3", f"{end},x"):
        with pytest.raises(ValueError):
            transit.take(places)
        transit.hand_out([b"one", b"three"])
    assert transit.take(f"{end},{end + 50}") == ""
    assert guest.place.read(end, 3) + guest.place.read(end + 50, 5) == b"onethree"
    with pytest.raises(ValueError):
        transit.take(f"{end},{end + 50}")
    transit.hand_out([b"four"])
    with pytest.raises(ValueError):
        transit.take(f"{end + 97}")
