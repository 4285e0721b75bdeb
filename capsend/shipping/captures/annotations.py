"""The annotations of functions and classes, which only tools read: they are sent as far as the program already has their parts."""

from __future__ import annotations

import ast
import sys
import types
from typing import TYPE_CHECKING, Any, Final

import attrs
from capsend_traits.wording import Kind

from capsend.shipping.captures import type_expressions
from capsend.shipping.captures.context import Place
from capsend.source.modules import loaded
from capsend.source.references import Read
from capsend.traits.fields import annotations_of

if TYPE_CHECKING:
    from capsend.shipping.captures.protocols import Walk
    from capsend.shipping.entities import Entity, Reference

INTROSPECTION: Final = frozenset(
    {
        "Signature",
        "__annotations__",
        "__signature__",
        "annotation",
        "annotations",
        "fields",
        "from_callable",
        "get_annotations",
        "get_overloads",
        "get_type_hints",
        "getfullargspec",
        "return_annotation",
        "signature",
    }
)
"""The names whose use shows that code reads annotations: then the classes in annotations are sent too."""
_OF_MODULES: Final = frozenset({"__annotations__", "get_annotations", "get_type_hints"})


@attrs.frozen
class _Waiting:
    entity: Entity
    owner: Entity
    thing: Any
    annotations: dict[str, Any]
    namespace: dict[str, Any]


class Annotations:
    """Sends annotations once the rest of the program is known."""

    def __init__(self, walk: Walk) -> None:
        self._walk = walk
        self._context = walk.context
        self._waiting: list[_Waiting] = []
        self._seen: set[int] = set()

    def wait(self, entity: Entity, thing: Any, *, owner: Entity | None = None) -> None:
        """Put off the annotations of a function or class until the rest of the program is known.

        Args:
            entity: the entity of the function or class.
            thing: the function or class.
            owner: the entity with which they are filled in; the same by default.
        """
        if id(thing) in self._seen:
            return
        self._seen.add(id(thing))
        annotations = _annotations_of(thing)
        if (
            annotations
            or _other_types(thing, annotations)
            or (entity.kind == "m" and "__annotations__" in _names_of(thing))
        ):
            namespace = _namespace_of(thing)
            self._context.observed.made_table(lambda: _annotations_of(thing))
            self._waiting.append(_Waiting(entity, owner or entity, thing, annotations, namespace))

    def send(self) -> None:
        """Send the annotations put off so far."""
        is_asked = self._walk.classes.mentions(INTROSPECTION)
        if self._walk.classes.mentions(_OF_MODULES):
            for module in self._context.program.modules():
                self.wait(module, module.thing)
        while self._waiting:
            waiting = self._waiting.pop(0)
            if waiting.entity.kind not in {"a", "c", "f", "g", "m"}:
                continue
            parts = {name: self._part(name, value, waiting, is_asked) for name, value in waiting.annotations.items()}
            types_ = {
                name: self._part(name, value, waiting, is_asked)
                for name, value in _other_types(waiting.thing, waiting.annotations).items()
            }
            is_entry = isinstance(waiting.thing, type) and "__annotations__" in vars(waiting.thing)
            self._context.program.act(waiting.owner, "z", waiting.entity, parts, types_, is_entry)

    def _part(self, name: str, value: Any, waiting: _Waiting, is_asked: bool) -> Reference:
        values, program = self._walk.values, self._context.program
        if isinstance(value, str):
            if is_asked:
                self._names_in(value, waiting)
            return program.value(value)
        if is_asked or self._is_known(value):
            with self._context.tolerating():
                reference = values.send(value, Kind.CAPTURED, name, Place(), trait="Serializable")
                if reference is not None:
                    return reference
        return values.placeholder(f"the annotation of {name}", value)

    def _names_in(self, text: str, waiting: _Waiting) -> None:
        """Reach the globals named in an unevaluated annotation."""
        try:
            expression = ast.parse(text, mode="eval")
        except SyntaxError:
            return
        module = self._walk.names.module(waiting.namespace)
        for node in ast.walk(expression):
            if isinstance(node, ast.Name):
                read = Read(node.id, (), 0)
                self._context.possibly(lambda r=read: self._walk.names.read(waiting.namespace, module, r, Place()))  # type: ignore[misc]  # mypy refuses defaults in a lambda

    def _is_known(self, value: Any) -> bool:
        """Return whether the program or the image has every part of an annotation."""
        if value is None or value is ... or self._context.program.entity(value) is not None:
            return True
        if self._context.origins.name_of(value) is not None:
            return True
        form = type_expressions.dissect(value)
        return form is not None and all(map(self._is_known_part, form.parts))

    def _is_known_part(self, part: Any) -> bool:
        if isinstance(part, tuple):
            return all(map(self._is_known_part, part))
        return isinstance(part, str | int) or self._is_known(part)


def _names_of(thing: Any) -> dict[str, Any]:
    return thing if isinstance(thing, dict) else vars(thing)


def _annotations_of(thing: Any) -> dict[str, Any]:
    if isinstance(thing, types.ModuleType):
        if sys.version_info >= (3, 14):
            return annotations_of(thing)
        thing = vars(thing)
    return dict(thing.get("__annotations__", {})) if isinstance(thing, dict) else annotations_of(thing)


def _other_types(thing: Any, own: dict[str, Any]) -> dict[str, Any]:
    """Return the field types of a class that differ from its annotations: either of the two was replaced."""
    if not isinstance(thing, type):
        return {}
    fields = {name: field.type for name, field in thing.__dict__.get("__dataclass_fields__", {}).items() if name in own}
    for attribute in thing.__dict__.get("__attrs_attrs__", ()):
        if not attribute.inherited:
            fields[attribute.name] = attribute.type
    return {name: type_ for name, type_ in fields.items() if type_ is not own.get(name)}


def _namespace_of(thing: Any) -> dict[str, Any]:
    if isinstance(thing, types.FunctionType):
        return thing.__globals__
    if isinstance(thing, dict):
        return thing
    if isinstance(thing, types.ModuleType):
        return vars(thing)
    module = loaded(thing.__module__)
    return vars(module) if module is not None else {"__name__": thing.__module__}
