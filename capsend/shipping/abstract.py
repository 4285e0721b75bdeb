"""What is registered with abstract classes, which remember the answer until something more is registered anywhere."""

from __future__ import annotations

import abc
from _abc import _get_dump  # type: ignore[import-not-found]  # there is no public way to ask what was registered
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, ref

if TYPE_CHECKING:
    from collections.abc import Iterator

_registered: WeakKeyDictionary[type, tuple[Any, list[Any]]] = WeakKeyDictionary()
_registering: WeakKeyDictionary[type, tuple[Any, list[Any]]] = WeakKeyDictionary()


def virtual_subclasses(base: type) -> Iterator[type]:
    """Yield the classes that are registered with an abstract class itself."""
    token = abc.get_cache_token()
    known = _registered.get(base)
    if known is None or known[0] != token:
        known = _registered[base] = token, list(_get_dump(base)[0])
    yield from (cls for cls in (reference() for reference in known[1]) if cls is not None)


def registering_subclasses(base: type) -> Iterator[type]:
    """Yield the abstract classes below one, all the way down, with which something is registered."""
    token = abc.get_cache_token()
    known = _registering.get(base)
    if known is None or known[0] != token:
        found = [ref(cls) for cls in abstract_subclasses(base) if any(True for _ in virtual_subclasses(cls))]
        known = _registering[base] = token, found
    yield from (cls for cls in (reference() for reference in known[1]) if cls is not None)


def abstract_subclasses(base: type) -> Iterator[type]:
    """Yield the abstract classes below one, all the way down."""
    waiting: list[type] = type.__subclasses__(base)
    seen = {base}
    while waiting:
        cls = waiting.pop()
        if cls not in seen:
            seen.add(cls)
            waiting += type.__subclasses__(cls)
            if isinstance(cls, abc.ABCMeta):
                yield cls
