"""State frozen in the snapshot that every process must renew."""

from __future__ import annotations

import _random
import atexit
import logging
import os
import random
import sys
import tempfile
import time
import uuid
import weakref

_renewed = False
_handlers: list[object] = []


def restart() -> None:
    """Begin the life of a process: its clocks start now."""
    if not _renewed:
        renew()
    atexit.register(_end_logging)
    logging._startTime = time.time_ns()  # type: ignore[attr-defined] # noqa: SLF001 - no public way restarts its times


def _end_logging() -> None:
    """Do what the interpreter does at its end, unless the process has made no handler: the streams are flushed in any case."""
    if logging._handlerList != _handlers:  # type: ignore[attr-defined] # noqa: SLF001 - there is no public list
        logging.shutdown()


def forget_start() -> None:
    """Undo the rehearsal's beginning of a life: a process begins its own."""
    global _renewed  # noqa: PLW0603 - once per process
    _renewed = False
    _handlers[:] = logging._handlerList  # type: ignore[attr-defined] # noqa: SLF001 - as above
    forget_exits()


def forget_exits() -> None:
    """Forget the exit functions of the interpreter that made the image."""
    atexit._clear()  # noqa: SLF001 - there is no other way
    weakref.finalize._registered_with_atexit = False  # type: ignore[attr-defined] # noqa: SLF001 - finalize registers itself once


def renew() -> None:
    """Reseed random numbers, and forget times and names that stem from the build of the image."""
    global _renewed  # noqa: PLW0603 - once per process
    _renewed = True
    # 32 bytes seed the generator behind the module's functions as well as the 2,500 that `random.seed()` asks the host for.
    random._inst.gauss_next = None  # type: ignore[attr-defined] # noqa: SLF001 - there is no public name
    _random.Random.seed(random._inst, int.from_bytes(os.urandom(32)))  # noqa: SLF001 - as above
    sys.argv = [""]  # the interpreter sets it to the host's value, which is empty
    # A cached generator of names would repeat them in every process.
    tempfile._name_sequence = None  # type: ignore[attr-defined] # noqa: SLF001
    uuid._last_timestamp = None  # type: ignore[attr-defined] # noqa: SLF001
