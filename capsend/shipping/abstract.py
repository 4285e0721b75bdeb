"""The registrations of abstract classes, summarised once and kept until the next registration anywhere."""

from __future__ import annotations

import abc
import sys
from _abc import _get_dump  # type: ignore[import-not-found]  # the registered classes have no public interface
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary, ref

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterator

_BY_THE_LIBRARY: Final = frozenset(
    (
        *(("Set", "frozenset"), ("MutableSet", "set"), ("MutableSet", "WeakSet")),
        *(("Mapping", "mappingproxy"), ("Mapping", "FrameLocalsProxy"), ("MutableMapping", "dict")),
        *(("KeysView", "dict_keys"), ("ItemsView", "dict_items"), ("ValuesView", "dict_values")),
        *(("Sequence", name) for name in ("bytes", "memoryview", "range", "Row", "str", "tuple")),
        *(("MutableSequence", name) for name in ("array", "bytearray", "deque", "list")),
        *(("ByteString", "bytearray"), ("ByteString", "bytes")),
        *(("Number", "Decimal"), ("Complex", "complex"), ("Real", "float"), ("Integral", "int")),
    )
)
"""The registrations that the standard library itself makes with the classes of `collections.abc` and `numbers`."""
_summaries: dict[tuple[tuple[type, ...], bool], tuple[object, _Summary]] = {}
_registered: WeakKeyDictionary[type, tuple[Any, list[Any]]] = WeakKeyDictionary()
_registering: WeakKeyDictionary[type, tuple[Any, list[Any]]] = WeakKeyDictionary()


@attrs.frozen
class _Summary:
    """The classes registered with any of several abstract classes.

    Attributes:
        by_programs: True if code other than the library has registered a class; see `is_registered_by_a_program`.
        modules: the modules of the abstract subclasses that have registrations.
        registered: the `id` of each registered class.
    """

    by_programs: bool
    modules: frozenset[str]
    registered: frozenset[int]


def summary(bases: tuple[type, ...], *, uses_packages: bool) -> _Summary:
    """Return the summary of some abstract classes of the library; a new registration anywhere makes a new summary."""
    token = abc.get_cache_token()
    known = _summaries.get((bases, uses_packages))
    if known is None or known[0] != token:
        pairs = [(base, cls) for base in bases for cls in virtual_subclasses(base)]
        below = [sub for base in bases for sub in registering_subclasses(base)]
        found = _Summary(
            by_programs=any(is_registered_by_a_program(base, cls, uses_packages=uses_packages) for base, cls in pairs),
            modules=frozenset(sub.__module__ for sub in below),
            registered=frozenset(
                map(id, [*(cls for _, cls in pairs), *(c for sub in below for c in virtual_subclasses(sub))])
            ),
        )
        known = _summaries[bases, uses_packages] = token, found
    return known[1]


def virtual_subclasses(base: type) -> Iterator[type]:
    """Yield the classes registered with the abstract class itself."""
    token = abc.get_cache_token()
    known = _registered.get(base)
    if known is None or known[0] != token:
        known = _registered[base] = token, list(_get_dump(base)[0])
    yield from (cls for cls in (reference() for reference in known[1]) if cls is not None)


def registering_subclasses(base: type) -> Iterator[type]:
    """Yield the abstract subclasses, at any depth, that have registrations."""
    token = abc.get_cache_token()
    known = _registering.get(base)
    if known is None or known[0] != token:
        found = [ref(cls) for cls in abstract_subclasses(base) if any(True for _ in virtual_subclasses(cls))]
        known = _registering[base] = token, found
    yield from (cls for cls in (reference() for reference in known[1]) if cls is not None)


def is_registered_by_a_program(base: type, cls: type, *, uses_packages: bool) -> bool:
    """Return whether a class is registered with a class of `collections.abc` or `numbers` by code other than the standard library.

    Args:
        base: the abstract class.
        cls: a registered class of the standard library or of a package of the image.
        uses_packages: True if the program uses packages of the image, so that it can get instances of their classes.
            The registrations that these packages make themselves are made in the image too.
    """
    if str(cls.__module__).partition(".")[0] in sys.stdlib_module_names:
        return (base.__name__, cls.__name__) not in _BY_THE_LIBRARY
    return uses_packages


def abstract_subclasses(base: type) -> Iterator[type]:
    """Yield the abstract subclasses, at any depth."""
    waiting: list[type] = type.__subclasses__(base)
    seen = {base}
    while waiting:
        cls = waiting.pop()
        if cls not in seen:
            seen.add(cls)
            waiting += type.__subclasses__(cls)
            if isinstance(cls, abc.ABCMeta):
                yield cls
