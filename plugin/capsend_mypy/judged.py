"""The values of a spawn, judged by their types: captures, arguments, messages, results, and the functions and classes that they reach."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol

from capsend_traits import Trait, wording
from capsend_traits.wording import Kind
from mypy import nodes as n
from mypy.types import ParamSpecType, Type, get_proper_type

from capsend_mypy import mentions, names, operators
from capsend_mypy.expressions import is_callable, item_type, source
from capsend_mypy.solving import Direct
from capsend_mypy.spoils import Rule, Spoil
from capsend_mypy.values import is_callable as is_callable_part

if TYPE_CHECKING:
    from collections.abc import Iterable

    from capsend_mypy.origins import Origins
    from capsend_mypy.shapes import Shape
    from capsend_mypy.site import Site

RESULT_NAMES: Final = {
    "Generator": "generator",
    "Iterator": "iterator",
    "Coroutine": "coroutine",
    "AsyncGenerator": "async_generator",
    "AsyncIterator": "async_generator",
}


class Inner(Protocol):
    """The checks of a value's consequences.

    Values, callables and captures reach each other; this protocol keeps their imports free of cycles.
    """

    def callable(self, value: n.Expression, kind: Kind = ...) -> None:
        """Check the value of an expression as a callable."""
        ...

    def definition(self, value: n.NameExpr | n.MemberExpr, node: n.SymbolNode) -> None:
        """Check a function or a class by its name."""
        ...

    def variable(self, value: n.NameExpr | n.MemberExpr, node: n.Var, kind: Kind) -> None:
        """Check a local variable that holds a callable."""
        ...

    def local_class(self, info: n.TypeInfo, place: n.Expression) -> None:
        """Check a class that is defined in a function."""
        ...

    def made(self, shape: Shape, value: n.Expression, name: str, *, strict: bool = ...) -> bool:
        """Check a value made by decorators, calls or displays; return whether the syntax shows all of it."""
        ...


class Judged:
    """Judges values for one check.

    Args:
        site: the place of the check.
        origins: finds the values of variables.
        inner: checks the consequences of a value.
    """

    def __init__(self, site: Site, origins: Origins, inner: Inner) -> None:
        self.site = site
        self.origins = origins
        self.inner = inner

    def judge(
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
        """Judge a value by its type, and follow its classes if it can be sent.

        Args:
            kind: the kind of path on which the value is reached.
            name: its name in messages.
            judged: its type.
            place: the place of the error.
            trait: the required trait.
            cure: the advice that replaces the usual cure.
            method: the method whose receiver it is, if it is one.
        """
        found = Direct()
        # For a tool that copies values, they need only be copyable.
        trait = trait if self.site.transport is None else Trait.SERIALIZABLE
        spoils, classes = self.site.program.judged(judged, trait, found)
        self.site.program.consulted |= found.modules
        self.site.program.provisional |= found.provisional
        if spoils and self._is_told(spoils, place):
            spoils = ()
        if spoils:
            if kind is Kind.CAPTURED and self.site.trail and name in self.site.program.changes(self.site.trail[-1]):
                cure = wording.changed_cure(spoils[0].leaf.type)
            if cure is not None:
                spoils = (replace(spoils[0], leaf=replace(spoils[0].leaf, cure=cure)), *spoils[1:])
            if method:
                spoils = tuple(
                    replace(s, leaf=replace(s.leaf, cure=wording.receiver_cure(s.leaf.cure, method))) for s in spoils
                )
            self.site.report(kind, name, self.site.shown(judged), spoils, place, trait=trait)
            return
        for fullname in sorted(classes):
            info = self.site.program.symbol(fullname)
            if isinstance(info, n.TypeInfo) and names.is_local(info):
                self.inner.local_class(info, place)
                continue
            if not self.site.program.is_in_image(fullname):
                self.refs([mentions.Ref(mentions.CLASS, operators.of(fullname), place=self.site.spot(place))], place)
            if self._is_unseen(fullname):
                self.refs([mentions.Ref(mentions.CLASS, fullname, place=self.site.spot(place))], place)

    def _is_told(self, spoils: tuple[Spoil, ...], place: n.Expression) -> bool:
        """Return whether a value shows the callables that its type hides; if so, check them."""
        if self.site.transport is not None or not all(is_callable_part(spoil) for spoil in spoils):
            return False
        value: n.Expression | None = place
        if isinstance(place, n.NameExpr) and isinstance(place.node, n.Var):
            # A parameter has no assignment, and a global's assignments are in the summary.
            if place.node.is_argument or place.kind == n.GDEF:
                return False
            value = self.origins.only_value(place.node)
        return value is not None and self.inner.made(
            self.origins.builder().of(value), value, source(place), strict=False
        )

    def _is_unseen(self, fullname: str) -> bool:
        module = self.site.program.split(fullname)[0]
        known = None if self.site.program.is_in_image(module) else self.site.program.summary(module)
        return not self.site.program.is_in_image(module) and (known is None or known.unseen)

    def refs(self, refs: Iterable[mentions.Ref | None], place: n.Context, *, spawned: bool = False) -> None:
        """Follow references to module-level objects, and report the failures.

        Args:
            refs: the references; None is skipped.
            place: the place of reports about objects of other files.
            spawned: True if they are the spawned callable itself, not something that it mentions.
        """
        if self.site.transport is not None:
            return
        found = Direct()
        self.site.program.all(
            "" if spawned else self.site.trail[-1] if self.site.trail else "",
            [ref for ref in refs if ref is not None],
            found,
        )
        self.follow(found, place)

    def follow(self, found: Direct, place: n.Context) -> None:
        """Follow findings to their end, and report them."""
        failures = list(found.failures)
        for target, hop in found.edges:
            failures += [
                replace(failure, hops=(hop, *failure.hops)) for failure in self.site.program.open_failures(target)
            ]
        self.site.program.consulted |= found.modules
        self.site.program.provisional |= found.provisional
        for failure in self.site.program.settled(failures, self.site.module):
            if failure.key not in self.site.seen:
                self.site.seen.add(failure.key)
                self.site.reporter.failure(failure, place, trail=self.site.trail[:-1])

    def argument(self, value: n.Expression, judged: Type, *, name: str, spread: bool = False) -> None:
        """Check an argument: a callable like the spawned one, anything else by its type."""
        if spread and isinstance(get_proper_type(judged), ParamSpecType):
            return  # arguments forwarded by a wrapper: a parameter specification cannot have a bound
        if spread:
            judged = item_type(judged) or judged
        if is_callable(judged) and not spread:
            self.inner.callable(value, Kind.ARGUMENT)
        elif not (isinstance(value, n.RefExpr) and isinstance(value.node, n.MypyFile)):
            if not spread and any(
                spoil.rule is Rule.ANY for spoil in self.site.program.judge.spoils(judged, Trait.SERIALIZABLE)
            ):
                judged = self.site.without_context(value)
            self.judge(Kind.ARGUMENT, name, judged, value, trait=Trait.SERIALIZABLE)

    def result(self, judged: Type, value: n.Context, name: str) -> None:
        """Check the type of the result, unless something was found before: the same value may be captured and returned."""
        judge = self.site.program.judge
        spoils = judge.result(judged)
        self.site.program.consulted |= judge.modules
        if spoils and not self.site.reporter.count:
            leaves = tuple(_with_result_cure(spoil.of(name), spoil.rule) for spoil in spoils)
            finding = wording.Finding(Kind.RESULT, name, self.site.shown(judged), "Serializable", leaves)
            self.site.reporter.finding(finding, spoils[0].rule, value)

    def messages(self, judged: Type, value: n.Context, name: str) -> None:
        """Check the type of the messages that a process takes; as for results, `Any` is left to the run time."""
        judge = self.site.program.judge
        spoils = judge.message(judged)
        self.site.program.consulted |= judge.modules
        if spoils:
            leaves = tuple(spoil.of(name) for spoil in spoils)
            finding = wording.Finding(Kind.MESSAGE, name, self.site.shown(judged), "Serializable", leaves)
            self.site.reporter.finding(finding, spoils[0].rule, value)

    def sent(self, value: n.Expression, judged: Type) -> None:
        """Check a message to an address; report it only if its type proves that it cannot be sent."""
        judge = self.site.program.judge
        spoils = [spoil for spoil in judge.message(judged) if spoil.rule is Rule.BAD]
        self.site.program.consulted |= judge.modules
        if spoils:
            leaves = tuple(spoil.of("value") for spoil in spoils)
            finding = wording.Finding(Kind.ARGUMENT, "value", self.site.shown(judged), "Serializable", leaves)
            self.site.reporter.finding(finding, Rule.BAD, value)


def _with_result_cure(leaf: wording.Leaf, rule: Rule) -> wording.Leaf:
    if rule is not Rule.BAD:
        return leaf
    name = leaf.type.partition("[")[0]
    return replace(leaf, cure=wording.result_cure(RESULT_NAMES.get(name, name)))
