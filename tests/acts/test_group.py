"""Process groups: processes that do not outlive their block."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import Any

import pytest

import capsend
from capsend import Mailbox, ProcessGroup, spawn

pytestmark = pytest.mark.usefixtures("everywhere")

PATIENCE = 20.0


def fail(text):
    raise ValueError(text)


def test_leaving_waits_for_all():
    """After the block every process has ended, and its result is there."""
    with ProcessGroup() as group:
        all_of_them = [group.spawn(pow, n, 2) for n in range(4)]
    assert all(p.done() for p in all_of_them)
    assert [p.result() for p in all_of_them] == [0, 1, 4, 9]


def test_first_failure_kills_the_others_and_is_raised():
    """The group fails with the first failure; the processes killed because of it are not part of the error."""
    group = ProcessGroup()
    with pytest.raises(ExceptionGroup) as caught, group:  # noqa: PT012 - leaving the block raises, or its middle
        asleep = group.spawn(time.sleep, 600)
        group.spawn(fail, "first")
    assert [(type(error), error.args) for error in caught.value.exceptions] == [(ValueError, ("first",))]
    assert asleep.exit_reason == "killed"


def test_killing_one_process_is_no_failure():
    """As a cancelled task in a `TaskGroup`: the first result wins, its rival is killed, and the others go on."""
    with ProcessGroup() as group:
        slow, other = group.spawn(time.sleep, 600), group.spawn(pow, 2, 3)
        assert group.spawn(pow, 2, 2).result(PATIENCE) == 4
        slow.kill()
    assert (slow.exit_reason, other.result()) == ("killed", 8)


def test_exit_with_success_is_no_failure():
    """`sys.exit(0)` says that all is well; other codes do not."""
    with ProcessGroup() as group:
        done = group.spawn(sys.exit, 0)
    assert done.exit_reason == "normal"
    with pytest.raises(ExceptionGroup), ProcessGroup() as group:
        group.spawn(sys.exit, 1)


def test_block_that_raises_kills_all():
    """The block's exception is raised unchanged."""
    with pytest.raises(KeyError), ProcessGroup() as group:  # noqa: PT012 - leaving the block raises, or its middle
        p = group.spawn(time.sleep, 600)
        raise KeyError("block")
    assert p.exit_reason == "killed"


def test_group_can_be_ended_early():
    """Killing the group is no failure."""
    with ProcessGroup() as group:
        p = group.spawn(time.sleep, 600)
        group.kill()
    assert p.exit_reason == "killed"


def test_nothing_is_spawned_in_a_group_that_has_failed():
    """A failure is not followed by new work."""
    with pytest.raises(ExceptionGroup), ProcessGroup() as group:  # noqa: PT012 - leaving the block raises, or its middle
        p = group.spawn(fail, "no")
        p._life.finished.wait(PATIENCE)
        while not group._killed:
            time.sleep(0.001)
        with pytest.raises(RuntimeError, match="being shut down"):
            group.spawn(pow, 1, 1)


@pytest.mark.parametrize("entered", [True, False])
def test_group_is_used_within_its_block(entered):
    """Outside its block, a group spawns nothing, as there would be no wait for the process."""
    group = ProcessGroup()
    if entered:
        with group:
            pass
    with pytest.raises(RuntimeError, match="has not been entered, or has been left"):
        group.spawn(pow, 1, 1)


def test_groups_nest():
    """A failure inside ends the inner group, then the outer one."""
    with pytest.raises(ExceptionGroup) as caught, ProcessGroup() as outer:  # noqa: PT012 - leaving the block raises, or its middle
        p = outer.spawn(time.sleep, 600)
        with ProcessGroup() as inner:
            inner.spawn(fail, "inner")
    assert p.exit_reason == "killed"
    assert caught.group_contains(ValueError, match="inner")


def test_async_group_waits_without_blocking_the_loop():
    """The event loop goes on while the group waits."""

    async def main():
        ticks = 0

        async def tick():
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0.01)

        task = asyncio.create_task(tick())
        async with ProcessGroup() as group:
            p = group.spawn(time.sleep, 0.2)
        task.cancel()
        return p.exit_reason, ticks > 3

    assert asyncio.run(main()) == ("normal", True)


def test_async_group_raises_what_failed():
    """As the plain form does."""

    async def main():
        async with ProcessGroup() as group:
            group.spawn(time.sleep, 600)
            group.spawn(fail, "async")

    with pytest.raises(ExceptionGroup) as caught:
        asyncio.run(main())
    assert caught.group_contains(ValueError, match="async")


async def _waits_for_ever() -> str:
    """Run in the host and inside."""
    try:
        async with ProcessGroup() as group:
            group.spawn(fail, "early")
            await asyncio.Event().wait()
    except ExceptionGroup as caught:
        current: Any = asyncio.current_task()
        return f"{caught.exceptions!r} {current.cancelling()}"
    return "left"


def test_first_failure_ends_the_wait_of_an_async_block():
    """A block that waits for something else does not go on waiting; the task itself is not cancelled."""

    async def inside() -> str:
        return await _waits_for_ever()

    expected = "(ValueError('early'),) 0"
    assert asyncio.run(asyncio.wait_for(_waits_for_ever(), PATIENCE)) == expected
    assert spawn(inside).result(PATIENCE) == expected


def test_block_that_waits_for_one_that_the_group_killed_tells_of_the_failure_alone():
    """That a process was killed by its group is no news, also where the block met it."""
    group = ProcessGroup()
    with pytest.raises(ExceptionGroup) as caught, group:  # noqa: PT012 - its middle raises
        asleep = group.spawn(time.sleep, 600)
        group.spawn(fail, "first")
        asleep.result(PATIENCE)
    assert [type(error) for error in caught.value.exceptions] == [ValueError]


def test_cancelling_the_task_kills_the_group():
    """A task that is cancelled while it waits for its group leaves no process."""

    async def main():
        made: list[Any] = []
        entered = asyncio.Event()

        async def hold():
            async with ProcessGroup() as group:
                made.append(group.spawn(time.sleep, 600))
                entered.set()

        task = asyncio.create_task(hold())
        await entered.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return made[0].exit_reason

    assert asyncio.run(main()) == "killed"


def test_running_processes_are_listed():
    """`capsend.processes()` lists the running processes and their figures."""

    def wait(inbox: Mailbox[int]):
        inbox.receive()

    with spawn(wait) as p:  # type: ignore[call-arg]  # the mailbox comes by itself
        found = [each for each in capsend.processes() if each.id == p.id]
        assert len(found) == 1
        assert found[0].name == "wait"
        assert found[0].stats.sent == 0
        with pytest.raises(capsend.CapsendError):
            found[0].address.monitor_only().send(1)
    assert p.id not in {each.id for each in capsend.processes()}
