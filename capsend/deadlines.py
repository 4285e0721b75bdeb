"""One thread that watches over the time limits of all processes."""

from __future__ import annotations

import _thread
import heapq
import itertools
import threading
import time
from typing import TYPE_CHECKING, Final

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable

_IDLE: Final = 10.0
_FEW: Final = 1_000


@attrs.define(eq=False)
class Deadline:
    """A moment at which an action is called unless it was cancelled earlier."""

    when: float
    """The moment, on the clock of `time.monotonic`."""
    number: int
    action: Callable[[], None] | None

    def cancel(self) -> None:
        """Drop the action and every object that it holds."""
        self.action = None


class Deadlines:
    """A heap of deadlines, with a daemon thread that sleeps until the first deadline and ends when the heap is empty."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        # Tuples, which are compared several times as fast as instances: every process has one.
        self._heap: list[tuple[float, int, Deadline]] = []
        self._numbers = itertools.count()
        self._roof = _FEW
        self._watched = False

    def add(self, seconds: float, action: Callable[[], None]) -> Deadline:
        """Call *action* after *seconds*, on the watching thread; the action must be quick and not raise."""
        deadline = Deadline(time.monotonic() + seconds, next(self._numbers), action)
        with self._changed:
            if len(self._heap) > self._roof:
                self._drop_cancelled()
            heapq.heappush(self._heap, (deadline.when, deadline.number, deadline))
            if not self._watched:
                _thread.start_new_thread(self._watch, ())
                self._watched = True
            elif self._heap[0][2] is deadline:
                self._changed.notify()
        return deadline

    def _drop_cancelled(self) -> None:
        self._heap = [entry for entry in self._heap if entry[2].action is not None]
        heapq.heapify(self._heap)
        # Twice the rest: then each deadline is looked at a constant number of times, and cancelled ones behind a live one do not pile up.
        self._roof = max(_FEW, 2 * len(self._heap))

    def _watch(self) -> None:
        while True:
            with self._changed:
                due = self._next_due()
            if due is None:
                return
            action = due.action
            if action is not None:
                action()
            # Nothing of a finished process may stay alive in this thread's frame while it waits.
            del due, action

    def _next_due(self) -> Deadline | None:
        """Wait for the first deadline; return None after a while without any, so that the thread can end."""
        while True:
            while self._heap and self._heap[0][2].action is None:
                heapq.heappop(self._heap)
            wait = self._heap[0][0] - time.monotonic() if self._heap else _IDLE
            if wait <= 0:
                return heapq.heappop(self._heap)[2]
            if not self._changed.wait(min(wait, threading.TIMEOUT_MAX)) and not self._heap:
                self._watched = False
                return None
