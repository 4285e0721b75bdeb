"""The source of functions and classes and what they refer to, found once and kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

from capsend.references import ClassReferences, Read, References, class_references, function_references
from capsend.source import Source, SourceError, locate_class, locate_function

if TYPE_CHECKING:
    import types

_MOST: Final = 4096

# By identity: code objects of different files can be equal.
_functions: dict[int, tuple[types.CodeType, Source, References]] = {}
_classes: WeakKeyDictionary[type, tuple[Source, ClassReferences]] = WeakKeyDictionary()


def function_source(function: types.FunctionType) -> tuple[Source, References]:
    """Return a function's source and what it refers to; kept per code object.

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


def class_source(cls: type) -> tuple[Source, ClassReferences]:
    """Return a class's source and what its statement refers to; kept per class."""
    known = _classes.get(cls)
    if known is None:
        source = locate_class(cls)
        known = _classes[cls] = source, class_references(source)
    return known


def function_reads(function: types.FunctionType) -> tuple[Read, ...]:
    """Return a function's reads of its free variables; none where its source is not to be had."""
    try:
        return function_source(function)[1].free
    except SourceError:
        return ()
