"""The function behind an expression's value: a lambda, a name, a method with its receiver, a partial, a callable object, or the result of a call."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from capsend_traits import wording
from capsend_traits.wording import Kind
from mypy import nodes as n
from mypy.types import (
    AnyType,
    CallableType,
    DeletedType,
    Instance,
    Overloaded,
    Type,
    TypeOfAny,
    TypeType,
    get_proper_type,
)

from capsend_mypy import mentions, names, outline, shapes, syntax
from capsend_mypy.captures import EMPTY, UNASSIGNED, Captures
from capsend_mypy.expressions import class_of, is_callable, source
from capsend_mypy.failures import DECORATED_CURE, DECORATED_VERDICT
from capsend_mypy.judged import Judged
from capsend_mypy.marks import is_spawnable, is_wasm_function
from capsend_mypy.origins import Origins
from capsend_mypy.references import CACHES
from capsend_mypy.solving import Direct
from capsend_mypy.summary import Hop
from capsend_mypy.values import Values

if TYPE_CHECKING:
    from capsend_mypy.site import Named, Site

BRANCHING: Final = {"and", "or"}


class Check:
    """Checks callables with all their captures.

    Args:
        site: the place of the check.

    Attributes:
        judged: judges values by their types.
        captures: checks the functions and classes of the spawning file.
    """

    def __init__(self, site: Site) -> None:
        self.site = site
        self.origins = Origins(site)
        self.judged = Judged(site, self.origins, self)
        self.captures = Captures(site, self.origins, self.judged, self)

    def local_class(self, info: n.TypeInfo, place: n.Expression) -> None:
        """Check a class that is defined in a function."""
        self.captures.local_class(info, place)

    def callable(self, value: n.Expression, kind: Kind = Kind.CALLABLE) -> None:
        """Check the value of an expression as a callable, with all its branches, or its last assignment."""
        match value:
            case n.LambdaExpr():
                self.captures.function(value, "lambda")
            case n.CastExpr() | n.AssertTypeExpr():
                self.callable(value.expr, kind)
            case n.AssignmentExpr():
                self.callable(value.value, kind)
            case n.ConditionalExpr():
                self.callable(value.if_expr, kind)
                self.callable(value.else_expr, kind)
            case n.OpExpr() if value.op in BRANCHING:
                self.callable(value.left, kind)
                self.callable(value.right, kind)
            case n.IndexExpr() if isinstance(value.analyzed, n.TypeApplication):
                self.callable(value.base, kind)
            case n.SuperExpr():
                self._super(value)
            case n.CallExpr() if isinstance(value.analyzed, n.CastExpr | n.AssertTypeExpr):
                self.callable(value.analyzed, kind)
            case n.CallExpr() if outline.is_partial(value):
                self._partial(value)
            case n.MemberExpr() if not (value.kind == n.GDEF and value.node is not None):
                self._attribute(value, kind)
            case n.NameExpr() | n.MemberExpr() if value.node is not None:
                self._named(value, value.node, kind)
            case _:
                self._object(value, kind)

    def _named(self, value: Named, node: n.SymbolNode, kind: Kind) -> None:
        if (
            kind is Kind.CALLABLE
            and isinstance(node, n.Var)
            and is_wasm_function(self.site.type_of(value) or AnyType(TypeOfAny.special_form))
        ):
            return
        if isinstance(node, n.TypeAlias):
            # A name of an alias has the alias as its node; what is called is the class behind it.
            target = get_proper_type(node.target)
            node = target.type if isinstance(target, Instance) else node
        if syntax.function_of(node) is not None or isinstance(node, n.OverloadedFuncDef | n.TypeInfo | n.Decorator):
            self.definition(value, node)
        elif isinstance(node, n.Var):
            if value.kind == n.GDEF and not is_spawnable(self.site.type_of(value) or AnyType(TypeOfAny.special_form)):
                self._global(value, node, kind)
            else:
                self.variable(value, node, kind)

    def definition(self, value: Named, node: n.SymbolNode) -> None:
        """Check a function or a class by its name."""
        if isinstance(node, n.TypeInfo):
            if names.is_local(node):
                self.captures.local_class(node, value)
            else:
                self.judged.refs([outline.global_ref(node, node.fullname, self.site.spot(value))], value)
        # A nested function has its bare name as its full name, or a name that no table contains.
        elif value.kind == n.LDEF and (node.fullname == node.name or not self.site.program.symbol(node.fullname)):
            self._local_function(value, node)
        else:
            self.judged.refs([outline.global_ref(node, value.fullname, self.site.spot(value))], value, spawned=True)

    def _local_function(self, value: Named, node: n.SymbolNode) -> None:
        decorator = syntax.decorator_of(node)
        if decorator is not None:
            self._cached(value, decorator)
        if decorator is not None and not self._is_transparent(decorator):
            if decorator in self.site.seen:
                return
            self.site.seen.add(decorator)
            shape = shapes.of_decorated(decorator, self.origins.builder())
            if not self.made(shape, value, value.name):
                self._decorated(value, decorator)
                return
        function = syntax.function_of(node)
        if function is not None:
            self.captures.function(function, function.name)

    def _cached(self, value: Named, decorator: n.Decorator) -> None:
        """Check the results that a caching function would share with its callers: the process has a separate cache."""
        declared = decorator.func.type
        if isinstance(declared, CallableType) and not CACHES.isdisjoint(outline.decorators(decorator).split(",")):
            self.judged.judge(Kind.CACHED, value.name, declared.ret_type, value, cure=wording.CACHED_CURE)

    def made(self, shape: shapes.Shape, value: n.Expression, name: str, *, strict: bool = True) -> bool:
        """Check a value made by decorators, calls or displays; return whether the syntax shows all of it."""
        found, outer = Direct(), list[shapes.Shape]()
        hop = Hop(self.site.trail[-1] if self.site.trail else "", name, self.site.spot(value))
        if not Values(self.site.program, found, outer.append).follow(shape, hop, strict=strict):
            return False
        self.judged.follow(found, value)
        for part in outer:
            if isinstance(part.node, n.NameExpr) and part.node.node is not None:
                self.captures.captured(part.node, part.node.node, [])
            elif part.node is not None:
                self._piece(part.node, self.site.type_of(part.node))
        return True

    def _is_transparent(self, decorator: n.Decorator) -> bool:
        for name, expression in zip(outline.decorators(decorator).split(","), decorator.decorators, strict=True):
            called = isinstance(expression, n.CallExpr)
            ref = expression.callee if isinstance(expression, n.CallExpr) else expression
            function = syntax.function_of(ref.node) if isinstance(ref, n.RefExpr) else None
            local = (
                function is not None
                and function.body.body
                and (outline.is_identity_factory(function) if called else outline.is_identity(function))
            )
            if not local and not self.site.program.is_transparent(name):
                return False
        return True

    def _decorated(self, value: Named, decorator: n.Decorator) -> None:
        # The type after all decorators; the function's own is the one without.
        judged = decorator.var.type
        if judged is None or is_spawnable(judged):
            return
        proper = get_proper_type(judged)
        if isinstance(proper, CallableType | Overloaded):
            spoil = self.site.program.judge.callable(proper)
            leaf = replace(spoil.leaf, verdict=DECORATED_VERDICT, cure=DECORATED_CURE)
            self.site.report(Kind.CAPTURED, value.name, self.site.shown(proper), [replace(spoil, leaf=leaf)], value)
        else:
            self.judged.judge(Kind.CAPTURED, value.name, judged, value)

    def _global(self, value: Named, node: n.Var, kind: Kind) -> None:
        proper = get_proper_type(node.type) if node.type is not None else None
        if (
            isinstance(proper, CallableType | Overloaded)
            and not proper.is_type_obj()
            and not names.is_known(node.fullname)
        ):
            found = self.origins.assigned(node, self.site.checker.tree)
            if found is not None and node not in self.site.seen:
                self.site.seen.add(node)
                for expression in found:
                    self.callable(expression, kind)
                return
        self.judged.refs([outline.global_ref(node, value.fullname, self.site.spot(value))], value, spawned=True)

    def variable(self, value: Named, node: n.Var, kind: Kind) -> None:
        """Check a local variable: the callables assigned to it, else its type."""
        if node in self.site.seen:
            return
        self.site.seen.add(node)
        judged = self.site.type_at_spawn(value, node)
        if judged is None or is_spawnable(judged):
            return
        expressions = self.origins.origins(node)
        if expressions:
            for expression in expressions:
                self.callable(expression, kind)
        elif isinstance(judged, DeletedType):
            self.site.report(Kind.CAPTURED, value.name, UNASSIGNED, [EMPTY], value)
        elif is_callable(judged):
            self.site.report(
                kind, value.name, self.site.shown(judged), [self.site.program.judge.callable(judged)], value
            )
        else:
            self.judged.judge(kind, value.name, judged, value)
            self._called(judged, value, kind)

    def _object(self, value: n.Expression, kind: Kind) -> None:
        judged = self.site.type_of(value)
        if judged is None or is_spawnable(judged) or (kind is Kind.CALLABLE and is_wasm_function(judged)):
            return
        name = source(value)
        if is_callable(judged):
            if isinstance(value, n.CallExpr) and self.made(self.origins.builder().of(value), value, name):
                return
            self.site.report(kind, name, self.site.shown(judged), [self.site.program.judge.callable(judged)], value)
        else:
            self.judged.judge(kind, name, judged, value)
            self._called(judged, value, kind)

    def _called(self, judged: Type, value: n.Expression, kind: Kind) -> None:
        """Follow the `__call__` of a callable object that is itself the spawned callable."""
        info = class_of(get_proper_type(judged))
        if kind is Kind.CALLABLE and info is not None and not self.site.program.is_in_image(info.fullname):
            self.judged.refs(
                [mentions.Ref(mentions.MEMBER, f"C {info.fullname}", "__call__", self.site.spot(value))],
                value,
                spawned=True,
            )

    def _attribute(self, value: n.MemberExpr, kind: Kind) -> None:
        """Check `receiver.name`: a method with its receiver, or an attribute that holds a callable."""
        owner = self.site.type_of(value.expr)
        proper = get_proper_type(owner) if owner is not None else None
        through_class = isinstance(proper, TypeType) or (
            isinstance(proper, CallableType | Overloaded) and proper.is_type_obj()
        )
        info = class_of(proper)
        symbol = info.get(value.name) if info is not None else None
        node = symbol.node if symbol is not None else None
        if _is_property(node) and not through_class:
            self._object(value, kind)  # the value of the property is spawned; its receiver is not sent
            return
        if isinstance(node, n.Var) and not through_class:
            judged = self.site.type_of(value)
            if judged is not None and not is_spawnable(judged) and not self._is_field_shown(value, judged):
                self._object(value, kind)
            return
        if info is not None and (through_class or _takes_no_receiver(node)):
            self._through_class(value, info)
        if not through_class and not _takes_no_receiver(node):
            if info is None and proper is not None and not isinstance(proper, Instance):
                self.judged.judge(Kind.RECEIVER, source(value.expr), proper, value.expr)
            elif proper is not None:
                self._receiver(value, proper)

    def _is_field_shown(self, value: n.MemberExpr, judged: Type) -> bool:
        """Return whether a variable's value shows the callable in a field of it; if so, check that."""
        node = value.expr.node if isinstance(value.expr, n.NameExpr) else None
        whole = self.origins.only_value(node) if isinstance(node, n.Var) and not node.is_argument else None
        return (
            is_callable(judged)
            and whole is not None
            and self.made(self.origins.builder().of(whole), value, source(value))
        )

    def _through_class(self, value: n.MemberExpr, info: n.TypeInfo) -> None:
        if names.is_local(info) and isinstance(value.expr, n.RefExpr) and isinstance(value.expr.node, n.TypeInfo):
            self.captures.local_class(info, value.expr)
        elif not self.site.program.is_in_image(info.fullname):
            self.judged.refs(
                [mentions.Ref(mentions.MEMBER, f"T {info.fullname}", value.name, self.site.spot(value))],
                value,
                spawned=True,
            )

    def _receiver(self, value: n.MemberExpr, judged: Type) -> None:
        info = class_of(get_proper_type(judged))
        method = f"{info.name}.{value.name}" if info is not None else value.name
        self.judged.judge(Kind.RECEIVER, source(value.expr), judged, value.expr, method=method)
        if info is not None and not self.site.program.is_in_image(info.fullname):
            self.judged.refs(
                [mentions.Ref(mentions.MEMBER, f"C {info.fullname}", value.name, self.site.spot(value))],
                value,
                spawned=True,
            )

    def _super(self, value: n.SuperExpr) -> None:
        # mypy does not bind the receiver of `super()`: it is the first parameter of the innermost enclosing method.
        functions = [f for f in self.site.checker.tscope.functions if isinstance(f, n.FuncDef)]
        # `SuperExpr.info` is the class that contains the call, and None outside of a class.
        info = value.info
        receiver = next((f.arguments[0].variable for f in reversed(functions) if f.arguments and f.info), None)
        if receiver is not None and receiver.type is not None:
            self.judged.judge(Kind.RECEIVER, receiver.name, receiver.type, value)
        if info is not None and not names.is_local(info):
            self.judged.refs(
                [mentions.Ref(mentions.SUPER, info.fullname, value.name, self.site.spot(value))], value, spawned=True
            )

    def _partial(self, value: n.CallExpr) -> None:
        self.callable(value.args[0])
        for argument in value.args[1:]:
            judged = self.site.type_of(argument)
            self._piece(argument, judged)

    def _piece(self, argument: n.Expression, judged: Type | None) -> None:
        if judged is None:
            return
        if isinstance(argument, n.StarExpr):
            argument = argument.expr
            judged = self.site.type_of(argument) or judged
        if is_callable(judged):
            self.callable(argument, Kind.PIECE)
        else:
            self.judged.judge(Kind.PIECE, source(argument), judged, argument)


def _is_property(node: n.SymbolNode | None) -> bool:
    function = syntax.function_of(node)
    return function is not None and function.is_property


def _takes_no_receiver(node: n.SymbolNode | None) -> bool:
    """Return whether a method reached through an instance is bound to its class or to nothing."""
    function = syntax.function_of(node)
    return function is not None and (function.is_static or function.is_class)
