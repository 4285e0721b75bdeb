"""Instances of Python classes, taken apart and rebuilt without running their `__init__`."""

from __future__ import annotations

import collections
import struct
from functools import lru_cache
from types import MemberDescriptorType, UnionType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeGuard, TypeVar, overload

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_T = TypeVar("_T")
_POINTER: Final = struct.calcsize("P")
_HEAP_TYPE: Final = 1 << 9
_MANAGED_DICT: Final = 1 << 4
_NATIVE: Final = "{} is implemented in C and cannot be taken apart"
_OWNED: Final = frozenset(
    f"capsend.{name}"
    for name in ("environment", "executor", "group", "image.image", "process", "spawning", "supervisor")
)
_FIGURES: Final = frozenset({"Stats"})
"""The classes in these modules whose instances are values."""
_REFUSED_BASES: Final = {
    "BaseException": "an exception is not a value",
    "PurePath": "a subclass of a path keeps state that differs between Python versions",
    "type": "a class is not a value",
}


class Base(NamedTuple):
    """A built-in base class of other classes: the reader and the builder of its part of an instance."""

    read: Callable[[Any], Any]
    mutable: bool
    build: Callable[[Any, Any], Any]
    """Immutable: (class, part) -> instance.  Mutable: (instance, part) -> ignored."""
    part: type | None = None
    """The class of the part, if it differs from the base."""


def _defaultdict_part(value: Any) -> Any:
    part: Any = collections.defaultdict(value.default_factory)
    dict.update(part, dict(dict.items(value)))
    return part


def _fill_ordered(value: Any, part: Any) -> None:
    for key, item in part.items():
        collections.OrderedDict.__setitem__(value, key, item)


def _fill_defaultdict(value: Any, part: Any) -> None:
    collections.defaultdict.__init__(value, part.default_factory)
    dict.update(value, part)


# Every entry calls the built-in class's slot, so that no method of the subclass runs.
BASES: Final[dict[type, Base]] = {
    object: Base(lambda _: None, False, lambda cls, _: object.__new__(cls)),
    int: Base(int.__index__, False, int.__new__),
    float: Base(float.__float__, False, float.__new__),
    complex: Base(complex.__pos__, False, complex.__new__),
    str: Base(str.__str__, False, str.__new__),
    bytes: Base(lambda v: bytes.__getitem__(v, slice(None)), False, bytes.__new__),
    tuple: Base(lambda v: tuple(tuple.__iter__(v)), False, tuple.__new__),
    frozenset: Base(lambda v: frozenset(frozenset.__iter__(v)), False, frozenset.__new__),
    list: Base(lambda v: list(list.__iter__(v)), True, list.extend),
    dict: Base(lambda v: dict(dict.items(v)), True, dict.update),
    set: Base(lambda v: set(set.__iter__(v)), True, set.update),
    bytearray: Base(lambda v: bytearray.__getitem__(v, slice(None)), True, bytearray.extend),
    collections.deque: Base(
        lambda v: collections.deque(collections.deque.__iter__(v), v.maxlen),
        True,
        lambda v, part: collections.deque.__init__(v, part, part.maxlen),
    ),
    collections.OrderedDict: Base(
        lambda v: collections.OrderedDict(collections.OrderedDict.items(v)), True, _fill_ordered
    ),
    collections.defaultdict: Base(_defaultdict_part, True, _fill_defaultdict),
}


class Plan(NamedTuple):
    """The encoding of instances of one class.

    Attributes:
        base: the built-in class it derives from; `object` for most.
        slots: {(mangled) name in the class: descriptor} of the slots of the class and its bases.
        has_dict: True if instances have a `__dict__`.
        own_get, own_set: the class defines `__getstate__`, `__setstate__` itself.
        refusal: the reason why instances cannot be sent; empty when they can.
    """

    base: type
    slots: dict[str, Any]
    has_dict: bool
    own_get: bool
    own_set: bool
    refusal: str


# These ask the class itself: a metaclass may answer differently, and runs user code.
namespace_of: Final[Callable[[Any], Mapping[str, Any]]] = type.__dict__["__dict__"].__get__
bases_of: Final[Callable[[Any], tuple[type, ...]]] = type.__dict__["__bases__"].__get__
mro_of: Final[Callable[[Any], tuple[type, ...]]] = type.__dict__["__mro__"].__get__
name_of: Final[Callable[[Any], str]] = type.__dict__["__name__"].__get__
qualname_of: Final[Callable[[Any], str]] = type.__dict__["__qualname__"].__get__


def plan_of(cls: type) -> Plan:
    """Return the plan of a class."""
    known: Any = cls
    try:
        return _plan(known)
    except TypeError:  # a metaclass may make its classes unhashable
        return _plan.__wrapped__(known)


def slots_of(cls: type) -> dict[str, MemberDescriptorType]:
    """Return {name: descriptor} of a class's slots; descriptors that it merely holds belong to another class or name."""
    found = ((n, d) for n, d in cls.__dict__.items() if type(d) is MemberDescriptorType)
    return {name: slot for name, slot in found if slot.__objclass__ is cls and slot.__name__ == name}


def class_attribute(cls: type, name: str, default: Any = None) -> Any:
    """Return an attribute of a class or of its bases, without running a metaclass or descriptor."""
    return next((namespace_of(base)[name] for base in mro_of(cls) if name in namespace_of(base)), default)


def defines(cls: type, name: str) -> bool:
    """Return whether a class or one of its bases has an attribute; see `class_attribute`."""
    return any(name in namespace_of(base) for base in mro_of(cls))


@overload
def is_a(value: object, kinds: type[_T]) -> TypeGuard[_T]: ...
@overload
def is_a(value: object, kinds: UnionType | tuple[type, ...]) -> bool: ...
def is_a(value: object, kinds: type[_T] | UnionType | tuple[type, ...]) -> bool:
    """Return whether a value is an instance of a class, by the value's actual class alone.

    `isinstance` also reads the `__class__` of a value, which runs code of the value's class: that of a proxy may raise
    anything.
    """
    return issubclass(type(value), kinds)


@lru_cache(maxsize=512)
def _plan(cls: Any) -> Plan:
    mro = cls.__mro__
    base = next(c for c in mro if c in BASES or not c.__flags__ & _HEAP_TYPE)
    if base.__module__ == "datetime":
        BASES.update(_time_bases())
    slots: dict[str, Any] = {}
    for each in reversed(mro):
        if "__slots__" in each.__dict__:
            slots.update(slots_of(each))
    written = mro[: mro.index(base)]
    own_get, own_set = _defines(written, "__getstate__"), _defines(written, "__setstate__")
    return Plan(base, slots, cls.__dictoffset__ != 0, own_get, own_set, _refusal(cls, base, len(slots)))


def _defines(classes: tuple[type, ...], name: str) -> bool:
    method = next((c.__dict__[name] for c in classes if name in c.__dict__), None)
    # dataclasses generates a pair that fails if a slot is unset; attrs generates one that loses the fields of
    # subclasses with a `__dict__`.
    home = getattr(method, "__globals__", {}).get("__name__")
    return method is not None and home not in ("dataclasses", "attr._make")


def _time_bases() -> dict[type, Base]:
    import datetime as dt

    def reduced(base: Any) -> Base:
        return Base(
            lambda value: base.__reduce_ex__(value, 4)[1], False, lambda cls, part: base.__new__(cls, *part), part=tuple
        )

    bases: dict[type, Base] = {base: reduced(base) for base in (dt.date, dt.time, dt.datetime, dt.timedelta)}
    tzinfo = dt.tzinfo
    bases[tzinfo] = Base(lambda _: None, False, lambda cls, _: tzinfo.__new__(cls), part=type(None))
    return bases


def _refusal(cls: type, base: type, slots: int) -> str:
    # On the host the judge comes before the codec; in a guest the decorator of the class decides. An unsafe impl is not inherited.
    if cls.__module__ in _OWNED and cls.__qualname__ not in _FIGURES:
        return f"{cls.__qualname__} belongs to the process or program that made it; to let others know a process, send its address"
    for each in cls.__mro__:
        impl = each.__dict__.get("__capsend_impl__")
        if impl is not None and (each is cls or not impl.positive):
            if not impl.positive:
                return f"{cls.__qualname__} is declared not sendable: {impl.reason}"
            break
    for each in cls.__mro__:
        if each.__name__ in _REFUSED_BASES and each.__module__ in ("builtins", "pathlib", "pathlib._local"):
            return _REFUSED_BASES[each.__name__]
    if cls is base or base not in BASES:
        return _NATIVE.format(f"{cls.__module__}.{cls.__qualname__}".removeprefix("builtins."))
    # A class written in C adds fields that Python cannot see; they show in the size of its instances.
    room = base.__basicsize__ + _POINTER * slots
    room += _POINTER * (cls.__dictoffset__ != base.__dictoffset__ and not cls.__flags__ & _MANAGED_DICT)
    room += _POINTER * (cls.__weakrefoffset__ > 0 and base.__weakrefoffset__ == 0)
    if cls.__basicsize__ > room:
        return _NATIVE.format(f"{cls.__module__}.{cls.__qualname__}".removeprefix("builtins."))
    return ""


def fields_of(value: object, plan: Plan) -> dict[str, object]:
    """Return the fields of an instance: its `__dict__` and the slots that are set."""
    fields: dict[str, object] = dict(object.__getattribute__(value, "__dict__")) if plan.has_dict else {}
    fields.pop("__annotate__", None)  # see `capsend.traits.fields.instance_state`
    for name, descriptor in plan.slots.items():
        try:
            fields[name] = descriptor.__get__(value)
        except AttributeError:
            continue
    return fields


def set_fields(value: object, plan: Plan, fields: dict[str, Any]) -> None:
    """Set fields through slots and `__dict__` only: no property, descriptor or `__setattr__` of the class runs."""
    slots = plan.slots
    if slots:
        rest = {}
        for name, item in fields.items():
            if name in slots:
                slots[name].__set__(value, item)
            else:
                rest[name] = item
        fields = rest
    if fields:
        if not plan.has_dict:
            raise ValueError(f"{type(value).__qualname__} has no field {next(iter(fields))!r}")
        object.__getattribute__(value, "__dict__").update(fields)


def state_of(value: Any, plan: Plan) -> object:
    """Return the argument for `__setstate__`: the state of the class's own `__getstate__`, or the default state of `pickle`."""
    owner: Any = type(value) if plan.own_get else object
    return owner.__getstate__(value)


def set_state(value: Any, plan: Plan, state: object) -> None:
    """Set the state of an instance: by the class's own `__setstate__`, else as fields."""
    if state is None:
        return
    if plan.own_set:
        type(value).__setstate__(value, state)
        return
    parts = state if type(state) is tuple and len(state) == 2 else (state,)
    for part in parts:
        if part is None:
            continue
        if type(part) is not dict or not set(map(type, part)) <= {str}:
            raise ValueError(f"the state of {type(value).__qualname__} is not a dict of its fields")
        set_fields(value, plan, part)
