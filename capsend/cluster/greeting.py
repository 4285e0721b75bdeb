"""The greeting: the first item of each connection between home, nodes and daemons."""

from __future__ import annotations

import os

from capsend.cluster.items import pack
from capsend.cluster.versions import versions
from capsend.runtime.workers import processors


def hello(id_: str) -> bytes:
    """Return the greeting of this program, as bytes: its id, versions, processors and memory."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 0
    return pack("hello", (id_, versions(), processors(), memory))
