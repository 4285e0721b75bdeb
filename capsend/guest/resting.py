"""Requests by the host to an instance that runs no program: addresses in its memory, and more memory."""

from __future__ import annotations

import _thread
import io
import operator
import signal
from collections import deque
from functools import partial
from typing import Any

import componentize_py_runtime  # type: ignore[import-not-found] # the module exists in the image only

from capsend.codec.operations import Operation

_ORDER = (0, 1, 1, 0, 0, 1, 0, 1, 1, 0)
_call: Any = operator.call
_kept: list[str] = []


def place_of(text: str) -> str:
    """Keep a text, and return its address."""
    _kept[:] = [text]
    return str(id(text))


def make_room(size: str) -> str:
    """Make room in memory for *size* more bytes."""
    io.BufferedReader(io.BytesIO(), int(size))  # memory to which nothing is written
    return ""


def show_signals(_program: str) -> str:
    """Let the host look at the memory several times, with an interrupt pending and without, and with no other difference."""
    signal.signal(signal.SIGINT, lambda *_: None)
    # All are functions in C: no Python code, which would handle the interrupt, runs between them.
    looks = [
        partial(componentize_py_runtime.call_import, 0, [Operation.LOOK.value, text]) for text in ("none", "pending")
    ]
    acts = (_thread.get_ident, _thread.interrupt_main)
    for pending in _ORDER:
        deque(map(_call, (acts[pending], looks[pending])), maxlen=0)
    return ""
