"""Writes of a function that are lost with its process: to attributes of classes, modules and functions, and to their values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from capsend_traits.wording import CHANGING_METHODS, LENT_MODULES
from mypy import nodes as n
from mypy.types import FunctionLike, Instance, TypeType, get_proper_type

from capsend_mypy import mentions, names, reflection, syntax

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from capsend_mypy.receivers import Receivers

MODULE: Final = "M"
OF_FUNCTION: Final = "D"
ANY_NAME: Final = "..."
"""Represents an attribute with a computed name."""
SETTERS: Final = frozenset({"builtins.setattr", "builtins.delattr"})
_RAW_SETTERS: Final = frozenset({"__setattr__", "__delattr__"})
_RAW_OWNERS: Final = frozenset({"builtins.type", "builtins.object"})


def attributes(
    function: n.FuncItem,
    module: str,
    receivers: Receivers,
    *,
    name_exprs: list[n.NameExpr],
    member_exprs: list[n.MemberExpr],
) -> Iterator[mentions.Ref]:
    """Yield the attributes of classes, modules and functions that a function or its nested functions assign or delete."""
    holders = Holders(function, receivers)
    if any(holders.may_be(member) for member in member_exprs):
        for target in targets(function):
            if isinstance(target, n.MemberExpr):
                held = holders.of(target.expr)
                if held is not None:
                    yield mentions.Ref(mentions.ATTRIBUTE, held, target.name, mentions.place_of(target, module))
    if any(name.fullname in SETTERS for name in name_exprs) or any(
        member.name in _RAW_SETTERS for member in member_exprs
    ):
        yield from _set_by_name(function, module, holders)
    if reflection.may_reflect(name_exprs, member_exprs):
        yield from _set_in_namespaces(function, module, holders)


def _set_by_name(function: n.FuncItem, module: str, holders: Holders) -> Iterator[mentions.Ref]:
    for call in syntax.walk(function):
        if (
            isinstance(call, n.CallExpr)
            and isinstance(call.callee, n.RefExpr)
            and _is_setter(call.callee)
            and len(call.args) > 1
        ):
            yield from _written(call.args[0], call.args[1], call, module, holders)


def _is_setter(callee: n.RefExpr) -> bool:
    """Return whether a called function sets an attribute of its first argument: `setattr`, `type.__setattr__`, `object.__delattr__`."""
    if isinstance(callee, n.MemberExpr) and callee.name in _RAW_SETTERS:
        return isinstance(callee.expr, n.RefExpr) and callee.expr.fullname in _RAW_OWNERS
    return callee.fullname in SETTERS


def _set_in_namespaces(function: n.FuncItem, module: str, holders: Holders) -> Iterator[mentions.Ref]:
    """Yield the assignments in forms such as `vars(config)["level"] = 3`, `config.__dict__.update(...)` and `globals()["level"] = 3`."""
    for target in targets(function):
        if isinstance(target, n.IndexExpr):
            yield from _written_in(target.base, target.index, target, module, holders)
    for call in syntax.walk(function):
        callee = call.callee if isinstance(call, n.CallExpr) else None
        if isinstance(callee, n.MemberExpr) and callee.name in CHANGING_METHODS:
            yield from _written_in(callee.expr, None, callee, module, holders)


def _written_in(
    namespace: n.Expression, name: n.Expression | None, place: n.Context, module: str, holders: Holders
) -> Iterator[mentions.Ref]:
    # The `__getattr__` of a module may cache its results: every later read gets the same object.
    if not reflection.is_globals(namespace):
        yield from _written(reflection.holder(namespace), name, place, module, holders)
    elif holders.name != "__getattr__":
        shown = name.value if isinstance(name, n.StrExpr) else ANY_NAME
        yield mentions.Ref(mentions.ATTRIBUTE, f"{MODULE} {module}", shown, mentions.place_of(place, module))


def _written(
    owner: n.Expression | None, name: n.Expression | None, place: n.Context, module: str, holders: Holders
) -> Iterator[mentions.Ref]:
    held = holders.of(owner) if owner is not None else None
    if held is not None:
        shown = name.value if isinstance(name, n.StrExpr) else ANY_NAME
        yield mentions.Ref(mentions.ATTRIBUTE, held, shown, mentions.place_of(place, module))


def targets(function: n.FuncItem) -> Iterator[n.Node]:
    """Yield the targets that a function and its nested functions assign or delete, with tuples taken apart."""
    stack: list[n.Node] = []
    for statement in syntax.statements([function.body]):
        found = syntax.TARGETS.get(type(statement))
        stack += found(statement) if found is not None else ()
        while stack:
            target = stack.pop()
            if isinstance(target, syntax.PARTS):
                stack += syntax.children(target)
            elif target is not None:
                yield target


class Holders:
    """Finds the classes, modules and functions whose attributes are assigned.

    Each is given as a path: classes as by `Receivers`, "M name" for a module, and "D name" for a function.
    """

    def __init__(self, function: n.FuncItem, receivers: Receivers) -> None:
        self.receivers = receivers
        self.first = function.arguments[0].variable if function.arguments else None
        self.name = function.name
        self._is_metaclass = receivers.owner is not None and receivers.owner.is_metaclass()
        self._function = function
        self._known: dict[n.Var, n.RefExpr | n.CallExpr] | None = None

    def may_be(self, member: n.MemberExpr) -> bool:
        """Return whether an attribute may be one of a class, module or function; quick, as it is called for every attribute."""
        base = member.expr
        if isinstance(base, n.CallExpr):
            return isinstance(base.callee, n.NameExpr) and base.callee.name == "type"
        if not isinstance(base, n.RefExpr):
            return False
        if enum_of(base) is not None:
            return True
        node = base.node
        if isinstance(node, n.MypyFile):
            # mypy has bound `module.name`. A name that the module does not define is unbound, and may be assigned all the same.
            return member.node is None or isinstance(member.node, n.Var)
        if isinstance(node, n.Var):
            return (
                node.is_cls
                or self._is_metaclass
                or _is_class(node)
                or (base.kind == n.LDEF and node.is_inferred)
                or (isinstance(base, n.MemberExpr) and base.name == "__class__")
            )
        return node is not None or (isinstance(base, n.MemberExpr) and base.name == "__class__")

    def of(self, base: n.Expression) -> str | None:
        """Return the path of the class, module or function that an expression denotes; None for local and other objects."""
        if isinstance(base, n.CallExpr):
            is_type = isinstance(base.callee, n.RefExpr) and base.callee.fullname == "builtins.type"
            # `type(x)` in a function is a call for mypy; its inferred type may not exist when a summary is made.
            return self.receivers.path(base.args[0]) if is_type and len(base.args) == 1 else None
        if not isinstance(base, n.RefExpr):
            return None
        enum = enum_of(base)
        if enum is not None:
            return None if names.is_local(enum) else f"T {enum.fullname}"
        node = base.node
        if isinstance(node, n.TypeAlias):
            target = get_proper_type(node.target)
            node = target.type if isinstance(target, Instance) else None
        if isinstance(node, n.TypeInfo):
            return None if names.is_local(node) else f"T {node.fullname}"
        if isinstance(node, n.MypyFile):
            return None if node.fullname in LENT_MODULES else f"{MODULE} {node.fullname}"
        # The full name of the reference, not of the node: a decorated function's node has its name from the undecorated one.
        if base.kind == n.GDEF and syntax.function_of(node) is not None:
            return f"{OF_FUNCTION} {base.fullname}"
        if isinstance(base, n.MemberExpr) and base.name == "__class__":
            return self.receivers.path(base.expr)
        if isinstance(node, n.Var) and base.kind == n.LDEF and (other := self._aliases().get(node)) is not None:
            # the other variable may be an alias of the first
            is_local = isinstance(other, n.NameExpr) and other.kind == n.LDEF
            return None if is_local else self.of(other)
        return self._variable(node) if isinstance(node, n.Var) else None

    def _aliases(self) -> dict[n.Var, n.RefExpr | n.CallExpr]:
        """Return {local variable: expression} of variables that are assigned once, as in `config = settings` or `cls = type(self)`."""
        if self._known is None:
            self._known, again = {}, set[n.Node]()
            for statement in syntax.statements([self._function.body]):
                found = syntax.TARGETS.get(type(statement))
                for target in _parts(found(statement)) if found is not None else ():
                    node = target.node if isinstance(target, n.NameExpr) else None
                    if not isinstance(node, n.Var):
                        continue
                    value = statement.rvalue if isinstance(statement, n.AssignmentStmt) else None
                    # mypy has all targets of `a = b = value` in one statement.
                    is_plain = isinstance(statement, n.AssignmentStmt) and statement.lvalues == [target]
                    if (
                        node in again
                        or node in self._known
                        or not is_plain
                        or not isinstance(value, n.RefExpr | n.CallExpr)
                    ):
                        self._known.pop(node, None)
                        again.add(node)
                    else:
                        self._known[node] = value
        return self._known

    def _variable(self, node: n.Var) -> str | None:
        # mypy marks the first parameter of a `classmethod` as `is_cls`, but that of a metaclass's method as `is_self`.
        if node.is_cls or (self._is_metaclass and node is self.first):
            return self.receivers.path_of_receiver() if node is self.first else None
        # An inferred type may not be known yet when the summary of a module is made.
        declared = get_proper_type(node.type) if node.type is not None and not node.is_inferred else None
        if isinstance(declared, TypeType) and isinstance(declared.item, Instance):
            return f"T {declared.item.type.fullname}"
        return None


def enum_of(base: n.RefExpr) -> n.TypeInfo | None:
    """Return the enum of a member, given as `Color.RED` or as a variable of that type: a process has separate members."""
    if isinstance(base, n.MemberExpr) and isinstance(base.expr, n.RefExpr) and isinstance(base.expr.node, n.TypeInfo):
        # `enum_members` excludes what an enum's body assigns without making a member, such as `_ignore_` and methods.
        return base.expr.node if base.expr.node.is_enum and base.name in base.expr.node.enum_members else None
    declared = base.node.type if isinstance(base.node, n.Var) and not base.node.is_self else None
    proper = get_proper_type(declared) if declared is not None else None
    return proper.type if isinstance(proper, Instance) and proper.type.is_enum else None


def _is_class(node: n.Var) -> bool:
    """Return whether a variable may denote a class or a module."""
    kind = get_proper_type(node.type) if node.type is not None else None
    if isinstance(kind, Instance):
        return kind.type.fullname == "types.ModuleType"
    return isinstance(kind, TypeType | FunctionLike)


def changed(function: n.FuncItem) -> frozenset[str]:
    """Return the names of all values that a function changes: module variables, local ones by their short names, and attributes as "Class.name".

    It assigns to their items or attributes, or calls methods that change containers.
    """
    nodes = list(syntax.walk(function))
    # The method may be called later, through a name: `push = rows.append`. To name it is enough.
    bases: list[n.Expression] = [
        node.expr for node in nodes if isinstance(node, n.MemberExpr) and node.name in CHANGING_METHODS
    ]
    for node in nodes:
        for target in _parts(syntax.TARGETS[type(node)](node)) if type(node) in syntax.TARGETS else ():
            if isinstance(target, n.IndexExpr):
                bases.append(target.base)
            elif isinstance(target, n.MemberExpr):
                bases.append(target.expr)
            elif isinstance(node, n.OperatorAssignmentStmt) and isinstance(target, n.NameExpr):
                bases.append(target)
    return frozenset(name for base in bases for name in _roots(base))


def _parts(found: Iterable[n.Node | None]) -> Iterator[n.Node]:
    for target in found:
        if isinstance(target, syntax.PARTS):
            yield from _parts(syntax.children(target))
        elif target is not None:
            yield target


def _roots(base: n.Expression) -> Iterator[str]:
    """Yield the variable from which a value was reached, and each attribute on the path as "owner.name"."""
    while True:
        if isinstance(base, n.IndexExpr):
            base = base.base
        elif isinstance(base, n.RefExpr) and base.kind == n.GDEF and isinstance(base.node, n.Var):
            yield base.node.fullname
            return
        elif isinstance(base, n.NameExpr) and base.kind == n.LDEF:
            yield base.name
            return
        elif isinstance(base, n.MemberExpr):
            # The class of the base may be unknown: whoever asks compares the name of the attribute alone.
            yield f"*.{base.name}"
            base = base.expr
        else:
            return
