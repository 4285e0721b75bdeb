"""Immortal objects in a snapshot: using one does not write to its page.

CPython counts references in the object itself: merely reading a shared constant writes to memory, and every page to
which a process writes is copied for it. The interpreter does not change very high counts (PEP 683). The guest lists its
objects in the last step before the snapshot; this module sets their counts in the data of the component.
"""

from __future__ import annotations

import bisect
import zlib
from array import array
from typing import TYPE_CHECKING, Final

from capsend.engine.binary import Reader

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MARK: Final = b"capsend objects:"
_IMMORTAL: Final = (5 << 28).to_bytes(4, "little")
_HIGHEST_COUNT: Final = 1 << 20

# Sections of the binary formats: a core module and a component within a component; the data within a core module.
_MODULE: Final = 1
_COMPONENT: Final = 4
_DATA: Final = 11
_I32_CONST: Final = 0x41

Segment = tuple[int, int, int]
"""(address in memory, position in the file, size) of initialized memory."""


def immortalize(path: Path) -> int:
    """Make all listed objects in a component immortal; return the number of objects.

    An object counts only if its type is at the listed address: objects that were freed since are not changed.
    """
    binary = bytearray(path.read_bytes())
    segments = sorted(_snapshot(binary))
    starts = [address for address, _, _ in segments]
    done = 0
    for address, kind in _listed(binary):
        start, position, size = segments[max(bisect.bisect_right(starts, address) - 1, 0)]
        if not start <= address <= start + size - 8:
            continue
        place = position + address - start
        count, found = (int.from_bytes(binary[at : at + 4], "little") for at in (place, place + 4))
        if found == kind and (0 < count < _HIGHEST_COUNT or binary[place : place + 4] == _IMMORTAL):
            binary[place : place + 4] = _IMMORTAL
            done += 1
    path.write_bytes(binary)
    return done


def _listed(binary: bytearray) -> Iterator[tuple[int, int]]:
    """Yield the pairs (address, address of the type) of the guest's list; none if the list is incomplete."""
    position = binary.find(_MARK)
    while position >= 0:
        header = position + len(_MARK)
        size, checksum = (int.from_bytes(binary[at : at + 4], "little") for at in (header, header + 4))
        content = bytes(binary[header + 8 : header + 8 + size])
        if size and len(content) == size and zlib.crc32(content) == checksum:
            numbers = array("I", content)
            yield from zip(numbers[::2], numbers[1::2], strict=True)
            return
        position = binary.find(_MARK, header)


def _snapshot(binary: bytearray) -> list[Segment]:
    """Return the data of the module that has most; the other modules only link."""
    modules = [list(_segments(binary, start, end)) for start, end in _modules(binary, 0, len(binary))]
    return max(modules, key=lambda segments: sum(size for _, _, size in segments))


def _modules(binary: bytearray, start: int, end: int) -> Iterator[tuple[int, int]]:
    for section, first, last in _sections(binary, start, end):
        if section == _MODULE:
            yield first, last
        elif section == _COMPONENT:
            yield from _modules(binary, first, last)


def _sections(binary: bytearray, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    position = start + 8  # after the magic number and the version
    while position < end:
        size, first = _unsigned(binary, position + 1)
        yield binary[position], first, first + size
        position = first + size


def _segments(binary: bytearray, start: int, end: int) -> Iterator[Segment]:
    for section, first, _ in _sections(binary, start, end):
        if section != _DATA:
            continue
        count, position = _unsigned(binary, first)
        for _ in range(count):
            kind, position = _unsigned(binary, position)
            address = None
            if kind != 1:  # 1: placed by code, at an unknown address
                if binary[position] == _I32_CONST:
                    address, position = _unsigned(binary, position + 1)
                else:
                    position = _unsigned(binary, position + 1)[1]
                position += 1  # the end of the expression
            size, position = _unsigned(binary, position)
            if address is not None:
                yield address, position, size
            position += size


def _unsigned(binary: bytearray, position: int) -> tuple[int, int]:
    """Return a number in LEB128, and the position after it.

    Addresses are signed in the format, which makes no difference below 2 GiB.
    """
    reader = Reader(binary, position)  # type: ignore[arg-type]  # it can read a number from both
    return reader.number(), reader.at
