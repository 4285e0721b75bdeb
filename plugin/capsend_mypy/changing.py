"""Classes whose methods change instances although the class looks immutable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from capsend_traits.wording import CHANGING_METHODS
from mypy import nodes as n

from capsend_mypy import syntax, writes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAKING: Final = frozenset(
    {
        *("__init__", "__new__", "__post_init__", "__set_name__", "__setstate__"),
        *("__attrs_init__", "__attrs_pre_init__", "__attrs_post_init__"),
    }
)
TRICKS: Final = (b"__setattr__", b"__delattr__", b"__dict__", b"vars(")
SETTERS: Final = frozenset({"__setattr__", "__delattr__"})


def changing(found: Iterable[tuple[str, n.FuncDef]], text: bytes) -> Iterator[str]:
    """Yield the local names of the classes that have a method which changes its receiver after the receiver was made.

    Of any class: by `object.__setattr__` or by `__dict__`. Of enums and descriptors also by plain assignment, since
    their fields are otherwise trusted not to change.

    Args:
        found: the functions of a module, by their local names.
        text: the module's source, which is quicker to search.
    """
    lines = text.splitlines() if any(trick in text for trick in TRICKS) else []
    for local, function in found:
        info = function.info
        # `info` of a function outside a class is `FUNC_NO_INFO`, which is false and not None. A body is empty where mypy stripped it,
        # as for installed packages.
        if not info or function.name in MAKING or not function.arguments or not function.body.body:
            continue
        receiver = function.arguments[0].variable
        # mypy's lines are 1-based. A function that mypy's plugins made has no lines of its own: then the whole source is searched.
        own = (b"\n".join(lines[function.line - 1 : function.end_line]) or text) if lines else b""
        if (any(trick in own for trick in TRICKS) and _tricks(function, receiver)) or (
            is_trusted(info) and _assigns(function, receiver)
        ):
            yield local.rpartition(".")[0]


def is_trusted(info: n.TypeInfo) -> bool:
    """Return whether the fields of a class are trusted not to change: those of enums and descriptors."""
    return info.is_enum or is_descriptor(info)


def is_descriptor(info: n.TypeInfo) -> bool:
    """Return whether a class defines the reading or assignment of an attribute that holds its instance."""
    return any(name in base.names for base in info.mro for name in ("__get__", "__set__"))


def _assigns(function: n.FuncDef, receiver: n.Var) -> bool:
    return any(isinstance(target, n.MemberExpr) and _is(target.expr, receiver) for target in writes.targets(function))


def _tricks(function: n.FuncDef, receiver: n.Var) -> bool:
    for node in syntax.walk(function):
        if isinstance(node, n.CallExpr) and _sets(node, receiver):
            return True
    return any(isinstance(t, n.IndexExpr) and _is_dict(t.base, receiver) for t in writes.targets(function))


def _sets(call: n.CallExpr, receiver: n.Var) -> bool:
    callee = call.callee
    # `super().__setattr__` is one node in mypy, not an attribute of a call.
    if isinstance(callee, n.SuperExpr):
        return callee.name in SETTERS
    if not isinstance(callee, n.MemberExpr):
        return False
    if callee.name in SETTERS:
        return (bool(call.args) and _is(call.args[0], receiver)) or _is(callee.expr, receiver)
    return callee.name in CHANGING_METHODS and _is_dict(callee.expr, receiver)


def _is_dict(base: n.Expression, receiver: n.Var) -> bool:
    if isinstance(base, n.CallExpr):
        is_vars = isinstance(base.callee, n.NameExpr) and base.callee.fullname == "builtins.vars"
        return is_vars and len(base.args) == 1 and _is(base.args[0], receiver)
    return isinstance(base, n.MemberExpr) and base.name == "__dict__" and _is(base.expr, receiver)


def _is(expression: n.Expression, receiver: n.Var) -> bool:
    return isinstance(expression, n.NameExpr) and expression.node is receiver
