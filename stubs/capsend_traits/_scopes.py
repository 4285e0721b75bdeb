"""The scopes of a syntax tree, resolved as by Python's compiler: to which scope each name belongs."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
COMPREHENSIONS: Final = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@dataclass(eq=False, slots=True)
class Scope:
    """One scope: a module, a class body, a function or a comprehension.

    Attributes:
        kind: "module", "class", "function" or "comprehension".
        parent: the enclosing scope; None for a module.
        bound: the names that the scope binds.
        imports: {name: [full names to which import statements bind it]}.
        others: the names bound otherwise than by an import.
        elsewhere: {name: "global" or "nonlocal"}, as declared.
    """

    kind: str
    parent: Scope | None = None
    bound: set[str] = field(default_factory=set)
    imports: dict[str, list[str]] = field(default_factory=dict)
    others: set[str] = field(default_factory=set)
    elsewhere: dict[str, str] = field(default_factory=dict)


@dataclass(eq=False, slots=True)
class Binding:
    """A place that binds or deletes a name of a module.

    Attributes:
        node: the name, statement or pattern that binds it.
        repeated: True if it is in a loop or a function, and so may run several times.
    """

    node: ast.AST
    repeated: bool


@dataclass(slots=True)
class Tree:
    """The scopes of a module or of a function, and the names in it.

    Attributes:
        module: the scope of the module.
        names: {name: its nodes in all scopes}.
        scopes: {name node: its scope}.
        parents: {node: the enclosing node}.
        bindings: {name of the module: its bindings}, including those by `global` statements of functions.
        attributes: {attribute: the nodes that read or write it}.
        stars: the statements that import everything from a module.
        functions: {function or lambda: the scope of its body}.
        classes: {class statement: the scope of its body}.
        package: the package to which relative imports refer.
    """

    module: Scope = field(default_factory=lambda: Scope("module"))
    names: dict[str, list[ast.Name]] = field(default_factory=dict)
    scopes: dict[ast.AST, Scope] = field(default_factory=dict)
    parents: dict[ast.AST, ast.AST] = field(default_factory=dict)
    bindings: dict[str, list[Binding]] = field(default_factory=dict)
    attributes: dict[str, list[ast.Attribute]] = field(default_factory=dict)
    stars: list[ast.ImportFrom] = field(default_factory=list)
    functions: dict[ast.AST, Scope] = field(default_factory=dict)
    classes: dict[ast.ClassDef, Scope] = field(default_factory=dict)
    package: str = ""

    def owners(self, name: ast.Name) -> tuple[Scope, ...]:
        """Return the scopes to which a name may belong, innermost first; a class body may read its own name or the module's.

        A name that no scope binds belongs to the module, whose names hide the built-in ones.
        """
        first = scope = self.scopes[name]
        while scope.parent is not None:
            declared = scope.elsewhere.get(name.id)
            if declared == "global":
                return (self.module,)
            if declared is None and name.id in scope.bound and (scope is first or scope.kind != "class"):
                return (scope,) if scope.kind != "class" else (scope, self.module)
            scope = scope.parent
        return (self.module,)

    def uses(self, scope: Scope, name: str) -> list[ast.Name]:
        """Return the nodes that may be a given name of a scope, including those that bind it."""
        return [node for node in self.names.get(name, ()) if scope in self.owners(node)]


def scopes_of(tree: ast.AST, *, module: str = "", is_package: bool = False) -> Tree:
    """Resolve the names of a module, of a function or of a class.

    Args:
        tree: the syntax tree; a single function or class is read as if its module contained nothing else.
        module: the full name of the module, against which relative imports are resolved.
        is_package: True if the module is a package's `__init__`.
    """
    found = Tree(package=module if is_package else module.rpartition(".")[0])
    reader = _Reader(found, found.package)
    if isinstance(tree, ast.Module):
        reader.all(tree.body, tree, found.module)
    else:
        reader.visit(tree, found.module)
    return found


def import_targets(node: ast.Import | ast.ImportFrom, package: str) -> list[tuple[str, str]]:
    """Return [(name, full name)] of the names that an import statement binds."""
    if isinstance(node, ast.Import):
        return [(a.asname, a.name) if a.asname else (a.name.partition(".")[0],) * 2 for a in node.names]
    base = import_base(node, package)
    return [(a.asname or a.name, f"{base}.{a.name}") for a in node.names if a.name != "*"]


def import_base(node: ast.ImportFrom, package: str) -> str:
    """Return the full name of the module from which names are imported."""
    base = node.module or ""
    if node.level:
        parts = package.split(".") if package else []
        kept = parts[: len(parts) - node.level + 1]
        base = ".".join([*kept, base] if base else kept)
    return base


class _Reader:
    def __init__(self, found: Tree, package: str) -> None:
        self.found = found
        self.package = package
        self.loops = 0

    def all(self, nodes: Sequence[ast.AST], parent: ast.AST, scope: Scope) -> None:
        for node in nodes:
            self.found.parents[node] = parent
            self.visit(node, scope)

    def each(self, parent: ast.AST, scope: Scope, *, without: tuple[str, ...] = ()) -> None:
        for name, value in ast.iter_fields(parent):
            if name in without:
                continue
            if isinstance(value, ast.AST):
                self.all([value], parent, scope)
            elif isinstance(value, list):
                self.all([item for item in value if isinstance(item, ast.AST)], parent, scope)

    def visit(self, node: ast.AST, scope: Scope) -> None:
        match node:
            case ast.Name():
                self._name(node, scope)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
                self._function(node, scope)
            case ast.ClassDef():
                self._class(node, scope)
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                self._comprehension(node, scope)
            case ast.For() | ast.AsyncFor() | ast.While():
                self._loop(node, scope)
            case _:
                self._other(node, scope)
                self.each(node, scope)

    def _name(self, node: ast.Name, scope: Scope) -> None:
        self.found.names.setdefault(node.id, []).append(node)
        self.found.scopes[node] = scope
        around = self.found.parents.get(node)
        if isinstance(around, ast.AnnAssign) and around.value is None and scope is self.found.module:
            return  # a declaration alone binds nothing, though it makes a name local to a function
        if not isinstance(node.ctx, ast.Load):
            target = scope
            if isinstance(around, ast.NamedExpr):
                while target.kind == "comprehension" and target.parent is not None:
                    target = target.parent
                self.found.scopes[node] = target
            self._bind(node.id, node, target)

    def _other(self, node: ast.AST, scope: Scope) -> None:
        if isinstance(node, ast.Attribute):
            self.found.attributes.setdefault(node.attr, []).append(node)
            self.found.scopes[node] = scope
        elif isinstance(node, ast.Global | ast.Nonlocal):
            word = "global" if isinstance(node, ast.Global) else "nonlocal"
            scope.elsewhere.update(dict.fromkeys(node.names, word))
        elif isinstance(node, ast.Import | ast.ImportFrom):
            if isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names):
                self.found.stars.append(node)
            for name, full in import_targets(node, self.package):
                self._bind(name, node, scope, imported=full)
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            self._bind(node.name, node, scope)
        elif isinstance(node, ast.MatchMapping) and node.rest:
            self._bind(node.rest, node, scope)

    def _bind(self, name: str, node: ast.AST, scope: Scope, *, imported: str = "") -> None:
        declared = scope.elsewhere.get(name)
        if declared == "nonlocal":
            return  # the scope of the name binds it too
        owner = self.found.module if declared == "global" else scope
        owner.bound.add(name)
        if imported:
            owner.imports.setdefault(name, []).append(imported)
        else:
            owner.others.add(name)
        if owner is self.found.module:
            repeated = bool(self.loops) or scope.parent is not None
            self.found.bindings.setdefault(name, []).append(Binding(node, repeated=repeated))

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, scope: Scope) -> None:
        if not isinstance(node, ast.Lambda):
            if node in self.found.parents:
                self._bind(node.name, node, scope)
            self.all(node.decorator_list, node, scope)
        scope = self._parameters_of_types(node, scope)
        inner = self.found.functions[node] = Scope("function", scope)
        arguments = node.args
        self.found.parents[arguments] = node
        named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        for argument in (*named, arguments.vararg, arguments.kwarg):
            if argument is not None:
                inner.bound.add(argument.arg)
                inner.others.add(argument.arg)
                self.all([argument], arguments, scope)  # for the annotation
        self.all([d for d in (*arguments.defaults, *arguments.kw_defaults) if d is not None], arguments, scope)
        outer, self.loops = self.loops, 0
        if isinstance(node, ast.Lambda):
            self.all([node.body], node, inner)
        else:
            self.all([node.returns] if node.returns is not None else [], node, scope)
            self._declare(node.body, inner)
            self.all(node.body, node, inner)
        self.loops = outer

    def _class(self, node: ast.ClassDef, scope: Scope) -> None:
        if node in self.found.parents:
            self._bind(node.name, node, scope)
        self.all(node.decorator_list, node, scope)
        scope = self._parameters_of_types(node, scope)
        self.all([*node.bases, *node.keywords], node, scope)
        inner = self.found.classes[node] = Scope("class", scope)
        self._declare(node.body, inner)
        self.all(node.body, node, inner)

    def _declare(self, body: list[ast.stmt], scope: Scope) -> None:
        """Read the `global` and `nonlocal` statements of a scope first, as they hold for the whole scope."""
        stack: list[ast.AST] = list(body)
        while stack:
            node = stack.pop()
            if isinstance(node, ast.Global | ast.Nonlocal):
                word = "global" if isinstance(node, ast.Global) else "nonlocal"
                scope.elsewhere.update(dict.fromkeys(node.names, word))
            elif not isinstance(node, (*FUNCTIONS, ast.ClassDef, ast.expr)):
                stack.extend(ast.iter_child_nodes(node))

    def _parameters_of_types(self, node: ast.AST, scope: Scope) -> Scope:
        parameters = getattr(node, "type_params", None)
        if not parameters:
            return scope
        inner = Scope("function", scope)
        for parameter in parameters:
            inner.bound.add(parameter.name)
            inner.others.add(parameter.name)
        self.all(parameters, node, inner)
        return inner

    def _comprehension(self, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp, scope: Scope) -> None:
        inner = Scope("comprehension", scope)
        for i, generator in enumerate(node.generators):
            self.found.parents[generator] = node
            self.all([generator.iter], generator, scope if i == 0 else inner)
            self.all([generator.target, *generator.ifs], generator, inner)
        parts: list[ast.expr] = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        self.all(parts, node, inner)

    def _loop(self, node: ast.For | ast.AsyncFor | ast.While, scope: Scope) -> None:
        self.loops += 1
        self.each(node, scope, without=("orelse",))
        self.loops -= 1
        self.all(node.orelse, node, scope)
