"""The class of the receiver of an attribute, found in the declarations that a function's syntax shows."""

from __future__ import annotations

from typing import Final

from mypy import nodes as n
from mypy.types import Instance, TypeType, get_proper_type

from capsend_mypy import names, syntax

MAX_PATH: Final = 8
IMPORTED: Final = "M "
IMPORT_MODULE: Final = "importlib.import_module"


class Receivers:
    """Finds the class of an attribute's receiver from declarations alone.

    mypy's inferred types exist only in some phases, and a summary must not depend on the phase.

    A class is given as a path: "C name" for an instance of a class, "T name" for the class itself, "V name" for a
    module's variable, "F name" for the result of a function, "M name" for an imported module, followed by "/attribute"
    and "/method()" for each step.

    Args:
        owner: the class of the function, if it is a method.
        scope: the function.
        of_library: True to find classes of the standard library too, by calls of its functions and classes.
    """

    def __init__(self, owner: n.TypeInfo | None, scope: n.Node, *, of_library: bool = False) -> None:
        self.owner = owner
        self.of_library = of_library
        self.scope = scope
        self._assigned: dict[n.SymbolNode, list[n.Expression | None]] | None = None

    def is_own_field(self, member: n.MemberExpr) -> bool:
        """Return whether an attribute is a field that the receiver's own class declares, as most are."""
        base = member.expr
        if (
            self.owner is None
            or not isinstance(base, n.NameExpr)
            or not isinstance(base.node, n.Var)
            or not base.node.is_self
        ):
            return False
        # Only this class's own names: an inherited one may be a class attribute of the base.
        symbol = self.owner.names.get(member.name)
        return symbol is not None and isinstance(symbol.node, n.Var) and not symbol.node.is_initialized_in_class

    def path_of_receiver(self) -> str | None:
        """Return the path to the function's class, as a class."""
        return class_path("T", self.owner) if self.owner is not None else None

    def path(self, base: n.Expression, depth: int = 0) -> str | None:
        """Return the path to the class of an expression's value; None if it is not a user class."""
        if depth > MAX_PATH:
            return None
        # mypy binds `module.name` when it analyses names; any other attribute is found through its owner's class.
        if isinstance(base, n.MemberExpr) and not (base.kind == n.GDEF and base.node is not None):
            inner = self.path(base.expr, depth + 1)
            return f"{inner}/{base.name}" if inner is not None else None
        if isinstance(base, n.CallExpr):
            named = imported(base)
            return (
                f"{IMPORTED}{named}"
                if named is not None and not named.startswith(".")
                else self._called(base.callee, depth)
            )
        if isinstance(base, n.AwaitExpr | n.AssignmentExpr):
            return self.path(base.expr if isinstance(base, n.AwaitExpr) else base.value, depth + 1)
        return self._named(base, depth) if isinstance(base, n.RefExpr) else None

    def _called(self, callee: n.Expression, depth: int) -> str | None:
        if isinstance(callee, n.MemberExpr) and not (callee.kind == n.GDEF and callee.node is not None):
            inner = self.path(callee.expr, depth + 1)
            return f"{inner}/{callee.name}()" if inner is not None else None
        if not isinstance(callee, n.RefExpr):
            return None
        if isinstance(callee.node, n.TypeInfo):
            return f"C {callee.node.fullname}" if self._is_library(callee.node) else class_path("C", callee.node)
        if isinstance(callee.node, n.OverloadedFuncDef) and self._is_library(callee.node):
            return f"F {callee.node.fullname}"
        if (
            isinstance(callee.node, n.FuncDef | n.Decorator)
            and "." in callee.node.fullname
            and (self.of_library or not names.is_known(callee.node.fullname))
        ):
            return f"F {callee.node.fullname}"
        return None

    def _is_library(self, node: n.SymbolNode) -> bool:
        return self.of_library and names.is_known(node.fullname)

    def _named(self, base: n.RefExpr, depth: int) -> str | None:
        node = base.node
        if isinstance(node, n.TypeInfo):
            return class_path("T", node)
        if not isinstance(node, n.Var):
            return None
        if base.kind == n.GDEF:
            return None if names.is_known(node.fullname) else f"V {node.fullname}"
        # mypy marks these parameters in semantic analysis, so they are known in every phase.
        if (node.is_self or node.is_cls) and self.owner is not None:
            return class_path("T" if node.is_cls else "C", self.owner)
        # Only a declared type: an inferred one may not be known yet when the summary is made.
        if node.type is not None and not node.is_inferred:
            declared = get_proper_type(node.type)
            if isinstance(declared, TypeType):
                return class_path("T", declared.item.type) if isinstance(declared.item, Instance) else None
            return class_path("C", declared.type) if isinstance(declared, Instance) else None
        return self._assigned_once(node, depth)

    def _assigned_once(self, node: n.Var, depth: int) -> str | None:
        if self._assigned is None:
            self._assigned = {}
            body = self.scope.body.body if isinstance(self.scope, n.FuncItem) else []
            for binding in syntax.plain_bindings(body):
                if binding.node is not None:
                    self._assigned.setdefault(binding.node, []).append(binding.value)
        values = self._assigned.get(node, [])
        return self.path(values[0], depth + 1) if len(values) == 1 and values[0] is not None else None


def class_path(kind: str, info: n.TypeInfo) -> str | None:
    """Return the path to a user class; None for other classes, and for a class made in a function."""
    return None if names.is_known(info.fullname) or names.is_local(info) else f"{kind} {info.fullname}"


def imported(node: n.Node) -> str | None:
    """Return the module imported by `importlib.import_module("constant")`; None for other expressions."""
    if not isinstance(node, n.CallExpr) or not isinstance(node.callee, n.RefExpr) or not node.args:
        return None
    given = node.args[0]
    return given.value if node.callee.fullname == IMPORT_MODULE and isinstance(given, n.StrExpr) else None
