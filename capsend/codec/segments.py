"""Segments: bytes that are sent beside the text of a message, as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from capsend.codec.limits import Malformed

if TYPE_CHECKING:
    from collections.abc import Sequence

SMALLEST: Final = 4_096
"""Bytes from which on bytes go beside the text: fewer cost less in it than the request for a segment."""

MOST: Final = 8_192
"""Segments of one message: as many as its largest size has when large and small bytes take turns."""

COST: Final = 64
"""Bytes that are charged for a segment beside its own."""

_LARGE: Final = 65_536
"""Bytes from which on a piece is a segment of its own, which is copied once; smaller ones are put together."""


class Writer:
    """Collects the pieces of a message that go beside its text.

    Args:
        segments: the list that the segments are appended to; complete after `close`.
    """

    __slots__ = ("_before", "_pieces", "_segments")

    def __init__(self, segments: list[bytes]) -> None:
        self._segments = segments
        self._pieces: list[bytes] = []
        self._before = 0

    def wants(self, size: int) -> bool:
        """Return whether a piece is to go beside the text: a large one, and any that comes after a few kilobytes of others."""
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
    """Gives back the pieces of a message, in their order."""

    __slots__ = ("_at", "_index", "_segments")

    def __init__(self, segments: Sequence[bytes]) -> None:
        self._segments = segments
        self._index = self._at = 0

    def read(self, size: int) -> bytes:
        """Return the next piece; a whole segment as it is.

        Raises:
            Malformed: the segments hold no piece of that size at that place.
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
        """Whether all pieces have been given back."""
        return self._index == len(self._segments)


def size_of(segments: Sequence[bytes]) -> int:
    """Return the bytes that segments are charged."""
    return sum(map(len, segments)) + COST * len(segments)
