"""Vectors in the types of functions that a core module imports or exports.

wasmtime's C interface has no value kind for them: it ends this program if it has to pass one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from capsend.engine.binary import Reader, sections
from capsend.exceptions import WasmError

if TYPE_CHECKING:
    from collections.abc import Iterator

_TYPES: Final = 1
_IMPORTS: Final = 2
_FUNCTIONS: Final = 3
_EXPORTS: Final = 7
_NONE: Final = b"\0"
_V128: Final = 0x7B
_FUNCTION: Final = 0
_TABLE: Final = 1
_MEMORY: Final = 2
_GLOBAL: Final = 3


def refuse_vectors(data: bytes, *, name: str) -> None:
    """Refuse a module that exchanges vectors with the host.

    Args:
        data: its binary form, known to be valid.
        name: its name in messages.

    Raises:
        WasmError: a function that it imports or exports takes or returns a vector.
    """
    contents = {kind: reader for kind, reader, _ in sections(data)}
    vectors = list(_types(contents.get(_TYPES, Reader(_NONE))))
    imported = list(_imports(contents.get(_IMPORTS, Reader(_NONE))))
    reader = contents.get(_FUNCTIONS, Reader(_NONE))
    functions = imported + [reader.number() for _ in range(reader.number())]
    exported = _exports(contents.get(_EXPORTS, Reader(_NONE)))
    if any(vectors[each] for each in imported) or any(vectors[functions[each]] for each in exported):
        raise WasmError(
            f"{name} cannot be used: a function that it imports or exports takes or returns a vector (v128). Keep vectors inside the module"
        )


def _types(reader: Reader) -> Iterator[bool]:
    """Yield for each type whether it contains a vector: all types are functions, since garbage collection is refused."""
    for _ in range(reader.number()):
        reader.byte()
        yield any([_V128 in reader.taken(reader.number()), _V128 in reader.taken(reader.number())])


def _imports(reader: Reader) -> Iterator[int]:
    """Yield the types of the functions that are imported."""
    for _ in range(reader.number()):
        reader.taken(reader.number())
        reader.taken(reader.number())
        kind = reader.byte()
        if kind == _FUNCTION:
            yield reader.number()
        elif kind == _GLOBAL:
            reader.taken(2)
        elif kind in {_TABLE, _MEMORY}:
            if kind == _TABLE:
                reader.byte()
            limits = reader.byte()
            reader.number()
            if limits & 1:
                reader.number()
        else:
            return


def _exports(reader: Reader) -> list[int]:
    """Return the numbers of the functions that are exported."""
    found = []
    for _ in range(reader.number()):
        reader.taken(reader.number())
        kind, number = reader.byte(), reader.number()
        if kind == _FUNCTION:
            found.append(number)
    return found
