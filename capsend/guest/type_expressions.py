"""Types that a call makes are made again: the guest's half of `capsend.shipping.captures.type_expressions`."""

from __future__ import annotations

import functools
import operator
import typing
from typing import Any

# Type checkers do not know the names of the types made in this module.
_typing: Any = typing


def _variable(kind: str, name: str, variances: list[str], parts: Any) -> Any:
    bound, constraints, *default = parts
    options: dict[str, Any] = dict.fromkeys(variances, True)
    if bound is not None:
        options["bound"] = bound
    if default:
        options["default"] = default[0]
    return getattr(_typing, kind)(name, *constraints, **options)


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


MAKERS: dict[str, Any] = {
    "variable": _variable,
    "new_type": _new_type,
    "union": _union,
    "item": _item,
    "callable": _callable,
    "part": lambda name, parts: getattr(parts[0], name),
}
