"""The references of a function to outer code, found by names alone: the raw form of a summary, for mypy's cache."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mypy import nodes as n
from mypy.patterns import ClassPattern
from mypy.traverser import NameAndMemberCollector
from mypy.types import Instance, get_proper_type

from capsend_mypy import names, reflection, syntax, writes
from capsend_mypy.mentions import (
    CLASS,
    DEFAULT,
    FUNCTION,
    HIDDEN,
    MEMBER,
    MODULE,
    SUBCLASS,
    SUPER,
    VARIABLE,
    WRITTEN,
    Place,
    Ref,
    place_of,
)
from capsend_mypy.receivers import IMPORT_MODULE, Receivers, class_path, imported
from capsend_mypy.vocabulary import Vocabulary

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator


TYPE_ARGUMENTS: Final = 3
"""The number of arguments with which `type` makes a class."""
UNKNOWN: Final = ("", "")


class Known:
    """Earlier results for module-level objects, shared by the functions of a module.

    Attributes:
        makes_classes: True if a function of the module may make a class or match a pattern, according to the module's
            text.
    """

    def __init__(self, *, makes_classes: bool = True) -> None:
        self.makes_classes = makes_classes
        self.targets: dict[n.SymbolNode, tuple[str, str] | None] = {}
        self.vocabulary = Vocabulary()


def refs_of(
    function: n.FuncItem,
    module: str,
    *,
    has_writes: bool = True,
    known: Known | None = None,
    hidden: Collection[str] = (),
) -> list[Ref]:
    """Return the references of a function of a module or class, in the order of the source, each once.

    Args:
        function: the function or lambda.
        module: the module of the function.
        has_writes: True if it may contain a `global` statement.
        known: earlier results for module-level objects, shared by the functions of a module.
        hidden: the module's names whose run-time values mypy does not see.
    """
    # mypy's visitors are compiled, and Python classes cannot inherit from them: this one collects everything at their
    # speed.
    collector = NameAndMemberCollector()
    function.body.accept(collector)
    owner = function.info if isinstance(function, n.FuncDef) and function.info else None
    found = list(_reached(collector, module, owner=owner, scope=function, known=known or Known()))
    found += hidden_refs(collector.name_exprs, module, hidden)
    found += writes.attributes(
        function,
        module,
        Receivers(owner, function),
        name_exprs=collector.name_exprs,
        member_exprs=collector.member_exprs,
    )
    found += _defaults(function, module)
    if has_writes:
        found += (
            Ref(WRITTEN, f"{module}.{name}", place=place_of(node, module)) for name, node in _global_writes(function)
        )
    return _in_order(found)


def _global_writes(function: n.FuncItem) -> Iterator[tuple[str, n.Node]]:
    has_declaration = any(isinstance(s, n.GlobalDecl) for s in syntax.statements(function.body.body))
    if not has_declaration:
        return
    for node in syntax.walk(function):
        if isinstance(node, n.FuncDef):
            for name, place in syntax.written(node).items():
                if isinstance(place, n.GlobalDecl):
                    yield name, place


def refs_in(expression: n.Node, module: str, *, owner: n.TypeInfo | None = None) -> list[Ref]:
    """Return the references of an expression."""
    collector = NameAndMemberCollector()
    expression.accept(collector)
    return _in_order(list(_reached(collector, module, owner=owner, scope=expression, known=Known())))


def _reached(
    collector: NameAndMemberCollector, module: str, *, owner: n.TypeInfo | None, scope: n.Node, known: Known
) -> Iterator[Ref]:
    name_exprs, member_exprs = collector.name_exprs, collector.member_exprs
    if reflection.may_reflect(name_exprs, member_exprs):
        member_exprs = [*member_exprs, *reflection.members(scope)]
        for name, place in reflection.globals_of(scope):
            yield Ref(VARIABLE, f"{module}.{name}", "", place_of(place, module))
    for named, member in reflection.of_modules(member_exprs):
        yield Ref(VARIABLE, f"{named or module}.{member.name}", "", place_of(member, module))
    yield from _globals(name_exprs, member_exprs, module, owner=owner, scope=scope, known=known)
    if known.makes_classes:
        yield from _of_classes_inside(scope, name_exprs, module)


def _of_classes_inside(scope: n.Node, name_exprs: list[n.NameExpr], module: str) -> Iterator[Ref]:
    """Yield the methods run by the creation of classes in a function, and the attributes that its patterns read."""
    body = scope.body.body if isinstance(scope, n.FuncItem) else scope.body if isinstance(scope, n.Block) else [scope]
    for statement in syntax.statements(body):
        if isinstance(statement, n.ClassDef) and names.is_local(statement.info):
            yield from _made(statement, module)
        elif isinstance(statement, n.MatchStmt):
            yield from _matched(statement, module)
    if any(name.fullname == "builtins.type" for name in name_exprs):
        for node in syntax.walk(scope):
            if isinstance(node, n.CallExpr) and len(node.args) == TYPE_ARGUMENTS and _is_type(node.callee):
                for base in syntax.walk(node.args[1]):
                    yield from _subclassed(base, module)


def _made(definition: n.ClassDef, module: str) -> Iterator[Ref]:
    # `mro` has the class itself first; mypy leaves the bases out where it could not order them.
    for base in definition.info.mro[1:]:
        if not names.is_known(base.fullname) and not names.is_local(base):
            yield Ref(SUBCLASS, base.fullname, "", place_of(definition, module))
    metaclass = definition.info.metaclass_type
    if metaclass is not None and not names.is_known(metaclass.type.fullname):
        yield Ref(SUBCLASS, metaclass.type.fullname, "", place_of(definition, module))
    for binding in syntax.plain_bindings(definition.defs.body):
        made = binding.value.callee if isinstance(binding.value, n.CallExpr) else None
        info = made.node if isinstance(made, n.RefExpr) else None
        path = class_path("C", info) if isinstance(info, n.TypeInfo) else None
        if path is not None:
            yield Ref(MEMBER, path, "__set_name__", place_of(binding.place, module))


def _is_type(callee: n.Expression) -> bool:
    return isinstance(callee, n.RefExpr) and callee.fullname == "builtins.type"


def _subclassed(base: n.Node, module: str) -> Iterator[Ref]:
    info = base.node if isinstance(base, n.RefExpr) else None
    if isinstance(info, n.TypeInfo) and class_path("C", info) is not None:
        yield Ref(SUBCLASS, info.fullname, "", place_of(base, module))


def _matched(statement: n.MatchStmt, module: str) -> Iterator[Ref]:
    for node in (inner for pattern in statement.patterns for inner in syntax.walk(pattern)):
        info = node.class_ref.node if isinstance(node, ClassPattern) else None
        path = class_path("C", info) if isinstance(info, n.TypeInfo) else None
        for name in node.keyword_keys if isinstance(node, ClassPattern) and path is not None else ():
            yield Ref(MEMBER, path or "", name, place_of(node, module))


def hidden_refs(name_exprs: list[n.NameExpr], module: str, hidden: Collection[str]) -> Iterator[Ref]:
    """Yield the names read by a function whose values mypy does not see."""
    for name in name_exprs if hidden else ():
        if name.kind == n.GDEF and name.name in hidden:
            yield Ref(HIDDEN, f"{module}.{name.name}", "", place_of(name, module))


def hidden_names(file: n.MypyFile) -> frozenset[str]:
    """Return a module's names that are bound at run time in a branch which mypy skips: `if TYPE_CHECKING: ... else: ...`."""
    found: set[str] = set()
    for statement in file.defs:
        if isinstance(statement, n.IfStmt):
            blocks = [*statement.body, *([statement.else_body] if statement.else_body is not None else [])]
            if any(_is_type_checking(test) for test in statement.expr):
                # mypy marks the blocks that it does not check, and binds no names in them: only the syntax is known.
                skipped = (block for block in blocks if block.is_unreachable)
                found.update(binding.name for block in skipped for binding in syntax.bindings(block))
    return frozenset(found)


def _is_type_checking(test: n.Expression | None) -> bool:
    if isinstance(test, n.UnaryExpr):
        return _is_type_checking(test.expr)
    return isinstance(test, n.NameExpr | n.MemberExpr) and test.name == "TYPE_CHECKING"


def _in_order(found: list[Ref]) -> list[Ref]:
    if len(found) < 2:
        return found
    unique: dict[tuple[str, str, str], Ref] = {}
    for ref in sorted(found, key=lambda ref: (ref.place.line, ref.place.column) if ref.place else (0, 0)):
        unique.setdefault(ref[:3], ref)
    return list(unique.values())


def _globals(
    name_exprs: list[n.NameExpr],
    member_exprs: list[n.MemberExpr],
    module: str,
    *,
    owner: n.TypeInfo | None,
    scope: n.Node,
    known: Known,
) -> Iterable[Ref]:
    seen: set[n.SymbolNode] = set()
    calls_super = False
    for name in name_exprs:
        node = name.node
        if node is None and name.name == "super":  # mypy binds the result of `super()`, not the name
            # `SuperExpr` has no entry among the collected names and attributes; a walk for it is made only where the name occurs.
            calls_super = owner is not None
        if node is None or (name.kind != n.GDEF and not isinstance(node, n.TypeInfo | n.MypyFile)) or node in seen:
            continue
        seen.add(node)
        target = known.targets.get(node, UNKNOWN)
        if target is UNKNOWN:
            target = known.targets[node] = target_of(node, name.fullname)
        if target is not None:
            yield Ref(*target, "", place_of(name, module))
    receivers = Receivers(owner, scope)
    unknown: list[n.MemberExpr] = []
    for member in member_exprs:
        yield from member_refs(member, module, receivers, unknown)
    yield from _guessed(unknown, known.vocabulary.classes(owner, name_exprs, member_exprs), module)
    if any(ref.fullname == IMPORT_MODULE for ref in (*name_exprs, *member_exprs)):
        yield from _imported(scope, module)
    if calls_super and owner is not None:
        for inner in syntax.walk(scope):
            if isinstance(inner, n.SuperExpr):
                yield Ref(SUPER, owner.fullname, inner.name, place_of(inner, module))


def _imported(scope: n.Node, module: str) -> Iterator[Ref]:
    """Yield the modules, missing in every process, that calls of `import_module` name."""
    for node in syntax.walk(scope):
        named = imported(node)
        if named is not None and names.is_absent(named):
            yield Ref(MODULE, names.absent_name(named), "", place_of(node, module))


def target_of(node: n.SymbolNode, fullname: str) -> tuple[str, str] | None:
    """Return (kind, full name) of a module-level object; None if every process has the object, or if it is not a value."""
    if isinstance(node, n.TypeAlias):
        target = get_proper_type(node.target)
        if not isinstance(target, Instance):
            return None
        # An alias of a class is followed to the class; of a union or a callable there is nothing to send.
        node = target.type
    full = node.fullname or fullname
    if names.is_absent(full):
        return MODULE, names.absent_name(full)
    if isinstance(node, n.Var):
        if names.top(full) in {"builtins", "capsend"} or node.is_suppressed_import or "." not in full:
            return None
        return VARIABLE, full
    if names.is_known(full):
        return None
    if isinstance(node, n.MypyFile):
        return MODULE, names.top(full)
    if isinstance(node, n.TypeInfo):
        return None if names.is_local(node) else (CLASS, full)
    # An overloaded function of a stub has no implementation, and still is a function.
    return (FUNCTION, full) if syntax.function_of(node) is not None or isinstance(node, n.OverloadedFuncDef) else None


def global_ref(node: n.SymbolNode, fullname: str, place: Place) -> Ref | None:
    """Return the reference to a module-level object; None if every process has the object, or if it is not a value."""
    target = target_of(node, fullname)
    return Ref(*target, "", place) if target is not None else None


def _guessed(
    unknown: list[n.MemberExpr], vocabulary: tuple[list[n.TypeInfo], list[n.TypeInfo]], module: str
) -> Iterator[Ref]:
    """Yield the attributes of mentioned classes that a function may read, itself or through functions that get the instances."""
    classes, protocols = vocabulary
    for info in classes:
        for member in unknown:
            for name in reflection.matching(info, member.name):
                yield Ref(MEMBER, f"C {info.fullname}", name, place_of(member, module))
        for protocol in protocols:
            if all(info.get(name) is not None for name in protocol.protocol_members):
                for name in protocol.protocol_members:
                    yield Ref(MEMBER, f"C {info.fullname}", name)


def member_refs(member: n.MemberExpr, module: str, receivers: Receivers, unknown: list[n.MemberExpr]) -> Iterator[Ref]:
    """Yield the references of `base.name`, if the base is a module, a class, or a value whose declarations show its class; else note it."""
    if member.kind == n.GDEF and member.node is not None:
        # Every process has a library module together with its variables; the variables of user modules are sent.
        if not (isinstance(member.node, n.Var) and names.is_known(member.node.fullname)) or names.is_absent(
            member.node.fullname
        ):
            ref = global_ref(member.node, member.fullname, place_of(member, module))
            if ref is not None:
                yield ref
        return
    if receivers.is_own_field(member):
        return
    path = receivers.path(member.expr)
    if path is not None:
        yield Ref(MEMBER, path, member.name, place_of(member, module))
    else:
        unknown.append(member)


def _defaults(function: n.FuncItem, module: str) -> Iterator[Ref]:
    for argument in function.arguments:
        value = argument.initializer
        if value is None:
            continue
        place = place_of(value, module)
        # The type of a default is not asked: a summary is made before mypy has checked the expression.
        what = value_form(value)
        if what is not None:
            yield Ref(DEFAULT, argument.variable.name, what, place)
        elif isinstance(value, n.LambdaExpr):
            for ref in refs_of(value, module):
                yield ref._replace(place=ref.place or place)


LITERALS: Final = (
    n.IntExpr,
    n.StrExpr,
    n.BytesExpr,
    n.FloatExpr,
    n.ComplexExpr,
    n.EllipsisExpr,
    n.UnaryExpr,
    n.OpExpr,
    n.ComparisonExpr,
)
DISPLAYS: Final[dict[type[n.Node], str]] = {
    n.ListExpr: "builtins.list",
    n.ListComprehension: "builtins.list",
    n.DictExpr: "builtins.dict",
    n.DictionaryComprehension: "builtins.dict",
    n.SetExpr: "builtins.set",
    n.SetComprehension: "builtins.set",
    n.GeneratorExpr: "typing.Generator",
}


def value_form(value: n.Expression) -> str | None:
    """Return how to judge a value by its syntax: "class NAME", "variable NAME", "function NAME", "declared"; None if it is harmless."""
    if isinstance(value, LITERALS) or (
        isinstance(value, n.TupleExpr) and all(value_form(item) is None for item in value.items)
    ):
        return None
    display = DISPLAYS.get(type(value))
    if display is not None:
        return f"class {display}"
    if (
        isinstance(value, n.CallExpr)
        and isinstance(value.callee, n.RefExpr)
        and isinstance(value.callee.node, n.TypeInfo)
    ):
        return f"class {value.callee.node.fullname}"
    if isinstance(value, n.RefExpr):
        node = value.node
        if isinstance(node, n.Var) and value.kind == n.GDEF:
            return None if names.top(node.fullname) == "builtins" else f"variable {node.fullname}"
        if isinstance(node, n.TypeInfo | n.MypyFile | n.TypeAlias):
            return None
        if syntax.function_of(node) is not None:
            return None if names.is_known(value.fullname) else f"function {value.fullname}"
    return None if isinstance(value, n.LambdaExpr) else "declared"


def decorators(decorator: n.Decorator) -> str:
    """Return the full names of a function's decorators, comma-separated; a called decorator ends in "()"."""
    return ",".join(_decorator_name(expression) for expression in decorator.decorators)


def _decorator_name(expression: n.Expression) -> str:
    if isinstance(expression, n.CallExpr):
        return _decorator_name(expression.callee) + "()"
    return expression.fullname if isinstance(expression, n.RefExpr) and expression.fullname else "?"


def is_identity(function: n.FuncDef) -> bool:
    """Return whether a decorator returns the function that it is given, according to its last statement."""
    returned = _returned(function)
    return bool(function.arguments) and returned is not None and returned is function.arguments[0].variable


def is_identity_factory(function: n.FuncDef) -> bool:
    """Return whether a function makes decorators that return the function they are given."""
    returned = syntax.function_of(_returned(function))
    return returned is not None and is_identity(returned)


def _returned(function: n.FuncDef) -> n.SymbolNode | None:
    last = function.body.body[-1] if function.body.body else None
    if not isinstance(last, n.ReturnStmt) or not isinstance(last.expr, n.NameExpr):
        return None
    node = last.expr.node
    if not (isinstance(node, n.Var) and node.is_argument) and syntax.function_of(node) is None:
        return None
    # A `return` of a nested function is that function's own.
    returns = [s for s in syntax.walk(function, scopes=False) if isinstance(s, n.ReturnStmt)]
    same = all(isinstance(s.expr, n.NameExpr) and s.expr.node is node for s in returns)
    return (
        node
        if same
        and all(
            binding.node is not node or isinstance(binding.place, n.FuncDef) for binding in syntax.bindings(function)
        )
        else None
    )


def callable_refs(value: n.Expression, module: str) -> list[Ref] | None:
    """Return the references of calling a value, if the syntax shows the function; else None."""
    if isinstance(value, n.LambdaExpr):
        return refs_of(value, module)
    if isinstance(value, n.ConditionalExpr):
        branches = callable_refs(value.if_expr, module), callable_refs(value.else_expr, module)
        return None if branches[0] is None or branches[1] is None else [*branches[0], *branches[1]]
    if isinstance(value, n.CallExpr) and is_partial(value):
        return refs_in(value, module)
    if isinstance(value, n.RefExpr):
        node = value.node
        if syntax.function_of(node) is not None or isinstance(node, n.TypeInfo | n.OverloadedFuncDef):
            return refs_in(value, module)
        if (
            isinstance(value, n.MemberExpr)
            and isinstance(value.expr, n.RefExpr)
            and isinstance(value.expr.node, n.TypeInfo)
        ):
            return refs_in(value, module)
        if isinstance(node, n.Var) and value.kind == n.GDEF and not node.is_suppressed_import:
            return [] if names.is_known(node.fullname) else refs_in(value, module)
    return None


def is_partial(value: n.Node | None) -> bool:
    """Return whether an expression is `functools.partial(function, ...)`."""
    return (
        isinstance(value, n.CallExpr)
        and isinstance(value.callee, n.RefExpr)
        and value.callee.fullname == "functools.partial"
        and bool(value.args)
    )
