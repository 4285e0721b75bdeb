"""Call limits: the number and rate of calls of a host function by the processes of one tree, and the tree's abandoned calls."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final, Protocol

from capsend.exceptions import LimitExceeded

if TYPE_CHECKING:
    from capsend.capabilities.host_functions import FunctionGrant

MOST_LATE: Final = 8
"""The most calls of a tree that may still run after their waiters have gone."""


class Worker(Protocol):
    """A thread that makes calls."""

    is_busy: bool


class Turns:
    """The calls made by a process and its descendants; safe to use from any thread.

    The processes of a tree share the limits of a function, so that a process gains no calls by spawning.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._usage: dict[FunctionGrant, _Usage] = {}
        self._late: list[Worker] = []

    def take(self, grant: FunctionGrant) -> float:
        """Count a call.

        Returns:
            The seconds to wait before the call may begin.

        Raises:
            LimitExceeded: the function's calls are used up, or too many abandoned calls of the tree are still running.
        """
        function = grant.function
        limits = function.limits
        with self._lock:
            usage = self._usage.setdefault(grant, _Usage())
            if limits.calls is not None and usage.calls >= limits.calls:
                raise LimitExceeded(
                    f"this process has called {function.name} {usage.calls} times, calls of its parent and children included, "
                    "which is its limit"
                )
            self._late = [worker for worker in self._late if worker.is_busy]
            if len(self._late) >= MOST_LATE:
                raise LimitExceeded(f"{len(self._late)} calls of this process that took too long are still running")
            usage.calls += 1
            return 0.0 if limits.rate is None else usage.delay(limits.rate)

    def go_on(self, worker: Worker) -> None:
        """Note that a worker's call was abandoned and is still running."""
        with self._lock:
            self._late.append(worker)


class _Usage:
    """The calls of one function: their number, and the earliest moment of the next call."""

    def __init__(self) -> None:
        self.calls = 0
        self._tokens: float | None = None
        self._at = 0.0

    def delay(self, rate: float) -> float:
        """Count a call at a rate.

        Returns:
            The seconds to wait before the call may begin.
        """
        now, most = time.monotonic(), max(rate, 1.0)
        known = most if self._tokens is None else min(most, self._tokens + (now - self._at) * rate)
        self._tokens, self._at = known - 1.0, now
        return max(0.0, -self._tokens / rate)
