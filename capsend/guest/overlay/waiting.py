"""Waiting for other processes: a process has one thread, so its waiters handle the host's reports meanwhile."""

from __future__ import annotations

import collections
import logging
import time
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from capsend_guest import inbox

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_log = logging.getLogger("capsend.supervisor")


class Condition:
    """A block that no worker may interrupt: workers wait until it is left."""

    def __init__(self) -> None:
        self.depth: int = 0
        self.workers: list[Worker[Any]] = []

    def __enter__(self) -> Self:
        self.depth += 1
        return self

    def __exit__(self, *_: object) -> None:
        self.depth -= 1
        for worker in self.workers:
            worker.work()

    def notify_all(self) -> None:
        """Do nothing: waiters check again after each report of the host."""

    def wait_for(self, holds: Callable[[], bool], timeout: float | None = None) -> bool:
        """Wait until *holds* returns true, for at most *timeout* seconds; return whether it did."""
        end = None if timeout is None else time.monotonic() + timeout
        depth, self.depth = self.depth, 0
        try:
            while not holds():
                left = None if end is None else end - time.monotonic()
                if left is not None and left <= 0:
                    return False
                for worker in self.workers:
                    worker.work()
                if not holds():
                    inbox.wait(left)
            return True
        finally:
            self.depth = depth


class Worker(Generic[T]):
    """Hands events to a function, one after the other, while the process waits for something."""

    def __init__(self, handle: Callable[[T], object], *, condition: Condition, name: str) -> None:
        del name
        self._handle = handle
        self._condition = condition
        self._events: collections.deque[T] = collections.deque()
        self._working = False
        self.is_stopping: bool = False
        condition.workers.append(self)

    def start(self) -> None:
        """Do nothing: a process starts no threads."""

    def put(self, event: T, *, after: float = 0.0) -> None:
        """Add an event, at once or *after* seconds later."""
        if after:
            inbox.call_later(after, lambda: self.put(event))
            return
        if not self.is_stopping:
            self._events.append(event)
            self.work()

    def aside(self, act: Callable[[], None]) -> None:
        """Run an act now: a process has no other thread."""
        act()

    def stop(self) -> None:
        """Hand over no further events."""
        self.is_stopping = True
        self._events.clear()

    def join(self) -> None:
        """Do nothing: only the caller could be working."""

    def work(self) -> None:
        """Hand over the events so far, unless this is already in progress or the condition is held."""
        if self._working or self._condition.depth:
            return
        self._working = True
        try:
            while self._events and not self.is_stopping:
                self._handle(self._events.popleft())
        except Exception:  # noqa: BLE001 - as on a thread: the error does not concern the present waiter
            _log.exception("a callback about the end of a process failed")
        finally:
            self._working = False
