"""Segments in transit between the host and one process: copied into and out of its memory, or sent as text if the memory is not accessible."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from capsend.codec.segments import COST, MOST, size_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_PART: Final = 8 << 20
_LONGEST_NAMES: Final = MOST * 22
"""The most characters of the names of `MOST` segments: an address, a plus sign, a size and a comma for each."""


class Transit:
    """The segments of one process; used only on the process's thread.

    Attributes:
        guest: the instance of the process, once there is one.
    """

    __slots__ = ("_left", "_outgoing", "guest")

    def __init__(self) -> None:
        self.guest: Any = None
        self._outgoing: tuple[bytes, ...] = ()
        self._left: list[bytes] = []

    @property
    def is_in_place(self) -> bool:
        """True if segments are copied."""
        return getattr(self.guest, "place", None) is not None

    def hand_out(self, segments: Sequence[bytes]) -> str:
        """Offer segments until the process takes them; return their sizes, separated by commas.

        Segments that were offered before are dropped.
        """
        self._outgoing = tuple(segments)
        self._left.clear()
        return ",".join(str(len(segment)) for segment in segments)

    def take(self, payload: str) -> str:
        """Do `address,address,...`: copy the offered segments to these addresses, and drop them.

        Returns:
            Nothing; without addresses, the next part of the concatenated segments, in base 16.

        Raises:
            ValueError: the addresses are not valid, or lack room for the segments.
        """
        from capsend.engine import OutOfBounds

        if not payload:
            return self._next_part()
        places, outgoing = payload.split(",", MOST), self._outgoing
        if len(places) != len(outgoing) or not self.is_in_place:
            raise ValueError("no places of segments")
        self._outgoing = ()
        try:
            for place, segment in zip(places, outgoing, strict=True):
                self.guest.place.write(int(place), segment)
        except OutOfBounds:
            raise ValueError("no room") from None
        return ""

    def _next_part(self) -> str:
        if self._outgoing:
            self._left, self._outgoing = list(self._outgoing), ()
        if not self._left:
            return ""
        part, rest = self._left[0][:_PART], self._left[0][_PART:]
        self._left[:1] = [rest] if rest else []
        return part.hex()

    def read(self, names: str, *, charge: Callable[[int], object]) -> list[bytes]:
        """Return the segments that a process names.

        Args:
            names: `address+size,address+size,...`, or `=` and the segments in base 16 with commas between them; empty for none.
            charge: called with the total number of bytes before any are copied; it raises to refuse them.

        Raises:
            ValueError: the names are not names of segments.
        """
        from capsend.engine import OutOfBounds

        if not names:
            return []
        if names.startswith("="):
            charge(len(names) // 2 + COST * names.count(","))
            return [bytes.fromhex(digits) for digits in names[1:].split(",")]
        if len(names) > _LONGEST_NAMES or not self.is_in_place:
            raise ValueError("no segments")
        pairs = [(int(address), int(size)) for address, size in (name.split("+") for name in names.split(","))]
        if len(pairs) > MOST or min(size for _, size in pairs) <= 0:
            raise ValueError("no segments")
        charge(sum(size for _, size in pairs) + COST * len(pairs))
        try:
            return [self.guest.place.read(address, size) for address, size in pairs]
        except OutOfBounds:
            raise ValueError("no memory of the process") from None


def charged(text: str, segments: Sequence[bytes]) -> int:
    """Return the bytes that a message is charged."""
    return len(text) + size_of(segments)
