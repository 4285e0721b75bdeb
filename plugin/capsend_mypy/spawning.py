"""Checks one spawn: the callable with everything it captures, its arguments, and its result."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from capsend_traits import Trait, wording
from capsend_traits.wording import Kind
from mypy import nodes as n
from mypy.types import (
    CallableType,
    DeletedType,
    Instance,
    Overloaded,
    ParamSpecType,
    PartialType,
    Type,
    TypeType,
    get_proper_type,
)

from capsend_mypy import mentions, names, operators, outline, receivers, shapes, syntax, writes
from capsend_mypy.config import Transport
from capsend_mypy.expressions import (
    class_of,
    contains,
    is_callable,
    is_origin,
    item_type,
    local_holder,
    parts_of,
    source,
)
from capsend_mypy.failures import DECORATED_CURE, DECORATED_VERDICT, written
from capsend_mypy.judge import Rule, Spoil, is_class_level, is_default
from capsend_mypy.marks import is_per_process, is_spawnable, is_wasm_function
from capsend_mypy.references import CACHES
from capsend_mypy.solving import Direct
from capsend_mypy.summary import Hop
from capsend_mypy.values import Values
from capsend_mypy.values import is_callable as is_callable_part

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

    from capsend_mypy.program import Program
    from capsend_mypy.reporting import Reporter

Named = n.NameExpr | n.MemberExpr

BRANCHING: Final = {"and", "or"}
LOCAL_CLASS: Final = "class"
BY_NAME_VERDICT: Final = "it is carried by its name, and a function inside another one cannot be imported"
BY_NAME_CURE: Final = "define it at module level, and pass what it captures as arguments"
UNASSIGNED: Final = "not assigned"
CANNOT_BE_SENT: Final = "which cannot be sent"
EMPTY: Final = Spoil(
    wording.Leaf(
        "", UNASSIGNED, wording.EMPTY_CELL_VERDICT, wording.EMPTY_CELL_CURE, predicate="so there is nothing to send"
    )
)


class Check:
    """One check of a callable, in the file and at the place where mypy stands.

    Args:
        checker: mypy's checker; the class is compiled, and what is used of it here is not declared anywhere.
        place: the call or decorator, whose position decides which types variables have and which cells are empty.

    Attributes:
        transport: how another tool carries the callable; None for capsend, which wants `ProcessSend` and follows globals. For other tools
            what a type does not say is left to them.
    """

    def __init__(self, checker: Any, program: Program, reporter: Reporter, place: n.Context) -> None:
        self.checker = checker
        self.program = program
        self.reporter = reporter
        self.place = place
        self.module: str = checker.tree.fullname
        self.transport: Transport | None = None
        self.trail: list[str] = []
        self.seen: set[object] = set()

    # The callable

    def callable(self, value: n.Expression, kind: Kind = Kind.CALLABLE) -> None:
        """Check the value of an expression as a callable: every branch of it, and what it was last assigned from."""
        match value:
            case n.LambdaExpr():
                self.function(value, "lambda")
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
        if kind is Kind.CALLABLE and isinstance(node, n.Var) and is_wasm_function(self.type_of(value) or n_any()):
            return
        if isinstance(node, n.TypeAlias):
            target = get_proper_type(node.target)
            node = target.type if isinstance(target, Instance) else node
        if syntax.function_of(node) is not None or isinstance(node, n.OverloadedFuncDef | n.TypeInfo | n.Decorator):
            self._definition(value, node)
        elif isinstance(node, n.Var):
            if value.kind == n.GDEF and not is_spawnable(self.type_of(value) or n_any()):
                self._global(value, node, kind)
            else:
                self._variable(value, node, kind)

    def _definition(self, value: Named, node: n.SymbolNode) -> None:
        if isinstance(node, n.TypeInfo):
            if names.is_local(node):
                self.local_class(node, value)
            else:
                self.refs([outline.global_ref(node, node.fullname, self._spot(value))], value)
        elif value.kind == n.LDEF and (node.fullname == node.name or not self.program.symbol(node.fullname)):
            self._local_function(value, node)
        else:
            self.refs([outline.global_ref(node, value.fullname, self._spot(value))], value, spawned=True)

    def _local_function(self, value: Named, node: n.SymbolNode) -> None:
        decorator = syntax.decorator_of(node)
        if decorator is not None:
            self._cached(value, decorator)
        if decorator is not None and not self._is_transparent(decorator):
            if decorator in self.seen:
                return
            self.seen.add(decorator)
            shape = shapes.of_decorated(decorator, self._builder())
            if not self._made(shape, value, value.name):
                self._decorated(value, decorator)
                return
        function = syntax.function_of(node)
        if function is not None:
            self.function(function, function.name)

    def _cached(self, value: Named, decorator: n.Decorator) -> None:
        """Check what a function that keeps its results would share with its callers: the process has a cache of its own."""
        declared = decorator.func.type
        if isinstance(declared, CallableType) and not CACHES.isdisjoint(outline.decorators(decorator).split(",")):
            self._judge(Kind.CACHED, value.name, declared.ret_type, value, cure=wording.CACHED_CURE)

    def _builder(self) -> shapes.Builder:
        return shapes.Builder(self.module, bound=False)

    def _made(self, shape: shapes.Shape, value: n.Expression, name: str, *, strict: bool = True) -> bool:
        """Check a value that decorators, calls or displays make, if the syntax shows all of it; return whether it does."""
        found, outer = Direct(), list[shapes.Shape]()
        hop = Hop(self.trail[-1] if self.trail else "", name, self._spot(value))
        if not Values(self.program, found, outer.append).follow(shape, hop, strict=strict):
            return False
        self._follow(found, value)
        for part in outer:
            if isinstance(part.node, n.NameExpr) and part.node.node is not None:
                self._captured(part.node, part.node.node, [])
            elif part.node is not None:
                self._piece(part.node, self.type_of(part.node))
        return True

    def _is_shown(self, value: n.Expression) -> bool:
        """Return whether the syntax shows which callable an expression makes."""
        if not isinstance(value, n.CallExpr):
            return False
        hop = Hop("", "", self._spot(value))
        return Values(self.program, Direct(), lambda _: None).follow(self._builder().of(value), hop)

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
            if not local and not self.program.is_transparent(name):
                return False
        return True

    def _decorated(self, value: Named, decorator: n.Decorator) -> None:
        judged = decorator.var.type
        if judged is None or is_spawnable(judged):
            return
        proper = get_proper_type(judged)
        if isinstance(proper, CallableType | Overloaded):
            spoil = self.program.judge.callable(proper)
            leaf = replace(spoil.leaf, verdict=DECORATED_VERDICT, cure=DECORATED_CURE)
            self._report(Kind.CAPTURED, value.name, self.shown(proper), [replace(spoil, leaf=leaf)], value)
        else:
            self._judge(Kind.CAPTURED, value.name, judged, value)

    def _global(self, value: Named, node: n.Var, kind: Kind) -> None:
        proper = get_proper_type(node.type) if node.type is not None else None
        if (
            isinstance(proper, CallableType | Overloaded)
            and not proper.is_type_obj()
            and not names.is_known(node.fullname)
        ):
            found = self._assigned(node, self.checker.tree)
            if found is not None and node not in self.seen:
                self.seen.add(node)
                for expression in found:
                    self.callable(expression, kind)
                return
        self.refs([outline.global_ref(node, value.fullname, self._spot(value))], value, spawned=True)

    def _variable(self, value: Named, node: n.Var, kind: Kind) -> None:
        if node in self.seen:
            return
        self.seen.add(node)
        judged = self.type_at_spawn(value, node)
        if judged is None or is_spawnable(judged):
            return
        expressions = self._origins(node)
        if expressions:
            for expression in expressions:
                self.callable(expression, kind)
        elif isinstance(judged, DeletedType):
            self._report(Kind.CAPTURED, value.name, UNASSIGNED, [EMPTY], value)
        elif is_callable(judged):
            self._report(kind, value.name, self.shown(judged), [self.program.judge.callable(judged)], value)
        else:
            self._judge(kind, value.name, judged, value)
            self._called(judged, value, kind)

    def _object(self, value: n.Expression, kind: Kind) -> None:
        judged = self.type_of(value)
        if judged is None or is_spawnable(judged) or (kind is Kind.CALLABLE and is_wasm_function(judged)):
            return
        name = source(value)
        if is_callable(judged):
            if isinstance(value, n.CallExpr) and self._made(self._builder().of(value), value, name):
                return
            self._report(kind, name, self.shown(judged), [self.program.judge.callable(judged)], value)
        else:
            self._judge(kind, name, judged, value)
            self._called(judged, value, kind)

    def _called(self, judged: Type, value: n.Expression, kind: Kind) -> None:
        """Follow the `__call__` of a callable object that is the spawned callable itself."""
        info = class_of(get_proper_type(judged))
        if kind is Kind.CALLABLE and info is not None and not self.program.is_in_image(info.fullname):
            self.refs(
                [mentions.Ref(mentions.MEMBER, f"C {info.fullname}", "__call__", self._spot(value))],
                value,
                spawned=True,
            )

    def _attribute(self, value: n.MemberExpr, kind: Kind) -> None:
        """Check `receiver.name`: a method with its receiver, or an attribute that holds a callable."""
        owner = self.type_of(value.expr)
        proper = get_proper_type(owner) if owner is not None else None
        through_class = isinstance(proper, TypeType) or (
            isinstance(proper, CallableType | Overloaded) and proper.is_type_obj()
        )
        info = class_of(proper)
        symbol = info.get(value.name) if info is not None else None
        node = symbol.node if symbol is not None else None
        if _is_property(node) and not through_class:
            self._object(value, kind)  # the value of the property is spawned, and its receiver stays
            return
        if isinstance(node, n.Var) and not through_class:
            judged = self.type_of(value)
            if judged is not None and not is_spawnable(judged) and not self._is_field_shown(value, judged):
                self._object(value, kind)
            return
        if info is not None and (through_class or _takes_no_receiver(node)):
            self._through_class(value, info)
        if not through_class and not _takes_no_receiver(node):
            if info is None and proper is not None and not isinstance(proper, Instance):
                self._judge(Kind.RECEIVER, source(value.expr), proper, value.expr)
            elif proper is not None:
                self._receiver(value, proper)

    def _is_field_shown(self, value: n.MemberExpr, judged: Type) -> bool:
        """Return whether the value of a variable shows which callable a field of it holds, and check it."""
        node = value.expr.node if isinstance(value.expr, n.NameExpr) else None
        whole = self._only_value(node) if isinstance(node, n.Var) and not node.is_argument else None
        return is_callable(judged) and whole is not None and self._made(self._builder().of(whole), value, source(value))

    def _through_class(self, value: n.MemberExpr, info: n.TypeInfo) -> None:
        if names.is_local(info) and isinstance(value.expr, n.RefExpr) and isinstance(value.expr.node, n.TypeInfo):
            self.local_class(info, value.expr)
        elif not self.program.is_in_image(info.fullname):
            self.refs(
                [mentions.Ref(mentions.MEMBER, f"T {info.fullname}", value.name, self._spot(value))],
                value,
                spawned=True,
            )

    def _receiver(self, value: n.MemberExpr, judged: Type) -> None:
        info = class_of(get_proper_type(judged))
        method = f"{info.name}.{value.name}" if info is not None else value.name
        self._judge(Kind.RECEIVER, source(value.expr), judged, value.expr, method=method)
        if info is not None and not self.program.is_in_image(info.fullname):
            self.refs(
                [mentions.Ref(mentions.MEMBER, f"C {info.fullname}", value.name, self._spot(value))],
                value,
                spawned=True,
            )

    def _super(self, value: n.SuperExpr) -> None:
        functions = [f for f in self.checker.tscope.functions if isinstance(f, n.FuncDef)]
        info = value.info
        receiver = next((f.arguments[0].variable for f in reversed(functions) if f.arguments and f.info), None)
        if receiver is not None and receiver.type is not None:
            self._judge(Kind.RECEIVER, receiver.name, receiver.type, value)
        if info is not None and not names.is_local(info):
            self.refs([mentions.Ref(mentions.SUPER, info.fullname, value.name, self._spot(value))], value, spawned=True)

    def _partial(self, value: n.CallExpr) -> None:
        self.callable(value.args[0])
        for argument in value.args[1:]:
            judged = self.type_of(argument)
            self._piece(argument, judged)

    def _piece(self, argument: n.Expression, judged: Type | None) -> None:
        if judged is None:
            return
        if isinstance(argument, n.StarExpr):
            argument = argument.expr
            judged = self.type_of(argument) or judged
        if is_callable(judged):
            self.callable(argument, Kind.PIECE)
        else:
            self._judge(Kind.PIECE, source(argument), judged, argument)

    # What a function of this file captures

    def function(self, function: n.FuncItem, name: str) -> None:
        """Check a lambda or a local function: the variables it captures, its defaults, and the globals it reads."""
        if function in self.seen:
            return
        self.seen.add(function)
        if self.transport is Transport.NAME:
            leaf = wording.Leaf("", "a function", BY_NAME_VERDICT, BY_NAME_CURE, predicate="which cannot be pickled")
            self._report(Kind.FUNCTION, name, "function", [Spoil(leaf)], function)
            return
        self.trail.append(name)
        self.program.bodies[name] = function
        try:
            self._defaults(function)
            self._captures(function)
        finally:
            self.trail.pop()

    def _defaults(self, function: n.FuncItem) -> None:
        for argument in function.arguments:
            value = argument.initializer
            judged = self.type_of(value) if value is not None else None
            if value is None or judged is None:
                continue
            if is_callable(judged):
                self.callable(value, Kind.DEFAULT)
            else:
                self._judge(Kind.DEFAULT, argument.variable.name, judged, value)

    def _captures(self, function: n.FuncItem) -> None:
        nodes = list(syntax.walk(function.body))
        name_exprs = [node for node in nodes if isinstance(node, n.NameExpr)]
        member_exprs = [node for node in nodes if isinstance(node, n.MemberExpr)]
        own = syntax.own_symbols(function, nodes, name_exprs)
        lost = self._written(function, nodes, own)
        self._lost_attributes([node for node in (function, *nodes) if isinstance(node, n.FuncItem)], own)
        for name in sorted(name_exprs, key=lambda name: (name.line, name.column)):
            node = name.node
            if node is None or name.kind != n.LDEF or node in own or node in lost:
                continue
            self._captured(name, node, member_exprs)
        owner = function.info if isinstance(function, n.FuncDef) and function.info else None
        refs = [ref for ref in outline.refs_in(function.body, self.module, owner=owner) if ref.target not in lost]
        refs += outline.hidden_refs(name_exprs, self.module, outline.hidden_names(self.checker.tree))
        refs += writes.attributes(
            function,
            self.module,
            receivers.Receivers(owner, function),
            name_exprs=name_exprs,
            member_exprs=member_exprs,
        )
        self.refs([*refs, *self._typed_members(member_exprs, own)], self.place)

    def local_class(self, info: n.TypeInfo, place: n.Expression) -> None:
        """Check a class that is defined in a function, as a local function is checked: its bases, its methods and what they capture."""
        if info in self.seen:
            return
        self.seen.add(info)
        if self.transport is Transport.NAME:
            self._report(Kind.CAPTURED, info.name, LOCAL_CLASS, [self._local_class(info)], place)
            return
        self.trail.append(info.name)
        try:
            self._class_body(info)
        finally:
            self.trail.pop()

    def _class_body(self, info: n.TypeInfo) -> None:
        nodes = list(syntax.walk(info.defn))
        name_exprs = [node for node in nodes if isinstance(node, n.NameExpr)]
        member_exprs = [node for node in nodes if isinstance(node, n.MemberExpr)]
        functions = [node for node in nodes if isinstance(node, n.FuncItem)]
        own = {info, *syntax.own_symbols(info.defn, nodes, name_exprs)}
        lost = self._written(functions[0], nodes, own) if functions else set()
        self._lost_attributes(functions, own - {info})
        for name in sorted(name_exprs, key=lambda name: (name.line, name.column)):
            if name.node is not None and name.kind == n.LDEF and name.node not in own and name.node not in lost:
                self._captured(name, name.node, member_exprs)
        assigned = {target.name for f in functions for target in writes.targets(f) if isinstance(target, n.MemberExpr)}
        read = {member.name for member in member_exprs}
        for body in self.program.bodies.values():
            read.update(part.name for part in syntax.walk(body) if isinstance(part, n.MemberExpr))
        for binding in syntax.plain_bindings(info.defn.defs.body):
            node, target = binding.node, binding.place
            if not isinstance(node, n.Var) or not isinstance(target, n.NameExpr) or node.type is None:
                continue
            if is_class_level(node) or (is_default(node) and node.name in read and node.name not in assigned):
                trait = Trait.SERIALIZABLE if is_per_process(node.type) else Trait.PROCESS_SEND
                if not is_callable(node.type):
                    self._judge(Kind.CLASS_ATTRIBUTE, f"{info.name}.{node.name}", node.type, target, trait=trait)
        for function in functions:
            self._defaults(function)
        refs = [ref for ref in outline.refs_in(info.defn, self.module, owner=info) if ref.target not in lost]
        self.refs([*refs, *self._typed_members(member_exprs, own)], self.place)

    def _written(self, function: n.FuncItem, nodes: list[n.Node], own: set[object]) -> set[object]:
        """Report the variables outside a function that it assigns; return them, as nodes and as full names."""
        lost: set[object] = set()
        for scope in [function, *(node for node in nodes if isinstance(node, n.FuncDef) and node is not function)]:
            for name, place in syntax.written(scope).items():
                node = next((b.node for b in syntax.bindings(scope) if b.name == name), None)
                key: object = f"{self.module}.{name}" if isinstance(place, n.GlobalDecl) else node
                if node in own or (key in self.seen and key in lost):
                    continue
                lost.add(key)
                failure = written(name, self.trail[-1], Hop(self.trail[-1], name, self._spot(place)))
                self.reporter.finding(failure.finding, failure.rule, place)
        return lost

    def _lost_attributes(self, functions: list[n.FuncItem], own: set[object]) -> None:
        """Report the attributes of classes made around the callable that it assigns: nobody outside the process would see that."""
        for function in functions:
            owner = function.info if isinstance(function, n.FuncDef) and function.info else None
            for target in writes.targets(function):
                info = local_holder(target.expr, owner) if isinstance(target, n.MemberExpr) else None
                if info is None or info in own or not isinstance(target, n.MemberExpr) or target in self.seen:
                    continue
                self.seen.add(target)
                symbol = info.get(target.name)
                declared = symbol.node.type if symbol is not None and isinstance(symbol.node, n.Var) else None
                if declared is None or not is_per_process(declared):
                    hop = Hop(self.trail[-1], target.name, self._spot(target))
                    failure = written(f"{info.name}.{target.name}", self.trail[-1], hop)
                    self.reporter.finding(failure.finding, failure.rule, target)

    def _captured(self, name: n.NameExpr, node: n.SymbolNode, members: list[n.MemberExpr]) -> None:
        if isinstance(node, n.MypyFile):
            return
        if node not in self.seen and self._is_empty(node):
            self.seen.add(node)
            self._report(Kind.CAPTURED, name.name, UNASSIGNED, [EMPTY], name)
        elif isinstance(node, n.Var):
            self._captured_variable(name, node, members)
        elif isinstance(node, n.TypeInfo):
            if names.is_local(node):
                self.local_class(node, name)
        else:
            self._definition(name, node)

    def _captured_variable(self, name: n.NameExpr, node: n.Var, members: list[n.MemberExpr]) -> None:
        if node in self.seen:
            return
        judged = self.type_at_spawn(name, node)
        if judged is None:
            return
        if is_callable(judged) or isinstance(judged, DeletedType):
            self._variable(name, node, Kind.CAPTURED)
            return
        self.seen.add(node)
        used = [m for m in members if isinstance(m.expr, n.NameExpr) and m.expr.node is node]
        cure = self._self_cure(name, used) if node.is_self else None
        self._judge(Kind.CAPTURED, name.name, judged, name, cure=cure)

    def _self_cure(self, receiver: n.Expression, used: list[n.MemberExpr]) -> str | None:
        """Say how to bind fields first, if every use of the receiver is a field that could be captured."""
        if not isinstance(receiver, n.NameExpr) or not isinstance(receiver.node, n.Var) or not receiver.node.is_self:
            return None
        fields: list[str] = []
        for member in used:
            judged = self.type_of(member)
            if judged is None or is_callable(judged) or self.program.judge.spoils(judged, Trait.PROCESS_SEND):
                return None
            if member.name not in fields:
                fields.append(member.name)
        return wording.self_cure(receiver.name, fields) if fields else None

    def _typed_members(self, members: list[n.MemberExpr], own: Container[object]) -> Iterable[mentions.Ref]:
        for member in members:
            if member.kind == n.GDEF and member.node is not None:
                continue
            judged = self.type_of(member.expr)
            for item in parts_of(judged) if judged is not None else ():
                info = class_of(item)
                if info is None or names.is_known(info.fullname):
                    continue
                if names.is_local(info):
                    if info not in own:
                        self.local_class(info, member)
                    continue
                kind = "C" if isinstance(item, Instance) else "T"
                yield mentions.Ref(mentions.MEMBER, f"{kind} {info.fullname}", member.name, self._spot(member))

    def refs(self, refs: Iterable[mentions.Ref | None], place: n.Context, *, spawned: bool = False) -> None:
        """Follow references to module-level things, and report what they lead to.

        Args:
            refs: the references; None is skipped.
            place: where to report what has no place in this file.
            spawned: whether they are the spawned callable itself, not something it mentions.
        """
        if self.transport is not None:
            return
        found = Direct()
        self.program.all(
            "" if spawned else self.trail[-1] if self.trail else "", [ref for ref in refs if ref is not None], found
        )
        self._follow(found, place)

    def _follow(self, found: Direct, place: n.Context) -> None:
        """Follow what was found to the end, and report it."""
        failures = list(found.failures)
        for target, hop in found.edges:
            failures += [replace(failure, hops=(hop, *failure.hops)) for failure in self.program.open_failures(target)]
        self.program.consulted |= found.modules
        self.program.provisional |= found.provisional
        for failure in self.program.settled(failures, self.module):
            if failure.key not in self.seen:
                self.seen.add(failure.key)
                self.reporter.failure(failure, place, trail=self.trail[:-1])

    # Arguments and results

    def argument(self, value: n.Expression, judged: Type, *, name: str, spread: bool = False) -> None:
        """Check an argument: a callable like the spawned one, anything else by its type."""
        if spread and isinstance(get_proper_type(judged), ParamSpecType):
            return  # what a wrapper hands on: a parameter specification cannot be bounded
        if spread:
            judged = item_type(judged) or judged
        if is_callable(judged) and not spread:
            self.callable(value, Kind.ARGUMENT)
        elif not (isinstance(value, n.RefExpr) and isinstance(value.node, n.MypyFile)):
            if not spread and any(
                spoil.rule is Rule.ANY for spoil in self.program.judge.spoils(judged, Trait.SERIALIZABLE)
            ):
                judged = self.without_context(value)
            self._judge(Kind.ARGUMENT, name, judged, value, trait=Trait.SERIALIZABLE)

    def without_context(self, value: n.Expression) -> Type:
        """Return the type of an expression by itself: a parameter that mypy knows nothing of turns `[1]` into `list[Any]`."""
        with self.checker.msg.filter_errors():
            found: Type = self.checker.get_expression_type(value)
        return found

    def result(self, judged: Type, value: n.Context, name: str) -> None:
        """Check the type of the result, if nothing was found before: the same value may be captured and returned."""
        judge = self.program.judge
        spoils = judge.result(judged)
        self.program.consulted |= judge.modules
        if spoils and not self.reporter.count:
            leaves = tuple(_with_result_cure(spoil.of(name), spoil.rule) for spoil in spoils)
            finding = wording.Finding(Kind.RESULT, name, self.shown(judged), "Serializable", leaves)
            self.reporter.finding(finding, spoils[0].rule, value)

    def messages(self, judged: Type, value: n.Context, name: str) -> None:
        """Check the type of the messages that a process takes; as with results, `Any` is left to the run time."""
        judge = self.program.judge
        spoils = judge.message(judged)
        self.program.consulted |= judge.modules
        if spoils:
            leaves = tuple(spoil.of(name) for spoil in spoils)
            finding = wording.Finding(Kind.MESSAGE, name, self.shown(judged), "Serializable", leaves)
            self.reporter.finding(finding, spoils[0].rule, value)

    def sent(self, value: n.Expression, judged: Type) -> None:
        """Check what is sent to an address, as far as its type says for certain that it cannot be."""
        judge = self.program.judge
        spoils = [spoil for spoil in judge.message(judged) if spoil.rule is Rule.BAD]
        self.program.consulted |= judge.modules
        if spoils:
            leaves = tuple(spoil.of("value") for spoil in spoils)
            finding = wording.Finding(Kind.ARGUMENT, "value", self.shown(judged), "Serializable", leaves)
            self.reporter.finding(finding, Rule.BAD, value)

    # Types and reports

    def type_of(self, value: n.Expression) -> Type | None:
        """Return the type that mypy found for an expression it has checked already."""
        found: Type | None = self.checker.lookup_type_or_none(value)
        if found is None and isinstance(value, n.RefExpr) and isinstance(value.node, n.Var):
            return value.node.type
        return found

    def type_at_spawn(self, name: Named, node: n.Var) -> Type | None:
        """Return the type of a variable as it is narrowed at the spawn, where the snapshot is taken."""
        if isinstance(node.type, PartialType):
            return node.type
        probe = n.NameExpr(name.name)
        probe.kind, probe.node, probe.fullname = name.kind, node, name.fullname
        probe.set_line(self.place)
        with self.checker.msg.filter_errors():
            found: Type = self.checker.get_expression_type(probe)
        return get_proper_type(found) if isinstance(get_proper_type(found), DeletedType) else found

    def shown(self, judged: Type) -> str:
        """Return a type as messages show it."""
        return self.program.judge.name(judged)

    def _judge(
        self,
        kind: Kind,
        name: str,
        judged: Type,
        place: n.Expression,
        *,
        trait: Trait = Trait.PROCESS_SEND,
        cure: str | None = None,
        method: str = "",
    ) -> None:
        found = Direct()
        # A tool that copies what it carries asks only for what can be copied.
        trait = trait if self.transport is None else Trait.SERIALIZABLE
        spoils, classes = self.program.judged(judged, trait, found)
        self.program.consulted |= found.modules
        self.program.provisional |= found.provisional
        if spoils and self._is_told(spoils, place):
            spoils = ()
        if spoils:
            if kind is Kind.CAPTURED and self.trail and name in self.program.changes(self.trail[-1]):
                cure = wording.CHANGED_CURE
            if cure is not None:
                spoils = (replace(spoils[0], leaf=replace(spoils[0].leaf, cure=cure)), *spoils[1:])
            if method:
                spoils = tuple(
                    replace(s, leaf=replace(s.leaf, cure=wording.receiver_cure(s.leaf.cure, method))) for s in spoils
                )
            self._report(kind, name, self.shown(judged), spoils, place, trait=trait)
            return
        for fullname in sorted(classes):
            info = self.program.symbol(fullname)
            if isinstance(info, n.TypeInfo) and names.is_local(info):
                self.local_class(info, place)
                continue
            if not self.program.is_in_image(fullname):
                self.refs([mentions.Ref(mentions.CLASS, operators.of(fullname), place=self._spot(place))], place)
            if self._is_unseen(fullname):
                self.refs([mentions.Ref(mentions.CLASS, fullname, place=self._spot(place))], place)

    def _is_told(self, spoils: tuple[Spoil, ...], place: n.Expression) -> bool:
        """Return whether a value shows the callables that its type does not say, and check them."""
        if self.transport is not None or not all(is_callable_part(spoil) for spoil in spoils):
            return False
        value: n.Expression | None = place
        if isinstance(place, n.NameExpr) and isinstance(place.node, n.Var):
            if place.node.is_argument or place.kind == n.GDEF:
                return False
            value = self._only_value(place.node)
        return value is not None and self._made(self._builder().of(value), value, source(place), strict=False)

    def _only_value(self, node: n.Var) -> n.Expression | None:
        """Return the value of a local variable that is bound once."""
        for scope in reversed([f for f in self.checker.tscope.functions if isinstance(f, n.FuncItem)]):
            bound = [binding.value for binding in syntax.bindings(scope) if binding.node is node]
            if bound:
                return bound[0] if len(bound) == 1 else None
        return None

    def _is_unseen(self, fullname: str) -> bool:
        module = self.program.split(fullname)[0]
        known = None if self.program.is_in_image(module) else self.program.summary(module)
        return not self.program.is_in_image(module) and (known is None or known.unseen)

    def _report(
        self,
        kind: Kind,
        name: str,
        shown: str,
        spoils: Iterable[Spoil],
        place: n.Context,
        *,
        trait: Trait = Trait.PROCESS_SEND,
    ) -> None:
        leaves = tuple(spoil.of(name) for spoil in spoils)
        rule = next(iter(spoils)).rule
        if self.transport is not None and rule is not Rule.BAD:
            return
        function = self.trail[-1] if self.trail else ""
        finding = wording.Finding(kind, name, shown, trait.value, leaves, function=function, via=tuple(self.trail[:-1]))
        self.reporter.finding(finding, rule, place)

    @staticmethod
    def _local_class(info: n.TypeInfo) -> Spoil:
        leaf = wording.Leaf(
            "", f"class {info.name}", wording.LOCAL_CLASS_VERDICT, wording.LOCAL_CLASS_CURE, predicate=CANNOT_BE_SENT
        )
        return Spoil(leaf)

    def _spot(self, node: n.Context) -> mentions.Place:
        return mentions.place_of(node, self.module)

    # Where variables come from

    def _origins(self, node: n.Var) -> list[n.Expression] | None:
        """Return the values that a local variable is assigned, if they are all there is to know; else None."""
        if node.is_argument:
            return None
        for scope in reversed([f for f in self.checker.tscope.functions if isinstance(f, n.FuncItem)]):
            found = self._assigned(node, scope)
            if found is not None:
                return found
        return None

    def _assigned(self, node: n.Var, scope: n.Node) -> list[n.Expression] | None:
        bound = [binding for binding in syntax.bindings(scope) if binding.node is node]
        values = [binding.value for binding in bound]
        known = [value for value in values if value is not None and (is_origin(value) or self._is_shown(value))]
        return known if known and len(known) == len(values) else None

    def _is_empty(self, node: n.SymbolNode) -> bool:
        """Return whether a variable of the spawning function gets its first value only after the spawn."""
        functions = [f for f in self.checker.tscope.functions if isinstance(f, n.FuncItem)]
        if not functions or (isinstance(node, n.Var) and node.is_argument):
            return False
        scope, function = functions[-1], syntax.function_of(node)
        loops_inside = [
            c for c in syntax.walk(scope, scopes=False) if isinstance(c, n.GeneratorExpr | n.DictionaryComprehension)
        ]
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
            if isinstance(s, n.ForStmt | n.WhileStmt) and contains(s, self.place)
        ]
        return not any(contains(loop, place) for loop in loops for place in bound)

    def _is_after(self, place: n.Context) -> bool:
        return (place.line, place.column) > (self.place.line, self.place.column) and not contains(self.place, place)


def n_any() -> Type:
    """Return a type that says nothing, for a reference of which mypy has none."""
    from mypy.types import AnyType, TypeOfAny

    return AnyType(TypeOfAny.special_form)


RESULT_NAMES: Final = {
    "Generator": "generator",
    "Iterator": "iterator",
    "Coroutine": "coroutine",
    "AsyncGenerator": "async_generator",
    "AsyncIterator": "async_generator",
}


def _with_result_cure(leaf: wording.Leaf, rule: Rule) -> wording.Leaf:
    if rule is not Rule.BAD:
        return leaf
    name = leaf.type.partition("[")[0]
    return replace(leaf, cure=wording.result_cure(RESULT_NAMES.get(name, name)))


def _is_property(node: n.SymbolNode | None) -> bool:
    function = syntax.function_of(node)
    return function is not None and function.is_property


def _takes_no_receiver(node: n.SymbolNode | None) -> bool:
    """Return whether a method, reached through an instance, is bound to its class or to nothing."""
    function = syntax.function_of(node)
    return function is not None and (function.is_static or function.is_class)
