"""Containers made by an expression, and the comparison of a value with them: by the containers visible in both."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from capsend_traits._readings import MAX_DEPTH

if TYPE_CHECKING:
    from collections.abc import Callable

    from capsend_traits._scopes import Tree

CONSTRUCTORS: Final = frozenset({"dict", "list", "set", "sorted"})
IMMUTABLE: Final = frozenset({"frozenset", "tuple"})
SPLITTERS: Final = frozenset({"rsplit", "split", "splitlines"})


@dataclass(frozen=True, slots=True)
class Constant:
    """A name whose mutable value is never changed.

    Attributes:
        name: the name.
        value: the expression that is bound to the name.
        depth: the levels of mutable containers: 1 for a list of numbers, 2 for a dict of lists.
        is_mapping: True if the value is a dict.
        is_whole: True if the expression makes the whole value: no other statement adds to it.
        is_lent: True if functions change it temporarily: it must be empty, and is empty again after each call.
    """

    name: str
    value: ast.expr
    depth: int
    is_mapping: bool
    is_whole: bool = True
    is_lent: bool = False


def still_made(
    constant: Constant, value: object, *, leaf: Callable[[object], bool], lookup: Callable[[str], object]
) -> bool:
    """Return whether a value still equals the value that the statement of its constant made, as far as this is visible.

    A display is compared part by part: the same kinds of containers, the same keys, equal literals, the present objects
    of names. Other expressions are not evaluated again: their value may nest containers no deeper than the expression
    shows.

    Args:
        constant: the constant as the source defines it.
        value: the value at the spawn.
        leaf: returns whether a part other than a list, dict or set is immutable, so that it can be sent unchanged.
        lookup: returns the object of a name of the module or of a built-in name; raises `LookupError` if the name is
            not bound.
    """
    if constant.is_lent and value:
        return False
    if not constant.is_whole:
        return depth_of_value(value, leaf) <= constant.depth
    return _matches(constant.value, value, constant.depth, leaf, lookup)


def depth_of_value(value: object, leaf: Callable[[object], bool]) -> int:
    """Return the number of levels of lists, dicts and sets in a value; `MAX_DEPTH` + 1 if the value has another mutable part."""
    parts = _parts(value)
    if parts is None:
        return 0 if leaf(value) else MAX_DEPTH + 1
    return _depth_of_parts(value, parts, leaf, frozenset())


def _depth_of_parts(value: object, parts: list[object], leaf: Callable[[object], bool], around: frozenset[int]) -> int:
    if id(value) in around or len(around) > MAX_DEPTH:
        return MAX_DEPTH + 1
    deepest = 0
    for part in parts:
        inner = _parts(part)
        if inner is not None:
            deepest = max(deepest, _depth_of_parts(part, inner, leaf, around | {id(value)}))
        elif not leaf(part):
            return MAX_DEPTH + 1
    is_immutable = type(value) in {tuple, frozenset}
    return 0 if is_immutable and not deepest else min(deepest + 1, MAX_DEPTH + 1)


def _parts(value: object) -> list[object] | None:
    if type(value) is dict:
        return [*value, *value.values()]
    if isinstance(value, list | set | frozenset | tuple) and type(value) in {list, set, frozenset, tuple}:
        return list(value)
    return None


# The value and the expression


def _matches(
    expression: ast.expr, value: object, depth: int, leaf: Callable[[object], bool], lookup: Callable[[str], object]
) -> bool:
    match expression:
        case ast.Constant():
            return type(value) is type(expression.value) and value == expression.value
        case ast.List() | ast.Tuple() if not any(isinstance(part, ast.Starred) for part in expression.elts):
            kind = list if isinstance(expression, ast.List) else tuple
            if type(value) is not kind or len(value) != len(expression.elts):
                return False
            return all(
                _matches(part, item, depth - 1, leaf, lookup) for part, item in zip(expression.elts, value, strict=True)
            )
        case ast.Dict() if None not in expression.keys:
            return type(value) is dict and _matches_dict(expression, value, depth, leaf, lookup)
        case ast.Name():
            return _is_named(expression.id, value, lookup) and depth_of_value(value, leaf) <= max(depth, 0)
        case ast.List() | ast.ListComp() if type(value) is not list:
            return False
        case ast.Set() | ast.SetComp() if type(value) is not set:
            return False
        case ast.Dict() | ast.DictComp() if type(value) is not dict:
            return False
    return depth_of_value(value, leaf) <= max(depth, 0)


def _is_named(name: str, value: object, lookup: Callable[[str], object]) -> bool:
    try:
        return lookup(name) is value
    except LookupError:
        return True  # it was deleted since, which proves nothing about the container


def _matches_dict(
    expression: ast.Dict,
    value: dict[object, object],
    depth: int,
    leaf: Callable[[object], bool],
    lookup: Callable[[str], object],
) -> bool:
    if not all(isinstance(key, ast.Constant) for key in expression.keys):
        return len(value) <= len(expression.keys) and depth_of_value(value, leaf) <= depth
    parts = {
        key.value: part
        for key, part in zip(expression.keys, expression.values, strict=True)
        if isinstance(key, ast.Constant)
    }
    return list(parts) == list(value) and all(
        _matches(part, value[key], depth - 1, leaf, lookup) for key, part in parts.items()
    )


# The expression alone


def depth_of(value: ast.expr, known: dict[str, Constant], scopes: Tree) -> int:
    """Return the number of levels of lists, dicts and sets that an expression makes; 0 if it visibly makes none."""

    def deepest(parts: list[ast.expr]) -> int:
        return max((depth_of(part, known, scopes) for part in parts), default=0)

    match value:
        case ast.List() | ast.Set():
            return 1 + deepest([e for e in value.elts if not isinstance(e, ast.Starred)])
        case ast.ListComp() | ast.SetComp():
            return 1 + depth_of(value.elt, known, scopes)
        case ast.DictComp():
            return 1 + depth_of(value.value, known, scopes)
        case ast.Dict():
            spread = [part for key, part in zip(value.keys, value.values, strict=True) if key is None]
            held = [part for key, part in zip(value.keys, value.values, strict=True) if key is not None]
            return max(1 + deepest(held), deepest(spread))
        case ast.Tuple():
            inner = deepest(value.elts)
            return inner + 1 if inner else 0
        case ast.Name():
            return known[value.id].depth if value.id in known else 0
        case ast.BinOp():
            return max(depth_of(value.left, known, scopes), depth_of(value.right, known, scopes))
        case ast.IfExp():
            return max(depth_of(value.body, known, scopes), depth_of(value.orelse, known, scopes))
        case ast.Call():
            return _depth_of_call(value, known, scopes)
    return 0


def _depth_of_call(call: ast.Call, known: dict[str, Constant], scopes: Tree) -> int:
    inner = max((depth_of(part, known, scopes) for part in call.args), default=0)
    function = call.func
    if isinstance(function, ast.Name) and function.id not in scopes.module.bound:
        if function.id in CONSTRUCTORS:
            held = max((depth_of(k.value, known, scopes) for k in call.keywords if k.arg is not None), default=0)
            return max(inner, 1, 1 + held if function.id == "dict" else 1)
        if function.id in IMMUTABLE:
            return inner if inner > 1 else 0
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Constant) and function.attr in SPLITTERS:
        return 1
    if isinstance(function, ast.Attribute) and function.attr == "fromkeys" and isinstance(function.value, ast.Name):
        value = depth_of(call.args[1], known, scopes) if len(call.args) == 2 else 0
        return 1 + value if function.value.id == "dict" and "dict" not in scopes.module.bound else 0
    return 0


def is_mapping(value: ast.expr) -> bool:
    """Return whether an expression makes a dict."""
    if isinstance(value, ast.BinOp):
        return is_mapping(value.left) or is_mapping(value.right)
    if isinstance(value, ast.Call):
        function = value.func
        return (isinstance(function, ast.Name) and function.id == "dict") or (
            isinstance(function, ast.Attribute) and function.attr == "fromkeys"
        )
    return isinstance(value, ast.Dict | ast.DictComp)
