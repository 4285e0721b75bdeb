"""The threads of processes: a thread that becomes free waits a moment for the next process before it ends.

To start and end a thread with a large stack takes longer than to wake one.
"""

from __future__ import annotations

import _thread
import collections
import os
import queue
import threading
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

MOST_IDLE: Final = 4
"""The most idle threads per stack size; stack used by a deep recursion stays in memory until its thread ends."""

PATIENCE: Final = 0.5
"""Seconds that a thread waits for the next process."""

_idle: dict[int, collections.deque[_Worker]] = collections.defaultdict(collections.deque)
# The stack size is a setting of the whole interpreter: no thread of capsend may start in between. Reentrant: a signal handler may spawn.
_start_lock = threading.RLock()


def processors() -> int:
    """Return the number of processors that the threads of this program may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Worker:
    """One thread and its present work."""

    def __init__(self, stack: int, work: Callable[[], object]) -> None:
        self._idle = _idle[stack]
        self._work: Callable[[], object] | None = work
        self._wake = threading.Lock()
        self._wake.acquire()

    def begin(self, work: Callable[[], object]) -> None:
        """Give the thread its work; called by the code that took it from the idle threads."""
        self._work = work
        self._wake.release()

    def run(self) -> None:
        """Do the given work, piece by piece, until none has come for a while."""
        while (work := self._work) is not None:
            self._work = None
            work()
            del work  # do not keep an ended process alive while the thread waits
            if len(self._idle) >= MOST_IDLE:
                return
            self._idle.append(self)
            if not self._wake.acquire(timeout=PATIENCE):
                try:
                    self._idle.remove(self)
                except ValueError:  # another thread has just taken it and will give it work
                    self._wake.acquire()


def run(work: Callable[[], object], *, stack: int) -> None:
    """Call a function on a thread with *stack* bytes of stack; return at once.

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
    """Call *act* on a thread with *stack* bytes of stack; return its value or raise its error."""
    done: queue.SimpleQueue[tuple[T | None, BaseException | None]] = queue.SimpleQueue()

    def work() -> None:
        try:
            done.put((act(), None))
        except BaseException as error:  # noqa: BLE001 - the error is for the waiting caller
            done.put((None, error))

    run(work, stack=stack)
    value, error = done.get()
    if error is not None:
        raise error
    return value  # type: ignore[return-value]  # without an error the value is set
