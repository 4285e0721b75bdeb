"""What the snapshot froze and every process must have anew."""

from __future__ import annotations

import logging
import random
import sys
import tempfile
import time
import uuid


def renew() -> None:
    """Reseed the random numbers, and forget the times and names that were made while the image was built."""
    random.seed()
    sys.argv = [""]  # the interpreter resets it to what the host gave: nothing
    logging._startTime = time.time_ns()  # type: ignore[attr-defined] # noqa: SLF001 - no public way restarts its times
    tempfile._name_sequence = None  # type: ignore[attr-defined] # noqa: SLF001 - a cached generator of names would repeat
    uuid._last_timestamp = None  # type: ignore[attr-defined] # noqa: SLF001 - as at the first import
