"""Vectors in the types of functions that a core module imports or exports.

wasmtime's C interface has no kind for them: asked for it, it ends this program.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from capsend.exceptions import WasmError

if TYPE_CHECKING:
    from collections.abc import Iterator

_TYPES: Final = 1
_IMPORTS: Final = 2
_FUNCTIONS: Final = 3
_EXPORTS: Final = 7
_HEADER: Final = 8
_V128: Final = 0x7B
_FUNCTION: Final = 0
_TABLE: Final = 1
_MEMORY: Final = 2
_GLOBAL: Final = 3


def refuse_vectors(data: bytes, *, name: str) -> None:
    """Refuse a module that has vectors where it meets the host.

    Args:
        data: its binary form, which was found to be valid.
        name: the name of it in messages.

    Raises:
        WasmError: a function that it imports or exports takes or returns a vector.
    """
    sections = dict(_sections(data))
    vectors = list(_types(_Reader(sections.get(_TYPES, b"\0"))))
    imported = list(_imports(_Reader(sections.get(_IMPORTS, b"\0"))))
    reader = _Reader(sections.get(_FUNCTIONS, b"\0"))
    functions = imported + [reader.number() for _ in range(reader.number())]
    exported = _exports(_Reader(sections.get(_EXPORTS, b"\0")))
    if any(vectors[each] for each in imported) or any(vectors[functions[each]] for each in exported):
        raise WasmError(
            f"{name} cannot be used: a function that it imports or exports takes or returns a vector (v128). Keep vectors inside the module"
        )


class _Reader:
    """Reads what a section holds, from its beginning."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0

    @property
    def left(self) -> int:
        """How many bytes are left."""
        return len(self._content) - self._at

    def byte(self) -> int:
        """Return the next byte."""
        self._at += 1
        return self._content[self._at - 1]

    def number(self) -> int:
        """Return the next number in LEB128."""
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    def take(self, size: int) -> bytes:
        """Return the next bytes."""
        self._at += size
        return self._content[self._at - size : self._at]


def _sections(data: bytes) -> Iterator[tuple[int, bytes]]:
    reader = _Reader(data)
    reader.take(_HEADER)
    while reader.left:
        kind = reader.byte()
        content = reader.take(reader.number())
        if kind:  # which is no custom section
            yield kind, content


def _types(reader: _Reader) -> Iterator[bool]:
    """Yield of each type whether it has a vector: all are functions, since garbage collection is refused."""
    for _ in range(reader.number()):
        reader.byte()
        yield any([_V128 in reader.take(reader.number()), _V128 in reader.take(reader.number())])


def _imports(reader: _Reader) -> Iterator[int]:
    """Yield the types of the functions that are imported."""
    for _ in range(reader.number()):
        reader.take(reader.number())
        reader.take(reader.number())
        kind = reader.byte()
        if kind == _FUNCTION:
            yield reader.number()
        elif kind == _GLOBAL:
            reader.take(2)
        elif kind in {_TABLE, _MEMORY}:
            if kind == _TABLE:
                reader.byte()
            limits = reader.byte()
            reader.number()
            if limits & 1:
                reader.number()
        else:
            return


def _exports(reader: _Reader) -> list[int]:
    """Return the numbers of the functions that are exported."""
    found = []
    for _ in range(reader.number()):
        reader.take(reader.number())
        kind, number = reader.byte(), reader.number()
        if kind == _FUNCTION:
            found.append(number)
    return found
