"""The shapes of values: functions with their closures and results, and calls, as far as the syntax shows them.

A decorated function is the result of its decorators. The function and its captures are found in the decorator's body; a
shape is the form of these for mypy's cache, which outlives the bodies.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from capsend_traits import table
from mypy import nodes as n
from mypy.traverser import NameAndMemberCollector
from mypy.types import AnyType, CallableType, Instance, Overloaded, TypeVarType, UnionType, get_proper_type

from capsend_mypy import mentions, names, outline, receivers, syntax, writes
from capsend_mypy.marks import is_per_process

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ATOM: Final = "a"
NAME: Final = "n"
METHOD: Final = "m"
PARAMETER: Final = "p"
FUNCTION: Final = "f"
CALL: Final = "c"
DISPLAY: Final = "d"
EITHER: Final = "e"
SELF: Final = "s"
UNKNOWN: Final = "?"
OUTER: Final = "o"

MOST_DEEP: Final = 12
STARRED: Final = "*"
CHANGED: Final = "!"
"""The suffix of a cell's name if the function changes the cell's value."""
PREPARED: Final = "functools.wraps"


@dataclass(frozen=True, slots=True)
class Shape:
    """A value, as far as the syntax shows it.

    Attributes:
        kind: one of this module's constants: a literal, a module-level thing, a method with its receiver, a parameter, a function,
            a call, a display, one of several values, the decorated function itself, a value that the syntax does not show, or a variable
            of the checked function.
        name: the full name, the parameter's index and name, or the name in messages.
        parts: the cells of a function, the items of a display, the callee and the arguments of a call, the receiver of a method that is not
            called where it stands.
        keys: the names of the cells, or of the arguments; "" for a positional argument.
        refs: the module-level references of a function's body.
        parameters: the names of a function's parameters, with "*" and "**" before the variadic ones.
        defaults: the defaults, one for each parameter.
        returns: the result of a function, if it may be a callable.
        place: the place of the value; None if the shape comes from a cache.
        node: the expression of a variable of the checked function.
    """

    kind: str
    name: str = ""
    parts: tuple[Shape, ...] = ()
    keys: tuple[str, ...] = ()
    refs: tuple[mentions.Ref, ...] = ()
    parameters: tuple[str, ...] = ()
    defaults: tuple[Shape, ...] = ()
    returns: tuple[Shape, ...] = ()
    place: mentions.Place | None = None
    node: n.Expression | None = field(default=None, compare=False)


WRITTEN_OUT: Final = frozenset(
    {n.IntExpr, n.StrExpr, n.BytesExpr, n.FloatExpr, n.ComplexExpr, n.EllipsisExpr, n.UnaryExpr, n.ComparisonExpr}
)
LITERAL_CLASSES: Final[dict[type[n.Node], str]] = {n.StrExpr: "builtins.str", n.BytesExpr: "builtins.bytes"}
CONSTANTS: Final = frozenset({"builtins.None", "builtins.True", "builtins.False"})
LITERAL: Final = Shape(ATOM)
NONE: Final = Shape(ATOM, "None")
DECORATED: Final = Shape(SELF)


def encoded(shape: Shape) -> list[Any]:
    """Return a shape as data for JSON, without places."""
    data: list[Any] = [
        shape.kind,
        shape.name,
        [encoded(part) for part in shape.parts],
        list(shape.keys),
        mentions.encoded(shape.refs),
        list(shape.parameters),
        [encoded(part) for part in shape.defaults],
        [encoded(part) for part in shape.returns],
    ]
    while data and not data[-1]:
        data.pop()
    return data


def decoded(data: list[Any]) -> Shape:
    """Return the shape from data made by `encoded`."""
    missing: list[Any] = ["", [], [], [], [], [], []]
    whole = data + missing[len(data) - 1 :]
    return Shape(
        kind=whole[0],
        name=whole[1],
        parts=tuple(decoded(part) for part in whole[2]),
        keys=tuple(whole[3]),
        refs=tuple(mentions.decoded(whole[4])),
        parameters=tuple(whole[5]),
        defaults=tuple(decoded(part) for part in whole[6]),
        returns=tuple(decoded(part) for part in whole[7]),
    )


def may_return_callable(function: n.FuncDef) -> bool:
    """Return whether a function may return a callable, by its annotations: most cannot, and need no shape."""
    declared = function.type
    if not isinstance(declared, CallableType):
        return True
    # The declared result: a decorator without annotations has the type Any, and may return a callable.
    returned = get_proper_type(declared.ret_type)
    if isinstance(returned, UnionType):
        return any(_is_callable(get_proper_type(item)) for item in returned.items)
    return _is_callable(returned)


def _is_callable(proper: object) -> bool:
    if isinstance(proper, Instance):
        return proper.type.fullname == "functools.partial" or (
            "__call__" in proper.type.names and not names.is_known(proper.type.fullname)
        )
    return isinstance(proper, CallableType | Overloaded | TypeVarType | AnyType)


def of_decorated(decorator: n.Decorator, builder: Builder) -> Shape:
    """Return the shape of a function with its decorators."""
    shape = DECORATED
    for expression in reversed(decorator.decorators):
        made = builder.callee(expression)
        shape = Shape(CALL, parts=(made, shape), keys=("",), place=builder.spot(expression))
    return shape


class Builder:
    """Makes the shapes of expressions in one file.

    Args:
        module: the name of the module.
        scopes: the functions around the expression, outermost first; any other local name is a variable of the checked
            function.
        bound: True if there is no checked function: then other local names are unknown.
    """

    def __init__(self, module: str, scopes: Sequence[n.FuncItem] = (), *, bound: bool = True) -> None:
        self.module = module
        self.scopes = tuple(scopes)
        self.bound = bound
        self._building: list[object] = []
        self._elements: set[object] = set()
        self._lambdas = 0
        self._owner = ""

    def spot(self, node: n.Context) -> mentions.Place:
        """Return the place of a node."""
        return mentions.place_of(node, self.module)

    def of(self, value: n.Expression | None) -> Shape:
        """Return the shape of an expression."""
        if type(value) in WRITTEN_OUT:
            return LITERAL
        if value is None or len(self._building) > MOST_DEEP:
            return Shape(UNKNOWN)
        match value:
            case n.LambdaExpr():
                self._lambdas += 1
                return self.function(value, f"{self._lambdas}.lambda")
            case n.CastExpr() | n.AssertTypeExpr():
                return self.of(value.expr)
            case n.AssignmentExpr():
                return self.of(value.value)
            case n.ConditionalExpr():
                return Shape(EITHER, parts=(self.of(value.if_expr), self.of(value.else_expr)))
            case n.OpExpr() if value.op in {"and", "or"}:
                return Shape(EITHER, parts=(self.of(value.left), self.of(value.right)))
            # mypy keeps the call as written, and the special form that it means in `analyzed`.
            case n.CallExpr() if isinstance(value.analyzed, n.CastExpr | n.AssertTypeExpr):
                return self.of(value.analyzed)
            case n.CallExpr():
                return self._call(value)
            case n.TupleExpr() | n.ListExpr() | n.SetExpr():
                return self._display(value, list(value.items))
            case n.DictExpr():
                return self._display(value, [part for item in value.items for part in item if part is not None])
            case n.ListComprehension() | n.SetComprehension():
                return replace(self._comprehension(value.generator), name=outline.DISPLAYS[type(value)])
            case n.GeneratorExpr() | n.DictionaryComprehension():
                return self._comprehension(value)
            case n.StarExpr():
                return self.of(value.expr)
            # `Box[int]` as a value is the class; only `analyzed` distinguishes it from a subscript.
            case n.IndexExpr() if isinstance(value.analyzed, n.TypeApplication):
                return self.of(value.base)
            case n.RefExpr():
                return self._named(value)
        if outline.value_form(value) is None:
            return LITERAL
        return self._unknown(value)

    def value_of(self, value: n.Expression, owner: str) -> Shape:
        """Return the shape of the value of a variable; functions in it get the variable's name."""
        self._owner, self._lambdas = owner, 0
        return self.of(value)

    def _unknown(self, value: n.Expression) -> Shape:
        name = value.name if isinstance(value, n.NameExpr | n.MemberExpr) else ""
        form = outline.DISPLAYS.get(type(value))
        if form is not None:
            return Shape(DISPLAY, form, place=self.spot(value))
        if not self.bound:
            return Shape(OUTER, name, place=self.spot(value), node=value)
        return Shape(UNKNOWN, name, place=self.spot(value))

    def _display(self, value: n.Expression, items: list[n.Expression]) -> Shape:
        name = outline.DISPLAYS.get(type(value), "builtins.tuple")
        parts = tuple(self.of(item) for item in items)
        if name == "builtins.tuple" and all(part.kind == ATOM for part in parts):
            return LITERAL
        return Shape(DISPLAY, name, parts=parts, place=self.spot(value))

    def _comprehension(self, value: n.GeneratorExpr | n.DictionaryComprehension) -> Shape:
        """Return a display of the iterables and elements of a comprehension, since the elements come from the iterables."""
        self._elements.update(node for index in value.indices for node in _named_in(index))
        made = [value.key, value.value] if isinstance(value, n.DictionaryComprehension) else [value.left_expr]
        parts = tuple(self.of(part) for part in [*value.sequences, *made])
        return Shape(DISPLAY, outline.DISPLAYS[type(value)], parts=parts, place=self.spot(value))

    def _call(self, value: n.CallExpr) -> Shape:
        callee = self.callee(value.callee)
        keys = tuple(
            STARRED if kind.is_star() else name or ""
            for kind, name in zip(value.arg_kinds, value.arg_names, strict=True)
        )
        parts = (callee, *(self._given(argument) for argument in value.args))
        outer = None if self.bound else value
        return Shape(CALL, parts=parts, keys=keys, place=self.spot(value), node=outer)

    def _given(self, argument: n.Expression) -> Shape:
        """Return an argument; if it is a generator expression, the call consumes the items."""
        shape = self.of(argument)
        return replace(shape, name="builtins.tuple") if isinstance(argument, n.GeneratorExpr) else shape

    def callee(self, value: n.Expression) -> Shape:
        """Return the called function; the body of a local function counts, since it runs at the call."""
        node = value.node if isinstance(value, n.NameExpr) and value.kind == n.LDEF else None
        function = syntax.function_of(node)
        if isinstance(value, n.MemberExpr) and not (value.kind == n.GDEF and value.node is not None):
            return self._attribute(value, is_called=True)
        if self.bound or function is None or node in self._building or syntax.decorator_of(node) is not None:
            return self.of(value)
        return self.function(function, function.name, node)

    def _named(self, value: n.RefExpr) -> Shape:
        node = value.node
        if (
            value.expr.node if isinstance(value, n.MemberExpr) and isinstance(value.expr, n.NameExpr) else node
        ) in self._elements:
            return LITERAL
        if isinstance(value, n.MemberExpr) and not (value.kind == n.GDEF and node is not None):
            return self._attribute(value)
        if isinstance(node, n.MypyFile):
            return LITERAL
        # mypy's kinds: GDEF is a name of a module, MDEF of a class, LDEF of a function.
        if node is None or value.kind in {n.GDEF, n.MDEF} or self._is_global(node):
            return self._global(value, node)
        return self._local(value, node)

    def _attribute(self, value: n.MemberExpr, *, is_called: bool = False) -> Shape:
        """Return a method with its receiver, or another attribute of a value whose class the declarations show.

        Args:
            value: the expression.
            is_called: True if it is called where it stands: then a method of the library's leaves nothing behind that is sent.
        """
        of_literal = LITERAL_CLASSES.get(type(value.expr))
        around = receivers.Receivers(None, n.Block([]), of_library=not is_called)
        path = f"C {of_literal}" if of_literal else around.path(value.expr)
        if path is None:
            return self._unknown(value)
        parts = () if is_called else (self.of(value.expr),)
        return Shape(METHOD, f"{path}/{value.name}", parts=parts, place=self.spot(value))

    def _is_global(self, node: n.SymbolNode) -> bool:
        return isinstance(node, n.TypeInfo) and not names.is_local(node)

    def _global(self, value: n.RefExpr, node: n.SymbolNode | None) -> Shape:
        # `True`, `False` and `None` are names for mypy too, bound to variables of `builtins`.
        if value.fullname in CONSTANTS:
            return NONE if value.fullname == "builtins.None" else LITERAL
        if isinstance(node, n.TypeAlias):
            target = get_proper_type(node.target)
            node = target.type if isinstance(target, Instance) else None
        if node is None:
            return self._unknown(value)
        # A use has the full name of the imported name; the node has the name of the definition.
        full = node.fullname if isinstance(node, n.TypeInfo | n.Var) or value.kind == n.MDEF else value.fullname
        return Shape(NAME, full or value.fullname, place=self.spot(value))

    def _local(self, value: n.RefExpr, node: n.SymbolNode) -> Shape:
        function = syntax.function_of(node)
        if function is not None:
            return self._local_function(value, node, function)
        if isinstance(node, n.Var):
            for depth, scope in enumerate(self.scopes):
                if any(argument.variable is node for argument in scope.arguments):
                    return Shape(PARAMETER, f"{depth}.{node.name}", place=self.spot(value))
            return self._variable(value, node)
        return self._unknown(value)

    def _local_function(self, value: n.RefExpr, node: n.SymbolNode, function: n.FuncDef) -> Shape:
        if node in self._building:
            return LITERAL  # a function that refers to itself: its consequences are followed already
        if not self.bound and not self._is_in_scope(function):
            return Shape(OUTER, function.name, place=self.spot(value), node=value)
        made = self.function(function, function.name, node)
        decorator = syntax.decorator_of(node)
        for expression in reversed(decorator.decorators if decorator is not None else ()):
            if not _is_preparation(expression):
                made = Shape(CALL, parts=(self.of(expression), made), keys=("",), place=self.spot(expression))
        return made

    def _is_in_scope(self, function: n.FuncDef) -> bool:
        return any(inner is function for scope in self.scopes for inner in syntax.walk(scope.body))

    def _variable(self, value: n.RefExpr, node: n.Var) -> Shape:
        if node in self._building:
            return Shape(UNKNOWN, node.name, place=self.spot(value))
        for scope in reversed(self.scopes):
            bound = [binding for binding in syntax.bindings(scope) if binding.node is node]
            if bound:
                self._building.append(node)
                made = [
                    self.of(binding.value) if binding.value is not None else Shape(UNKNOWN, node.name)
                    for binding in bound
                ]
                self._building.pop()
                return made[0] if len(made) == 1 else Shape(EITHER, node.name, parts=tuple(made))
        return self._unknown(value)

    def function(self, function: n.FuncItem, name: str, node: object = None) -> Shape:
        """Return the shape of a function: its references, its cells, its parameters, and the callables that it may return."""
        self._building.append(node if node is not None else function)
        outer, self.scopes = self.scopes, (*self.scopes, function)
        try:
            returned = tuple(self._returns(function))
            self.scopes = outer
            cells = dict(self._cells(function))
            refs = outline.refs_of(function, self.module)
            refs += (
                mentions.Ref(mentions.WRITTEN, f"{self.module}.{lost}", place=spot)
                for lost, spot in self._lost(function)
            )
            defaults = self._defaults(function)
        finally:
            self.scopes = outer
            self._building.pop()
        full = ".".join([self.module, *filter(None, [self._owner]), *(_name(scope) for scope in outer), name])
        return Shape(
            FUNCTION,
            full,
            parts=tuple(cells.values()),
            keys=tuple(cells),
            refs=tuple(refs),
            parameters=tuple(_parameter(argument, len(outer)) for argument in function.arguments),
            defaults=defaults,
            returns=returned,
            place=self.spot(function),
        )

    def maker(self, function: n.FuncDef, local: str) -> Shape | None:
        """Return the shape of a module's function as a maker of callables; None if it visibly returns none."""
        self._building.append(function)
        self.scopes = (function,)
        returned = tuple(self._returns(function))
        self.scopes = ()
        self._building.pop()
        if not any(_is_telling(shape) for shape in returned):
            return None
        return Shape(
            FUNCTION,
            f"{self.module}.{local}",
            parameters=tuple(_parameter(argument, 0) for argument in function.arguments),
            defaults=self._defaults(function),
            returns=returned,
        )

    def _defaults(self, function: n.FuncItem) -> tuple[Shape, ...]:
        return tuple(
            self.of(argument.initializer)
            if argument.initializer is not None
            else Shape(UNKNOWN, argument.variable.name)
            for argument in function.arguments
        )

    def _returns(self, function: n.FuncItem) -> Iterator[Shape]:
        if isinstance(function, n.LambdaExpr):
            yield self.of(function.expr())
            return
        # The result of a generator or coroutine function is an object of its own; `return` in it gives no callable to the caller.
        if isinstance(function, n.FuncDef) and (function.is_generator or function.is_coroutine):
            return
        for statement in syntax.outer_statements(function.body.body):
            if isinstance(statement, n.ReturnStmt) and statement.expr is not None:
                yield self.of(statement.expr)

    def _cells(self, function: n.FuncItem) -> Iterator[tuple[str, Shape]]:
        nodes = list(syntax.walk(function.body))
        name_exprs = [node for node in nodes if isinstance(node, n.NameExpr)]
        own = syntax.own_symbols(function, nodes, name_exprs)
        seen: set[object] = set()
        changed = writes.changed(function)
        for name in name_exprs:
            node = name.node
            if node is None or name.kind != n.LDEF or node in own or node in seen or isinstance(node, n.MypyFile):
                continue
            seen.add(node)
            mark = CHANGED if name.name in changed else ""
            yield name.name + mark, replace(self.of(name), place=self.spot(name))

    def _lost(self, function: n.FuncItem) -> Iterator[tuple[str, mentions.Place]]:
        """Yield the outer variables that a function assigns by `nonlocal`."""
        nodes = list(syntax.walk(function.body))
        own = syntax.own_symbols(function, nodes, [node for node in nodes if isinstance(node, n.NameExpr)])
        for scope in [function, *(node for node in nodes if isinstance(node, n.FuncDef))]:
            for name, place in syntax.written(scope).items():
                node = next((b.node for b in syntax.bindings(scope) if b.name == name), None)
                if isinstance(place, n.NonlocalDecl) and node not in own:
                    yield name, self.spot(place)


def of_variables(file: n.MypyFile) -> Iterator[tuple[str, Shape]]:
    """Yield (local name, value) of the variables that a module and its classes bind once, if they may hold callables."""
    yield from _of_body(file.defs, "", Builder(file.fullname))


def _of_body(body: list[n.Statement], prefix: str, builder: Builder) -> Iterator[tuple[str, Shape]]:
    values: dict[str, list[tuple[n.Var, n.Expression | None]]] = {}
    for binding in syntax.plain_bindings(body):
        if isinstance(binding.node, n.Var):
            # By name: a second assignment with another type makes a second `Var` where `allow_redefinition` is on.
            values.setdefault(binding.name, []).append((binding.node, binding.value))
    for name, bound in values.items():
        node, value = bound[0]
        if len(bound) == 1 and isinstance(value, TELLING) and _is_asked_for(node, value) and _names_anything(value):
            shape = builder.value_of(value, prefix + name)
            if _is_telling(shape):
                yield prefix + name, shape
    for statement in syntax.outer_statements(body):
        if isinstance(statement, n.ClassDef):
            yield from _of_body(statement.defs.body, f"{prefix}{statement.name}.", builder)


TELLING: Final = (
    n.CallExpr,
    n.TupleExpr,
    n.ListExpr,
    n.SetExpr,
    n.DictExpr,
    n.LambdaExpr,
    n.ConditionalExpr,
    n.RefExpr,
    n.ListComprehension,
    n.SetComprehension,
    n.DictionaryComprehension,
)
"""The expressions that may make or contain callables."""
MUTABLE: Final = {kind: form for kind, form in outline.DISPLAYS.items() if form.startswith("builtins.")}
SENTINEL: Final = "builtins.object"


def _is_telling(shape: Shape) -> bool:
    """Return whether a value contains anything but literals and objects of the standard library."""
    if shape.kind == CALL and shape.parts[0].kind == NAME:
        made = shape.parts[0].name
        return made == SENTINEL or not names.is_known(made) or any(_is_telling(part) for part in shape.parts[1:])
    return shape.kind in {NAME, METHOD, PARAMETER, FUNCTION} or any(_is_telling(part) for part in shape.parts)


def _names_anything(value: n.Expression) -> bool:
    """Return whether an expression may contain callables: large tables of literals are skipped quickly."""
    if isinstance(value, n.LambdaExpr | n.CallExpr | n.RefExpr):
        return True
    # Compiled, like all visitors of mypy: a large table of literals is not walked in Python.
    collector = NameAndMemberCollector()
    value.accept(collector)
    return bool(collector.name_exprs or collector.member_exprs)


def _is_asked_for(node: n.Var, value: n.Expression) -> bool:
    """Return whether a check may need the value of a variable; that of a list, dict or set only if each process owns it.

    Otherwise such a variable is mutable, whatever its content, or a constant, as shown by its source.
    """
    if type(value) not in MUTABLE or node.type is None:
        return True
    declared = get_proper_type(node.type)
    if not isinstance(declared, Instance) or declared.type.fullname not in MUTABLE.values():
        return True
    return is_per_process(node.type) or table().is_per_process(node.fullname)


def _named_in(target: n.Node) -> Iterator[n.SymbolNode]:
    for node in syntax.walk(target):
        if isinstance(node, n.NameExpr) and node.node is not None:
            yield node.node


def _name(function: n.FuncItem) -> str:
    return function.name if isinstance(function, n.FuncDef) else "lambda"


def _parameter(argument: n.Argument, depth: int) -> str:
    stars = {n.ARG_STAR: "*", n.ARG_STAR2: "**"}.get(argument.kind, "")
    return f"{stars}{depth}.{argument.variable.name}"


def _is_preparation(expression: n.Expression) -> bool:
    """Return whether a decorator is `functools.wraps(fn)`, which returns the function it is given."""
    return (
        isinstance(expression, n.CallExpr)
        and isinstance(expression.callee, n.RefExpr)
        and expression.callee.fullname == PREPARED
    )
