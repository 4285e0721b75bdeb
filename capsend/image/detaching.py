"""The content of an image's memory, taken out of its component: the engine maps it from a separate file and can restore it page by page."""

from __future__ import annotations

from typing import Final

from capsend.engine.binary import Reader, section, sections
from capsend.engine.gauge import PAGE

_CORE_MODULE: Final = 1
_MEMORY, _DATA, _DATA_COUNT = 5, 11, 12
_I32_CONST, _END = 0x41, 0x0B


def detach(component: bytes) -> tuple[bytes, list[tuple[int, bytes]], int]:
    """Return a component without the content of its memory, [(address, content)], and the size of the memory in bytes.

    A component whose memory begins with zeros is not changed.

    Raises:
        LookupError: the component's data are laid out in a way that this module does not support.
    """
    spans = [(reader.at, behind) for kind, reader, behind in sections(component) if kind == _CORE_MODULE]
    start, end = max(spans, key=lambda span: _data_size(component, *span), default=(0, 0))
    if not _data_size(component, start, end):
        return component, [], 0
    reader = Reader(component, start)
    module, pieces, size = [reader.taken(8)], list[tuple[int, bytes]](), 0
    for kind, content, behind in sections(component, start, end):
        if kind == _MEMORY:
            size = _minimum(Reader(component, content.at)) * PAGE
        if kind == _DATA:
            pieces = _pieces(content)
        elif kind != _DATA_COUNT:
            module.append(section(kind, content.taken(behind - content.at)))
    if not pieces or not size or any(address + len(content) > size for address, content in pieces):
        raise LookupError("the image's memory has no content, or one that is not in its module")
    parts = [component[:8]]
    for kind, content, behind in sections(component):
        is_it = (content.at, behind) == (start, end)
        parts.append(section(kind, b"".join(module) if is_it else content.taken(behind - content.at)))
    return b"".join(parts), pieces, size


def _data_size(binary: bytes, start: int, end: int) -> int:
    return sum(behind - content.at for kind, content, behind in sections(binary, start, end) if kind == _DATA)


def _minimum(reader: Reader) -> int:
    if reader.number() != 1:
        raise LookupError("a module with several memories")
    reader.byte()
    return reader.number()


def _pieces(reader: Reader) -> list[tuple[int, bytes]]:
    """Return [(address, content)] of the initialized memory."""
    pieces = []
    for _ in range(reader.number()):
        if reader.number() or reader.byte() != _I32_CONST:
            raise LookupError("content of the image's memory that has no fixed address")
        address = reader.signed() & 0xFFFF_FFFF
        if reader.byte() != _END:
            raise LookupError("content of the image's memory that has no fixed address")
        pieces.append((address, reader.taken(reader.number())))
    return pieces
