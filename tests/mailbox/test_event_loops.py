"""Mailboxes on event loops, in the host and in processes: nothing blocks the loop, and what is cancelled loses no message."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

from capsend import Address, Environment, Mailbox, process, spawn
from tests.mailbox.counting import PATIENCE, Add, Get, counter


def test_async_body_waits_for_messages_and_timers_at_once():
    """Tasks of one event loop receive, sleep and call side by side."""

    async def body(inbox: Mailbox[Any], address):
        async def ticks():
            for _ in range(3):
                await asyncio.sleep(0.01)
            return "ticked"

        answer, ticked, message = await asyncio.gather(address.call_async(Get), ticks(), inbox.receive_async(kind=str))
        return answer, ticked, message

    with counter.spawn(5) as p:
        q = process(body).spawn(p.address)
        q.send(1)
        q.send("one")
        assert q.result(PATIENCE) == (5, "ticked", "one")


def test_cancelled_receive_inside_loses_no_message():
    """A task that gives up leaves the message to the next one."""

    async def body(inbox: Mailbox[int], back):
        try:
            await asyncio.wait_for(inbox.receive_async(), 0.05)
        except TimeoutError:
            back.send("gave up")
        return [await inbox.receive_async() for _ in range(2)]

    with Mailbox[str]() as answers:
        p = process(body).spawn(answers.address)
        answers.receive(timeout=PATIENCE)
        p.send(1)
        p.send(2)
        assert p.result(PATIENCE) == [1, 2]


def test_async_forms_in_the_host():
    """A task of the host sends, calls and receives without a thread per wait."""

    async def main():
        async with Mailbox[int]() as inbox:
            before = threading.active_count()
            with counter.spawn(1) as p:
                assert await p.send_async(Add(1))
                answers = await asyncio.gather(*(p.call_async(Get) for _ in range(50)))
                assert answers == [2] * 50
                waits = [asyncio.create_task(inbox.receive_async()) for _ in range(20)]
                await asyncio.sleep(0)
                assert threading.active_count() <= before + 2
                for number in range(20):
                    await inbox.address.send_async(number)
                assert sorted(await asyncio.gather(*waits)) == list(range(20))

    asyncio.run(asyncio.wait_for(main(), PATIENCE))


def test_cancelled_receive_in_the_host_loses_no_message():
    """A cancelled task takes no message with it."""

    async def main():
        with Mailbox[int]() as inbox:
            task = asyncio.create_task(inbox.receive_async())
            await asyncio.sleep(0)
            inbox.address.send(1)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert inbox.receive(timeout=PATIENCE) == 1

    asyncio.run(main())


def test_async_sender_waits_for_room_without_blocking_the_loop():
    """A full mailbox holds up the task that sends, and nothing else."""

    async def main():
        with Mailbox[int](messages=1) as inbox:
            await inbox.address.send_async(1)
            task = asyncio.create_task(inbox.address.send_async(2))
            await asyncio.sleep(0.01)
            assert not task.done()
            assert await inbox.receive_async() == 1
            assert await task
            assert await inbox.receive_async() == 2

    asyncio.run(asyncio.wait_for(main(), PATIENCE))


async def _late(inbox: Any, never: Any) -> list[str]:
    """Run in the host and inside."""
    told = []
    for waiting in (
        inbox.receive_async(timeout=0.01),
        never.call_async(lambda reply: reply, timeout=0.01),
        never.send_async(1, timeout=0.01),
    ):
        try:
            await waiting
        except TimeoutError as error:
            told.append(str(error).partition(" within")[0].partition(" has ")[2] or str(error))
    return told


def test_forms_for_event_loops_take_the_timeouts_of_the_others():
    """The time limits and their messages are those of `receive`, `call` and `send`, on the host and in a guest."""

    def never(inbox: Mailbox[object]) -> None:
        time.sleep(600)

    async def inside(inbox: Mailbox[int], never: Address[object]) -> list[str]:
        return await _late(inbox, never)

    for where in ("here", "inside"):
        with Environment(mailbox=1).spawn(never) as p, Mailbox[int]() as inbox:
            told = (
                asyncio.run(_late(inbox, p.address)) if where == "here" else spawn(inside, p.address).result(PATIENCE)
            )
            assert told[:2] == ["no message within 0.01 s", "not answered"]
            assert "was full, and had no room within 0.01 s" in told[2]
