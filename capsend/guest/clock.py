"""Waiting in a guest: sleeps and event loops wait in the host, where the host can interrupt them."""

from __future__ import annotations

import _thread
import asyncio.selector_events
import selectors
import time
from typing import Any

from . import host_operations

_DAY = 86_400.0


def poll_mail(timeout: float | None) -> bool:  # noqa: ARG001 - its replacement has the argument
    """Report that no mail is expected; replaced by the module that handles mail."""
    return False


def sleep(seconds: Any, /) -> None:
    """Delay execution for a given number of seconds; a float gives subsecond precision."""
    try:
        seconds = float(seconds)
    except TypeError:
        message = f"'{type(seconds).__name__}' object cannot be interpreted as an integer"
        raise TypeError(message) from None
    if seconds != seconds:  # noqa: PLR0124 - only NaN differs from itself
        message = "Invalid value NaN (not a number)"
        raise ValueError(message)
    if seconds < 0:
        message = "sleep length must be non-negative"
        raise ValueError(message)
    if seconds > 1e10:
        message = "timestamp out of range for platform time_t"
        raise OverflowError(message)
    from capsend.codec.operations import Operation  # imported after this module, which replaces the clock first

    if host_operations.request(Operation.SLEEP, repr(seconds)):
        _thread.interrupt_main()  # the host has asked to end the running cell


def process_time() -> float:
    """Process time for profiling: sum of the kernel and user-space CPU time, in which no sleep counts."""
    from capsend.codec.operations import Operation  # as above

    return float(host_operations.request(Operation.CPU, "") or 0)


def process_time_ns() -> int:
    """Process time for profiling as nanoseconds."""
    return round(process_time() * 1e9)


class HostSelector(selectors._BaseSelectorImpl):  # noqa: SLF001 - the base class of every selector in the standard library
    """A selector without files: it waits until the next timer is due."""

    def select(self, timeout: float | None = None) -> list[Any]:
        """Wait, and return no files: none are registered."""
        if poll_mail(timeout):
            return []
        if timeout is None:
            sleep(_DAY)
        elif timeout > 0:
            sleep(timeout)
        return []


def install() -> None:
    """Make `time.sleep` and every event loop wait in the host."""
    sleep.__module__ = "time"
    sleep.__qualname__ = "sleep"
    time.sleep = sleep
    for function in (process_time, process_time_ns):
        function.__module__ = "time"
        setattr(time, function.__name__, function)
        thread = function.__name__.replace("process", "thread")
        if hasattr(time, thread):  # a guest has one thread
            setattr(time, thread, function)
    selectors.DefaultSelector = HostSelector  # type: ignore[misc, assignment] # replaced on purpose
    loop = asyncio.selector_events.BaseSelectorEventLoop
    # A self-pipe wakes a loop from another thread or a signal handler; a process has neither, and no socket pairs.
    for name in ("_make_self_pipe", "_close_self_pipe", "_write_to_self"):
        setattr(loop, name, _do_nothing)


def _do_nothing(_loop: Any) -> None:
    pass
