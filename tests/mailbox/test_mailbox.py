"""Mailboxes and addresses between the host and real processes: order, selection, timers, and what a full or closed mailbox does."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from capsend import CaptureError, Environment, LimitExceeded, Mailbox, ProcessKilled, process, spawn
from capsend.exceptions import CapsendError
from tests.eventually import eventually
from tests.mailbox.counting import PATIENCE, Add, Stop, counter

pytestmark = pytest.mark.usefixtures("everywhere")


def test_process_sends_to_a_mailbox_of_the_host():
    """A captured address is a way back to the host."""
    with Mailbox[int]() as inbox:
        answers = inbox.address
        assert spawn(lambda: answers.send(42)).result(PATIENCE) is True
        assert inbox.receive(timeout=PATIENCE) == 42


def test_address_travels_as_an_argument():
    """An address may be an argument, also inside a container."""
    with Mailbox[str]() as inbox:
        spawn(lambda ways: ways["back"].send("here"), {"back": inbox.address}).result(PATIENCE)
        assert inbox.receive(timeout=PATIENCE) == "here"


def test_address_comes_back_as_itself():
    """An address that a process was given equals the one that it returns."""
    with Mailbox[str]() as inbox:
        address = inbox.address
        assert spawn(lambda: [address]).result(PATIENCE) == [address]


def test_process_receives_what_the_host_sends():
    """A process function whose first parameter is a mailbox takes messages."""
    p = counter.spawn(1)
    assert p.send(Add(2))
    assert p.send(Stop())
    assert p.result(PATIENCE) == 3


def test_plain_spawn_gives_a_mailbox_too():
    """`spawn(f)`, `Environment().spawn(f)` and `f.spawn()` are the same."""
    p: Any = spawn(counter, 1)  # type: ignore[call-arg, arg-type]  # what the mailbox is, the type checker does not know
    p.send(Stop())
    assert p.result(PATIENCE) == 1


def test_mailbox_in_a_quoted_annotation_is_one():
    """Annotations may be strings, and classes in them local to the module."""

    def take(inbox: Mailbox[Add]) -> int:
        return inbox.receive().n

    p = process(take).spawn()
    p.send(Add(5))
    assert p.result(PATIENCE) == 5


def test_messages_from_one_sender_arrive_in_order():
    """First in, first out, from the host and from a process."""

    def send(address, count):
        for number in range(count):
            address.send(number)

    with Mailbox[int](messages=10) as inbox:
        p = spawn(send, inbox.address, 200)
        assert [inbox.receive(timeout=PATIENCE) for _ in range(200)] == list(range(200))
        p.result(PATIENCE)


def test_address_inside_a_message_is_usable():
    """An address that arrives in a message works like one that was captured."""

    def relay(inbox: Mailbox[Any]):
        inbox.receive().send("from the process")

    with Mailbox[str]() as inbox:
        p = process(relay).spawn()
        p.send(inbox.address)
        assert inbox.receive(timeout=PATIENCE) == "from the process"


def test_frames_are_forwarded_with_their_addresses():
    """Handles are renumbered on each leg of the way."""

    def forward(inbox: Mailbox[Any], to):
        to.send([inbox.receive(), "forwarded"])

    def answer(inbox: Mailbox[Any]):
        message = inbox.receive()
        message[0].send(message[1])

    with Mailbox[str]() as inbox:
        last = process(answer).spawn()
        middle = process(forward).spawn(last.address)
        middle.send(inbox.address)
        assert inbox.receive(timeout=PATIENCE) == "forwarded"
        last.result(PATIENCE)


def test_selective_receive_leaves_the_others_in_order():
    """Messages that do not match stay, on the host and in a guest."""

    def choose(inbox: Mailbox[Any]):
        return [inbox.receive(kind=str), inbox.receive(kind=lambda m: m > 1), *(inbox.receive() for _ in range(2))]

    p = process(choose).spawn()
    with Mailbox[Any]() as inbox:
        for message in (1, 2, "a", 3):
            p.send(message)
            inbox.address.send(message)
        here = [inbox.receive(kind=str), inbox.receive(kind=lambda m: m > 1), inbox.receive(), inbox.receive()]
    assert here == p.result(PATIENCE) == ["a", 2, 1, 3]


def test_receive_gives_up_in_time():
    """A timeout raises TimeoutError, on the host and in a guest."""

    def wait(inbox: Mailbox[int]):
        try:
            inbox.receive(timeout=0.01)
        except TimeoutError:
            return "in time"

    assert process(wait).spawn().result(PATIENCE) == "in time"
    with Mailbox[int]() as inbox, pytest.raises(TimeoutError):
        inbox.receive(timeout=0.01)


def test_timers_inside_go_on_while_messages_come():
    """A message does not cut a sleep short."""

    def doze(inbox: Mailbox[int]):
        before = time.monotonic()
        time.sleep(0.3)
        return time.monotonic() - before

    p = process(doze).spawn()
    for _ in range(20):
        p.send(1)
        time.sleep(0.005)
    assert p.result(PATIENCE) >= 0.29


def test_iterating_ends_when_the_mailbox_is_closed():
    """A closed mailbox is the end of its messages, for threads too that wait already."""
    inbox = Mailbox[int]()
    got: list[int] = []
    thread = threading.Thread(target=lambda: got.extend(inbox))
    thread.start()
    inbox.address.send(1)
    eventually(lambda: got)
    inbox.close()
    thread.join(PATIENCE)
    assert got == [1]
    assert not thread.is_alive()


def test_send_after_comes_later_unless_cancelled():
    """A delayed message can be taken back until it is sent."""

    def later(address):
        first, second = address.send_after(0.02, "kept"), address.send_after(0.01, "cancelled")
        return second.cancel(), second.cancel(), address.call and first is not None

    with Mailbox[str]() as inbox:
        p = spawn(
            lambda a: (a.send_after(60.0, "x").cancel(), a.send_after(0.0, "inside") and time.sleep(1)), inbox.address
        )
        timer = inbox.address.send_after(60, "cancelled")
        inbox.address.send_after(0.01, "host")
        assert timer.cancel()
        assert not timer.cancel()
        assert {inbox.receive(timeout=PATIENCE), inbox.receive(timeout=PATIENCE)} == {"host", "inside"}
        assert p.result(PATIENCE)[0] is True


def test_flood_holds_up_the_sender_and_nothing_else():
    """A receiver that never receives costs the host no more than its mailbox."""

    def never(inbox: Mailbox[int]):
        time.sleep(600)

    def flood(address):
        while True:
            address.send("x" * 1000)

    with Environment(mailbox=10).spawn(never) as p, spawn(flood, p.address) as sender:
        eventually(lambda: p.stats().waiting == 10)
        time.sleep(0.05)
        assert (p.stats().waiting, sender.done()) == (10, False)
        sender.kill()
        with pytest.raises(ProcessKilled):
            sender.result(PATIENCE)


@pytest.mark.here("across machines the policy acts at the receiver, which counts")
@pytest.mark.parametrize(("policy", "error"), [("fail", LimitExceeded), ("drop_oldest", None)])
def test_policies_of_a_full_mailbox(policy, error):
    """Fail tells the sender; drop_oldest keeps the newest; both count."""

    def flood(address):
        for number in range(5):
            address.send(number)

    with Mailbox[int](messages=2, full=policy) as inbox:
        p = spawn(flood, inbox.address)
        if error:
            with pytest.raises(error):
                p.result(PATIENCE)
            assert [inbox.receive(), inbox.receive(), inbox.dropped] == [0, 1, 1]
        else:
            p.result(PATIENCE)
            assert [inbox.receive(), inbox.receive(), inbox.dropped] == [3, 4, 3]


@pytest.mark.here("a message to one that has ended is counted by the program that refuses it")
def test_send_to_one_that_has_ended_says_no_and_is_counted():
    """An address of a dead process is no error, and no secret."""
    p = counter.spawn(0)
    p.send(Stop())
    p.result(PATIENCE)
    assert p.send(Stop()) is False
    assert spawn(lambda a: a.send(1), p.address).result(PATIENCE) is False
    assert p.stats().dropped == 2


def test_messages_left_at_the_end_are_counted():
    """Messages that a process did not take before its end are lost, and counted."""

    def leave(inbox: Mailbox[int]):
        return inbox.receive(kind=lambda m: m == 2)

    p = process(leave).spawn()
    for number in (0, 1, 2):
        p.send(number)
    assert p.result(PATIENCE) == 2
    assert p.stats().dropped == 2


def test_process_without_a_mailbox_takes_no_messages():
    """Its address is for monitoring and linking."""
    with spawn(time.sleep, 600) as p, pytest.raises(CapsendError, match="monitoring only"):
        p.address.send(1)


def test_mailbox_itself_stays_in_the_host():
    """A mailbox is not sendable, its address is."""
    inbox = Mailbox[int]()
    with pytest.raises(CaptureError, match="Mailbox"):
        spawn(lambda: inbox.receive())


def test_mailbox_that_nobody_holds_is_closed():
    """Whoever waits to send to it is told."""
    inbox = Mailbox[int](messages=1)
    address = inbox.address
    address.send(1)
    del inbox
    assert not address.alive
    assert address.send(2) is False


def test_time_of_a_delayed_message_is_a_number():
    """An invalid time is refused at once, and does not prevent other messages."""
    with Mailbox[Any]() as inbox:
        for wrong in ("x", float("nan")):
            with pytest.raises(TypeError, match="send_after takes seconds"):
                inbox.address.send_after(wrong, 1)


def test_message_stays_when_the_function_that_looks_at_it_raises():
    """Nothing is lost silently: what a `kind` that raises was looking at can be received."""
    with Mailbox[int]() as inbox:
        inbox.address.send(1)
        inbox.address.send(2)
        with pytest.raises(ZeroDivisionError):
            inbox.receive(PATIENCE, kind=lambda number: number // 0)
        assert [inbox.receive(PATIENCE), inbox.receive(PATIENCE)] == [1, 2]


def _refusals(inbox: Any) -> list[str]:
    """Run in the host and inside."""
    told = []
    for wrong in (("kind", ("a", int)), ("kind", list[int]), ("kind", "a"), ("timeout", str)):
        try:
            inbox.receive(**dict([wrong]))
        except TypeError as error:
            told.append(str(error).partition(", not")[0])
    return told


def test_wrong_choice_of_messages_is_told():
    """A pattern that is not a class, several classes or a function is refused before a message is taken, on the host and in a guest."""
    kinds = "kind must be a class, several classes or a function"
    expected = [kinds, kinds, kinds, "timeout must be a number of seconds, or None to wait for ever"]

    def inside(inbox: Mailbox[int]) -> list[str]:
        return _refusals(inbox)

    with Mailbox[int]() as inbox:
        assert _refusals(inbox) == expected
    assert spawn(inside).result(PATIENCE) == expected
