"""The place of one check of a spawn: mypy's checker, the program, the spawn, and the objects met on the way."""

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
    """The place of one check, in the file that mypy checks.

    Args:
        checker: mypy's checker; the class is compiled, and the attributes that this module uses are not declared anywhere.
        place: the call or decorator, whose position decides which types variables have and which cells are empty.

    Attributes:
        transport: the way in which another tool carries the callable; None for capsend, which wants `ProcessSend` and follows globals. For tools
            their own checks judge values whose type shows too little.
        trail: the names of the functions and classes around the one that is looked at, outermost first.
        seen: objects looked at or reported already.
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

    def type_of(self, value: n.Expression) -> Type | None:
        """Return the type that mypy found for an expression it has checked already."""
        # mypy's map by node has the types as they are narrowed at each place; an expression that it skipped has none.
        found: Type | None = self.checker.lookup_type_or_none(value)
        if found is None and isinstance(value, n.RefExpr) and isinstance(value.node, n.Var):
            return value.node.type
        return found

    def without_context(self, value: n.Expression) -> Type:
        """Return the type of an expression by itself: a parameter that mypy knows nothing of turns `[1]` into `list[Any]`."""
        with self.checker.msg.filter_errors():  # those of this look were reported already
            found: Type = self.checker.get_expression_type(value)
        return found

    def type_at_spawn(self, name: Named, node: n.Var) -> Type | None:
        """Return the type of a variable as it is narrowed at the spawn, where the snapshot is taken."""
        # `x = []`, of whose items mypy knows nothing yet: a name with that type would be checked as `list[Any]`.
        if isinstance(node.type, PartialType):
            return node.type
        # mypy keeps the type that it found at each place in the source. The spawn sends the present value, so a name at the spawn
        # is made up and checked with the knowledge of mypy's binder at the spawn.
        probe = n.NameExpr(name.name)
        probe.kind, probe.node, probe.fullname = name.kind, node, name.fullname
        probe.set_line(self.place)
        # The made-up name may be reported as undefined or deleted; the user has written none.
        with self.checker.msg.filter_errors():
            found: Type = self.checker.get_expression_type(probe)
        return get_proper_type(found) if isinstance(get_proper_type(found), DeletedType) else found

    def shown(self, judged: Type) -> str:
        """Return a type as messages show it."""
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
        """Report a bad value; for another tool, only if its type proves that the value is bad.

        Args:
            kind: the way in which the value is reached.
            name: its name in messages.
            shown: its type, as messages show it.
            spoils: the bad parts of the value, at least one.
            place: where the caret belongs.
            trait: the trait that it lacks.
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
