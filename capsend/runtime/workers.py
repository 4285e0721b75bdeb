"""The threads on which processes live: a thread that has become free waits a moment for the next process before it ends.

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
"""Idle threads of one stack size that are kept; stack that a deep recursion has touched stays in memory until its thread ends."""

PATIENCE: Final = 0.5
"""Seconds that a thread waits for the next process."""

_idle: dict[int, collections.deque[_Worker]] = collections.defaultdict(collections.deque)
# The stack size is a setting of the whole interpreter: no thread of capsend may start in between.
_start_lock = threading.Lock()


class _Worker:
    """One thread, and the work that it is given."""

    def __init__(self, stack: int, work: Callable[[], object]) -> None:
        self._idle = _idle[stack]
        self._work: Callable[[], object] | None = work
        self._wake = threading.Lock()
        self._wake.acquire()

    def begin(self, work: Callable[[], object]) -> None:
        """Give the thread its work; called by the taker of an idle thread."""
        self._work = work
        self._wake.release()

    def run(self) -> None:
        """Do each work that is given, until none comes for a while."""
        while (work := self._work) is not None:
            self._work = None
            work()
            del work  # an ended process is not kept while the thread waits
            if len(self._idle) >= MOST_IDLE:
                return
            self._idle.append(self)
            if not self._wake.acquire(timeout=PATIENCE):
                try:
                    self._idle.remove(self)
                except ValueError:  # another thread has just taken it: its work is on the way
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
        except BaseException as error:  # noqa: BLE001 - the error belongs to the waiting caller
            done.put((None, error))

    run(work, stack=stack)
    value, error = done.get()
    if error is not None:
        raise error
    return value  # type: ignore[return-value]  # the value is set where there is no error
