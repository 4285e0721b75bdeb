"""Descriptors of classes: those that the standard library puts around functions become entities."""

from __future__ import annotations

import enum
import functools
import types
from typing import TYPE_CHECKING, Any, Final

from capsend_traits.wording import Kind

from capsend.codec.instances import is_a
from capsend.shipping.captures.context import Refused
from capsend.traits.markers import Impl

if TYPE_CHECKING:
    from capsend.shipping.captures.context import Place
    from capsend.shipping.captures.protocols import Walk
    from capsend.shipping.entities import Entity, Reference


class Descriptors:
    """Takes the descriptors of one walk apart."""

    def __init__(self, walk: Walk) -> None:
        self._walk = walk
        self._context = walk.context

    def entity(self, raw: Any, path: str, place: Place) -> Entity | None:
        """Return the entity of a descriptor that the standard library puts around functions; None for anything else."""
        program = self._context.program
        known = program.entity(raw)
        if known is not None and known.kind == "h":
            return known

        def part(value: object, noun: str) -> Reference:
            return self.part(value, place, f"{path}.{noun}" if noun else path)

        if is_a(raw, staticmethod | classmethod) and type(raw) in {staticmethod, classmethod}:
            kind = "static" if is_a(raw, staticmethod) else "class"
            self._context.observed.table(vars(raw))
            state = tuple((name, value) for name, value in vars(raw).items() if not _is_taken_over(raw, name, value))
            if state:
                return program.make(raw, "h", f"{kind}_with", part(raw.__func__, ""), part(state, "__dict__"))
            return program.make(raw, "h", kind, part(raw.__func__, ""))
        if is_a(raw, property):
            accessors = [part(each, "") for each in (raw.fget, raw.fset, raw.fdel)]
            state = tuple(getattr(raw, "__dict__", {}).items())
            doc = raw.__doc__ if raw.fget is None or raw.__doc__ != raw.fget.__doc__ else None
            return program.make(raw, "h", "property", part(type(raw), ""), part(state, ""), *accessors, part(doc, ""))
        if type(raw) is enum.property:
            accessors = [part(each, "") for each in (raw.fget, raw.fset, raw.fdel)]
            return program.make(raw, "h", "enum_property", part(raw.name, ""), *accessors)
        if type(raw) is types.DynamicClassAttribute:
            accessors = [part(each, "") for each in (raw.fget, raw.fset, raw.fdel, raw.__doc__)]
            return program.make(raw, "h", "dynamic", *accessors)
        if type(raw) is functools.cached_property:
            return program.make(raw, "h", "cached_property", part(raw.func, ""), part(raw.attrname, ""))
        if type(raw) is functools.partialmethod:
            self._context.observed.table(raw.keywords)
            pieces = part(raw.func, ""), part(raw.args, "args"), part(tuple(raw.keywords.items()), "keywords")
            return program.make(raw, "h", "partial_method", *pieces)
        if type(raw) is Impl:
            return program.make(raw, "h", "impl", part(raw.positive, ""), part(raw.reason, ""), part(raw.owner, ""))
        if type(raw) is functools.singledispatchmethod:
            return program.make(raw, "h", "dispatch_method", part(raw.dispatcher, ""), part(raw.func, ""))
        return None

    def part(self, value: object, place: Place, path: str = "") -> Reference:
        """Return the reference to a part of a descriptor, which may be a descriptor itself.

        Raises:
            Refused: the part cannot be sent.
        """
        name = path or place.function
        descriptor = None if value is None else self.entity(value, name, place)
        if descriptor is not None:
            return descriptor
        sent = self._walk.values.send(value, Kind.CLASS_ATTRIBUTE, name, place)
        if sent is None:
            raise Refused(f"{name} holds an object that cannot be sent")
        return sent


def _is_taken_over(raw: Any, name: str, value: object) -> bool:
    """Return whether a `staticmethod` or `classmethod` has copied an attribute from its function."""
    if name in {"__annotations__", "__annotate__", "__type_params__", "__wrapped__"}:
        return True
    return name in _OF_FUNCTIONS and getattr(raw.__func__, name, None) is value


_OF_FUNCTIONS: Final = frozenset({"__module__", "__name__", "__qualname__", "__doc__"})
