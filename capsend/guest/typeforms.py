"""Make the types again that a call made: the other half of `capsend.typeforms`."""

from __future__ import annotations

import collections
import enum
import functools
import operator
import typing
from typing import Any

# The types made here have names that no type checker sees.
_typing: Any = typing


def _variable(kind: str, name: str, parts: Any) -> Any:
    bound, constraints = parts
    maker = getattr(_typing, kind)
    return maker(name) if bound is None and not constraints else maker(name, *constraints, bound=bound)


def _new_type(name: str, module: str, parts: Any) -> Any:
    made = _typing.NewType(name, parts[0])
    made.__module__ = module
    return made


def _union(parts: Any) -> Any:
    return functools.reduce(operator.or_, parts)


def _item(parts: Any) -> Any:
    origin, arguments = parts
    return origin[arguments if len(arguments) != 1 else arguments[0]]


def _callable(parts: Any) -> Any:
    maker, parameters, result = parts
    return maker[list(parameters) if isinstance(parameters, tuple) else parameters, result]


def _named_tuple(name: str, module: str, fields: list[str], defaults: Any) -> Any:
    return collections.namedtuple(name, fields, defaults=defaults, module=module)  # noqa: PYI024 - the user's own was one


def _typed_dict(name: str, module: str, parts: Any) -> Any:
    items, total = parts
    made = _typing.TypedDict(name, dict(items), total=total)
    made.__module__ = module
    return made


def _enum(name: str, module: str, parts: Any) -> Any:
    (*mixins, base), members = parts
    return enum.EnumType.__call__(base, name, list(members), module=module, type=mixins[0] if mixins else None)


MAKERS: dict[str, Any] = {
    "variable": _variable,
    "new_type": _new_type,
    "union": _union,
    "item": _item,
    "callable": _callable,
    "named_tuple": _named_tuple,
    "typed_dict": _typed_dict,
    "enum": _enum,
}
