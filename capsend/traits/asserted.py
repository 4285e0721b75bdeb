"""`@process_send`: the assertion that a class is ProcessSend automatically, checked at the class statement."""

from __future__ import annotations

import types
import typing
from typing import TYPE_CHECKING, Any, Final, TypeVar

from capsend_traits import table
from capsend_traits.wording import Finding, Kind, Leaf, Step, fit, opening, report

from capsend.codec.instances import class_attribute
from capsend.exceptions import CaptureError
from capsend.source.modules import loaded
from capsend.traits.fields import annotations_of, is_field
from capsend.traits.judge import Shape, class_verdict, mutability, type_name
from capsend.traits.markers import explicit_impl

if TYPE_CHECKING:
    from collections.abc import Iterator

    from capsend.traits.judge import TraitName

ClassT = TypeVar("ClassT", bound=type[Any])

_MOST_NESTED: Final = 50


def process_send(cls: ClassT) -> ClassT:
    """Assert that a class is ProcessSend without an explicit impl; raise at the class statement if it is not.

    The types of the fields are read from their annotations. An annotation that is wider than its values (`Sequence`, `object`, a type
    variable) is left to the mypy plugin, which refuses it, and to `spawn`, which judges the values. Use it as the topmost decorator.

    Raises:
        CaptureError: a field can be assigned, or has a type that is not ProcessSend; the class has a negative impl.

    Example:
        >>> import dataclasses
        >>> from capsend import process_send
        >>> @process_send
        ... @dataclasses.dataclass(frozen=True)
        ... class Point:
        ...     x: int
        ...     y: int
    """
    if not isinstance(cls, type):
        raise CaptureError(f"@process_send decorates a class, not {type(cls).__name__}.")
    leaves = tuple(_class_leaves(cls, cls.__name__, (), frozenset()))
    if leaves:
        finding = Finding(Kind.CLASS, cls.__name__, cls.__name__, "ProcessSend", leaves)
        raise CaptureError(report(opening(cls.__name__, [finding], verb="claim"), [finding]), findings=[finding])
    return cls


def field_types(cls: type) -> dict[str, object]:
    """Return {field: type} of a class's annotated fields, inherited ones included, without names that cannot be resolved yet."""
    found: dict[str, object] = {}
    for base in reversed(cls.__mro__):
        namespace = vars(loaded(base.__module__) or types.ModuleType(""))
        for name, annotation in annotations_of(base).items():
            if is_field(annotation):
                resolved = _resolve(annotation, namespace, base)
                if resolved is not None:
                    found[name] = resolved
    return found


def _resolve(annotation: object, namespace: dict[str, Any], cls: type) -> object | None:
    if not isinstance(annotation, str):
        return annotation
    try:
        # The annotation is the user's code, in the user's program.
        return typing.cast("object", eval(annotation, namespace, {cls.__name__: cls, **vars(cls)}))  # noqa: S307
    except Exception:  # noqa: BLE001 - a forward reference may fail in any way; the name is not known yet then
        return None


def _class_leaves(
    cls: type, path: str, steps: tuple[Step, ...], open_: frozenset[type], trait: TraitName = "ProcessSend"
) -> Iterator[Leaf]:
    if cls in open_ or len(steps) > _MOST_NESTED:
        return  # recursive types are assumed to be sendable while they are checked
    verdict = class_verdict(cls, trait)
    if verdict.refusal is not None:
        reason, cure = verdict.refusal
        yield Leaf(path, type_name(cls), reason, fit(cure, path), steps=steps)
    if verdict.shape is not Shape.INSTANCE:
        return
    if is_abstract(cls) and open_:
        return
    refusal = mutability(cls) if trait == "ProcessSend" else None
    if refusal is not None:
        yield Leaf(path, type_name(cls), *refusal, steps=steps)
    for name, annotation in field_types(cls).items():
        step = Step(path, type_name(cls), name)
        yield from type_leaves(annotation, f"{path}.{name}", (*steps, step), open_ | {cls}, trait)


def type_leaves(
    annotation: Any,
    path: str,
    steps: tuple[Step, ...] = (),
    open_: frozenset[type] = frozenset(),
    trait: TraitName = "ProcessSend",
) -> Iterator[Leaf]:
    """Yield the reasons why values of a type lack a trait, as far as the type shows them.

    A type yields nothing if all its values have the trait, or if only the value can decide.

    Args:
        annotation: the type.
        path: the user's name for such a value.
        steps: the steps to the type.
        open_: the classes in progress, which are assumed to have the trait.
        trait: the trait.
    """
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated or origin is typing.Final:
        yield from type_leaves(arguments[0], path, steps, open_, trait)
    elif origin in {typing.Union, types.UnionType}:
        for member in arguments:
            yield from type_leaves(member, path, steps, open_, trait)
    elif isinstance(annotation, typing.NewType):
        yield from type_leaves(annotation.__supertype__, path, steps, open_, trait)
    elif isinstance(origin, type):
        yield from _class_leaves(origin, path, steps, open_, trait)
        declaration = table().of_class(origin)
        if declaration is not None and declaration.parameters:
            for member in arguments:
                yield from type_leaves(member, path, steps, open_, trait)
    elif isinstance(annotation, type) and annotation is not object:
        yield from _class_leaves(annotation, path, steps, open_, trait)


def is_abstract(cls: type) -> bool:
    """Return whether a class is an interface that can represent any value."""
    return bool(class_attribute(cls, "_is_protocol")) or (
        explicit_impl(cls) is None and bool(class_attribute(cls, "__abstractmethods__"))
    )
