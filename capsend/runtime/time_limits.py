"""The time limits of a process: its timeout, and the CPU time of the process and its descendants."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from capsend.deadlines import Deadlines
from capsend.exceptions import TimeLimitExceeded

if TYPE_CHECKING:
    from collections.abc import Callable

    from capsend.deadlines import Deadline
    from capsend.runtime.terms import Terms
    from capsend.runtime.tree import Branch

_TICK: Final = 0.005
_CROWD: Final = 100  # adding up this number of processes takes a small part of a tick
_deadlines: Final = Deadlines()


def _nothing(_error: BaseException) -> None:
    """Stop nothing."""


class TimeLimits:
    """The clocks that end a process when its time is over. The timeout counts from `begin`.

    Args:
        environment: the limits.
        number: the process's number.
        stop: ends the process with an error.
    """

    __slots__ = ("_cpu", "_cpu_deadline", "_ended", "_number", "_processes", "_stop", "_timeout", "_timeout_deadline")

    def __init__(self, environment: Terms, *, number: int, stop: Callable[[BaseException], None]) -> None:
        self._timeout = environment.timeout
        self._cpu = environment.cpu
        self._processes = environment.processes
        self._number = number
        self._stop = stop
        self._ended = False
        self._cpu_deadline: Deadline | None = None
        self._timeout_deadline: Deadline | None = None

    def begin(self) -> None:
        """Count the timeout from now on."""
        if self._timeout is not None:
            self._timeout_deadline = _deadlines.add(self._timeout, self._time_is_over)

    def watch_cpu(self, branch: Branch) -> None:
        """Watch the CPU time from now on, and check no more often than the limit could have been used up."""
        limit = self._cpu
        if limit is None:
            return
        end = branch.cpu_seconds() + limit
        at_once = min(os.cpu_count() or 1, 1 + self._processes)

        def look() -> None:
            left = end - branch.cpu_seconds()
            if self._ended:
                return
            if left <= 0:
                self._stop(self._exceeded(f"used more than its {limit:g} s of CPU time", "cpu", limit))
            else:
                tick = _TICK * (1 + branch.used("processes") / _CROWD)
                self._cpu_deadline = _deadlines.add(max(left / at_once, tick), look)

        self._cpu_deadline = _deadlines.add(limit / at_once, look)

    def cancel(self) -> None:
        """Stop watching: the process has ended, or could not begin."""
        self._ended = True
        self._stop = _nothing  # drops the reference to the process
        for deadline in (self._timeout_deadline, self._cpu_deadline):
            if deadline is not None:
                deadline.cancel()

    def _time_is_over(self) -> None:
        limit = self._timeout or 0.0
        self._stop(self._exceeded(f"ran longer than its timeout of {limit:g} s", "timeout", limit))

    def _exceeded(self, what: str, name: str, limit: float) -> TimeLimitExceeded:
        return TimeLimitExceeded(f"process {self._number} {what}. Give it more: Environment({name}=...)", limit=limit)
