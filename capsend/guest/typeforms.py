"""Make the types again that a call made: the other half of `capsend.typeforms`."""

from __future__ import annotations

import collections
import enum
import functools
import operator
import typing
from typing import Any


def _variable(kind: str, name: str, _: Any) -> Any:
    return getattr(typing, kind)(name)


def _new_type(name: str, module: str, parts: Any) -> Any:
    made = typing.NewType(name, parts[0])
    made.__module__ = module
    return made


def _union(parts: Any) -> Any:
    return functools.reduce(operator.or_, parts)


def _item(parts: Any) -> Any:
    origin, arguments = parts
    return origin[arguments if len(arguments) != 1 else arguments[0]]


def _named_tuple(name: str, module: str, fields: list[str], defaults: Any) -> Any:
    return collections.namedtuple(name, fields, defaults=defaults, module=module)  # noqa: PYI024 - the user's own was one


def _enum(name: str, module: str, parts: Any) -> Any:
    base, members = parts
    return enum.EnumType.__call__(base, name, list(members), module=module)


MAKERS = {
    "variable": _variable,
    "new_type": _new_type,
    "union": _union,
    "item": _item,
    "named_tuple": _named_tuple,
    "enum": _enum,
}
