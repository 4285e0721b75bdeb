"""Which values are messages, which side refuses the others, and with which words."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import attrs
import pytest

from capsend import (
    Dir,
    LimitExceeded,
    Mailbox,
    SerializationError,
    not_process_send,
    process,
    spawn,
    unsafe_process_send,
)
from tests.mailbox.counting import PATIENCE, counter

pytestmark = pytest.mark.usefixtures("everywhere")


@attrs.frozen
class Stranger:
    """A class that was not sent to any process."""


def test_message_is_a_copy():
    """Changes by the receiver are invisible to the sender, even between two parts of the host."""
    with Mailbox[list[int]]() as inbox:
        sent = [1]
        inbox.address.send(sent)
        received = inbox.receive()
        assert received == [1]
        assert received is not sent


def test_message_that_cannot_be_sent_is_refused_where_it_is_sent():
    """A lock is not a message, for any sender."""
    with Mailbox[Any]() as inbox:
        with pytest.raises(SerializationError):
            inbox.address.send(threading.Lock())
        with pytest.raises(SerializationError):
            spawn(lambda a: a.send(iter([])), inbox.address).result(PATIENCE)


def test_class_that_the_process_does_not_know_is_refused_at_the_sender():
    """The host knows what went with the program, and says so."""
    with counter.spawn(0) as p, pytest.raises(SerializationError, match="Stranger"):
        p.send(Stranger())


def test_class_that_the_receiving_process_does_not_know_is_dropped_and_counted():
    """Between processes only the receiver can tell: it drops, counts, and stays alive."""

    def send(address):
        address.send(Stranger())
        address.send("known")

    def take(inbox: Mailbox[str]):
        return inbox.receive(), inbox.receive(timeout=0.01, kind=int) if False else None

    p = process(take).spawn()
    spawn(send, p.address).result(PATIENCE)
    assert p.result(PATIENCE) == ("known", None)


def test_large_message_is_refused_at_the_sender():
    """No single message can be larger than the mailbox."""
    with Mailbox[str](size=10_000) as inbox:
        with pytest.raises(LimitExceeded):
            inbox.address.send("x" * 20_000)
        with pytest.raises(LimitExceeded):
            spawn(lambda a: a.send("x" * 20_000), inbox.address).result(PATIENCE)


def test_refused_message_says_where_the_part_stands():
    """The words have the path to the offending part, the reason, and the cure."""
    with Mailbox[Any]() as inbox:
        for value, words in (
            (
                {"a": [1, threading.Lock()]},
                r"message\['a'\]\[1\] cannot be sent: lock .* Instead: create it inside the process",
            ),
            ((inbox,), r"message\[0\] cannot be sent: a mailbox belongs to .* Instead: send its address"),
            ([Dir("/")], r"message\[0\] cannot be sent: which folders a process may use is settled"),
        ):
            with pytest.raises(SerializationError, match=words):
                inbox.address.send(value)


@not_process_send("it is worth something only in the program that drew it")
@attrs.frozen
class Token:
    text: str


class Derived(Token):
    """The impl is inherited."""


@unsafe_process_send("its lock guards nothing that travels")
class Promised:
    def __init__(self, n: int) -> None:
        self.n = n
        self.lock = threading.Lock()

    def __getstate__(self) -> int:
        return self.n

    def __setstate__(self, n: int) -> None:
        self.__init__(n)


@process
def taker(inbox: Mailbox[Promised | list[Promised]]) -> int:
    return inbox.receive().n


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (Token("x"), "Token is declared not sendable: it is worth something"),
        (Derived("x"), "Token is declared not sendable: it is worth something"),
        ([{"deep": Token("x")}], "Token is declared not sendable: it is worth something"),
        (asyncio.Lock(), "Lock is declared not sendable: a copied lock protects nothing"),
    ],
    ids=["negative impl", "inherited", "inside", "declaration"],
)
def test_message_is_refused_for_what_an_argument_is_refused_for(value, reason):
    """Negative impls and declarations hold for messages, to a process and within the host, although the codec could write them."""
    with Mailbox[Any]() as inbox, taker.spawn() as p:
        with pytest.raises(SerializationError, match=reason):
            inbox.address.send(value)
        with pytest.raises(SerializationError, match=reason):
            spawn(lambda value: None, value)
        with pytest.raises(SerializationError, match=reason):
            p.send(value)
        assert (len(inbox), p.stats().waiting, p.done()) == (0, 0, False)


@pytest.mark.parametrize("what", ["negative impl", "declaration"])
def test_declarations_hold_for_what_a_process_sends_and_returns(what):
    """The codec could encode both; in a guest the same rules apply, and the error has the place."""

    def made(what):
        return {"deep": [asyncio.Lock() if what == "declaration" else Token("x")]}

    def send(to, what):
        to.send(made(what))

    with Mailbox[Any]() as inbox:
        with pytest.raises(
            SerializationError, match=r"message\['deep'\]\[0\] cannot be sent: .* is declared not sendable"
        ):
            spawn(send, inbox.address, what).result(PATIENCE)
        with pytest.raises(SerializationError, match=r"result\['deep'\]\[0\] is .* not Serializable"):
            spawn(made, what).result(PATIENCE)
        assert len(inbox) == 0


def test_unsafe_impl_holds_for_messages():
    """An object promised to be sendable is sent by its own state."""
    with Mailbox[Any]() as inbox, taker.spawn() as p:
        inbox.address.send(Promised(3))
        assert inbox.receive(timeout=PATIENCE).n == 3
        p.send(Promised(4))
        assert p.result(PATIENCE) == 4
