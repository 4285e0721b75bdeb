"""The structure of mypy's syntax trees: the parts of a node, the bindings of a scope, the functions of a name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from mypy import nodes as n
from mypy import patterns as p

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# mypy's visitors are compiled and cannot be subclassed, so this table is used to walk the tree; a test compares it with
# mypy's classes.
CHILDREN: Final[dict[type[n.Node], Callable[[Any], list[Any]]]] = {
    n.MypyFile: lambda o: o.defs,
    n.Block: lambda o: o.body,
    n.FuncDef: lambda o: [*(a.initializer for a in o.arguments), o.body],
    n.LambdaExpr: lambda o: [*(a.initializer for a in o.arguments), o.body],
    n.Decorator: lambda o: [*o.decorators, o.func],
    n.OverloadedFuncDef: lambda o: [*o.items, o.impl],
    n.ClassDef: lambda o: [*o.decorators, *o.base_type_exprs, o.metaclass, *o.keywords.values(), o.defs],
    n.ExpressionStmt: lambda o: [o.expr],
    n.AssignmentStmt: lambda o: [o.rvalue, *o.lvalues],
    n.OperatorAssignmentStmt: lambda o: [o.lvalue, o.rvalue],
    n.WhileStmt: lambda o: [o.expr, o.body, o.else_body],
    n.ForStmt: lambda o: [o.expr, o.index, o.body, o.else_body],
    n.ReturnStmt: lambda o: [o.expr],
    n.AssertStmt: lambda o: [o.expr, o.msg],
    n.DelStmt: lambda o: [o.expr],
    n.IfStmt: lambda o: [*(x for pair in zip(o.expr, o.body, strict=True) for x in pair), o.else_body],
    n.RaiseStmt: lambda o: [o.expr, o.from_expr],
    n.TryStmt: lambda o: [o.body, *o.types, *o.vars, *o.handlers, o.else_body, o.finally_body],
    n.WithStmt: lambda o: [*o.expr, *o.target, o.body],
    n.MatchStmt: lambda o: [o.subject, *o.patterns, *o.guards, *o.bodies],
    n.StarExpr: lambda o: [o.expr],
    n.MemberExpr: lambda o: [o.expr],
    n.CallExpr: lambda o: [o.callee, *o.args],
    n.YieldFromExpr: lambda o: [o.expr],
    n.YieldExpr: lambda o: [o.expr],
    n.IndexExpr: lambda o: [o.base, o.index],
    n.UnaryExpr: lambda o: [o.expr],
    n.AssignmentExpr: lambda o: [o.value, o.target],
    n.OpExpr: lambda o: [o.left, o.right],
    n.ComparisonExpr: lambda o: o.operands,
    n.SliceExpr: lambda o: [o.begin_index, o.end_index, o.stride],
    n.CastExpr: lambda o: [o.expr],
    n.AssertTypeExpr: lambda o: [o.expr],
    n.RevealExpr: lambda o: [o.expr],
    n.SuperExpr: lambda o: [o.call],
    n.ListExpr: lambda o: o.items,
    n.DictExpr: lambda o: [x for item in o.items for x in item],
    n.TemplateStrExpr: lambda o: [
        x for item in o.items for x in (item if isinstance(item, tuple) else (item,)) if isinstance(x, n.Node)
    ],
    n.TupleExpr: lambda o: o.items,
    n.SetExpr: lambda o: o.items,
    n.GeneratorExpr: lambda o: [*o.sequences, *o.indices, *(c for cs in o.condlists for c in cs), o.left_expr],
    n.ListComprehension: lambda o: [o.generator],
    n.SetComprehension: lambda o: [o.generator],
    n.DictionaryComprehension: lambda o: [
        *o.sequences,
        *o.indices,
        *(c for cs in o.condlists for c in cs),
        o.key,
        o.value,
    ],
    n.ConditionalExpr: lambda o: [o.cond, o.if_expr, o.else_expr],
    n.TypeApplication: lambda o: [o.expr],
    n.AwaitExpr: lambda o: [o.expr],
    p.AsPattern: lambda o: [o.pattern, o.name],
    p.OrPattern: lambda o: o.patterns,
    p.ValuePattern: lambda o: [o.expr],
    p.SequencePattern: lambda o: o.patterns,
    p.StarredPattern: lambda o: [o.capture],
    p.MappingPattern: lambda o: [*o.keys, *o.values, o.rest],
    p.ClassPattern: lambda o: [o.class_ref, *o.positionals, *o.keyword_values],
}

SCOPES: Final = (n.FuncDef, n.LambdaExpr, n.ClassDef)
TARGETS: Final[dict[type[n.Node], Callable[[Any], list[Any]]]] = {
    n.AssignmentStmt: lambda o: o.lvalues,
    n.OperatorAssignmentStmt: lambda o: [o.lvalue],
    n.ForStmt: lambda o: [o.index],
    n.WithStmt: lambda o: o.target,
    n.DelStmt: lambda o: [o.expr],
    n.TryStmt: lambda o: o.vars,
    n.AssignmentExpr: lambda o: [o.target],
    n.GeneratorExpr: lambda o: o.indices,
    n.DictionaryComprehension: lambda o: o.indices,
    p.AsPattern: lambda o: [o.name],
    p.StarredPattern: lambda o: [o.capture],
    p.MappingPattern: lambda o: [o.rest],
}
STATEMENT_TARGETS: Final = frozenset(
    {n.AssignmentStmt, n.OperatorAssignmentStmt, n.ForStmt, n.WithStmt, n.DelStmt, n.TryStmt}
)
PARTS: Final = (n.TupleExpr, n.ListExpr, n.StarExpr)


class Binding(NamedTuple):
    """A place that binds or deletes a name, with the value of a plain assignment."""

    name: str
    node: n.SymbolNode | None
    place: n.Node
    value: n.Expression | None


def children(node: n.Node) -> list[n.Node]:
    """Return the direct parts of a node, in the order of the source as far as the order matters."""
    parts = CHILDREN.get(type(node))
    return [] if parts is None else [part for part in parts(node) if part is not None]


def walk(node: n.Node, *, scopes: bool = True) -> Iterator[n.Node]:
    """Yield a node and everything in it; without *scopes*, not the content of nested functions and classes."""
    stack = [node]
    while stack:
        current = stack.pop()
        yield current
        if scopes or current is node or not isinstance(current, SCOPES):
            stack.extend(reversed(children(current)))
        # Defaults are evaluated in the scope around a function, the body in its own.
        elif isinstance(current, n.FuncItem):
            stack.extend(a.initializer for a in current.arguments if a.initializer is not None)


def bindings(scope: n.Node) -> Iterator[Binding]:
    """Yield the bindings in the statements of one scope, without nested scopes, in the order of the source."""
    for node in walk(scope, scopes=False):
        if node is scope and isinstance(node, SCOPES):
            continue
        targets = TARGETS.get(type(node))
        if targets is not None:
            value = (
                node.rvalue
                if isinstance(node, n.AssignmentStmt)
                else node.value
                if isinstance(node, n.AssignmentExpr)
                else None
            )
            for target in targets(node):
                yield from _names(target, value)
        elif isinstance(node, n.FuncDef):
            yield Binding(node.name, node, node, None)
        elif isinstance(node, n.ClassDef):
            yield Binding(node.name, node.info, node, None)
        elif isinstance(node, n.Import):
            for module, alias in node.ids:
                yield Binding(alias or module.partition(".")[0], None, node, None)
        elif isinstance(node, n.ImportFrom):
            for name, alias in node.names:
                yield Binding(alias or name, None, node, None)


def plain_bindings(body: list[Any]) -> Iterator[Binding]:
    """Yield the bindings in the statements of a scope without searching expressions: quick, but misses `:=`."""
    stack = list(reversed(body))
    while stack:
        node = stack.pop()
        kind = type(node)
        if kind in STATEMENT_TARGETS:
            value = node.rvalue if kind is n.AssignmentStmt else None
            for target in TARGETS[kind](node):
                yield from _names(target, value)
        elif kind is n.FuncDef or kind is n.Decorator or kind is n.ClassDef:
            continue
        inner = BLOCKS.get(kind)
        if inner is not None:
            stack.extend(part for part in reversed(inner(node)) if part is not None)


def _names(target: n.Node | None, value: n.Expression | None) -> Iterator[Binding]:
    if isinstance(target, n.NameExpr):
        yield Binding(target.name, target.node, target, value)
    elif isinstance(target, PARTS):
        for part in children(target):
            yield from _names(part, None)


def statements(body: list[Any]) -> Iterator[n.Node]:
    """Yield the statements of a block and of nested blocks, including functions and classes, without expressions."""
    stack = list(reversed(body))
    while stack:
        node = stack.pop()
        yield node
        inner = BLOCKS.get(type(node))
        if inner is not None:
            stack.extend(part for part in reversed(inner(node)) if part is not None)


def outer_statements(body: list[Any]) -> Iterator[n.Node]:
    """Yield the statements of a block and of nested blocks, without those of functions and classes."""
    stack = list(reversed(body))
    while stack:
        node = stack.pop()
        yield node
        if not isinstance(node, n.FuncDef | n.Decorator | n.OverloadedFuncDef | n.ClassDef) and type(node) in BLOCKS:
            stack.extend(part for part in reversed(BLOCKS[type(node)](node)) if part is not None)


BLOCKS: Final[dict[type[n.Node], Callable[[Any], list[Any]]]] = {
    n.Block: lambda o: o.body,
    n.FuncDef: lambda o: o.body.body,
    n.Decorator: lambda o: o.func.body.body,
    n.OverloadedFuncDef: lambda o: o.items if o.impl is None else [*o.items, o.impl],
    n.ClassDef: lambda o: o.defs.body,
    n.WhileStmt: lambda o: [o.body, o.else_body],
    n.ForStmt: lambda o: [o.body, o.else_body],
    n.IfStmt: lambda o: [*o.body, o.else_body],
    n.TryStmt: lambda o: [o.body, *o.handlers, o.else_body, o.finally_body],
    n.WithStmt: lambda o: [o.body],
    n.MatchStmt: lambda o: o.bodies,
}


def function_of(node: object) -> n.FuncDef | None:
    """Return the function behind a symbol: the implementation of an overload, the decorated function of a decorator."""
    if isinstance(node, n.FuncDef):
        return node
    if isinstance(node, n.Decorator):
        return node.func
    if isinstance(node, n.OverloadedFuncDef):
        implementation = node.impl
        if implementation is None and is_property(node):
            implementation = node.items[0]
        return implementation.func if isinstance(implementation, n.Decorator) else implementation
    return None


def is_property(node: object) -> bool:
    """Return whether a symbol is a property with a setter or deleter, which mypy represents as an overload without an implementation."""
    first = node.items[0] if isinstance(node, n.OverloadedFuncDef) and node.items else None
    return isinstance(first, n.Decorator) and first.func.is_property


def decorator_of(node: object) -> n.Decorator | None:
    """Return the decorator around the function behind a symbol, if semantic analysis has left it."""
    # Variants of an overloaded function are signatures; its body is in `impl`.
    if isinstance(node, n.OverloadedFuncDef):
        node = node.impl
    return node if isinstance(node, n.Decorator) and node.decorators else None


def own_symbols(scope: n.Node, nodes: list[n.Node], name_exprs: list[n.NameExpr]) -> set[object]:
    """Return the symbols defined in a function or class and everything nested in it, from the nodes of its body."""
    own: set[object] = {argument.variable for argument in scope.arguments} if isinstance(scope, n.FuncItem) else set()
    # mypy marks the name that defines a variable; every other name only refers to it.
    own.update(name.node for name in name_exprs if (name.is_new_def or name.is_inferred_def) and name.node is not None)
    for node in nodes:
        if isinstance(node, n.FuncItem):
            own.update(argument.variable for argument in node.arguments)
        if isinstance(node, n.FuncDef):
            own.add(node)
        elif isinstance(node, n.Decorator):
            own.update((node, node.var, node.func))
        elif isinstance(node, n.OverloadedFuncDef):
            own.add(node)
        elif isinstance(node, n.ClassDef):
            own.add(node.info)
    return own


def written(scope: n.FuncItem) -> dict[str, n.Node]:
    """Return {name: declaration} of the names that a function declares `global` or `nonlocal` and then binds."""
    declared: dict[str, n.Node] = {}
    for node in walk(scope, scopes=False):
        if isinstance(node, n.GlobalDecl | n.NonlocalDecl):
            # mypy keeps the statements `global` and `nonlocal` in the tree; the names below them are bound to the outer variable.
            declared.update(dict.fromkeys(node.names, node))
    if not declared:
        return {}
    bound = {binding.name for binding in bindings(scope)}
    return {name: node for name, node in declared.items() if name in bound}
