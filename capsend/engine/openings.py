"""Opening files of granted folders: an open that waits in the kernel is interrupted, so that it cannot block the host for ever.

Pipes are refused before they are opened. But two guests together can replace a file with a pipe between the check and
the open, and opening a pipe waits for its other end. WASI opens files on wasmtime's threads: a signal whose handler
does nothing makes their `open` return `EINTR`.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from capsend.engine.instance import Instance

_Answer = TypeVar("_Answer")

_PATIENCE: Final = 0.1
_LONGEST_PATIENCE: Final = 60.0
_LOOK: Final = 0.05
_IDLE_LOOKS: Final = 20
_WORKER: Final = "tokio-rt-worker"
_TASKS: Final = Path("/proc/self/task")
_DEFAULT: Final = 0  # SIG_DFL, as `sigaction` returns it
_ACTION: Final = 512  # enough bytes for a struct sigaction


class _Watch:
    """Watches the opens in progress, on a thread that ends with the last of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[Instance, float] = {}
        self._runs = False

    def begin(self, guest: Instance, patience: float) -> None:
        """Interrupt the open of a guest if it takes more than *patience* seconds, or once the guest is to end."""
        with self._lock:
            self._open[guest] = time.monotonic() + patience
            if not self._runs:
                threading.Thread(target=self._run, name="capsend opens", daemon=True).start()
                self._runs = True

    def end(self, guest: Instance) -> None:
        """Stop watching the open of a guest: it is over."""
        with self._lock:
            self._open.pop(guest, None)

    def _run(self) -> None:
        idle = 0
        while True:
            time.sleep(_LOOK)
            with self._lock:
                idle = 0 if self._open else idle + 1
                if idle > _IDLE_LOOKS:
                    self._runs = False
                    return
                now = time.monotonic()
                stuck = any(guest.interrupted or now > until for guest, until in self._open.items())
            if stuck:
                _interrupt_workers()


_watch: Final = _Watch()


def opened(guest: Instance, attempt: Callable[[], _Answer], was_interrupted: Callable[[_Answer], bool]) -> _Answer:
    """Open a file for a guest; retry an interrupted open with more patience, unless the guest is to end.

    Args:
        guest: the guest running on this thread.
        attempt: checks the type of the file, and opens it.
        was_interrupted: returns whether an answer is that of an interrupted open.
    """
    patience = _PATIENCE
    while True:
        _watch.begin(guest, patience)
        try:
            answer = attempt()
        finally:
            _watch.end(guest)
        if guest.interrupted or not was_interrupted(answer):
            return answer
        patience = min(2 * patience, _LONGEST_PATIENCE)


def _interrupt_workers() -> None:
    """Interrupt wasmtime's threads where they wait in the kernel; threads that still have to wait do so again."""
    number = _signal()
    if number is None:
        return
    with contextlib.suppress(OSError, AttributeError):
        for task in _TASKS.iterdir():
            with contextlib.suppress(OSError, ValueError):
                if (task / "comm").read_text(encoding="ascii").rstrip() == _WORKER:
                    _libc().tgkill(os.getpid(), int(task.name), number)


def _signal() -> int | None:
    """Return an unused signal, with a handler that does nothing and does not restart system calls; None if all are in use."""
    try:
        libc = _libc()
        nothing = ctypes.cast(libc.abs, ctypes.c_void_p).value
        numbers: tuple[int, ...] = (signal.SIGURG, *range(signal.SIGRTMAX - 1, signal.SIGRTMIN, -1))
        for number in numbers:
            handler = _handler(libc, number)
            if handler == nothing:
                return number
            if handler == _DEFAULT:
                libc.signal.argtypes, libc.signal.restype = [ctypes.c_int, ctypes.c_void_p], ctypes.c_void_p
                libc.signal(number, nothing)
                signal.siginterrupt(number, True)
                return number
    except (AttributeError, OSError, TypeError):  # the system has no signals, or no C library of this name
        pass
    return None


def _handler(libc: Any, number: int) -> int:
    action = ctypes.create_string_buffer(_ACTION)
    if libc.sigaction(number, None, action) != 0:
        return -1
    return ctypes.c_size_t.from_buffer(action).value


def _libc() -> Any:
    return ctypes.CDLL(None)
