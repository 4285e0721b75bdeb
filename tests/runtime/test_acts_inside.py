"""Groups, supervisors, event loops and messages of processes that spawn processes."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass
from typing import Any

from capsend import (
    Address,
    CapsendError,
    Mailbox,
    ProcessGroup,
    ProcessKilled,
    Supervisor,
    spawn,
)

PATIENCE = 60


def double(n: int) -> int:
    return n * 2


def fail(n: int) -> None:
    raise ValueError(f"bad {n}")


def test_a_group_waits_for_its_processes_inside() -> None:
    """Leaving the block waits for all."""

    def outer() -> list[int]:
        with ProcessGroup() as group:
            started = [group.spawn(double, n) for n in range(4)]
        return [p.result() for p in started]

    assert spawn(outer).result(PATIENCE) == [0, 2, 4, 6]


def test_a_group_kills_the_rest_at_the_first_failure_inside() -> None:
    """The one that sleeps for ever is killed, and what failed is raised in a group."""

    def outer() -> tuple[list[str], str | None]:
        try:
            with ProcessGroup() as group:
                sleeper = group.spawn(time.sleep, 1000)
                group.spawn(fail, 3)
        except ExceptionGroup as errors:
            return [str(error) for error in errors.exceptions], sleeper.exit_reason
        return [], None

    assert spawn(outer).result(PATIENCE) == (["bad 3"], "killed")


async def in_an_async_group() -> tuple[list[int], list[str]]:
    async with ProcessGroup() as group:
        started = [group.spawn(double, n) for n in range(3)]
    results = [await p for p in started]
    try:
        async with ProcessGroup() as group:
            group.spawn(time.sleep, 1000)
            group.spawn(fail, 7)
    except ExceptionGroup as errors:
        return results, [str(error) for error in errors.exceptions]
    return results, []


def test_a_group_works_on_an_event_loop_inside() -> None:
    """`async with` waits without blocking the loop, and kills the rest at the first failure."""
    assert spawn(in_an_async_group).result(PATIENCE) == ([0, 2, 4], ["bad 7"])


async def several_at_once() -> tuple[list[int], str]:
    results = await asyncio.gather(*(spawn(double, n) for n in range(3)))
    sleeper = spawn(time.sleep, 1000)
    try:
        async with asyncio.timeout(0.01):
            await sleeper
    except TimeoutError:
        return results, repr(sleeper.exit_reason)
    return results, "in time"


def test_an_event_loop_inside_waits_for_several_processes() -> None:
    """Awaiting a process does not block the others, and a wait that is given up leaves the process alone."""
    assert spawn(several_at_once).result(PATIENCE) == ([0, 2, 4], "None")


def test_a_supervisor_inside_starts_a_child_again() -> None:
    """It has no separate thread: it works while the process waits."""

    def outer() -> tuple[int, bool, int]:
        with Supervisor(restarts=5) as supervisor:
            supervisor.spawn(time.sleep, 1000, name="a")
            first = supervisor.process("a")
            first.kill()
            with ProcessGroup() as group:
                results = [group.spawn(double, 4)]
            while supervisor.restarted == 0:
                spawn(double, 1).result()
            return supervisor.restarted, supervisor.process("a").id != first.id, results[0].result()

    assert spawn(outer).result(PATIENCE) == (1, True, 8)


def test_a_supervisor_inside_lets_each_child_wait_for_itself() -> None:
    """The back-off of one delays no other, and nothing else that the process waits for."""

    def outer() -> tuple[bool, bool]:
        with Supervisor(restarts=50, backoff=0.5, period=60) as supervisor:
            for name in "ab":
                supervisor.spawn(time.sleep, 1000, name=name)
            began = time.monotonic()
            for name in "ab":
                supervisor.process(name).kill()
            while supervisor.process("a") is None or supervisor.process("b") is None or supervisor.restarted < 2:
                spawn(double, 1).result()
            return supervisor.restarted == 2, 0.5 <= time.monotonic() - began < 0.95

    assert spawn(outer).result(PATIENCE) == (True, True)


def test_a_supervisor_inside_gives_up() -> None:
    """Too many ends within the period end it, with what the last child raised as the cause."""

    def outer() -> tuple[str, int]:
        try:
            with Supervisor(restarts=2) as supervisor:
                supervisor.spawn(fail, 1)
                supervisor.wait(PATIENCE)
        except CapsendError as error:
            return repr(error.__cause__), supervisor.restarted
        return "", 0

    assert spawn(outer).result(PATIENCE) == ("ValueError('bad 1')", 2)


async def messages_and_ends(inbox: Mailbox[int]) -> list[int]:
    me = inbox.address

    def later(n: int) -> int:
        me.send(n)
        return n * 10

    started = [spawn(later, n) for n in range(3)]
    received, ended = await asyncio.gather(
        asyncio.gather(*(inbox.receive_async() for _ in range(3))), asyncio.gather(*started)
    )
    return [*sorted(received), *ended]


def test_an_event_loop_inside_waits_for_messages_and_ends_at_once() -> None:
    """Neither kind of wait keeps the other from being woken."""
    assert spawn(messages_and_ends).result(PATIENCE) == [0, 1, 2, 0, 10, 20]


@dataclass(frozen=True)
class Ask:
    number: int
    back: Address[int]


def serve(inbox: Mailbox[Ask]) -> int:
    for count, ask in enumerate(inbox):
        if ask.number == 0:
            return count
        ask.back.send(ask.number * 2)
    return -1


def test_a_process_talks_to_what_it_has_spawned() -> None:
    """`send` and `call` work on the handle of a child with a mailbox, and the classes of its messages go along."""

    def outer() -> tuple[int, int]:
        server = spawn(serve)
        answer = server.call(lambda back: Ask(4, back), timeout=PATIENCE)
        server.send(Ask(0, server.address))
        return answer, server.result(PATIENCE)

    assert spawn(outer).result(PATIENCE) == (8, 1)


def test_a_child_talks_to_its_parent() -> None:
    """The parent's address is captured like any other."""

    def parent(inbox: Mailbox[str]) -> tuple[str, int]:
        me = inbox.address

        def child() -> int:
            me.send("hello")
            return 3

        p = spawn(child)
        return inbox.receive(PATIENCE), p.result(PATIENCE)

    assert spawn(parent).result(PATIENCE) == ("hello", 3)


def test_an_address_comes_back_from_a_child() -> None:
    """A result may hold addresses; they are the same ones, re-indexed."""

    def outer() -> tuple[int, bool]:
        server = spawn(serve)
        address = server.address
        returned = spawn(lambda: address).result()
        return returned.call(lambda back: Ask(5, back), timeout=PATIENCE), returned is address

    assert spawn(outer).result(PATIENCE) == (10, True)


def test_a_child_is_monitored_by_its_parent() -> None:
    """One notice comes, with the reason."""

    def parent(inbox: Mailbox[Any]) -> tuple[str, str]:
        p = spawn(time.sleep, 1000)
        inbox.monitor(p.address)
        p.kill()
        notice = inbox.receive(PATIENCE)
        return type(notice).__name__, notice.reason

    assert spawn(parent).result(PATIENCE) == ("Down", "killed")


def test_a_process_spawns_linked_processes() -> None:
    """The end of one is the end of the other."""

    def outer() -> str | None:
        first = spawn(time.sleep, 1000)
        second = first.spawn_linked(time.sleep, 1000)
        first.kill()
        with contextlib.suppress(ProcessKilled):
            second.result(PATIENCE)
        return second.exit_reason

    assert spawn(outer).result(PATIENCE) == "killed"
