"""Types made by a call that are not classes: type variables, `list[int]`, unions, new types."""

from __future__ import annotations

import collections.abc
import types
import typing
from typing import Any, Final

import attrs

_EXPRESSIONS: Final = frozenset({"types", "typing", "typing_extensions", "builtins", "collections.abc"})
_PARTS: Final = {"ParamSpecArgs": "args", "ParamSpecKwargs": "kwargs"}
_VARIABLES: Final = ("TypeVar", "ParamSpec", "TypeVarTuple")
_VARIANCES: Final = ("covariant", "contravariant", "infer_variance")


@attrs.frozen
class Form:
    """The call that makes a type again.

    Attributes:
        kind: the name of the maker in `capsend.guest.type_expressions`.
        data: its parameters, as JSON-able data.
        parts: the types and values in it, which must be sendable themselves.
    """

    kind: str
    data: tuple[Any, ...] = ()
    parts: tuple[object, ...] = ()


def dissect(value: Any) -> Form | None:
    """Take a type expression apart; return None for any other value."""
    cls = type(value)
    if cls.__name__ in _VARIABLES and cls.__module__ in {"typing", "typing_extensions"}:
        variances = [name for name in _VARIANCES if getattr(value, f"__{name}__", False)]
        return Form("variable", (cls.__name__, value.__name__, variances), _restrictions(value))
    if cls.__name__ in _PARTS:
        return Form("part", (_PARTS[cls.__name__],), (value.__origin__,))
    if isinstance(value, typing.NewType):
        return Form("new_type", (value.__name__, value.__module__), (value.__supertype__,))
    origin = typing.get_origin(value)
    if origin is collections.abc.Callable:
        # Its parameters are a list, which is mutable; the guest makes the list from a tuple.
        *parameters, result = typing.get_args(value)
        first = parameters[0] if parameters else ()
        maker = typing.Callable if cls.__module__ == "typing" else origin
        return Form("callable", (), (maker, tuple(first) if isinstance(first, list) else first, result))
    if origin is typing.Union or origin is types.UnionType:
        return Form("union", (), typing.get_args(value))
    if origin is typing.Annotated:
        return Form("item", (), (typing.Annotated, (value.__origin__, *value.__metadata__)))
    if origin is not None and cls.__module__ in _EXPRESSIONS:
        named = getattr(typing, getattr(value, "_name", None) or "", None)
        arguments = typing.get_args(value)
        return Form("item", (), (named if named is not None else origin, arguments))
    return None


def _restrictions(variable: Any) -> tuple[object, ...]:
    """The bound and the constraints of a type variable, as far as they are built-in types; a running program needs no others."""
    bound, constraints, *default = restrictions_of(variable)
    named = [cls for cls in (bound, *constraints, *default) if isinstance(cls, type) and cls.__module__ == "builtins"]
    kept = constraints if constraints and set(constraints) <= set(named) else ()
    return (bound if bound in named else None, kept, *(each for each in default if each in named))


def restrictions_of(variable: Any) -> tuple[Any, ...]:
    """Return the bound, the constraints and the default, if any, of a type variable."""
    default = getattr(variable, "__default__", None)
    has_default = default is not None and not repr(default).endswith("NoDefault")
    return (
        getattr(variable, "__bound__", None),
        getattr(variable, "__constraints__", ()),
        *([default] if has_default else []),
    )
