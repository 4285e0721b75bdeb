"""Waiting for what no message announces."""

import time
from collections.abc import Callable
from typing import Final

PATIENCE: Final = 30.0


def eventually(condition: Callable[[], object]) -> None:
    """Wait until the condition holds, for `PATIENCE` seconds at most."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)
