"""Waiting for other threads, and a worker thread. In the image the overlay's module of this name replaces it: a process has one thread."""

from __future__ import annotations

import heapq
import itertools
import math
import os
import queue
import threading
import time
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

NAP: Final = 0.5
"""The seconds of one wait of the main thread: a Ctrl-C just before it falls asleep does not wake it."""


def give_way() -> None:
    """Let other threads run first, one that was just woken above all: this thread releases the GIL and its processor."""
    if hasattr(os, "sched_yield"):
        os.sched_yield()
    else:
        time.sleep(0)


class Condition(threading.Condition):
    """A condition whose lock its owning thread may take again."""

    def __init__(self) -> None:
        super().__init__(threading.RLock())


class Event(threading.Event):
    """An event on which the main thread waits in naps, so that no Ctrl-C is lost."""

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the event is set, for at most *timeout* seconds; return whether it is set."""
        if threading.current_thread() is not threading.main_thread():
            return super().wait(timeout)
        end = math.inf if timeout is None else time.monotonic() + timeout
        while not super().wait(min(NAP, end - time.monotonic())):
            if time.monotonic() >= end:
                return self.is_set()
        return True


class Parker:
    """A place for one thread, its maker, to wait until another thread reports news."""

    __slots__ = ("_lock", "_longest")
    interrupted: Final = False
    disturbed: Final = False

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()
        is_main = threading.current_thread() is threading.main_thread()
        self._longest = NAP if is_main else threading.TIMEOUT_MAX

    def park(self, seconds: float | None) -> None:
        """Wait until `unpark` has been called since the last wait, or for *seconds*; the wait may also end early, for no reason."""
        self._lock.acquire(timeout=self._longest if seconds is None else min(max(seconds, 0.0), self._longest))

    def unpark(self) -> None:
        """End the wait, or the next one."""
        try:
            self._lock.release()
        except RuntimeError:
            return  # the parker was released before this wait


class Worker(Generic[T]):
    """A thread that hands events to a function, one at a time.

    Args:
        handle: called with each event.
        condition: guards the state that `handle` reads.
        name: the thread's name.
    """

    def __init__(self, handle: Callable[[T], object], *, condition: Condition, name: str) -> None:
        del condition  # each thread takes the condition when it needs it
        self._handle = handle
        self._name = name
        self._events: queue.SimpleQueue[tuple[float, int, T] | None] = queue.SimpleQueue()
        self._numbers = itertools.count()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to work; do nothing when the worker has begun."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
            self._thread.start()

    def put(self, event: T, *, after: float = 0.0) -> None:
        """Add an event, at once or *after* seconds later."""
        self._events.put((time.monotonic() + after if after else 0.0, next(self._numbers), event))

    def aside(self, act: Callable[[], None]) -> None:
        """Run an act that may take long, or never end, on a new thread."""
        threading.Thread(target=act, name=f"{self._name}, aside", daemon=True).start()

    def stop(self) -> None:
        """Hand over no further events; return at once."""
        self._stopping.set()
        self._events.put(None)

    @property
    def is_stopping(self) -> bool:
        """True once `stop` was called."""
        return self._stopping.is_set()

    def join(self) -> None:
        """Wait until the last event has been handled; return at once on the worker's own thread."""
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def _work(self) -> None:
        later: list[tuple[float, int, T]] = []  # a heap
        while not self._stopping.is_set():
            try:
                left = max(later[0][0] - time.monotonic(), 0.0) if later else None
                entry = self._events.get(timeout=left)
            except queue.Empty:
                entry = heapq.heappop(later)
            if entry is not None and entry[0] > time.monotonic():
                heapq.heappush(later, entry)
            elif entry is not None:
                self._handle(entry[2])
            del entry  # the worker holds no event while it waits
