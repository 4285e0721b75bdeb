"""Where the output of what a process spawns goes: where its own goes, which the host decides."""

from __future__ import annotations

import sys


def to_stdout(text: str) -> None:
    """Stand for the standard output of this process."""
    sys.stdout.write(text)


def to_stderr(text: str) -> None:
    """Stand for the standard error of this process."""
    sys.stderr.write(text)
