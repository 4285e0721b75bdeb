"""The threads on which processes live: one that has become free waits a moment for the next process before it ends.

Starting a thread with a large stack, and ending it, takes longer than waking one up.
"""

from __future__ import annotations

import _thread
import collections
import queue
import threading
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

MOST_IDLE: Final = 4
"""How many threads of one stack size wait; what a deep recursion has touched of its stack stays until a thread ends."""

PATIENCE: Final = 0.5
"""Seconds that a thread waits for the next process."""

_idle: dict[int, collections.deque[_Worker]] = collections.defaultdict(collections.deque)
# The size of stacks is a setting of the whole interpreter: no thread of ours may start in between.
_start_lock = threading.Lock()


class _Worker:
    """One thread, as those see it that give it something to do."""

    def __init__(self, stack: int, work: Callable[[], object]) -> None:
        self._idle = _idle[stack]
        self._work: Callable[[], object] | None = work
        self._wake = threading.Lock()
        self._wake.acquire()

    def begin(self, work: Callable[[], object]) -> None:
        """Let it do something; called by the one that took it from those that are idle."""
        self._work = work
        self._wake.release()

    def run(self) -> None:
        """Do what it is given, until nothing comes for a while."""
        while (work := self._work) is not None:
            self._work = None
            work()
            del work  # the process that has ended is not kept while the thread waits
            if len(self._idle) >= MOST_IDLE:
                return
            self._idle.append(self)
            if not self._wake.acquire(timeout=PATIENCE):
                try:
                    self._idle.remove(self)
                except ValueError:  # taken at this very moment: the work is on its way
                    self._wake.acquire()


def run(work: Callable[[], object], *, stack: int) -> None:
    """Call a function on a thread that has so many bytes of stack; returns at once.

    Raises:
        RuntimeError: the system has no thread left.
    """
    try:
        _idle[stack].pop().begin(work)
    except IndexError:
        worker = _Worker(stack, work)
        with _start_lock:
            previous = threading.stack_size(stack)
            try:
                _thread.start_new_thread(worker.run, ())
            finally:
                threading.stack_size(previous)


def call(act: Callable[[], T], *, stack: int) -> T:
    """Return what a function returns on a thread with that much stack; raise what it raises."""
    done: queue.SimpleQueue[tuple[T | None, BaseException | None]] = queue.SimpleQueue()

    def work() -> None:
        try:
            done.put((act(), None))
        except BaseException as error:  # noqa: BLE001 - it belongs to whoever waits
            done.put((None, error))

    run(work, stack=stack)
    value, error = done.get()
    if error is not None:
        raise error
    return value  # type: ignore[return-value]  # there is a value where there is no error
