"""One reference of a function to something outside itself, as a value that mypy's cache can carry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from mypy import nodes as n

if TYPE_CHECKING:
    from collections.abc import Iterable

VARIABLE: Final = "v"
FUNCTION: Final = "f"
CLASS: Final = "c"
MEMBER: Final = "m"
SUPER: Final = "b"
MODULE: Final = "i"
WRITTEN: Final = "w"
ATTRIBUTE: Final = "a"
HIDDEN: Final = "h"
DEFAULT: Final = "d"
DECORATED: Final = "@"
OPAQUE: Final = "o"
SUBCLASS: Final = "s"


class Place(NamedTuple):
    """A place in a source; a value, so that it keeps no syntax tree alive."""

    module: str
    line: int
    column: int
    end_line: int | None
    end_column: int | None

    def context(self) -> n.Context:
        """Return the place in the form that mypy reports errors at."""
        context = n.Context(self.line, self.column)
        context.end_line, context.end_column = self.end_line, self.end_column
        return context


class Ref(NamedTuple):
    """One thing that a function refers to.

    Args:
        kind: one of this module's constants.
        target: the full name of the variable, function or class; for a default the parameter; for an attribute the path of its owner.
        member: the attribute reached through a class, or assigned; for a default the kind of its value.
        place: where; None when the reference comes from a cache.
    """

    kind: str
    target: str
    member: str = ""
    place: Place | None = None


def place_of(node: n.Context, module: str) -> Place:
    """Return the place of a node."""
    return Place(module, node.line, node.column, node.end_line, node.end_column)


def encoded(refs: Iterable[Ref]) -> list[list[Any]]:
    """Return references as JSON can hold them, without places: a shifted line must not change a module's interface."""
    return [[ref.kind, ref.target, ref.member] if ref.member else [ref.kind, ref.target] for ref in refs]


def decoded(data: list[list[Any]]) -> list[Ref]:
    """Return the references that `encoded` made data of."""
    return [Ref(*item) for item in data]
