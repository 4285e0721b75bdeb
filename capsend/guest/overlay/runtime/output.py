"""The targets of a child's output: those of its parent, as chosen by the host."""

from __future__ import annotations

import sys


def to_stdout(text: str) -> None:
    """Represent the standard output of this process."""
    sys.stdout.write(text)


def to_stderr(text: str) -> None:
    """Represent the standard error of this process."""
    sys.stderr.write(text)
