"""The assignments of the spawning function's variables: before the spawn, only once, or invisible in the syntax."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mypy import nodes as n

from capsend_mypy import shapes, syntax
from capsend_mypy.expressions import contains, is_origin
from capsend_mypy.solving import Direct
from capsend_mypy.summary import Hop
from capsend_mypy.values import Values

if TYPE_CHECKING:
    from capsend_mypy.site import Site


class Origins:
    """Finds the values of variables in the functions around the spawn.

    Args:
        site: the place of the check.
    """

    def __init__(self, site: Site) -> None:
        self.site = site

    def origins(self, node: n.Var) -> list[n.Expression] | None:
        """Return all values that are assigned to a local variable, if the syntax shows all; else None."""
        if node.is_argument:
            return None
        # `tscope` is mypy's stack of enclosing scopes; hooks are not given the function around a call.
        for scope in reversed([f for f in self.site.checker.tscope.functions if isinstance(f, n.FuncItem)]):
            found = self.assigned(node, scope)
            if found is not None:
                return found
        return None

    def assigned(self, node: n.Var, scope: n.Node) -> list[n.Expression] | None:
        """Return the values that a scope assigns to a variable, if the syntax shows which callable each is; else None."""
        # mypy makes one `Var` for all assignments to a name of one scope, unless a redefinition is allowed: the node stands for the name.
        bound = [binding for binding in syntax.bindings(scope) if binding.node is node]
        values = [binding.value for binding in bound]
        known = [value for value in values if value is not None and (is_origin(value) or self.is_shown(value))]
        return known if known and len(known) == len(values) else None

    def only_value(self, node: n.Var) -> n.Expression | None:
        """Return the value of a local variable that is bound only once."""
        for scope in reversed([f for f in self.site.checker.tscope.functions if isinstance(f, n.FuncItem)]):
            bound = [binding.value for binding in syntax.bindings(scope) if binding.node is node]
            if bound:
                return bound[0] if len(bound) == 1 else None
        return None

    def is_empty(self, node: n.SymbolNode) -> bool:
        """Return whether a variable of the spawning function gets its first value after the spawn."""
        functions = [f for f in self.site.checker.tscope.functions if isinstance(f, n.FuncItem)]
        if not functions or (isinstance(node, n.Var) and node.is_argument):
            return False
        # The symbol of a decorated local function is its `Decorator`; the binding that mypy's tree shows is the `FuncDef` in it.
        scope, function = functions[-1], syntax.function_of(node)
        loops_inside = [
            c for c in syntax.walk(scope, scopes=False) if isinstance(c, n.GeneratorExpr | n.DictionaryComprehension)
        ]
        # A comprehension has its own scope at run time; mypy binds its variables in the function around it.
        if any(b.node is node for c in loops_inside for b in syntax.bindings(c)):
            return False
        bound = [
            b.place for b in syntax.bindings(scope) if b.node is not None and (b.node is node or b.node is function)
        ]
        if not bound or any(not self._is_after(place) for place in bound):
            return False
        loops = [
            s
            for s in syntax.statements(scope.body.body)
            if isinstance(s, n.ForStmt | n.WhileStmt) and contains(s, self.site.place)
        ]
        return not any(contains(loop, place) for loop in loops for place in bound)

    def _is_after(self, place: n.Context) -> bool:
        return (place.line, place.column) > (self.site.place.line, self.site.place.column) and not contains(
            self.site.place, place
        )

    def is_shown(self, value: n.Expression) -> bool:
        """Return whether the syntax shows which callable an expression makes."""
        if not isinstance(value, n.CallExpr):
            return False
        hop = Hop("", "", self.site.spot(value))
        return Values(self.site.program, Direct(), lambda _: None).follow(self.builder().of(value), hop)

    def builder(self) -> shapes.Builder:
        """Return the builder of shapes for expressions at the spawn."""
        return shapes.Builder(self.site.module, bound=False)
