"""The binary formats of modules and components, as far as gauging, merging and the search for vectors need them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

HEADER: Final = 8
"""Bytes of the magic number and the version, before the first section."""


class Reader:
    """Reads a binary from a given position on.

    Attributes:
        data: the whole binary.
        at: the position of the next byte.
    """

    def __init__(self, data: bytes, at: int = 0) -> None:
        self.data = data
        self.at: int = at

    def byte(self) -> int:
        """Return the next byte."""
        self.at += 1
        return self.data[self.at - 1]

    def number(self) -> int:
        """Return an unsigned number in LEB128."""
        value = shift = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                return value

    def signed(self) -> int:
        """Return a signed number in LEB128."""
        start = self.at
        value = self.number()
        bits = 7 * (self.at - start)
        return value - (1 << bits) if value >> (bits - 1) else value

    def taken(self, size: int) -> bytes:
        """Return the next bytes."""
        self.at += size
        return self.data[self.at - size : self.at]

    def name(self) -> str:
        """Return a name, which is preceded by its length."""
        return self.taken(self.number()).decode()

    def since(self, start: int) -> bytes:
        """Return the bytes that were read since a position."""
        return self.data[start : self.at]


def sections(data: bytes, start: int = 0, end: int | None = None) -> Iterator[tuple[int, Reader, int]]:
    """Yield (kind, reader at the content, position after the section) for every section of a binary."""
    reader = Reader(data, start + HEADER)
    end = len(data) if end is None else end
    while reader.at < end:
        kind = reader.byte()
        size = reader.number()
        behind = reader.at + size
        yield kind, Reader(data, reader.at), behind
        reader.at = behind


def leb(value: int) -> bytes:
    """Return an unsigned number as LEB128."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def signed_leb(value: int) -> bytes:
    """Return a signed number as LEB128."""
    out = bytearray()
    while not -0x40 <= value < 0x40:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value & 0x7F)
    return bytes(out)


def text(name: str) -> bytes:
    """Return a name preceded by its length."""
    encoded = name.encode()
    return leb(len(encoded)) + encoded


def vector(items: Iterable[bytes]) -> bytes:
    """Return encoded items preceded by their count."""
    listed = list(items)
    return leb(len(listed)) + b"".join(listed)


def section(kind: int, content: bytes) -> bytes:
    """Return a section."""
    return bytes((kind,)) + leb(len(content)) + content
