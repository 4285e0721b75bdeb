"""The pages to which every process of an image writes: one system call copies them, at half the cost of the page faults.

Linux only, since 6.13; on other systems the pages are copied when they are first written.
"""

from __future__ import annotations

import ctypes
import functools
import os
import struct
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST: Final = 1_024
"""The most stretches of pages in one system call."""

_PROCESS_MADVISE: Final = 440
_POPULATE_WRITE: Final = 23


def prefault(base: int, stretches: Sequence[tuple[int, int]]) -> None:
    """Copy pages of an instance's memory in advance, if the system can.

    Args:
        base: the start address of the memory in this OS process.
        stretches: [(address, bytes)] of the pages, all within the memory.
    """
    call = _call(os.getpid())
    if call is not None and stretches:
        flat = [number for address, length in stretches for number in (base + address, length)]
        call(struct.pack(f"={len(flat)}Q", *flat), len(stretches))


@functools.cache
def _call(process: int) -> Any:
    """Return the system call for this OS process; None if the system lacks it."""
    try:
        handle = os.pidfd_open(process)
        syscall = ctypes.CDLL(None).syscall
    except (OSError, AttributeError):
        return None

    def call(vector: bytes, count: int) -> int:
        places, size, advice = ctypes.c_char_p(vector), ctypes.c_size_t(count), ctypes.c_int(_POPULATE_WRITE)
        result: int = syscall(ctypes.c_long(_PROCESS_MADVISE), handle, places, size, advice, ctypes.c_uint(0))
        return result

    page = bytearray(os.sysconf("SC_PAGE_SIZE"))
    start = ctypes.addressof(ctypes.c_char.from_buffer(page)) & -len(page)
    if call(struct.pack("=QQ", start, len(page)), 1) < 0:
        os.close(handle)
        return None
    return call
