"""The classes of a walk: their entities, their anatomy, and the attributes and methods that are reached."""

from __future__ import annotations

import abc
import ast
import collections.abc
import dataclasses
import enum
import functools
import numbers
import sys
import types
from typing import TYPE_CHECKING, Any, Final

import attrs
from capsend_traits.wording import Kind

from capsend.capabilities.handles import grant_of
from capsend.codec.instances import class_attribute, defines, is_a
from capsend.shipping.abstract import (
    abstract_subclasses,
    is_registered_by_a_program,
    registering_subclasses,
    summary,
    virtual_subclasses,
)
from capsend.shipping.captures.anatomy import Anatomy
from capsend.shipping.captures.context import LRU_CACHE, Place, Refused, functions_in
from capsend.shipping.captures.descriptors import Descriptors
from capsend.shipping.captures.machinery import is_machinery, kind_of
from capsend.shipping.captures.missing import missing_cure
from capsend.shipping.captures.origins import Origin, is_placeholder, resolve
from capsend.source.locate import SourceError, locate_alias
from capsend.source.modules import loaded, shown_name
from capsend.source.references import Read
from capsend.traits.fields import class_fields
from capsend.traits.judge import member_state, members_of
from capsend.traits.parts import ATOMS
from capsend.traits.per_process import class_declares_per_process, file_declares

if TYPE_CHECKING:
    from collections.abc import Iterable

    from capsend.shipping.captures.protocols import Walk
    from capsend.shipping.entities import Entity, Reference

_ABSTRACT: Final = tuple(c for m in (collections.abc, numbers) for c in vars(m).values() if isinstance(c, abc.ABCMeta))
_CONSTRUCTION: Final = ("__new__", "__init__", "__post_init__", "__attrs_pre_init__", "__attrs_post_init__")
_OWN: Final = "capsend"
"""The package whose finalizers are not sent: on both sides its modules release their resources themselves."""
_DESCRIPTION: Final = ("__get__", "__set__", "__delete__")
_PASSED_OVER: Final = frozenset(
    {"__doc__", "__qualname__", "__firstlineno__", "__static_attributes__", "__parameters__", "__type_params__"}
)
"""The entries that every class statement makes; they are neither data nor user code."""


@attrs.frozen
class _Reached:
    cls: type
    entity: Entity
    place: Place


class Classes:
    """Reaches classes."""

    def __init__(self, walk: Walk) -> None:
        self._walk = walk
        self._context = walk.context
        self._anatomy = Anatomy(walk)
        self._descriptors = Descriptors(walk)
        self._in_progress: set[type] = set()
        self._reached: dict[type, _Reached] = {}
        # Arguments are walked after their program: what code asks about classes holds for the program's classes too.
        self._before = {cls: _Reached(cls, entity, Place()) for cls, entity in self._context.program.classes().items()}
        self._mentioned: dict[str, Place] = {}
        self._beginnings: dict[str, Place] = {}
        self._attributes: set[tuple[type, str, bool]] = set()
        self._constructed: set[tuple[type, bool]] = set()

    def entity(self, cls: type) -> Entity:
        """Return the entity of a class, after the entities of its parts.

        Raises:
            Refused: the class's module is neither the user's nor in the image, or the class is a part of itself.
        """
        program, origins = self._context.program, self._context.origins
        entity = program.entity(cls)
        if entity is not None:
            return entity
        if cls in self._in_progress:
            raise Refused(f"{cls.__qualname__} is made of something that holds {cls.__qualname__} itself")
        named = origins.name_of(cls)
        if named is not None:
            return program.make(cls, "n", *named)
        twin = _with_slots(cls)
        if twin is not None:
            return program.alias(cls, self.entity(twin))
        if origins.of(cls.__module__) is Origin.MISSING:
            raise Refused(
                f"the image has no module {cls.__module__}", missing_cure(cls.__module__, self._context.origins)
            )
        return self._take_apart(cls)

    def _take_apart(self, cls: type) -> Entity:
        program, context = self._context.program, self._context
        place = Place(shown_name(cls.__qualname__), context.place.inner)
        self._in_progress.add(cls)
        try:
            parts = self._anatomy.parts(cls, place)
        finally:
            self._in_progress.discard(cls)
        known = program.entity(cls)
        if known is not None:
            return known
        if type.mro(cls) != [*cls.__mro__]:
            raise Refused(
                f"its metaclass {type(cls).__qualname__} has put its bases into another order", "let mro() alone"
            )
        entity = program.make(cls, "c", parts)
        self._reached[cls] = _Reached(cls, entity, place)
        context.observed.table(vars(cls))
        context.observed.ancestry(cls)
        context.observed.attribute(cls, "__name__")
        context.observed.attribute(cls, "__qualname__")
        self._bind_in_module(cls, entity)
        context.possibly(lambda: self._fill(cls, entity, place))
        self._walk.annotations.wait(entity, cls)
        return entity

    def _bind_in_module(self, cls: type, entity: Entity) -> None:
        """Bind a class in its module of the process if it is bound so on the host.

        Messages and exceptions name classes by their module.
        """
        module = loaded(cls.__module__)
        if module is None or self._context.origins.of(cls.__module__) is not Origin.USER:
            return
        owner = self._walk.names.module(vars(module))
        if vars(module).get(cls.__qualname__) is cls:
            self._context.program.bind(owner, cls.__qualname__, entity)

    def _fill(self, cls: type, entity: Entity, place: Place) -> None:
        """Send, where possible, the entries of a class that no code names."""
        program = self._context.program
        kind = kind_of(cls)
        for name, raw in list(vars(cls).items()):
            if is_machinery(cls, kind, name, raw) or program.is_bound(entity, name):
                continue
            reference = None
            if not is_placeholder(raw):
                with self._context.tolerating():
                    reference = self._entry(cls, name, raw, place)
            if reference is not None:
                program.bind(entity, name, reference)
            else:
                file = getattr(loaded(cls.__module__), "__file__", None)
                program.withhold(entity, name, self._context.stays(raw, file))
        abstract = vars(cls).get("__abstractmethods__")
        if abstract is not None:
            program.bind(entity, "__abstractmethods__", program.value(abstract))
        if issubclass(cls, enum.Enum):
            self._members(cls, entity, place)
        if vars(cls).get("_is_protocol"):
            program.act(entity, "P", entity, bool(vars(cls).get("_is_runtime_protocol")))
        made = vars(cls).get("__init__")
        if (
            isinstance(made, types.FunctionType)
            and kind in {"attrs", "dataclass"}
            and is_machinery(cls, kind, "__init__", made)
        ):
            generated = program.entity(made) or program.make(made, "a", entity, "__init__")
            self._walk.annotations.wait(generated, made, owner=entity)

    def _members(self, cls: Any, entity: Entity, place: Place) -> None:
        """Send the instance fields of an enum's members."""
        members: dict[str, dict[str, Reference]] = {}
        if issubclass(cls, enum.Flag):
            self._context.observed.answer(lambda: [name for name, _ in members_of(cls)])
        for name, member in members_of(cls):
            self._context.observed.table(vars(member))
            for field, value in member_state(member):
                path = f"{cls.__qualname__}.{name}.{field}"
                sent = self._walk.values.send_or_placeholder(value, Kind.CLASS_ATTRIBUTE, path, place)
                members.setdefault(name, {})[field] = sent
        if members:
            self._context.program.act(entity, "M", entity, members)

    def _entry(
        self, cls: type, name: str, raw: Any, place: Place, *, kind: Kind = Kind.CLASS_ATTRIBUTE
    ) -> Reference | None:
        """Return the reference to an entry of a class's namespace, or None when the entry cannot be sent."""
        path = f"{shown_name(cls.__qualname__)}.{name}"
        outer, self._context.place = self._context.place, place
        try:
            if is_a(raw, types.FunctionType):
                return self._walk.values.send(raw, kind, path, place)
            descriptor = self._descriptors.entity(raw, path, place)
            if descriptor is not None:
                return descriptor
            if type(raw) is functools.partial and sys.version_info < (3, 14):
                # From 3.14 on, which the guest has, a partial in a class binds its first argument as a function does.
                sent = self._walk.values.send(raw, kind, path, place)
                return None if sent is None else self._context.program.make(_Bound(raw), "h", "static", sent)
            held = defines(type(raw), "__get__") or (name not in class_fields(cls).assigned)
            if class_declares_per_process(cls, name):
                if file_declares(cls, name):
                    program = self._context.program
                    program.act(None, "E", program.entity(cls), name)
                return self._walk.values.send_copy(raw, kind, path, place)
            if not self._context.tolerant and self._walk.constants.holds_attribute(cls, name, raw, place):
                return self._walk.values.send_constant(raw, kind, path, place)
            return self._walk.values.send(raw, kind, path, place, held=held and defines(type(raw), "__get__"))
        finally:
            self._context.place = outer

    def part(self, value: object, place: Place, path: str = "") -> Reference:
        """Return the reference to a part of a class; see `Descriptors.part`."""
        return self._descriptors.part(value, place, path)

    def construct(self, cls: type, place: Place) -> None:
        """Reach the methods that make and end instances: a class named by code counts as called."""
        key = (cls, self._context.tolerant)
        if key in self._constructed:
            return
        self._constructed.add(key)
        for name in _CONSTRUCTION:
            self.attribute(cls, name, place)
        finalizer = next((base for base in cls.__mro__ if "__del__" in vars(base)), None)
        if finalizer is not None and not finalizer.__module__.startswith(_OWN):
            self.attribute(cls, "__del__", place)
        if self._context.origins.of(cls.__module__) is not Origin.USER:
            return
        if type(cls).__call__ is not type.__call__:
            self.attribute(type(cls), "__call__", place)
        if issubclass(cls, enum.Enum):
            for member in list(cls.__members__.values())[:1]:
                # The judge looks at all members as soon as it judges one.
                self._walk.values.judge(member, Kind.CLASS_ATTRIBUTE, cls.__qualname__, place)
        self._construct_fields(cls, place)

    def _construct_fields(self, cls: Any, place: Place) -> None:
        """Reach the objects that the `__init__` of a dataclass or attrs class calls or assigns to instances."""
        values = self._walk.values
        for field in class_attribute(cls, "__dataclass_fields__", {}).values():
            if field._field_type.name == "_FIELD_CLASSVAR":  # noqa: SLF001 - there is no public way to ask
                continue  # class variables are no instance fields
            path = f"{cls.__qualname__}.{field.name}"
            if field.default_factory is not dataclasses.MISSING:
                values.judge(field.default_factory, Kind.CLASS_ATTRIBUTE, f"{path}.default_factory", place)
            elif field.default is not dataclasses.MISSING and type(field.default) not in ATOMS:
                values.judge(field.default, Kind.CLASS_ATTRIBUTE, path, place)
        for attribute in class_attribute(cls, "__attrs_attrs__", ()):
            path = f"{cls.__qualname__}.{attribute.name}"
            for part in ("default", "converter", "validator"):
                value = getattr(attribute, part)
                made = getattr(value, "factory", value) if part == "default" else value
                if made is not None and type(made).__name__ != "_Nothing":
                    trait = "ProcessSend" if part == "default" and made is value else "Serializable"
                    values.judge(made, Kind.CLASS_ATTRIBUTE, f"{path}.{part}", place, trait=trait)  # type: ignore[arg-type]  # one of two literals

    def attribute(self, cls: type, name: str, place: Place) -> None:
        """Reach an attribute that is read by name from a class or its instances: its functions are walked, its data must be sendable."""
        base = next((base for base in cls.__mro__ if name in vars(base)), object)
        if base is object and type(cls) is not type and name not in vars(object):
            # Attributes that the metaclass gives to the class.
            metaclass: Any = type(cls)
            meta = next((each for each in metaclass.__mro__ if name in vars(each)), type)
            if meta is not type and self._context.origins.of(meta.__module__) is Origin.USER:
                self.attribute(meta, name, place)
            return
        key = (base, name)
        if base is object or {(*key, False), (*key, self._context.tolerant)} & self._attributes:
            return
        self._attributes.add((*key, self._context.tolerant))
        if self._context.origins.of(base.__module__) is not Origin.USER:
            return
        self._reach(base, name, vars(base)[name], place)

    def _reach(self, base: type, name: str, raw: Any, place: Place) -> None:
        program = self._context.program
        if is_placeholder(raw):
            if _is_strict(base, name, raw):
                self._entry(base, name, raw, place)
            return
        kind = kind_of(base)
        if is_machinery(base, kind, name, raw) or name in _PASSED_OVER:
            return
        for function in functions_in(raw):
            self._walk.functions.judge(function, place)
        if defines(type(raw), "__get__"):
            for method in _DESCRIPTION:
                self.attribute(type(raw), method, place)
        try:
            entity = self.entity(base)
        except Refused:
            return  # reached from the class that holds it
        if entity.number is not None and program.is_bound(entity, name):
            return
        if not _is_strict(base, name, raw):
            return
        try:
            reference = self._entry(base, name, raw, place)
        except Refused:
            return  # functions in it are refused by name
        if reference is not None:
            program.bind(entity, name, reference)

    def mention(self, names: Iterable[str], place: Place) -> None:
        """Note attributes that are read from an unknown object: any reached class may have them."""
        if self._context.tolerant:
            return
        for name in names:
            self._mentioned.setdefault(name, place)

    def mention_beginnings(self, prefixes: Iterable[str], place: Place) -> None:
        """Note prefixes of attribute names that are read from an unknown object: any reached class may have such attributes."""
        if not self._context.tolerant:
            for prefix in prefixes:
                self._beginnings.setdefault(prefix, place)

    def _mention_of(self, name: str) -> Place | None:
        """Return the place where an attribute is mentioned by its name or by a prefix of its name."""
        place = self._mentioned.get(name)
        if place is None and self._beginnings:
            place = next((at for prefix, at in self._beginnings.items() if name.startswith(prefix)), None)
        return place

    def mentioned(self, name: str) -> Place | None:
        """Return the place where a name is mentioned."""
        return self._mentioned.get(name)

    def mentions(self, names: Iterable[str]) -> bool:
        """Return whether this walk, or the program that it continues, mentions or asks for any of these names."""
        asked = self._context.program.asked
        return any(name in self._mentioned or name in asked for name in names)

    def follow_mentions(self) -> None:
        """Reach the mentioned attributes of all classes, until no new ones are found."""
        done: set[tuple[type, str]] = set()
        while True:
            self._subclasses()
            pairs = [
                (cls, name)
                for cls in list(self._reached)
                for name in _attribute_names(cls)
                if (cls, name) not in done and self._mention_of(name) is not None
            ]
            if not pairs:
                return
            done.update(pairs)
            for cls, name in pairs:
                place = self._mention_of(name)
                assert place is not None
                self.attribute(cls, name, place)
            self._context.drain()

    def _known(self) -> dict[type, _Reached]:
        """Return the classes of this walk and of the program that the walk continues."""
        return {**self._before, **self._reached}

    def _subclasses(self) -> None:
        """Include all subclasses, for code that calls `__subclasses__`."""
        place = self._mentioned.get("__subclasses__")
        if place is None:
            return
        while new := [
            sub
            for reached in self._known().values()
            for sub in _subclasses_of(reached.cls)
            if sub not in self._reached and self._context.program.entity(sub) is None
        ]:
            for sub in new:
                if not self._walk.values.judge(sub, Kind.CLASS, sub.__qualname__, place):
                    return

    def register(self) -> None:
        """Write the virtual subclasses of abstract classes, the registrations of user classes with classes of the image, and their order."""
        self._ask_subclasses()
        program, origins = self._context.program, self._context.origins
        known, uses_packages = self._known(), program.uses_packages()
        self._context.observed.answer(abc.get_cache_token)
        for base in [*(() if self._registers_nothing(uses_packages=uses_packages) else _ABSTRACT), *known]:
            if not isinstance(base, abc.ABCMeta):
                continue
            own = base in self._reached
            beneath = self._registered_beneath(base)
            for cls in _in_order([*virtual_subclasses(base), *beneath]):
                is_late = base in _ABSTRACT and is_registered_by_a_program(base, cls, uses_packages=uses_packages)
                is_wanted = own or cls in beneath or is_late
                if cls in self._reached or (is_wanted and (cls in known or origins.name_of(cls) is not None)):
                    entities = self.entity(base), self.entity(cls)
                    owner = entities[0] if own else entities[1] if cls in self._reached else None
                    if owner is None:
                        program.need(*entities)
                    program.act(owner, "r", *entities)
        if "__subclasses__" in self._mentioned:
            for reached in known.values():
                self._context.observed.answer(lambda c=reached.cls: _subclasses_of(c))  # type: ignore[misc]  # mypy refuses defaults in a lambda
                for entity in filter(None, map(program.entity, _subclasses_of(reached.cls))):
                    program.act(reached.entity if reached.cls in self._reached else None, "j", entity)

    def _registers_nothing(self, *, uses_packages: bool) -> bool:
        """Return whether every registration with the library's abstract classes is the library's own, so that there is none to send."""
        found = summary(_ABSTRACT, uses_packages=uses_packages)
        is_of_image = all(self._context.origins.of(module) is Origin.IMAGE for module in found.modules)
        return is_of_image and not found.by_programs and found.registered.isdisjoint(map(id, self._known()))

    def _registered_beneath(self, base: abc.ABCMeta) -> list[type]:
        """Return the registrations that have subclasses on the host only: an abstract class asks these too."""
        return [
            cls
            for sub in registering_subclasses(base)
            if sub not in self._reached and self._context.origins.of(sub.__module__) is not Origin.IMAGE
            for cls in virtual_subclasses(sub)
        ]

    def _ask_subclasses(self) -> None:
        """Include subclasses that define `__subclasshook__`: an abstract class asks the hooks of all its subclasses."""
        for reached in list(self._reached.values()):
            for sub in abstract_subclasses(reached.cls) if isinstance(reached.cls, abc.ABCMeta) else ():
                hook = vars(sub).get("__subclasshook__")
                if hook is not None and sub not in self._reached and not vars(sub).get("_is_protocol"):
                    self._walk.values.judge(sub, Kind.CLASS, sub.__qualname__, reached.place)
                    self.attribute(sub, "__subclasshook__", reached.place)
        self._context.include_what_is_possible()

    def alias(self, alias: Any) -> None:
        """Write the step of a `type` alias.

        The value of an alias is evaluated lazily: the names in it are included only where they can be sent.

        Raises:
            Refused: the alias was not made by a `type` statement.
        """
        names, program = self._walk.names, self._context.program
        namespace = vars(sys.modules[alias.__module__])
        try:
            source = locate_alias(alias.__name__, sys.modules[alias.__module__])
        except SourceError as error:
            raise Refused(error.verdict, error.cure) from None
        module = names.module(namespace)
        program.make(alias, "l", module, source.portable(), alias.__name__)
        place = Place(alias.__name__, self._context.place.inner, source.file, source.line)
        for node in ast.walk(source.node):
            if isinstance(node, ast.Name) and node.id != alias.__name__:
                self._context.possibly(lambda n=node.id: names.read(namespace, module, Read(n, (), source.line), place))  # type: ignore[misc]  # mypy refuses defaults in a lambda


@attrs.frozen(eq=False)
class _Bound:
    """Represents an entry of a class whose value has an entity."""

    value: object


def _in_order(classes: list[type]) -> list[type]:
    return sorted(dict.fromkeys(classes), key=lambda each: (each.__module__, each.__qualname__))


def _subclasses_of(cls: type) -> list[type]:
    return type.__subclasses__(cls)


def _is_strict(cls: type, name: str, raw: object) -> bool:
    """Return whether an entry named by code must be sendable: code, descriptors, and data that all instances share."""
    is_code = is_a(raw, types.FunctionType | LRU_CACHE) or defines(type(raw), "__get__")
    if not is_placeholder(raw) and (is_code or grant_of(raw) is not None):
        return True
    fields = class_fields(cls)
    is_default = name in fields.assigned or name in fields.slots or name in _declared_fields(cls)
    return not is_default or type(raw) in ATOMS


def _with_slots(cls: type) -> type | None:
    """Return the class that `@dataclass(slots=True)` made from this one, if any.

    This first class lives on in the methods that were generated for it.
    """
    fields = vars(cls).get("__dataclass_fields__")
    if fields is None or "__slots__" in vars(cls):
        return None
    found = resolve((loaded(cls.__module__) or types.ModuleType("")), cls.__qualname__)
    if is_a(found, type) and found is not cls and vars(found).get("__dataclass_fields__") is fields:
        return found
    return None


def _declared_fields(cls: type) -> frozenset[str]:
    """Return the names of dataclass and attrs fields; a dataclass keeps its class variables in the same table."""
    dataclass_fields: dict[str, Any] = class_attribute(cls, "__dataclass_fields__", {})
    names = {name for name, field in dataclass_fields.items() if field._field_type.name != "_FIELD_CLASSVAR"}  # noqa: SLF001 - there is no public way to ask
    return frozenset(names | {field.name for field in class_attribute(cls, "__attrs_attrs__", ())})


def _attribute_names(cls: type) -> list[str]:
    return list(dict.fromkeys(name for base in cls.__mro__ if base is not object for name in vars(base)))
