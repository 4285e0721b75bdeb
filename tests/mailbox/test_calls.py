"""Calls between the host and real processes: the answer, or an error as soon as there will be none."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest

from capsend import Mailbox, ProcessFailed, ProcessKilled, process, spawn
from capsend.exceptions import CapsendError
from capsend.mailbox import Down
from tests.eventually import eventually
from tests.mailbox.counting import PATIENCE, Add, Get, counter

pytestmark = pytest.mark.usefixtures("everywhere")


def test_call_returns_the_answer():
    """A call is a message with an address for the answer."""
    with counter.spawn(40) as p:
        p.send(Add(2))
        assert p.call(Get, timeout=PATIENCE) == 42


def test_process_calls_a_process():
    """Processes talk to each other without the host taking part."""

    def ask(address):
        return [address.call(Get, timeout=20) for _ in range(3)]

    with counter.spawn(7) as p:
        assert spawn(ask, p.address).result(PATIENCE) == [7, 7, 7]


def test_process_calls_the_host():
    """A thread of the host can serve a process."""

    def ask(address):
        return address.call(Get, timeout=20)

    with Mailbox[Get]() as inbox:
        p = spawn(ask, inbox.address)
        inbox.receive(timeout=PATIENCE).reply.send(3)
        assert p.result(PATIENCE) == 3


@pytest.mark.parametrize("how", ["kill", "return", "raise", "trap"])
def test_call_to_one_that_ends_fails_at_once(how):
    """A caller never waits for a dead peer: from the host, from inside, sync and async."""

    def die(inbox: Mailbox[Get | str], how):
        inbox.receive(kind=str)
        if how == "raise":
            raise ValueError("no")
        if how == "trap":
            __import__("os")._exit(1)
        if how == "kill":
            time.sleep(600)

    def ask(address):
        return address.call(Get)

    async def ask_async(address):
        return await address.call_async(Get)

    p = process(die).spawn(how)
    callers = [spawn(ask, p.address), spawn(ask_async, p.address)]
    errors: list[BaseException] = []

    def ask_here():
        try:
            p.call(Get)
        except CapsendError as error:
            errors.append(error)

    thread = threading.Thread(target=ask_here)
    thread.start()
    eventually(lambda: p.stats().waiting == 3)
    p.send("end")
    if how == "kill":
        p.kill()
    thread.join(PATIENCE)
    expected = ProcessKilled if how == "kill" else ProcessFailed
    assert type(errors[0]) is expected
    for caller in callers:
        with pytest.raises(expected, match="before it answered"):
            caller.result(PATIENCE)


def test_call_to_one_that_had_ended_fails_at_once():
    """The same for an address of a process that is dead already."""
    p = counter.spawn(0)
    p.kill()
    with pytest.raises(ProcessKilled):
        p.result(PATIENCE)
    with pytest.raises(ProcessKilled):
        p.call(Get)
    with pytest.raises(ProcessFailed, match="had ended"):
        spawn(lambda a: a.call(Get), p.address).result(PATIENCE)


def test_answer_after_the_timeout_is_dropped():
    """A late answer is dropped, and its sender is notified."""
    with Mailbox[Get]() as inbox:
        with pytest.raises(TimeoutError):
            inbox.address.call(Get, timeout=0.01)
        assert inbox.receive().reply.send(1) is False

        def ask(address):
            try:
                address.call(Get, timeout=0.01)
            except TimeoutError:
                time.sleep(600)

        with spawn(ask, inbox.address) as p:
            reply = inbox.receive(timeout=PATIENCE).reply
            eventually(lambda: not reply.send(1))
            assert p.stats().waiting == 0


def test_cancelled_call_in_the_host_is_forgotten():
    """A task that is cancelled while it waits for an answer leaves nothing behind."""

    async def main():
        with Mailbox[Get]() as inbox:
            task = asyncio.create_task(inbox.address.call_async(Get))
            message = await inbox.receive_async()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert message.reply.send(1) is False
            assert not inbox._port._watches

    asyncio.run(asyncio.wait_for(main(), PATIENCE))


def try_all(inbox: Mailbox[Any], address):
    """Say which of the acts an address allows."""
    acts = (lambda: address.send(1), lambda: inbox.monitor(address), lambda: inbox.link(address))
    allowed = []
    for act in acts:
        try:
            act()
        except CapsendError as error:
            allowed.append("does not allow" not in str(error))
        else:
            allowed.append(True)
    return allowed


def test_process_gives_on_fewer_rights_than_it_holds():
    """A process can weaken an address like the host, also before it passes the address to a child; lost rights do not come back."""

    def attempt(address):
        again = address.monitor_only().send_only().monitor_only()
        weak = address, address.send_only(), address.monitor_only(), again
        return [spawn(try_all, each).result() for each in weak], weak[1] == weak[1].send_only()

    with Mailbox[int]() as inbox:
        found = spawn(attempt, inbox.address).result(PATIENCE)
    assert found == ([[True, True, True], [True, False, False], [False, True, False], [False, False, False]], True)


def test_process_sees_whether_a_mailbox_is_open():
    """`alive` is that of the host: true until the mailbox has been closed, or the process has ended."""

    def look(inbox: Mailbox[Any], address):
        child = spawn(see_itself)
        return child.result(), address.alive, child.address.alive

    def see_itself(inbox: Mailbox[Any]):
        return inbox.address.alive

    with Mailbox[int]() as inbox:
        p = spawn(look, inbox.address)
        assert p.result(PATIENCE) == (True, True, False)
        address = inbox.address
    assert spawn(lambda: address.alive).result(PATIENCE) is False


def test_weak_addresses_allow_what_they_say():
    """An address can be given on for sending only, or for monitoring only."""

    def attempt(send_only, monitor_only, inbox):
        answers = [send_only.send(1)]
        try:
            monitor_only.send(1)
        except Exception as error:
            answers.append(type(error).__name__)
        return answers

    with Mailbox[int]() as inbox, Mailbox[Down]() as watcher:
        weak = inbox.address.send_only(), inbox.address.monitor_only()
        assert spawn(attempt, *weak, None).result(PATIENCE) == [True, "CapsendError"]
        with pytest.raises(CapsendError):
            weak[1].send(1)
        with pytest.raises(CapsendError):
            watcher.monitor(weak[0])
        watcher.monitor(weak[1])


def test_an_address_for_an_answer_is_nobody_to_the_caller():
    """Whatever the caller does with it while it makes the message, it never represents an address that the caller holds."""

    def misuse(address: Any, other: Any) -> list[str]:
        names = []
        uses = (
            lambda reply: reply.send(1),
            lambda reply: reply.send_after(0, 1),
            lambda reply: reply.call(lambda inner: inner, timeout=1),
            lambda reply: reply.alive,
            lambda reply: reply.send_only(),
        )
        for use in uses * 3:  # the calls are numbered as handles are
            try:
                address.call(use, timeout=1)
            except Exception as error:
                names.append(type(error).__name__)
        return names

    with Mailbox[Any]() as first, Mailbox[Any]() as second:
        assert spawn(misuse, first.address, second.address).result(PATIENCE) == ["CapsendError"] * 15
        assert (len(first), len(second)) == (0, 0)
