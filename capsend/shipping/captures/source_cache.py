"""The source of functions and their references, found once and kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from capsend.source.locate import Source, SourceError, locate_function
from capsend.source.references import Read, References, function_references

if TYPE_CHECKING:
    import types

_MOST: Final = 4096

# By identity: code objects of different files can be equal.
_functions: dict[int, tuple[types.CodeType, Source, References]] = {}


def function_source(function: types.FunctionType) -> tuple[Source, References]:
    """Return a function's source and its references; kept per code object.

    Raises:
        SourceError: see `capsend.source`.
    """
    code = function.__code__
    known = _functions.get(id(code))
    if known is None:
        source = locate_function(code, function.__globals__)
        if len(_functions) >= _MOST:
            _functions.clear()
        known = _functions[id(code)] = code, source, function_references(source)
    return known[1:]


def function_reads(function: types.FunctionType) -> tuple[Read, ...]:
    """Return a function's reads of its free variables; empty if its source is not available."""
    try:
        return function_source(function)[1].free
    except SourceError:
        return ()
