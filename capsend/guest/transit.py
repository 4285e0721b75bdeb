"""Segments of messages in a guest: the host copies them into and out of this process's memory."""

from __future__ import annotations

import binascii
from typing import TYPE_CHECKING, Final

from capsend.codec.operations import Operation

from . import host_operations

if TYPE_CHECKING:
    from collections.abc import Sequence

_CONTENT: Final = bytes.__basicsize__ - 1
"""The offset of the content in a `bytes` object; one more byte follows the content."""

_PART: Final = 8 << 20
_by_text = False


def begin(parts: dict[str, object]) -> list[bytes]:
    """Start with a program's parts; return the segments of its call.

    The host copies segments unless "by_text" is among the parts; "segments" are the sizes of the call's segments.
    """
    global _by_text  # noqa: PLW0603 - one process, one host
    _by_text = _by_text or "by_text" in parts
    return take(str(parts["segments"])) if "segments" in parts else []


def is_by_text() -> bool:
    """Return whether the host has no access to the memory of this process."""
    return _by_text


def take(sizes: str) -> list[bytes]:
    """Return the segments that the host offers.

    Args:
        sizes: their sizes, separated by commas.
    """
    if _by_text:
        return [_taken_as_text(int(size)) for size in sizes.split(",")]
    segments = [bytes(int(size)) for size in sizes.split(",")]
    host_operations.request(Operation.TAKE, ",".join([str(id(segment) + _CONTENT) for segment in segments]))
    return segments


def received(text: str, *, has_segments: bool) -> tuple[str, list[bytes]]:
    """Return (the text of a message, its segments).

    A message with segments has their sizes and a colon before its text.
    """
    if not has_segments:
        return text, []
    sizes, _, rest = text.partition(":")
    return rest, take(sizes)


def _taken_as_text(size: int) -> bytes:
    parts = []
    while size > 0:
        parts.append(binascii.unhexlify(host_operations.request(Operation.TAKE, "")))
        size -= len(parts[-1])
    return b"".join(parts)


def name(segments: Sequence[bytes]) -> str:
    """Return the names of segments for a request to the host.

    The segments must stay alive until the request has been answered.
    """
    if not segments:
        return ""
    if _by_text:
        return f"={','.join([segment.hex() for segment in segments])}"
    return ",".join([f"{id(segment) + _CONTENT}+{len(segment)}" for segment in segments])


def give(segments: Sequence[bytes]) -> None:
    """Send the segments of an answer ahead."""
    if not _by_text and segments:
        host_operations.request(Operation.GIVE, name(segments))
        return
    for segment in segments:
        for start in range(0, len(segment), _PART):
            more = "+" if start else "="
            host_operations.request(Operation.GIVE, more + segment[start : start + _PART].hex())
