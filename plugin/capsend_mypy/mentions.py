"""One reference of a function to an outer object, as a value for mypy's cache."""

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
    """A place in a source, as a value: it keeps no syntax tree alive."""

    module: str
    line: int
    column: int
    end_line: int | None
    end_column: int | None

    def context(self) -> n.Context:
        """Return the place in the form for mypy's error reports."""
        context = n.Context(self.line, self.column)
        context.end_line, context.end_column = self.end_line, self.end_column
        return context


class Ref(NamedTuple):
    """One object that a function refers to.

    Args:
        kind: one of this module's constants.
        target: the full name of the variable, function or class; for a default the parameter; for an attribute the path
            of its owner.
        member: the attribute that is read through a class, or assigned; for a default the kind of its value.
        place: the place of the reference; None if it comes from a cache.
    """

    kind: str
    target: str
    member: str = ""
    place: Place | None = None


def place_of(node: n.Context, module: str) -> Place:
    """Return the place of a node."""
    # mypy's contexts have no module, and a report in another file's context would show a wrong line.
    return Place(module, node.line, node.column, node.end_line, node.end_column)


def encoded(refs: Iterable[Ref]) -> list[list[Any]]:
    """Return references as data for JSON, without places: a moved line must not change a module's interface."""
    return [[ref.kind, ref.target, ref.member] if ref.member else [ref.kind, ref.target] for ref in refs]


def decoded(data: list[list[Any]]) -> list[Ref]:
    """Return the references from data made by `encoded`."""
    return [Ref(*item) for item in data]
