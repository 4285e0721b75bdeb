"""The captures of a function or class of the spawning file: enclosing variables, defaults, globals, and lost writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from capsend_traits import Trait, wording
from capsend_traits.wording import Kind
from mypy import nodes as n
from mypy.types import DeletedType, Instance

from capsend_mypy import mentions, names, outline, receivers, syntax, writes
from capsend_mypy.config import Transport
from capsend_mypy.expressions import class_of, is_callable, local_holder, parts_of
from capsend_mypy.failures import written
from capsend_mypy.fields import is_class_level, is_default
from capsend_mypy.marks import is_per_process
from capsend_mypy.spoils import Spoil
from capsend_mypy.summary import Hop

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

    from capsend_mypy.judged import Inner, Judged
    from capsend_mypy.origins import Origins
    from capsend_mypy.site import Site

LOCAL_CLASS: Final = "class"
BY_NAME_VERDICT: Final = "it is carried by its name, and a function inside another one cannot be imported"
BY_NAME_CURE: Final = "define it at module level, and pass its captures as arguments"
UNASSIGNED: Final = "not assigned"
CANNOT_BE_SENT: Final = "which cannot be sent"
EMPTY: Final = Spoil(
    wording.Leaf(
        "", UNASSIGNED, wording.EMPTY_CELL_VERDICT, wording.EMPTY_CELL_CURE, predicate="so there is nothing to send"
    )
)


class Captures:
    """Finds and checks captures.

    Args:
        site: the place of the check.
        origins: finds the values of variables.
        judged: judges values by their types.
        inner: checks captured callables.
    """

    def __init__(self, site: Site, origins: Origins, judged: Judged, inner: Inner) -> None:
        self.site = site
        self.origins = origins
        self.judged = judged
        self.inner = inner

    def function(self, function: n.FuncItem, name: str) -> None:
        """Check a lambda or local function: its captured variables, its defaults, and the globals that it reads."""
        if function in self.site.seen:
            return
        self.site.seen.add(function)
        if self.site.transport is Transport.NAME:
            leaf = wording.Leaf("", "a function", BY_NAME_VERDICT, BY_NAME_CURE, predicate="which cannot be pickled")
            self.site.report(Kind.FUNCTION, name, "function", [Spoil(leaf)], function)
            return
        self.site.trail.append(name)
        self.site.program.bodies[name] = function
        try:
            self._defaults(function)
            self._captures(function)
        finally:
            self.site.trail.pop()

    def _defaults(self, function: n.FuncItem) -> None:
        for argument in function.arguments:
            value = argument.initializer
            judged = self.site.type_of(value) if value is not None else None
            if value is None or judged is None:
                continue
            if is_callable(judged):
                self.inner.callable(value, Kind.DEFAULT)
            else:
                self.judged.judge(Kind.DEFAULT, argument.variable.name, judged, value)

    def _captures(self, function: n.FuncItem) -> None:
        nodes = list(syntax.walk(function.body))
        name_exprs = [node for node in nodes if isinstance(node, n.NameExpr)]
        member_exprs = [node for node in nodes if isinstance(node, n.MemberExpr)]
        own = syntax.own_symbols(function, nodes, name_exprs)
        lost = self._written(function, nodes, own)
        self._lost_attributes([node for node in (function, *nodes) if isinstance(node, n.FuncItem)], own)
        # mypy has no list of a function's free variables: they are the local names in it that belong to other
        # functions.
        for name in sorted(name_exprs, key=lambda name: (name.line, name.column)):
            node = name.node
            if node is None or name.kind != n.LDEF or node in own or node in lost:
                continue
            self.captured(name, node, member_exprs)
        owner = function.info if isinstance(function, n.FuncDef) and function.info else None
        refs = [ref for ref in outline.refs_in(function.body, self.site.module, owner=owner) if ref.target not in lost]
        refs += outline.hidden_refs(name_exprs, self.site.module, outline.hidden_names(self.site.checker.tree))
        refs += writes.attributes(
            function,
            self.site.module,
            receivers.Receivers(owner, function),
            name_exprs=name_exprs,
            member_exprs=member_exprs,
        )
        self.judged.refs([*refs, *self._typed_members(member_exprs, own)], self.site.place)

    def local_class(self, info: n.TypeInfo, place: n.Expression) -> None:
        """Check a class defined in a function like a local function: its bases, its methods and their captures."""
        if info in self.site.seen:
            return
        self.site.seen.add(info)
        if self.site.transport is Transport.NAME:
            self.site.report(Kind.CAPTURED, info.name, LOCAL_CLASS, [_of_local_class(info)], place)
            return
        self.site.trail.append(info.name)
        try:
            self._class_body(info)
        finally:
            self.site.trail.pop()

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
                self.captured(name, name.node, member_exprs)
        assigned = {target.name for f in functions for target in writes.targets(f) if isinstance(target, n.MemberExpr)}
        read = {member.name for member in member_exprs}
        for body in self.site.program.bodies.values():
            read.update(part.name for part in syntax.walk(body) if isinstance(part, n.MemberExpr))
        for binding in syntax.plain_bindings(info.defn.defs.body):
            node, target = binding.node, binding.place
            if not isinstance(node, n.Var) or not isinstance(target, n.NameExpr) or node.type is None:
                continue
            if is_class_level(node) or (is_default(node) and node.name in read and node.name not in assigned):
                trait = Trait.SERIALIZABLE if is_per_process(node.type) else Trait.PROCESS_SEND
                if not is_callable(node.type):
                    self.judged.judge(Kind.CLASS_ATTRIBUTE, f"{info.name}.{node.name}", node.type, target, trait=trait)
        for function in functions:
            self._defaults(function)
        refs = [ref for ref in outline.refs_in(info.defn, self.site.module, owner=info) if ref.target not in lost]
        self.judged.refs([*refs, *self._typed_members(member_exprs, own)], self.site.place)

    def _written(self, function: n.FuncItem, nodes: list[n.Node], own: set[object]) -> set[object]:
        """Report the outer variables that a function assigns; return them, as nodes and as full names."""
        lost: set[object] = set()
        for scope in [function, *(node for node in nodes if isinstance(node, n.FuncDef) and node is not function)]:
            for name, place in syntax.written(scope).items():
                node = next((b.node for b in syntax.bindings(scope) if b.name == name), None)
                # A global has one node in each function that declares it; its full name is the same in all.
                key: object = f"{self.site.module}.{name}" if isinstance(place, n.GlobalDecl) else node
                if node in own or (key in self.site.seen and key in lost):
                    continue
                lost.add(key)
                failure = written(name, self.site.trail[-1], Hop(self.site.trail[-1], name, self.site.spot(place)))
                self.site.reporter.finding(failure.finding, failure.rule, place)
        return lost

    def _lost_attributes(self, functions: list[n.FuncItem], own: set[object]) -> None:
        """Report assignments to attributes of classes made around the callable: other processes would not see them."""
        for function in functions:
            owner = function.info if isinstance(function, n.FuncDef) and function.info else None
            for target in writes.targets(function):
                info = local_holder(target.expr, owner) if isinstance(target, n.MemberExpr) else None
                if info is None or info in own or not isinstance(target, n.MemberExpr) or target in self.site.seen:
                    continue
                self.site.seen.add(target)
                symbol = info.get(target.name)
                declared = symbol.node.type if symbol is not None and isinstance(symbol.node, n.Var) else None
                if declared is None or not is_per_process(declared):
                    hop = Hop(self.site.trail[-1], target.name, self.site.spot(target))
                    failure = written(f"{info.name}.{target.name}", self.site.trail[-1], hop)
                    self.site.reporter.finding(failure.finding, failure.rule, target)

    def captured(self, name: n.NameExpr, node: n.SymbolNode, members: list[n.MemberExpr]) -> None:
        """Check a variable, function or class of an enclosing function that the callable names.

        Args:
            name: the name in the callable.
            node: the node that the name denotes.
            members: the attributes that the callable reads.
        """
        if isinstance(node, n.MypyFile):
            return
        if node not in self.site.seen and self.origins.is_empty(node):
            self.site.seen.add(node)
            self.site.report(Kind.CAPTURED, name.name, UNASSIGNED, [EMPTY], name)
        elif isinstance(node, n.Var):
            self._captured_variable(name, node, members)
        elif isinstance(node, n.TypeInfo):
            if names.is_local(node):
                self.local_class(node, name)
        else:
            self.inner.definition(name, node)

    def _captured_variable(self, name: n.NameExpr, node: n.Var, members: list[n.MemberExpr]) -> None:
        if node in self.site.seen:
            return
        judged = self.site.type_at_spawn(name, node)
        if judged is None:
            return
        if is_callable(judged) or isinstance(judged, DeletedType):
            self.inner.variable(name, node, Kind.CAPTURED)
            return
        self.site.seen.add(node)
        used = [m for m in members if isinstance(m.expr, n.NameExpr) and m.expr.node is node]
        # mypy's name for the first parameter of a method, whatever the user calls it.
        cure = self._self_cure(name, used) if node.is_self else None
        self.judged.judge(Kind.CAPTURED, name.name, judged, name, cure=cure)

    def _self_cure(self, receiver: n.Expression, used: list[n.MemberExpr]) -> str | None:
        """Return the cure that binds fields first, if every use of the receiver is a field that could be captured; else None."""
        if not isinstance(receiver, n.NameExpr) or not isinstance(receiver.node, n.Var) or not receiver.node.is_self:
            return None
        fields: list[str] = []
        for member in used:
            judged = self.site.type_of(member)
            if judged is None or is_callable(judged) or self.site.program.judge.spoils(judged, Trait.PROCESS_SEND):
                return None
            if member.name not in fields:
                fields.append(member.name)
        return wording.self_cure(receiver.name, fields) if fields else None

    def _typed_members(self, members: list[n.MemberExpr], own: Container[object]) -> Iterable[mentions.Ref]:
        for member in members:
            # mypy has bound `module.name` to its object already: no value's class is needed.
            if member.kind == n.GDEF and member.node is not None:
                continue
            judged = self.site.type_of(member.expr)
            for item in parts_of(judged) if judged is not None else ():
                info = class_of(item)
                if info is None or names.is_known(info.fullname):
                    continue
                if names.is_local(info):
                    if info not in own:
                        self.local_class(info, member)
                    continue
                kind = "C" if isinstance(item, Instance) else "T"
                yield mentions.Ref(mentions.MEMBER, f"{kind} {info.fullname}", member.name, self.site.spot(member))


def _of_local_class(info: n.TypeInfo) -> Spoil:
    leaf = wording.Leaf(
        "", f"class {info.name}", wording.LOCAL_CLASS_VERDICT, wording.LOCAL_CLASS_CURE, predicate=CANNOT_BE_SENT
    )
    return Spoil(leaf)
