"""The user classes that a function mentions: values whose declarations show no class may be instances of these.

A loop variable, an item of a container or a parameter of a lambda has no declared type, and mypy's inferred types exist
only in some phases. The run time, too, uses the names of attributes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mypy import nodes as n
from mypy.types import (
    CallableType,
    Instance,
    Overloaded,
    TupleType,
    Type,
    TypeAliasType,
    TypedDictType,
    TypeType,
    TypeVarType,
    UnionType,
    get_proper_type,
)

from capsend_mypy import names, syntax

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Classes = tuple[n.TypeInfo, ...]

MAX_DEPTH: Final = 8
NOTHING: Final[tuple[Classes, Classes]] = ((), ())


class Vocabulary:
    """The vocabulary of a module's functions, many of which mention the same names."""

    def __init__(self) -> None:
        self._known: dict[n.SymbolNode, tuple[Classes, Classes]] = {}

    def classes(
        self, owner: n.TypeInfo | None, name_exprs: Iterable[n.NameExpr], member_exprs: Iterable[n.MemberExpr]
    ) -> tuple[list[n.TypeInfo], list[n.TypeInfo]]:
        """Return (the classes of which a function may have instances, the protocols by which it may pass them on).

        Args:
            owner: the class of which the function is a method.
            name_exprs: the names in the function.
            member_exprs: the attributes in it.
        """
        mentioned: dict[n.SymbolNode, None] = {}
        for name in name_exprs:
            node = name.node
            if node is not None and not (isinstance(node, n.Var) and (node.is_self or node.is_cls)):
                mentioned[node] = None
        for member in member_exprs:
            found = member.node if member.node is not None else _attribute(member, owner)
            if found is not None:
                mentioned[found] = None
        classes: dict[n.TypeInfo, None] = {}
        wanted: dict[n.TypeInfo, None] = {}
        for node in mentioned:
            own, asked = self._of(node)
            classes.update(dict.fromkeys(own))
            wanted.update(dict.fromkeys(asked))
        protocols = [info for info in (*classes, *wanted) if info.is_protocol]
        return [info for info in classes if not info.is_protocol], protocols

    def _of(self, node: n.SymbolNode) -> tuple[Classes, Classes]:
        known = self._known.get(node)
        if known is None:
            known = self._known[node] = _classes_of(node)
        return known


def _classes_of(node: n.SymbolNode) -> tuple[Classes, Classes]:
    """Return (the classes of which a named object makes instances, the classes of its arguments)."""
    if isinstance(node, n.TypeInfo):
        return ((node,) if _is_users(node) else ()), ()
    if isinstance(node, n.TypeAlias):
        return tuple(_in_type(node.target)), ()
    if isinstance(node, n.Var):
        # A local variable has no dot in its full name, and an inferred type that may still change.
        is_declared = node.type is not None and (not node.is_inferred or "." in node.fullname)
        return (tuple(_in_type(node.type)) if is_declared else ()), ()
    if isinstance(node, n.OverloadedFuncDef):
        parts = [_classes_of(item) for item in node.items]
        return tuple(info for own, _ in parts for info in own), tuple(info for _, asked in parts for info in asked)
    function = syntax.function_of(node)
    declared = function.type if function is not None else None
    if not isinstance(declared, CallableType) or names.is_known(node.fullname):
        return NOTHING
    asked = tuple(info for argument in declared.arg_types for info in _in_type(argument))
    return tuple(_in_type(declared.ret_type)), asked


def _attribute(member: n.MemberExpr, owner: n.TypeInfo | None) -> n.SymbolNode | None:
    info = _instance(member.expr, owner)
    symbol = info.get(member.name) if info is not None else None
    return symbol.node if symbol is not None else None


def _instance(base: n.Expression, owner: n.TypeInfo | None, depth: int = 0) -> n.TypeInfo | None:
    """Return the class of a value, as far as declarations of names and attributes show it."""
    if depth > MAX_DEPTH:
        return None
    # mypy binds an attribute of a module or a class to a node; that of an instance has none before its type is inferred.
    if isinstance(base, n.MemberExpr) and base.node is None:
        info = _instance(base.expr, owner, depth + 1)
        symbol = info.get(base.name) if info is not None else None
        node = symbol.node if symbol is not None else None
    elif isinstance(base, n.RefExpr):
        node = base.node
    else:
        return None
    if not isinstance(node, n.Var):
        return None
    if node.is_self:
        return owner
    proper = get_proper_type(node.type) if node.type is not None else None
    return proper.type if isinstance(proper, Instance) else None


def _is_users(info: n.TypeInfo) -> bool:
    return not names.is_known(info.fullname) and not names.is_local(info)


def _in_type(declared: Type | None, depth: int = 0) -> Iterator[n.TypeInfo]:
    """Yield the user classes that a type names, at any depth."""
    if declared is None or depth > MAX_DEPTH:
        return
    # Most types are no aliases: the test is cheaper than mypy's function, and this runs for each name of a function.
    proper = get_proper_type(declared) if isinstance(declared, TypeAliasType) else declared
    if isinstance(proper, Instance):
        if _is_users(proper.type):
            yield proper.type
        for argument in proper.args:
            yield from _in_type(argument, depth + 1)
    else:
        for part in _parts(proper):
            yield from _in_type(part, depth + 1)


def _parts(declared: Type) -> Iterable[Type]:
    match declared:
        case UnionType():
            return declared.items
        case TupleType():
            return [declared.partial_fallback, *declared.items]
        case TypedDictType():
            return declared.items.values()
        case TypeType():
            return [declared.item]
        case TypeVarType():
            return [declared.upper_bound, *declared.values]
        case CallableType():
            return [declared.ret_type]
        case Overloaded():
            return [item.ret_type for item in declared.items]
    return ()
