"""What the snapshot froze and every process must have anew."""

import logging
import random
import tempfile
import time
import uuid


def renew():
    """Reseed the random numbers and restart the clocks that were read while the image was built."""
    random.seed()
    logging._startTime = time.time_ns()  # noqa: SLF001 - there is no public way to restart its relative times
    tempfile._name_sequence = None  # noqa: SLF001 - a cached generator of names would repeat
    uuid._last_timestamp = None  # noqa: SLF001 - as at the first import
