"""The site of one check of a spawn: mypy's checker, the program, the spawn, and the objects checked so far."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from capsend_traits import Trait, wording
from mypy import nodes as n
from mypy.types import DeletedType, PartialType, Type, get_proper_type

from capsend_mypy import mentions
from capsend_mypy.spoils import Rule, Spoil

if TYPE_CHECKING:
    from collections.abc import Iterable

    from capsend_traits.wording import Kind

    from capsend_mypy.config import Transport
    from capsend_mypy.program import Program
    from capsend_mypy.reporting import Reporter

Named = n.NameExpr | n.MemberExpr


class Site:
    """The site of one check, in the file that mypy checks.

    Args:
        checker: mypy's checker; its class is compiled, and the attributes used in this module are declared nowhere.
        place: the call or decorator, whose position decides which types variables have and which cells are empty.

    Attributes:
        transport: how another tool carries the callable; None for capsend, which requires `ProcessSend` and follows
            globals. Other tools judge values themselves if the type shows too little.
        trail: the names of the functions and classes around the current one, outermost first.
        seen: the objects checked or reported already.
    """

    def __init__(self, checker: Any, program: Program, reporter: Reporter, place: n.Context) -> None:
        self.checker = checker
        self.program = program
        self.reporter = reporter
        self.place = place
        # `checker.tree` is the file that mypy checks now, also while a hook looks at declarations of other files.
        self.module: str = checker.tree.fullname
        self.transport: Transport | None = None
        self.trail: list[str] = []
        self.seen: set[object] = set()

    def type_of(self, value: n.Expression) -> Type | None:
        """Return the type that mypy found for an expression which it has already checked."""
        # mypy's map by node has the types as narrowed at each place; an expression that mypy skipped has none.
        found: Type | None = self.checker.lookup_type_or_none(value)
        if found is None and isinstance(value, n.RefExpr) and isinstance(value.node, n.Var):
            # The declared or inferred type of the whole variable, without narrowing: the best that is known of an unreachable line.
            return value.node.type
        return found

    def without_context(self, value: n.Expression) -> Type:
        """Return the type of an expression without a context: a parameter that mypy has no type for would make `[1]` a `list[Any]`."""
        with self.checker.msg.filter_errors():  # the errors of this pass were reported already
            found: Type = self.checker.get_expression_type(value)
        return found

    def type_at_spawn(self, name: Named, node: n.Var) -> Type | None:
        """Return the type of a variable as narrowed at the spawn, which takes the snapshot."""
        # `x = []`, whose items mypy does not know yet: a name with that type would be checked as `list[Any]`.
        if isinstance(node.type, PartialType):
            return node.type
        # mypy keeps the type for each place in the source. The spawn sends the present value, so an artificial name at
        # the spawn is checked with the state of mypy's binder there.
        probe = n.NameExpr(name.name)
        probe.kind, probe.node, probe.fullname = name.kind, node, name.fullname
        probe.set_line(self.place)
        # The artificial name may be reported as undefined or deleted; the user has not written it.
        with self.checker.msg.filter_errors():
            found: Type = self.checker.get_expression_type(probe)
        return get_proper_type(found) if isinstance(get_proper_type(found), DeletedType) else found

    def shown(self, judged: Type) -> str:
        """Return a type as in messages."""
        return self.program.judge.name(judged)

    def report(
        self,
        kind: Kind,
        name: str,
        shown: str,
        spoils: Iterable[Spoil],
        place: n.Context,
        *,
        trait: Trait = Trait.PROCESS_SEND,
    ) -> None:
        """Report a bad value; for another tool, only if the type proves that the value is bad.

        Args:
            kind: the kind of path on which the value is reached.
            name: its name in messages.
            shown: its type, as in messages.
            spoils: the bad parts of the value, at least one.
            place: the place of the error.
            trait: the missing trait.
        """
        leaves = tuple(spoil.of(name) for spoil in spoils)
        rule = next(iter(spoils)).rule
        if self.transport is not None and rule is not Rule.BAD:
            return
        function = self.trail[-1] if self.trail else ""
        finding = wording.Finding(kind, name, shown, trait.value, leaves, function=function, via=tuple(self.trail[:-1]))
        self.reporter.finding(finding, rule, place)

    def spot(self, node: n.Context) -> mentions.Place:
        """Return the place of a node of the file."""
        return mentions.place_of(node, self.module)
