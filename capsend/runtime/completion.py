"""The completion of a process: its reason, its value or error, and the threads and callbacks that wait for them."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from typing import TYPE_CHECKING, Any

from capsend.exceptions import raised_by_result
from capsend.waiting import NAP

if TYPE_CHECKING:
    from collections.abc import Callable

    from capsend.process import ExitReason


class End:
    """The end of a process, as something to wait for on any thread except the process's, which also runs its targets of output.

    Attributes:
        thread: the thread of the process, while it runs.
    """

    # Not a `threading.Event`: its waiter wakes while the setter still holds the event's lock, and has to sleep again.
    __slots__ = ("_is_set", "_number", "_waiters", "thread")

    def __init__(self, number: int) -> None:
        self.thread: int = 0
        self._number = number
        self._is_set = False
        self._waiters: list[threading.Lock] = []

    def is_set(self) -> bool:
        """Return whether the process has ended."""
        return self._is_set

    def set(self) -> None:
        """Wake all waiters: the process has ended."""
        self._is_set = True
        while self._waiters:
            self._waiters.pop().release()

    def check_waiter(self) -> None:
        """Refuse to wait on the thread of the process itself.

        Raises:
            RuntimeError: the caller runs on the thread of the process.
        """
        if self.thread == threading.get_ident() and not self._is_set:
            raise RuntimeError(
                f"process {self._number} cannot be waited for on its own thread, on which a target of its output is called: it "
                "would never end. Wait on another thread"
            )

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the process has ended, for at most *timeout* seconds; return whether it has ended."""
        self.check_waiter()
        if self._is_set:
            return True
        end = math.inf if timeout is None else time.monotonic() + timeout
        # A Ctrl-C just before the main thread falls asleep does not wake it.
        longest = NAP if threading.current_thread() is threading.main_thread() else threading.TIMEOUT_MAX
        wake = threading.Lock()
        wake.acquire()
        self._waiters.append(wake)
        try:
            # Checked again: the end may have been set before the waiter was added.
            while not self.is_set() and (left := end - time.monotonic()) > 0:
                wake.acquire(timeout=min(left, longest))
        finally:
            if wake in self._waiters:
                with contextlib.suppress(ValueError):  # the waker has removed it meanwhile
                    self._waiters.remove(wake)
        return self._is_set


class Completion:
    """The part of a life that outlives the process; safe to use from any thread.

    Attributes:
        number: the number of the process.
        finished: the end, to wait for.
        reason: the reason of the end; None while the process runs.
        value: the result: the return value of the function, as it is.
    """

    __slots__ = ("_callbacks", "_error", "_lock", "finished", "number", "reason", "value")

    def __init__(self, number: int) -> None:
        self.number: int = number
        self.finished: End = End(number)
        self.reason: ExitReason | None = None
        self.value: Any = None
        self._error: BaseException | None = None
        self._lock = threading.Lock()
        self._callbacks: list[Callable[[], None]] = []

    def add_callback(self, callback: Callable[[], None]) -> None:
        """Call *callback* when the process has ended, on its thread, or at once if it has ended; the callback must not raise."""
        with self._lock:
            if self.reason is None:
                self._callbacks.append(callback)
                return
        callback()

    def outcome(self, *, as_result: bool = False) -> Any:
        """Return the value or raise the error of a finished process.

        Args:
            as_result: True if the caller is `Process.result`; see `raised_by_result`.
        """
        if self._error is not None:
            raise raised_by_result(self._error) if as_result else self._error
        return self.value

    def forget_result(self) -> None:
        """Drop the result or error, after it was handed over or once no handle can ask for it."""
        self.value = self._error = None

    def _complete(self, reason: ExitReason, notify: Callable[[], object]) -> None:
        """Publish the end to watchers, waiters and callbacks.

        Ordering:
            The reason is set first; then come the notices of other processes, the waiting threads, and the callbacks.

        Args:
            reason: the reason of the end.
            notify: notifies the processes that are linked to this one or monitor it.
        """
        with self._lock:
            self.reason = reason
            callbacks, self._callbacks = self._callbacks, []
        notify()
        self.finished.set()
        callbacks.reverse()
        while callbacks:
            callbacks.pop()()  # each callback, with the objects that it holds, is released before the next one runs
