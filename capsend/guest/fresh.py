"""What the snapshot froze and every process must have anew."""

from __future__ import annotations

import logging
import random
import tempfile
import time
import uuid


def renew() -> None:
    """Reseed the random numbers and restart the clocks that were read while the image was built."""
    random.seed()
    logging._startTime = time.time_ns()  # type: ignore[attr-defined] # noqa: SLF001 - no public way restarts its times
    tempfile._name_sequence = None  # type: ignore[attr-defined] # noqa: SLF001 - a cached generator of names would repeat
    uuid._last_timestamp = None  # type: ignore[attr-defined] # noqa: SLF001 - as at the first import
