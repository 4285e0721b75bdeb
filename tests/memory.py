"""The memory of this OS process."""

from __future__ import annotations

import re
from pathlib import Path


def resident(field: str = "VmRSS") -> int:
    """Return the bytes that the system counts under this name."""
    found = re.search(rf"{field}:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    assert found is not None
    return int(found.group(1)) * 1024


def private() -> int:
    """Return the bytes that are no pages of a file: those of an image come and go."""
    return resident("RssAnon")
