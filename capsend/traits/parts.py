"""The parts judged together with a value: items of containers and fields of instances, each with its step of the path."""

from __future__ import annotations

import collections
import datetime
import functools
import operator
import types
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from capsend.codec.instances import defines
from capsend.traits.fields import instance_state

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

# (noun, step of the path, part)
Part: TypeAlias = tuple[str, str, object]

ATOMS: Final = frozenset(
    {
        type(None),
        bool,
        int,
        float,
        complex,
        str,
        bytes,
        type(...),
        Decimal,
        datetime.date,
        datetime.time,
        datetime.timedelta,
        range,
    }
)


def fields_of(value: object) -> Iterator[Part]:
    """Yield (noun, step of the path, part) for the actual fields of an instance."""
    for name, child in instance_state(value):
        if name == "__annotations__" and type(child) is dict:
            # functools.update_wrapper sets it; the annotations of functions are not changed.
            yield from (("annotation", f".__annotations__[{key!r}]", item) for key, item in child.items())
        else:
            yield "field", f".{name}", child


def _sequence(value: Any) -> Iterator[Part]:
    if not set(map(type, value)) <= ATOMS:
        for index, item in enumerate(value):
            yield "item", f"[{index}]", item


def _elements(value: Any) -> Iterator[Part]:
    for item in value:
        yield "element", f" element {_brief(item)}", item


def _mapping(value: Any) -> Iterator[Part]:
    if not set(map(type, value)) <= ATOMS:
        for key in value:
            yield "key", f" key {_brief(key)}", key
    if not set(map(type, value.values())) <= ATOMS:
        for key, item in value.items():
            yield "item", f"[{_brief(key)}]", item
    if isinstance(value, collections.defaultdict):
        yield "default factory", ".default_factory", value.default_factory


def _bounds(value: slice) -> Iterator[Part]:
    for name in ("start", "stop", "step"):
        yield "field", f".{name}", getattr(value, name)


def _named_tuple(value: Any) -> Iterator[Part]:
    for name, item in zip(value._fields, value, strict=False):
        yield "field", f".{name}", item


def _partial(value: functools.partial[Any]) -> Iterator[Part]:
    yield "function", ".func", value.func
    for index, item in enumerate(value.args):
        yield "argument", f".args[{index}]", item
    for name, item in value.keywords.items():
        yield "argument", f".keywords[{name!r}]", item


def _method(value: types.MethodType) -> Iterator[Part]:
    yield "receiver", ".__self__", value.__self__
    yield "function", ".__func__", value.__func__


def _arguments(value: Any) -> Iterator[Part]:
    for index, item in enumerate(value.__reduce__()[1]):
        yield "argument", f"({index})", item


_ITEMS: Final[dict[type, Callable[[Any], Iterator[Part]]]] = {
    tuple: _sequence,
    list: _sequence,
    collections.deque: _sequence,
    set: _elements,
    frozenset: _elements,
    dict: _mapping,
    slice: _bounds,
    types.SimpleNamespace: lambda value: ((("field", f".{name}", item)) for name, item in vars(value).items()),
    functools.partial: _partial,
    types.MethodType: _method,
    operator.itemgetter: _arguments,
    operator.attrgetter: _arguments,
    operator.methodcaller: _arguments,
}


def _enumerator(cls: type[Any]) -> Callable[[Any], Iterator[Part]] | None:
    if issubclass(cls, tuple) and defines(cls, "_fields"):
        return _named_tuple
    return next((_ITEMS[base] for base in cls.__mro__ if base in _ITEMS), None)


def items_of(value: object) -> Iterable[Part]:
    """Yield (noun, step of the path, part) for the items of a container, or of an instance of a subclass of one."""
    cls: type = type(value)
    enumerate_parts = _enumerator(cls)
    return enumerate_parts(value) if enumerate_parts else ()


def _brief(value: object) -> str:
    """Return a key for a path; only a key with a short, harmless repr is shown."""
    if type(value) in {int, str, bool, float, bytes, type(None)}:
        text = repr(value)
        return text if len(text) <= 40 else text[:37] + "..."
    return f"<{type(value).__qualname__}>"


def has_items(cls: type) -> bool:
    """Return whether instances of a class have items that are judged with them."""
    return _enumerator(cls) is not None
