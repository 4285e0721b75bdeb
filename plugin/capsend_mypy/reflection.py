"""Access by a text instead of a name: `getattr(config, "items")`, `globals()["TABLE"]`, `vars(Config)["rows"]`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mypy import nodes as n

from capsend_mypy import syntax

if TYPE_CHECKING:
    from collections.abc import Iterator

LOOKUPS: Final = frozenset({"builtins.getattr", "builtins.hasattr"})
MAKERS: Final = frozenset({"operator.attrgetter", "operator.methodcaller"})
"""Functions of the library that look up attributes by given names."""
NAMESPACES: Final = frozenset({"builtins.vars", "builtins.globals"})
DICT: Final = "__dict__"
TAKING: Final = frozenset({"get", "pop", "setdefault", "__getitem__"})
BEGUN: Final = "*"
"""The suffix of a computed attribute name: `getattr(self, f"visit_{kind}")` reaches all names with the prefix."""
SHORTEST: Final = 3
"""A prefix shorter than this, without underscores, is useless; the run time has the same limit."""
BUILT_IN: Final = frozenset({"getattr", "hasattr", "vars", "globals", "attrgetter", "methodcaller"})


def may_reflect(name_exprs: list[n.NameExpr], member_exprs: list[n.MemberExpr]) -> bool:
    """Return whether a function may reach an object by a text; quick, as it is called for every function."""
    return any(name.name in BUILT_IN for name in name_exprs) or any(
        member.name == DICT or member.name in BUILT_IN for member in member_exprs
    )


def members(scope: n.Node) -> Iterator[n.MemberExpr]:
    """Yield the attributes that a function reaches by a constant text, in the form of an ordinary attribute expression."""
    for node in syntax.walk(scope):
        if isinstance(node, n.CallExpr):
            yield from _looked_up(node)
        elif isinstance(node, n.IndexExpr) and isinstance(node.index, n.StrExpr):
            held = holder(node.base)
            if held is not None:
                yield member(held, node.index.value, node)


def globals_of(scope: n.Node) -> Iterator[tuple[str, n.Node]]:
    """Yield (name, place) of the globals that a function takes from `globals()`."""
    for node in syntax.walk(scope):
        base, key = _taken(node)
        if key is not None and base is not None and is_globals(base):
            yield key, node


def of_modules(member_exprs: list[n.MemberExpr]) -> Iterator[tuple[str, n.MemberExpr]]:
    """Yield (module, attribute) of `sys.modules["module"].attribute`; the module is empty for `__name__`."""
    for member_ in member_exprs:
        base = member_.expr
        if isinstance(base, n.IndexExpr) and isinstance(base.base, n.RefExpr) and base.base.fullname == "sys.modules":
            if isinstance(base.index, n.StrExpr):
                yield base.index.value, member_
            elif isinstance(base.index, n.NameExpr) and base.index.name == "__name__":
                yield "", member_


def is_globals(base: n.Expression) -> bool:
    """Return whether an expression is `globals()`."""
    return isinstance(base, n.CallExpr) and _called(base) == "builtins.globals"


def holder(base: n.Expression) -> n.Expression | None:
    """Return the module, class or instance whose namespace an expression is: `vars(config)`, `config.__dict__`."""
    if isinstance(base, n.CallExpr) and _called(base) == "builtins.vars" and len(base.args) == 1:
        return base.args[0]
    return base.expr if isinstance(base, n.MemberExpr) and base.name == DICT else None


def member(base: n.Expression, name: str, place: n.Context) -> n.MemberExpr:
    """Return an attribute in the form to which mypy would have bound it."""
    found = n.MemberExpr(base, name)
    found.set_line(place)
    module = base.node if isinstance(base, n.RefExpr) else None
    symbol = module.names.get(name) if isinstance(module, n.MypyFile) else None
    if symbol is not None:
        found.kind, found.node = n.GDEF, symbol.node
        found.fullname = symbol.fullname or f"{base.fullname}.{name}" if isinstance(base, n.RefExpr) else name
    return found


def matching(info: n.TypeInfo, name: str) -> list[str]:
    """Return the attributes of a class and its bases that a name, perhaps a computed one, may mean."""
    if not name.endswith(BEGUN):
        return [name] if info.get(name) is not None else []
    beginning = name.removesuffix(BEGUN)
    return sorted({each for base in info.mro for each in base.names if each.startswith(beginning)})


def _begun(name: n.Expression) -> str:
    """Return a computed attribute name in the form for `matching`; empty if its prefix is useless."""
    beginning = _beginning(name)
    return beginning + BEGUN if len(beginning.strip("_")) >= SHORTEST else ""


def _beginning(name: n.Expression) -> str:
    """Return the constant beginning of a computed text.

    The text may be an f-string, which mypy turns into a call of `"".join`, a sum, or a text with `%`.
    """
    if isinstance(name, n.StrExpr):
        return name.value
    if isinstance(name, n.OpExpr):
        return _beginning(name.left).partition("%")[0] if name.op == "%" else _beginning(name.left) * (name.op == "+")
    joined = isinstance(name, n.CallExpr) and isinstance(name.callee, n.MemberExpr) and name.callee.name == "join"
    parts = name.args[0] if joined and isinstance(name, n.CallExpr) and name.args else None
    return _beginning(parts.items[0]) if isinstance(parts, n.ListExpr) and parts.items else ""


def _looked_up(call: n.CallExpr) -> Iterator[n.MemberExpr]:
    called = _called(call)
    if called in LOOKUPS and len(call.args) > 1:
        name = call.args[1].value if isinstance(call.args[1], n.StrExpr) else _begun(call.args[1])
        if name:
            yield member(call.args[0], name, call)
    elif called in MAKERS:
        for path in call.args[: 1 if called == "operator.methodcaller" else None]:
            if isinstance(path, n.StrExpr):
                for name in path.value.split("."):
                    yield member(path, name, call)  # the object of the lookup shows at the call of the result
    elif isinstance(call.callee, n.CallExpr) and _called(call.callee) in MAKERS and call.args and call.callee.args:
        path = call.callee.args[0]
        base: n.Expression = call.args[0]
        for name in path.value.split(".") if isinstance(path, n.StrExpr) else ():
            base = member(base, name, call)
            yield base
    else:
        base_, key = _taken(call)
        held = holder(base_) if base_ is not None and key is not None else None
        if held is not None and key is not None:
            yield member(held, key, call)


def _taken(node: n.Node) -> tuple[n.Expression | None, str | None]:
    """Return the mapping and the constant key of `mapping["key"]` or `mapping.get("key")`."""
    if isinstance(node, n.IndexExpr) and isinstance(node.index, n.StrExpr):
        return node.base, node.index.value
    if isinstance(node, n.CallExpr) and isinstance(node.callee, n.MemberExpr) and node.callee.name in TAKING:
        key = node.args[0] if node.args else None
        if isinstance(key, n.StrExpr):
            return node.callee.expr, key.value
    return None, None


def _called(call: n.CallExpr) -> str:
    return call.callee.fullname if isinstance(call.callee, n.RefExpr) else ""
