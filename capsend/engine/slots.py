"""Reusable memory for guests: address space with an image mapped into it, reset to the image when a guest has ended.

A Python process writes to about a hundred pages, all over an image of forty megabytes. To map the image, copy these
pages at their first use and unmap everything takes the kernel longer than all the work of a small process. In a slot
the mapping stays, and the pages that a guest has written are overwritten with the image: the next guest finds them in
place.

Linux only. Since 6.7 the kernel reports which pages differ from the file; before that, all private pages are dropped,
which takes longer and has the same effect.
"""

from __future__ import annotations

import collections
import ctypes
import errno
import functools
import mmap
import operator
import os
import struct
import sys
from array import array
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pathlib import Path

AVAILABLE: Final = sys.platform == "linux" and struct.calcsize("P") == struct.calcsize("Q")
"""True if this system has the necessary calls."""

MOST_IDLE: Final = 8
"""The most slots of one image that wait for a guest; each holds at most `MOST_KEPT` pages."""

MOST_KEPT: Final = 1_024
"""The most pages that a slot keeps when its guest has ended; if the guest wrote more, all go back to the system."""

_MOST_STRETCHES: Final = 512
_PAGE: Final = mmap.PAGESIZE
_MAP_NORESERVE: Final = 0x4000
_MAP_FIXED: Final = 0x10
_DONTNEED: Final = 4
_FAILED: Final = (1 << 64) - 1

# From linux/fs.h: the pages that `PAGEMAP_SCAN` reports.
_SCAN: Final = 0xC060_6610
_OF_FILE, _PRESENT, _SWAPPED, _ZERO = 1 << 2, 1 << 3, 1 << 4, 1 << 5
_REQUEST: Final = struct.Struct("=12Q")
_REGION: Final = struct.Struct("=3Q")
_WALK_END: Final = 32


class Slot:
    """Address space for one guest's memory: it has guard pages on both sides, and never moves.

    Attributes:
        base: the start address of the memory in this OS process.
        size: bytes that the guest can address now.
        capacity: bytes that it can have without moving.
        is_warm: True if the pages that guests write to are in place, left by an earlier guest.
        is_used_up: True if it can hold no further guest, because its mappings were changed.
    """

    __slots__ = ("_start", "_whole", "base", "capacity", "is_used_up", "is_warm", "size")

    def __init__(self, size: int, *, reserved: int, guard: int, image: int | None = None) -> None:
        """Map the address space.

        Args:
            size: bytes that can be addressed initially.
            reserved: bytes that the memory can have.
            guard: bytes on both sides that cannot be accessed.
            image: the file with the initial content; zeros if None.

        Raises:
            MemoryError: the system has no room for the slot.
        """
        libc = _libc()
        self._whole = reserved + 2 * guard
        flags = mmap.MAP_PRIVATE | _MAP_NORESERVE
        self._start: int = libc.mmap(0, self._whole, 0, flags | mmap.MAP_ANONYMOUS, -1, 0)
        if self._start == _FAILED:
            message = "the system has no room for the memory of another process"
            raise MemoryError(message)
        self.base: int = self._start + guard
        self.size: int = size
        self.capacity: int = reserved
        self.is_warm: bool = False
        self.is_used_up: bool = False
        rights = mmap.PROT_READ | mmap.PROT_WRITE
        if image is None:
            failed = size > 0 and libc.mprotect(self.base, size, rights) != 0
        else:
            failed = libc.mmap(self.base, size, rights, flags | _MAP_FIXED, image, 0) != self.base
        if failed:
            self.unmap()
            message = "the system has no room for the memory of another process"
            raise MemoryError(message)

    def grow(self, size: int) -> bool:
        """Make the slot addressable up to *size* bytes; return whether this was possible."""
        more = size - self.size
        if more > 0:
            if _libc().mprotect(self.base + self.size, more, mmap.PROT_READ | mmap.PROT_WRITE):
                return False
            self.size = size
        return True

    def shrink(self, size: int) -> None:
        """Reset everything after *size* bytes to its first state: empty and not addressable.

        Raises:
            OSError: the system refuses.
        """
        more = self.size - size
        if more > 0:
            libc, behind = _libc(), self.base + size
            if libc.madvise(behind, more, _DONTNEED) or libc.mprotect(behind, more, 0):
                raise OSError(ctypes.get_errno(), "the memory of a process could not be taken back")
            self.size = size

    def unmap(self) -> None:
        """Give the space back to the system; the slot is unusable afterwards."""
        start, self._start = self._start, 0
        if start:
            _libc().munmap(start, self._whole)


class Slots:
    """The slots of one image, and the image file from which they are reset.

    Args:
        path: the file with the memory content of a guest that has run nothing.
    """

    def __init__(self, path: Path) -> None:
        """Open the file.

        Raises:
            OSError: the file cannot be opened.
        """
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self.size: int = os.fstat(self._file).st_size
        self._pristine: int = _libc().mmap(0, self.size, mmap.PROT_READ, mmap.MAP_SHARED, self._file, 0)
        if self._pristine == _FAILED:
            os.close(self._file)
            raise OSError(errno.ENOMEM, f"{path} cannot be mapped")
        self._idle: collections.deque[Slot] = collections.deque()

    def take(self, *, reserved: int, guard: int) -> Slot:
        """Return a slot with the image's content, for exclusive use.

        Raises:
            MemoryError: the system has no room for another slot.
        """
        try:
            return self._idle.pop()
        except IndexError:
            return Slot(self.size, reserved=reserved, guard=guard, image=self._file)

    def give_back(self, slot: Slot) -> None:
        """Take back the slot of a guest that is gone; the next guest gets it like a new one."""
        if not slot.is_used_up and len(self._idle) < MOST_IDLE:
            try:
                slot.shrink(self.size)
                self._restore(slot)
            except OSError:
                slot.unmap()
            else:
                self._idle.append(slot)
        else:
            slot.unmap()

    def close_idle(self) -> None:
        """Unmap the slots that wait for a guest."""
        while self._idle:
            self._idle.pop().unmap()

    def _restore(self, slot: Slot) -> None:
        """Overwrite everything that the guest has written.

        Raises:
            OSError: the system refuses.
        """
        written = changed(slot.base, self.size)
        if written is None:
            if _libc().madvise(slot.base, self.size, _DONTNEED):
                raise OSError(ctypes.get_errno(), "the memory of a process could not be taken back")
            slot.is_warm = False
            return
        _copy(written, self._pristine - slot.base)
        slot.is_warm = True


def changed(base: int, size: int) -> list[tuple[int, int]] | None:
    """Return [(address, bytes)] of the pages of a private mapping that differ from its file.

    None if the system does not report them, or if they are more than a slot keeps.
    """
    scan = _scanner(os.getpid())
    return None if scan is None else scan(base, size)


@functools.cache
def _scanner(process: int) -> Any:
    """Return the function behind `changed` for this OS process; None where the system lacks the call."""
    del process
    try:
        file = os.open("/proc/self/pagemap", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    ioctl = _libc().ioctl

    def scan(base: int, size: int) -> list[tuple[int, int]] | None:
        regions = ctypes.create_string_buffer(_MOST_STRETCHES * _REGION.size)
        # Pages in memory or swapped out that are neither the file's nor the zero page: the two inverted bits must be
        # unset.
        request = ctypes.create_string_buffer(
            _REQUEST.pack(
                _REQUEST.size, 0, base, base + size, 0, ctypes.addressof(regions), _MOST_STRETCHES, MOST_KEPT + 1,
                _OF_FILE | _ZERO, _OF_FILE | _ZERO, _PRESENT | _SWAPPED, 0,
            ),
            _REQUEST.size,
        )  # fmt: skip
        count: int = ioctl(file, _SCAN, ctypes.addressof(request))
        (end,) = struct.unpack_from("=Q", request, _WALK_END)
        if count < 0 or end < base + size:
            return None
        table = array("Q", ctypes.string_at(regions, count * _REGION.size))
        starts = table[0::3].tolist()
        sizes = [*map(operator.sub, table[1::3], starts)]
        return [*zip(starts, sizes, strict=True)] if sum(sizes) <= MOST_KEPT * _PAGE else None

    page = mmap.mmap(-1, _PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    page[0] = 1
    start = ctypes.addressof(ctypes.c_char.from_buffer(page))
    if scan(start, _PAGE) != [(start, _PAGE)]:
        os.close(file)
        return None
    return scan


def _copy(targets: list[tuple[int, int]], offset: int) -> None:
    """Fill stretches of this OS process's memory with the bytes at *offset* after each, in one system call."""
    if not targets:
        return
    count, flat = len(targets), [number for stretch in targets for number in stretch]
    ours = array("Q", flat)
    theirs = array("Q", flat)
    theirs[0::2] = array("Q", [start + offset for start in flat[0::2]])
    vectors = (ours.buffer_info()[0], count, theirs.buffer_info()[0], count)
    if _libc().process_vm_readv(os.getpid(), *vectors, 0) != sum(flat[1::2]):
        for target, size in targets:
            ctypes.memmove(target, target + offset, size)


@functools.cache
def _libc() -> Any:
    libc = ctypes.CDLL(None, use_errno=True)
    address, size, number = ctypes.c_size_t, ctypes.c_size_t, ctypes.c_int
    libc.mmap.restype, libc.mmap.argtypes = address, [address, size, number, number, number, ctypes.c_long]
    libc.munmap.restype, libc.munmap.argtypes = number, [address, size]
    libc.mprotect.restype, libc.mprotect.argtypes = number, [address, size, number]
    libc.madvise.restype, libc.madvise.argtypes = number, [address, size, number]
    libc.ioctl.restype, libc.ioctl.argtypes = number, [number, ctypes.c_ulong, address]
    libc.process_vm_readv.restype = ctypes.c_ssize_t
    libc.process_vm_readv.argtypes = [number, address, ctypes.c_ulong, address, ctypes.c_ulong, ctypes.c_ulong]
    return libc
