"""The state that the snapshot froze and every process must have anew."""

from __future__ import annotations

import atexit
import logging
import random
import sys
import tempfile
import time
import uuid
import weakref

_renewed = False


def restart() -> None:
    """Begin the life of a process: its clocks start now."""
    if not _renewed:
        renew()
    atexit.register(logging.shutdown)
    logging._startTime = time.time_ns()  # type: ignore[attr-defined] # noqa: SLF001 - no public way restarts its times


def forget_start() -> None:
    """Forget that the rehearsal has begun a life: a process begins its own."""
    global _renewed  # noqa: PLW0603 - once per process
    _renewed = False
    forget_exits()


def forget_exits() -> None:
    """Forget the functions registered for the exit of the interpreter that made the image."""
    atexit._clear()  # noqa: SLF001 - no other way
    weakref.finalize._registered_with_atexit = False  # type: ignore[attr-defined] # noqa: SLF001 - finalize registers itself once


def renew() -> None:
    """Reseed the random numbers, and forget the times and names that were made while the image was built."""
    global _renewed  # noqa: PLW0603 - once per process
    _renewed = True
    random.seed()
    sys.argv = [""]  # the interpreter sets it to the host's value, which is empty
    # A cached generator of names would repeat them.
    tempfile._name_sequence = None  # type: ignore[attr-defined] # noqa: SLF001
    uuid._last_timestamp = None  # type: ignore[attr-defined] # noqa: SLF001
