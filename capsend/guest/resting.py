"""Requests of the host to an instance that runs no program: addresses in its memory, and more memory."""

from __future__ import annotations

import _thread
import operator
import signal
from collections import deque
from functools import partial
from typing import Any

import componentize_py_runtime  # type: ignore[import-not-found] # the module exists in the image only

from . import host_operations

_TIMES = 3
_call: Any = operator.call
_kept: list[str] = []


def place_of(text: str) -> str:
    """Keep a text, and return its address."""
    _kept[:] = [text]
    return str(id(text))


def make_room(size: str) -> str:
    """Grow the memory by *size* free bytes."""
    bytearray(int(size))
    return ""


def show_signals(_program: str) -> str:
    """Let the host look at the memory, in turn with an interrupt pending and without one."""
    signal.signal(signal.SIGINT, lambda *_: None)
    # Both are functions in C: between them no Python code runs, which would handle the interrupt.
    look = partial(componentize_py_runtime.call_import, 0, [host_operations.LOOK, "pending"])
    for _ in range(_TIMES):
        host_operations.request(host_operations.LOOK, "none")
        deque(map(_call, (_thread.interrupt_main, look)), maxlen=0)
    host_operations.request(host_operations.LOOK, "none")
    return ""
