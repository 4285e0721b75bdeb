"""Pictures of an instance's memory at rest, from which other instances continue.

A picture has only the written pages; instances share a page until they write to it.

Linux only, as `memory`: the kernel reports which pages an instance has written, and maps the picture's file page by
page into other instances.
"""

from __future__ import annotations

import ctypes
import functools
import mmap
import os
import struct
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from capsend.engine.memory import Memory

PAGE: Final = mmap.PAGESIZE
_SLACK: Final = 1 << 18
_PART: Final = 1 << 20
_EXTRA: Final = (0, 16 << 20, 64 << 20)
_MAPPED: Final = 1 << 18
"""Adjacent pages of at least this size, in bytes, are mapped; smaller stretches are copied."""

_MOST_MAPPINGS: Final = 32
"""The most mappings in one instance's memory; further pages are copied.

An OS process can have 65,000, and guests choose which pages they write.
"""

_PRESENT: Final = 1 << 63
_SWAPPED: Final = 1 << 62
_OF_FILE: Final = 1 << 61
_ENTRY: Final = 8
_MAP_FIXED: Final = 0x10
_DONTNEED: Final = 4


class Guest(Protocol):
    """An instance of an image, as this module uses it.

    Attributes:
        memory: bytes of its memory at its last host operation.
        seen: its memory, if it was found.
        picture: the picture from which it continued: the kernel reports the picture's pages, until the instance writes
            to them, as the file's.
    """

    memory: int
    seen: Memory | None
    picture: Picture | None

    def run(self, program: str, call: str) -> str:
        """Call the guest's one function."""

    def rest(self) -> None:
        """Finish the last call."""

    def find_memory(self) -> None:
        """Find the guest's memory."""


class Picture:
    """The memory of an instance as far as it differs from its image.

    Args:
        size: bytes of memory that an instance with this picture needs.
        runs: [(address, bytes)] of adjacent pages.
        file: the file that holds the pages one after the other; closed with the picture.
    """

    def __init__(self, size: int, runs: Sequence[tuple[int, int]], file: int) -> None:
        self.size = size
        self.runs: tuple[tuple[int, int], ...] = tuple(runs)
        self.file = file

    @property
    def stored(self) -> int:
        """Bytes that the picture takes."""
        return sum(length for _, length in self.runs)

    @classmethod
    def of_file(cls, size: int, runs: Sequence[tuple[int, int]], parts: Iterable[bytes]) -> Picture:
        """Return the picture whose pages are given in parts, one after the other.

        Raises:
            ValueError: the runs are not ordered whole pages of a memory of that size, or the parts have another length
                than the runs.
            OSError: the system has no room for the pages, or is not Linux.
        """
        _check_runs(size, runs)
        picture = cls(size, runs, _memory_file())
        for part in parts:
            _write_all(picture.file, memoryview(part))
        if os.lseek(picture.file, 0, os.SEEK_CUR) != picture.stored:
            message = "its pages are not complete"
            raise ValueError(message)
        return picture

    def parts(self) -> Iterator[bytes]:
        """Yield its pages one after the other, in parts of bounded size."""
        place = 0
        while part := os.pread(self.file, _PART, place):
            yield part
            place += len(part)

    def __del__(self, close: Callable[[int], None] = os.close) -> None:
        close(self.file)


def take_picture(guest: Guest) -> Picture | None:
    """Return a picture of an instance in which no call runs; None if the kernel does not report its written pages."""
    if guest.seen is None:
        return None
    guest.rest()
    size, base = guest.memory + _SLACK, guest.seen.base
    try:
        runs = list(stretches(written(base, size, guest.picture)))
        file = _memory_file()
    except OSError:
        return None
    for address, length in runs:
        view = (ctypes.c_char * length).from_address(base + address)
        _write_all(file, memoryview(view).cast("B"))
    return Picture(size, runs, file)


def _memory_file() -> int:
    try:
        return os.memfd_create("capsend picture", os.MFD_CLOEXEC)
    except AttributeError as error:
        message = "only Linux has files in memory"
        raise OSError(message) from error


def _check_runs(size: int, runs: Sequence[tuple[int, int]]) -> None:
    """Refuse runs that are not ordered whole pages within a memory of *size* bytes."""
    end = 0
    for address, length in runs:
        if address < end or length <= 0 or address % PAGE or length % PAGE:
            message = "its pages are not in order"
            raise ValueError(message)
        end = address + length
    if end > size or size % PAGE:
        message = "its pages are not within its memory"
        raise ValueError(message)


def _write_all(file: int, data: memoryview) -> None:
    while data:
        data = data[os.write(file, data) :]


def written(base: int, size: int, before: Picture | None = None) -> bytearray:
    """Return one byte per page: 1 if the page differs from the image, because the instance wrote it or began with it.

    Source: Documentation/admin-guide/mm/pagemap.rst of Linux.
    """
    with open("/proc/self/pagemap", "rb", buffering=0) as pagemap:
        table = os.pread(pagemap.fileno(), -(-size // PAGE) * _ENTRY, base // PAGE * _ENTRY)
    pages = bytearray(
        bool(entry & _SWAPPED or (entry & _PRESENT and not entry & _OF_FILE))
        for (entry,) in struct.iter_unpack("=Q", table)
    )
    for address, length in () if before is None else before.runs:
        first, count = address // PAGE, length // PAGE
        pages[first : first + count] = b"\1" * count
    return pages


def stretches(pages: bytearray) -> Iterator[tuple[int, int]]:
    """Yield (address, bytes) of the marked pages, with adjacent pages in one stretch."""
    start = pages.find(1)
    while start >= 0:
        end = pages.find(0, start)
        end = len(pages) if end < 0 else end
        yield start * PAGE, (end - start) * PAGE
        start = pages.find(1, end)


def put_picture(guest: Guest, picture: Picture) -> bool:
    """Let an instance of the same image that has run nothing continue from a picture; return whether it could.

    Nothing in a picture is trusted: it becomes content of the instance's memory and nothing else.
    """
    guest.find_memory()
    if guest.seen is None:
        return False
    for extra in _EXTRA:  # the required memory may be within the memory that the instance already has
        if guest.memory < picture.size:
            guest.run(str(picture.size - guest.memory + extra), "room")
    guest.rest()
    base = guest.seen.base
    if not _is_writable(base, picture.size):
        return False
    libc = _libc()
    size = max(guest.memory, picture.size)
    if libc.madvise(base, size, _DONTNEED):  # pages changed by the search for the memory are the image's again
        return False
    place = mappings = 0
    for address, length in picture.runs:
        if length >= _MAPPED and mappings < _MOST_MAPPINGS:
            mappings += 1
            flags = mmap.MAP_PRIVATE | _MAP_FIXED
            found = libc.mmap(base + address, length, mmap.PROT_READ | mmap.PROT_WRITE, flags, picture.file, place)
            if found != base + address:
                raise MemoryError
        else:
            view = (ctypes.c_char * length).from_address(base + address)
            _read_all(picture.file, memoryview(view).cast("B"), place)
        place += length
    guest.picture = picture
    return True


def _read_all(file: int, target: memoryview, place: int) -> None:
    while target and (count := os.preadv(file, [target], place)):
        target, place = target[count:], place + count


def _is_writable(base: int, size: int) -> bool:
    """Return whether a whole stretch of this OS process's memory is writable."""
    position = base
    with open("/proc/self/maps", encoding="utf-8", errors="replace") as maps:
        for line in maps:
            place, rights, _ = line.split(" ", 2)
            start, end = (int(part, 16) for part in place.split("-"))
            if start <= position < end and rights.startswith("rw"):
                position = end
                if position >= base + size:
                    return True
    return False


@functools.cache
def _libc() -> Any:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_size_t
    libc.mmap.argtypes = [ctypes.c_size_t, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
    libc.madvise.restype = ctypes.c_int
    libc.madvise.argtypes = [ctypes.c_size_t, ctypes.c_size_t, ctypes.c_int]
    return libc
