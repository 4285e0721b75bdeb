"""The entities of a program: the objects that a process rebuilds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable

    from capsend.codec.text import NotEncodable


NOT_NAMED: Final = "no code that was sent with it names it"
"""The reason why most values of a module are not sent; a step does not repeat it."""


@attrs.define(eq=False)
class Entity:
    """One object that a process rebuilds.

    Attributes:
        thing: the object on the host, which is kept alive.
        kind: the letter of the step that makes it.
        parts: the rest of the step, with entities in the places of references.
        number: its place among the entities of the rendered program; None before it is rendered.
        ready: (entity, ...) of the classes and functions whose code runs when a value is decoded.
        blame: called with the error when a value has no encoding after all; returns whether a placeholder may represent
            it.
    """

    thing: object = attrs.field(repr=False)
    kind: str
    parts: tuple[Any, ...] = attrs.field(repr=False)
    number: int | None = None
    ready: tuple[Entity, ...] = attrs.field(default=(), repr=False)
    blame: Callable[[NotEncodable], bool] | None = attrs.field(default=None, repr=False)


Reference: TypeAlias = Entity | str
