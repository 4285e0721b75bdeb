"""The functions that `capsend doctor` runs in processes."""

from __future__ import annotations

import os
import sys

BOX: list[int] = []


def introduce(name: str) -> tuple[str, str, int]:
    """Return a greeting, the platform and the number of environment variables."""
    return f"hello, {name}", sys.platform, len(os.environ)


def fill() -> None:
    """Change the global, so that it is not a constant."""
    BOX.append(1)


def captures() -> int:
    """Read a mutable global, which is refused."""
    return len(BOX)


def spin() -> None:
    """Run for ever."""
    while True:
        pass
