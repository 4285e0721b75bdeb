"""Segments: bytes of a message that are not encoded, and travel next to its text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from capsend.codec.limits import Malformed

if TYPE_CHECKING:
    from collections.abc import Sequence

SMALLEST: Final = 4_096
"""Bytes from which on a piece becomes a segment: in the text, fewer cost less than the request for a segment."""

MOST: Final = 8_192
"""The most segments of one message: the number in the largest message when large and small pieces alternate."""

COST: Final = 64
"""Bytes charged for a segment in addition to its content."""

_LARGE: Final = 65_536
"""Bytes from which on a piece becomes a separate segment, copied once; smaller pieces are joined."""


class Writer:
    """Collects the pieces of a message that become segments.

    Args:
        segments: the list to which the segments are appended; complete after `close`.
    """

    __slots__ = ("_before", "_pieces", "_segments")

    def __init__(self, segments: list[bytes]) -> None:
        self._segments = segments
        self._pieces: list[bytes] = []
        self._before = 0

    def wants(self, size: int) -> bool:
        """Return whether a piece should become a segment: if it is large, or follows a few kilobytes of others."""
        self._before += size
        return size > 0 and self._before >= SMALLEST

    def put(self, piece: bytes) -> None:
        """Add a piece."""
        if len(piece) >= _LARGE:
            self.close()
            self._segments.append(piece)
        else:
            self._pieces.append(piece)

    def close(self) -> None:
        """Complete the segment of small pieces."""
        if self._pieces:
            self._segments.append(b"".join(self._pieces))
            self._pieces.clear()


class Reader:
    """Returns the pieces of a message, in their order."""

    __slots__ = ("_at", "_index", "_segments")

    def __init__(self, segments: Sequence[bytes]) -> None:
        self._segments = segments
        self._index = self._at = 0

    def read(self, size: int) -> bytes:
        """Return the next piece; a whole segment is not copied.

        Raises:
            Malformed: the segments have no piece of that size at this position.
        """
        if size <= 0 or self._index >= len(self._segments):
            raise Malformed("bytes beyond the segments of the message")
        segment, start = self._segments[self._index], self._at
        end = start + size
        if end > len(segment):
            raise Malformed("bytes beyond the end of a segment")
        self._index, self._at = (self._index + 1, 0) if end == len(segment) else (self._index, end)
        return segment[start:end]

    @property
    def is_empty(self) -> bool:
        """True once all pieces were returned."""
        return self._index == len(self._segments)


def size_of(segments: Sequence[bytes]) -> int:
    """Return the bytes charged for segments."""
    return sum(map(len, segments)) + COST * len(segments)
