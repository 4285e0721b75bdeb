"""Supervisors on an event loop: nothing blocks the loop, and a task that is cancelled leaves nothing running."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from capsend import Mailbox, Supervisor, process
from capsend.supervisor import RestartsExceeded

PATIENCE = 20.0
pytestmark = pytest.mark.usefixtures("template")


def run(main: Any) -> Any:
    """Run a coroutine function, for a limited time."""
    return asyncio.run(asyncio.wait_for(main(), PATIENCE))


@process
def worker(inbox: Mailbox[str], up: Any, name: str) -> None:
    """Tell of the start, and of each order; end as ordered."""
    up.send(f"{name} is up")
    for order in inbox:
        up.send(f"{name} hears {order}")
        if order == "raise":
            raise ValueError(name)
        if order == "end":
            return


def stop(p: Any) -> None:
    """Ask a worker to end."""
    p.send("end")


def test_waiting_does_not_block_the_loop() -> None:
    """Other tasks continue during the wait; in this test they end the children."""

    async def main() -> None:
        async with Mailbox[str]() as up, Supervisor() as supervisor:
            name = supervisor.spawn(worker, up.address, "a", restart="transient")
            waiting = asyncio.create_task(supervisor.wait_async())
            assert await up.receive_async() == "a is up"
            supervisor.process(name).send("raise")
            assert [await up.receive_async() for _ in range(2)] == ["a hears raise", "a is up"]
            assert not waiting.done()
            supervisor.process(name).send("end")
            await waiting
            assert (supervisor.restarted, supervisor.children) == (1, ())

    run(main)


def test_waiting_raises_when_it_gives_up() -> None:
    """As `wait` does, and leaving the block raises it as well."""

    async def main() -> None:
        async with Mailbox[str]() as up:
            supervisor = Supervisor(restarts=0)
            supervisor.process(supervisor.spawn(worker, up.address, "a")).send("raise")
            with pytest.raises(RestartsExceeded):
                await supervisor.wait_async()
            with pytest.raises(RestartsExceeded):
                await supervisor.__aexit__(None, None, None)
            assert supervisor.exit_reason == "failed"

    run(main)


def test_cancelled_wait_changes_nothing() -> None:
    """The children go on."""

    async def main() -> None:
        async with Mailbox[str]() as up, Supervisor() as supervisor:
            supervisor.spawn(worker, up.address, "a", name="a")
            await up.receive_async()
            waiting = asyncio.create_task(supervisor.wait_async())
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            supervisor.process("a").send("go on")
            assert await up.receive_async() == "a hears go on"

    run(main)


def test_leaving_ends_the_last_child_first_without_blocking_the_loop() -> None:
    """Each may end by itself; the loop answers meanwhile, so that it can."""

    @process
    def polite(inbox: Mailbox[str], up: Any, name: str) -> None:
        up.send("up")
        inbox.receive()
        up.call(lambda reply: (name, reply))

    async def main() -> None:
        async with Mailbox[Any]() as up:
            supervisor = Supervisor(shutdown=600)
            for name in "abc":
                supervisor.spawn(polite, up.address, name, stop=stop)
                await up.receive_async()
            closing = asyncio.create_task(supervisor.close_async())
            asked = []
            for _ in "abc":
                name, reply = await up.receive_async()
                asked.append(name)
                reply.send(None)
            await closing
            assert (asked, supervisor.exit_reason) == (["c", "b", "a"], "normal")

    run(main)


@pytest.mark.parametrize("leave", ["close_async", "remove_async"])
def test_cancelled_leaving_kills_at_once(leave: str) -> None:
    """A child that does not end by itself is not waited for: not even below another supervisor."""

    async def main() -> None:
        async with Mailbox[str]() as up:
            below = Supervisor(shutdown=600)
            below.spawn(worker, up.address, "below", name="below")
            supervisor = Supervisor(shutdown=600)
            supervisor.add(lambda: below, name="nested")
            supervisor.spawn(worker, up.address, "a", name="a", stop=lambda p: p.send("never mind"))
            processes = [below.process("below"), supervisor.process("a")]
            for _ in range(2):
                await up.receive_async()
            leaving = asyncio.create_task(
                supervisor.close_async() if leave == "close_async" else supervisor.remove_async("a")
            )
            assert await up.receive_async() == "a hears never mind"
            leaving.cancel()
            await asyncio.gather(leaving, return_exceptions=True)
            assert leaving.cancelled()
            if leave == "remove_async":
                assert supervisor.children == ("nested",)
                await supervisor.close_async()
            ended = await asyncio.gather(*processes, return_exceptions=True)
            assert [type(error).__name__ for error in ended] == ["ProcessKilled", "ProcessKilled"]

    run(main)


def test_closing_twice_and_without_children_is_harmless() -> None:
    """Each time there is less to do."""

    async def main() -> None:
        async with Supervisor() as supervisor:
            await supervisor.wait_async()
            await supervisor.close_async()
        supervisor.close()
        assert supervisor.exit_reason == "normal"
        with pytest.raises(RuntimeError, match="was closed"):
            supervisor.spawn(len, "x")

    run(main)
