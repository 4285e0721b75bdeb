"""Expressions and types, as the check of a spawn needs them: their class, their items, their place, and their form in messages."""

from __future__ import annotations

from mypy import nodes as n
from mypy.maptype import map_instance_to_supertype
from mypy.types import (
    CallableType,
    Instance,
    Overloaded,
    Type,
    TypeType,
    TypeVarType,
    UnionType,
    get_proper_type,
)

from capsend_mypy import names, outline


def local_holder(base: n.Expression, owner: n.TypeInfo | None) -> n.TypeInfo | None:
    """Return the local class that an expression denotes; None if it denotes anything else.

    Args:
        base: the expression.
        owner: the class of the enclosing method.
    """
    if isinstance(base, n.CallExpr) and isinstance(base.callee, n.RefExpr) and base.callee.fullname == "builtins.type":
        held = base.args[0] if len(base.args) == 1 else None
    else:
        held = base.expr if isinstance(base, n.MemberExpr) and base.name == "__class__" else None
    node = base.node if isinstance(base, n.RefExpr) else None
    if isinstance(held, n.NameExpr) and isinstance(held.node, n.Var):
        proper = get_proper_type(held.node.type) if held.node.type is not None else None
        node = owner if held.node.is_self else proper.type if isinstance(proper, Instance) else None
    elif isinstance(node, n.Var) and node.is_cls:
        node = owner
    return node if isinstance(node, n.TypeInfo) and names.is_local(node) else None


def is_callable(judged: Type) -> bool:
    """Return whether a type is that of a function or method, not of a class or of an object with `__call__`."""
    proper = get_proper_type(judged)
    # mypy's plugin for functools keeps the signature of a partial in `extra_attrs`; by its class it is an instance.
    if isinstance(proper, Instance) and proper.type.fullname == "functools.partial":
        return True
    return isinstance(proper, CallableType | Overloaded)


def is_origin(value: n.Expression) -> bool:
    """Return whether an assigned value shows which callable it is."""
    if isinstance(value, n.ConditionalExpr):
        return is_origin(value.if_expr) and is_origin(value.else_expr)
    return isinstance(value, n.LambdaExpr | n.RefExpr) or outline.is_partial(value)


def class_of(judged: Type | None) -> n.TypeInfo | None:
    """Return the class whose attributes a value of this type has, or the class that the value is."""
    proper = get_proper_type(judged) if judged is not None else None
    if isinstance(proper, TypeType):
        proper = proper.item
    # In mypy the name of a class has the type of its constructor.
    if isinstance(proper, CallableType | Overloaded) and proper.is_type_obj():
        return proper.type_object()
    # Literals, tuples and typed dicts are separate kinds of types in mypy; the fallback is the class of their values.
    fallback = getattr(proper, "partial_fallback", None) or getattr(proper, "fallback", None)
    if (
        not isinstance(proper, Instance)
        and isinstance(fallback, Instance)
        and not isinstance(proper, CallableType | Overloaded)
    ):
        proper = fallback
    return proper.type if isinstance(proper, Instance) else None


def parts_of(judged: Type) -> list[Type]:
    """Return the types that a value of a type may have: the items of a union, the bound of a type variable."""
    proper = get_proper_type(judged)
    if isinstance(proper, UnionType):
        return [part for item in proper.items for part in parts_of(item)]
    return parts_of(proper.upper_bound) if isinstance(proper, TypeVarType) else [proper]


def item_type(judged: Type) -> Type | None:
    """Return the item type of an iterable that is unpacked into arguments."""
    proper = get_proper_type(judged)
    if isinstance(proper, Instance):
        # From the MRO, since this module has no table of modules to take typeshed's class from.
        iterable = next((base for base in proper.type.mro if base.fullname == "typing.Iterable"), None)
        if iterable is not None:
            mapped = map_instance_to_supertype(proper, iterable)
            return mapped.args[0] if mapped.args else None
    return None


def contains(outer: n.Context, inner: n.Context) -> bool:
    """Return whether one node is part of another."""
    end = (outer.end_line or outer.line, outer.end_column or 0)
    # mypy's ends are exclusive, and missing on nodes that it made itself.
    return (outer.line, outer.column) <= (inner.line, inner.column) < end


def source(value: n.Expression) -> str:
    """Return a short text for an expression in a message."""
    match value:
        case n.NameExpr():
            return value.name
        case n.MemberExpr():
            return f"{source(value.expr)}.{value.name}"
        case n.CallExpr():
            return f"{source(value.callee)}(...)"
        case n.IndexExpr():
            return f"{source(value.base)}[...]"
        case n.StrExpr() | n.IntExpr() | n.FloatExpr() | n.BytesExpr():
            return str(value.value)
        case n.LambdaExpr():
            return "lambda"
        case n.ListExpr() | n.ListComprehension():
            return "[...]"
        case n.DictExpr() | n.SetExpr() | n.DictionaryComprehension() | n.SetComprehension():
            return "{...}"
        case n.SuperExpr():
            return f"super().{value.name}"
        case n.StarExpr():
            return f"*{source(value.expr)}"
    return "..."
