"""A process that is killed at any step of its life, by whom ever, ends as killed or as it would have, and leaves nothing behind."""

import asyncio
import contextlib
import functools
import itertools
import os
import queue
import sys
import threading
from collections import Counter

import attrs
import pytest
from census import settled

from capsend import Dir, Environment, Mailbox, ProcessKilled, host_function, spawn
from capsend.runtime import running

PATIENCE = 60
STRIDE = int(os.environ.get("CAPSEND_STEP_STRIDE", "15"))
"""Every how many steps a process is killed; 1 takes minutes."""


@attrs.frozen
class Item:
    """A class that is sent, and comes back."""

    name: str
    parts: tuple[int, ...]


@host_function
def price(name: str) -> int:
    """A function of the host's."""
    return len(name)


def works(inbox: Mailbox[str]) -> list[Item]:
    """Use everything that a process can use."""
    print("began")
    child = spawn(pow, 2, 3)
    inbox.address.send("word")
    items = [Item(inbox.receive(), (price("abc"), child.result()))]
    print("ended")
    return items


def fails(folder: Dir) -> None:
    """Read a file, and end by an exception."""
    raise ExceptionGroup((folder / "word").read_text(), [ValueError(1), KeyError("x")])


class Steps:
    """Does one thing at one step of the next life: when a function of the host begins or ends on the thread of the process."""

    def __init__(self, monkeypatch):
        self._next = None
        monkeypatch.setattr(running, "_live_through", functools.partial(self._watched, running._live_through))

    def _watched(self, original, life, template):
        if life.parent is not None or self._next is None:
            original(life, template)
            return
        (wanted, act, over), self._next = self._next, None
        seen, is_due = 0, True

        def profile(frame, _event, _arg):
            nonlocal seen, is_due
            # Not within `threading`, which holds a lock there that the act needs, and would wait for itself.
            if is_due and seen >= wanted and frame.f_code.co_filename != threading.__file__:
                is_due = False
                sys.setprofile(None)
                act(life)
                sys.setprofile(profile)
            seen += 1

        sys.setprofile(profile)
        try:
            original(life, template)
        finally:
            sys.setprofile(None)
            over.put(seen)

    def all(self, act, run):
        """Call *run*, which starts a process, with *act* done at one step after the other, until the process has no more steps."""
        for count in itertools.count(1):
            over = queue.SimpleQueue()
            self._next = (STRIDE * (count - 1), act, over)
            run()
            if over.get(timeout=PATIENCE) <= STRIDE * (count - 1):
                return count
        raise AssertionError


@pytest.fixture
def steps(monkeypatch):
    """The steps of the lives that a test starts."""
    return Steps(monkeypatch)


@contextlib.contextmanager
def nothing_stays(run):
    """Whatever was there before is there afterwards, and no more, but for the instances that are kept ready."""
    for _ in range(8):
        run()
    before = settled()
    yield
    assert settled(before).more_than(before) == {}
    assert running._live == set()


def in_another_thread(life):
    """Kill a process from a separate thread, and wait for the kill."""
    thread = threading.Thread(target=life.kill)
    thread.start()
    thread.join()


def several_times(life):
    """Kill it twice, and give it up."""
    life.kill()
    life.kill()
    life.abandon()


def end_of(process):
    """Return how a process ended, which its result must agree with."""
    try:
        process.result(timeout=PATIENCE)
    except ProcessKilled:
        assert process.exit_reason == "killed"
    except ExceptionGroup:
        assert process.exit_reason == "failed"
    else:
        assert process.exit_reason == "normal"
    return process.exit_reason


@pytest.mark.not_compared("the comparison looks at all of a program, and there are hundreds")
@pytest.mark.parametrize("kill", [lambda life: life.kill(), in_another_thread, several_times])
@pytest.mark.parametrize("program", ["works", "fails"])
def test_a_process_killed_at_any_step_leaves_nothing(steps, kill, program, tmp_path):
    """On its own thread, as a callback would, and from others."""
    (tmp_path / "word").write_text("word")
    folder, ends = Dir(tmp_path), Counter()
    environment = Environment(stdout=None, stderr=None, timeout=PATIENCE)

    def run():
        ends[end_of(environment.spawn(works) if program == "works" else environment.spawn(fails, folder))] += 1

    with nothing_stays(run):
        ends.clear()
        count = steps.all(kill, run)
    assert ends["killed"] > count / 2
    assert ends.keys() <= {"killed", "normal" if program == "works" else "failed"}


@pytest.mark.not_compared("as above")
def test_a_task_cancelled_at_any_step_leaves_nothing(steps):
    """The task that waits for the process is cancelled, and the process with it."""
    environment = Environment(stdout=None, stderr=None, timeout=PATIENCE)
    ends = Counter()

    async def main(waiting):
        task = asyncio.ensure_future(environment.execute_async(works))
        waiting.append((asyncio.get_running_loop(), task))
        try:
            ends[(await task).exit_reason] += 1
        except asyncio.CancelledError:
            ends["cancelled"] += 1

    def run():
        asyncio.run(main(now))
        now.clear()

    def cancel(_life):
        done = threading.Event()
        with contextlib.suppress(RuntimeError, IndexError):  # the loop has ended, or another one is not there yet
            loop, task = now[0]
            loop.call_soon_threadsafe(lambda: (task.cancel(), done.set()))
            done.wait(0.2)

    now = []
    with nothing_stays(run):
        ends.clear()
        count = steps.all(cancel, run)
    assert ends["cancelled"] > count / 2
    assert ends.keys() <= {"cancelled", "normal", "killed"}
