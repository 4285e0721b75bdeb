"""The judge of values: it decides whether a value has a trait, and which parts spoil the trait and why.

The judge follows containers and fields by the exact class of each value. Code (functions, classes, modules and so on)
is passed to `external`, because whether code can be sent depends on its program. The judge is not recursive, so any
depth will do.
"""

from __future__ import annotations

import collections
import collections.abc
import dataclasses
import enum
import functools
import itertools
import types
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias
from weakref import WeakKeyDictionary

import attrs
from capsend_traits import Trait, table
from capsend_traits.wording import (
    C_CLASS_VERDICT,
    CHANGING_CURE,
    HANDLE_CURE,
    HANDLE_VERDICT,
    IMPL_CURE,
    MUTABLE_CURES,
    NO_MEMBER_CURE,
    Leaf,
    Step,
    c_class_cure,
    changes_itself,
    declared,
    fit,
    mutable_field,
    no_member,
)

from capsend.codec.instances import class_attribute, defines, plan_of
from capsend.codec.standard_types import standard
from capsend.source.modules import shown_name
from capsend.traits.fields import class_fields, instance_state, is_frozen, written_in_python
from capsend.traits.markers import explicit_impl
from capsend.traits.parts import ATOMS, fields_of, has_items, items_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from capsend_traits import Declaration

    from capsend.traits.parts import Part

TraitName: TypeAlias = Literal["ProcessSend", "Serializable"]

MAX_LEAVES: Final = 20
_CODE: Final = (
    types.FunctionType,
    types.BuiltinFunctionType,
    types.MethodType,
    types.ModuleType,
    types.MethodDescriptorType,
    types.WrapperDescriptorType,
    types.MethodWrapperType,
    types.ClassMethodDescriptorType,
    type,
)


_MEMBER_MACHINERY: Final = frozenset(
    {"__objclass__", "_hashable_values_", "_inverted_", "_name_", "_sort_order_", "_unhashable_values_", "_value_"}
)
_CODE_MODULES: Final = frozenset({"_functools", "_sitebuiltins", "capsend", "functools", "typing", "typing_extensions"})
_CODE_CLASSES: Final = frozenset(
    {
        types.GenericAlias,
        types.UnionType,
        type(collections.abc.Callable[[int], int]),
        type(dataclasses.MISSING),
        type(dataclasses.KW_ONLY),
    }
)


class Shape(enum.Enum):
    """The treatment of the instances of a class."""

    ATOM = "no parts"
    PARTS = "a declared class: judge its items"
    INSTANCE = "a Python class: judge its fields"
    DECLARED = "a declared class without an encoding of its own: its class goes by name, its fields are judged"
    DECLARED_WHOLE = "the same, whatever its fields are: only the code in them is reached"
    ENUM = "judge the members' values"
    PROMISED = "an unsafe impl: only its parts are reached"
    CODE = "ask the program"
    REFUSED = "never"


@attrs.frozen
class ClassVerdict:
    """The verdict on instances by their class alone; `leaf` holds (verdict, cure) if they are refused."""

    shape: Shape
    refusal: tuple[str, str] | None = None


@attrs.define
class _Place:
    """A value and the path to it; paths are only joined when a part is refused."""

    value: object
    parent: _Place | None
    noun: str
    part: str


class Judge:
    """Judges values.

    Args:
        external: called as external(value, trait) for code; returns the leaves that refuse it (with relative paths), or
            None if the value is not code and should be judged as an instance.
        named: returns whether an instance that needs `ProcessSend` is sent by name, whatever its parts.

    Attributes:
        has_instances: True once an instance was judged whose fields can change without a rebinding of a name.
        singular: the judged immutable values that equal only themselves, outermost first; copies of one would not be
            equal.
        rebuilt: (class, method) of every user-defined method that runs when the judged values are decoded.
        visited: the judged parts that are not atoms.
        held: True if the next value is an instance held by a class: then only changes after its creation count.
    """

    def __init__(
        self,
        external: Callable[[object, TraitName], list[Leaf] | None],
        named: Callable[[object], bool] = lambda _: False,
    ) -> None:
        self._external = external
        self._named = named
        self.has_instances: bool = False
        self.singular: list[object] = []
        self.rebuilt: list[tuple[type, str]] = []
        self.visited: list[object] = []
        self.held = False

    def leaves(self, value: object, trait: TraitName, path: str) -> list[Leaf]:
        """Return every part of a value that lacks the trait.

        Args:
            value: the value to judge.
            trait: the required trait.
            path: the user's name for the value, such as `cfg`.

        Returns:
            The leaves, those declared not sendable first; empty if the value has the trait.
        """
        if type(value) in ATOMS:
            return []
        found: list[tuple[bool, Leaf]] = []
        seen = {id(value)}
        stack = [_Place(value, None, "", path)]
        while stack and len(found) < MAX_LEAVES:
            place = stack.pop()
            children: list[_Place] = []
            for noun, part, child in self._parts(place, trait, found):
                if (type(child) in ATOMS and child == child) or id(child) in seen:  # noqa: PLR0124 - a NaN is equal only as the same object
                    continue
                seen.add(id(child))
                self.visited.append(child)
                children.append(_Place(child, place, noun, part))
            stack += reversed(children)
        return [leaf for _, leaf in sorted(found, key=lambda pair: not pair[0])]

    def _parts(self, place: _Place, trait: TraitName, found: list[tuple[bool, Leaf]]) -> Iterable[Part]:
        value = place.value
        cls: type = type(value)
        verdict = class_verdict(cls, trait)
        if verdict.shape is Shape.CODE:
            leaves = self._external(value, trait)
            if leaves is not None:
                found += [(True, _relocate(leaf, place)) for leaf in leaves]
                return ()
            verdict = class_verdict(cls, trait, code=False)
        if verdict.refusal is not None:
            found.append((True, _leaf(place, *verdict.refusal)))
            return ()
        if verdict.shape is Shape.ATOM:
            if cls is object:
                self.singular.append(value)
            return ()
        if verdict.shape in {Shape.PROMISED, Shape.DECLARED_WHOLE}:
            found += [(True, _of_class(leaf, place)) for leaf in self._external(cls, trait) or ()]
            self._note_methods(place)
            self._reach_promised(value)
            return ()
        if verdict.shape is Shape.ENUM:
            assert isinstance(value, enum.Enum)
            if type(value).__members__.get(value._name_) is not value and not isinstance(value, enum.Flag):
                found.append((True, _leaf(place, no_member(cls.__qualname__), NO_MEMBER_CURE)))
            found += [(True, _of_class(leaf, place)) for leaf in self._external(cls, trait) or ()]
            if trait == "ProcessSend" and (refusal := mutability(cls, held=True)) is not None:
                found.append((False, _leaf(place, *refusal)))
            return self._members(value)
        if verdict.shape in {Shape.INSTANCE, Shape.DECLARED}:
            if trait == "ProcessSend" and self._named(value):
                return ()
            self.has_instances = True
            found += [(True, _of_class(leaf, place)) for leaf in self._external(cls, trait) or ()]
            judged = trait == "ProcessSend" and verdict.shape is Shape.INSTANCE
            held = self.held and place.parent is None
            refusal = mutability(cls, held=held) if judged else None
            if refusal is not None:
                found.append((False, _leaf(place, *refusal)))
            elif _equals_only_itself(cls) and (trait == "ProcessSend" or not any(instance_state(value))):
                self.singular.append(value)
            self._note_methods(place)
            if trait == "Serializable" and plan_of(cls).own_get:
                return [*items_of(value), *_own_state(value, place, found)]
            return [*items_of(value), *fields_of(value)]
        return items_of(value)

    def _note_methods(self, place: _Place) -> None:
        cls = type(place.value)
        if plan_of(cls).own_set:
            self.rebuilt.append((cls, "__setstate__"))
        at: _Place | None = place
        while at is not None and at.noun in {"key", "element", "item", "field"}:
            if at.noun in {"key", "element"}:
                self.rebuilt += [(cls, "__hash__"), (cls, "__eq__")]
                break
            at = at.parent

    def _reach_promised(self, value: object) -> None:
        """Reach the code in an instance of a class with an unsafe impl; for its other parts the author of the impl is responsible."""
        self.has_instances = True
        getstate = class_attribute(type(value), "__getstate__")
        own = getstate is not None and getstate is not vars(object).get("__getstate__")
        self.leaves(value.__getstate__() if own else dict(instance_state(value)), "Serializable", "")
        for _, _, part in items_of(value):
            self.leaves(part, "Serializable", "")

    def _members(self, value: object) -> Iterator[Part]:
        assert isinstance(value, enum.Enum)
        for name, member in members_of(type(value)):
            yield "member", f".{name}", member.value
            for field, child in member_state(member):
                yield "field", f".{name}.{field}", child


_VALUES: Final = frozenset({"capsend.commands.showcase", "capsend.source_text.source", "capsend.shipping.records"})
"""Modules of capsend whose classes are judged like user classes."""

_verdicts: dict[tuple[TraitName, bool], WeakKeyDictionary[type, ClassVerdict]] = {
    (trait, code): WeakKeyDictionary() for trait in ("ProcessSend", "Serializable") for code in (True, False)
}


def class_verdict(cls: type, trait: TraitName, *, code: bool = True) -> ClassVerdict:
    """Return the verdict on instances by their class alone; the answer is cached for the life of the class."""
    cache = _verdicts[trait, code]
    known = cache.get(cls)
    if known is None:
        known = cache[cls] = _decide(cls, trait, code=code)
    return known


def _decide(cls: type[Any], trait: TraitName, *, code: bool) -> ClassVerdict:
    if defines(cls, "__capsend_unsent__"):
        return ClassVerdict(Shape.REFUSED, ("it was not sent with the program that spawns", IMPL_CURE))
    impl = explicit_impl(cls)
    if impl is not None:
        refusal = None if impl.positive else (declared(impl.owner, impl.reason), IMPL_CURE)
        return ClassVerdict(Shape.PROMISED if impl.positive else Shape.REFUSED, refusal)
    if code and (issubclass(cls, _CODE) or _is_code_like(cls)):
        return ClassVerdict(Shape.CODE)
    if issubclass(cls, enum.Enum):
        return ClassVerdict(Shape.ENUM)
    wanted = Trait(trait)
    declaration = table().of_class(cls)
    negative = table().negative(cls, trait=wanted)
    if negative is not None:
        name = type_name(cls) if declaration is negative else negative.name.rpartition(".")[2]
        return ClassVerdict(Shape.REFUSED, (declared(name, negative.reason), negative.cure))
    if declaration is not None:
        return ClassVerdict(_declared_shape(cls, declaration, wanted))
    if cls.__module__.startswith("capsend.") and cls.__module__ not in _VALUES:
        return ClassVerdict(Shape.REFUSED, (HANDLE_VERDICT, HANDLE_CURE))
    if cls in {functools.partial, types.MethodType}:
        return ClassVerdict(Shape.PARTS)
    if written_in_python(cls):
        return ClassVerdict(Shape.INSTANCE)
    if cls is object:
        return ClassVerdict(Shape.ATOM)
    module = str(getattr(cls, "__module__", ""))
    cure = c_class_cure(module, cls.__qualname__, has=functools.partial(hasattr, cls))
    return ClassVerdict(Shape.REFUSED, (C_CLASS_VERDICT, cure))


def _declared_shape(cls: type, declaration: Declaration, trait: Trait) -> Shape:
    if standard(cls) is not None or plan_of(cls).refusal:
        return Shape.PARTS if has_items(cls) else Shape.ATOM
    # As in the plugin: a declaration without type parameters covers all parts of an instance.
    whole = trait is Trait.PROCESS_SEND and not declaration.parameters
    return Shape.DECLARED_WHOLE if whole else Shape.DECLARED


def declared_refusal(thing: object) -> tuple[str, str] | None:
    """Return (why, cure) if instances of an object's class are declared not sendable, else None.

    For messages and results, where the codec alone decides about everything else.
    """
    refusal = class_verdict(type(thing), "Serializable").refusal
    return None if refusal is None or refusal[0] in {C_CLASS_VERDICT, HANDLE_VERDICT} else refusal


def _equals_only_itself(cls: Any) -> bool:
    return cls.__eq__ is object.__eq__


def _is_code_like(cls: type) -> bool:
    """Return whether instances of a class represent code: callables and type expressions other than functions and classes."""
    module = str(getattr(cls, "__module__", ""))
    return module in _CODE_MODULES or module.startswith("capsend.") or cls in _CODE_CLASSES


def members_of(cls: Any) -> Iterator[tuple[str, enum.Enum]]:
    """Yield (name, member) of an enum, and (value as text, combination) of flag combinations with additional state."""
    yield from cls.__members__.items()
    if issubclass(cls, enum.Flag):
        for value, member in cls._value2member_map_.items():
            if cls.__members__.get(member._name_) is not member and any(member_state(member)):
                yield str(value), member


def member_state(member: enum.Enum) -> Iterator[tuple[str, object]]:
    """Yield the fields of an enum member, without those of the enum machinery."""
    yield from ((name, value) for name, value in instance_state(member) if name not in _MEMBER_MACHINERY)


def mutability(cls: type, *, held: bool = False) -> tuple[str, str] | None:
    """Return (why, cure) if a class has reassignable fields, else None.

    Args:
        cls: the class.
        held: True to count only fields that a method assigns after the creation of an instance.
    """
    fields = class_fields(cls)
    names = fields.changed if held else fields.mutable
    if not names:
        return None
    if held or is_frozen(cls):
        return changes_itself(cls.__qualname__), CHANGING_CURE
    return mutable_field(cls.__qualname__, names[0]), MUTABLE_CURES[fields.style]


def parts_of(value: object) -> Iterator[Part]:
    """Yield (noun, step of the path, part) for the items and fields that are judged together with a value."""
    yield from items_of(value)
    if class_verdict(type(value), "Serializable").shape in {Shape.INSTANCE, Shape.DECLARED}:
        yield from fields_of(value)


def _own_state(value: Any, place: _Place, found: list[tuple[bool, Leaf]]) -> Iterable[Part]:
    try:
        return [("state", ".__getstate__()", value.__getstate__())]
    except Exception as error:  # noqa: BLE001 - user code
        found.append((True, _leaf(place, f"its __getstate__ failed: {error!r}", "")))
        return ()


def _steps(place: _Place) -> tuple[str, tuple[Step, ...]]:
    chain: list[_Place] = []
    at: _Place | None = place
    while at is not None:
        chain.append(at)
        at = at.parent
    chain.reverse()
    path = chain[0].part
    steps = []
    for outer, inner in itertools.pairwise(chain):
        steps.append(Step(path=path, type=type_name(type(outer.value)), part=inner.part.lstrip("."), noun=inner.noun))
        path += inner.part
    return path, tuple(steps)


def type_name(cls: type) -> str:
    """Return the name of a class for messages."""
    return "None" if cls is type(None) else shown_name(cls.__qualname__)


def _leaf(place: _Place, verdict: str, cure: str) -> Leaf:
    path, steps = _steps(place)
    return Leaf(path=path, type=type_name(type(place.value)), verdict=verdict, cure=fit(cure, path), steps=steps)


def _relocate(leaf: Leaf, place: _Place) -> Leaf:
    path, steps = _steps(place)
    below = [Step(path + step.path, step.type, step.part, step.noun) for step in leaf.steps]
    cure = leaf.cure.replace(f"({leaf.path})", f"({path}{leaf.path})") if leaf.path else leaf.cure
    return dataclasses.replace(leaf, path=path + leaf.path, steps=(*steps, *below), cure=cure)


def _of_class(leaf: Leaf, place: _Place) -> Leaf:
    """Return the leaf for an instance whose class cannot be sent, whatever its parts."""
    path, steps = _steps(place)
    return Leaf(
        path,
        type_name(type(place.value)),
        f"its class cannot be sent: {leaf.verdict}",
        leaf.cure,
        leaf.predicate,
        steps,
    )
