"""The solver of consequences: the failures of all code that a function reaches, by strongly connected components of the references."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from capsend_mypy.summary import Failure, Hop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

OF_NAME: Final = ". "
"""The prefix of a condition: the failure holds unless no code calls the method of a name."""
AND: Final = "; "
"""Between such a condition and the failure's own: both have to hold for the failure to hold."""
OF_SUBCLASSES: Final = "< "
OF_GENERIC: Final = "@ "
OF_DEFAULT: Final = "= "
"""The prefix of a condition: the failure holds unless subclasses, implementations or defaults in other modules are all good."""
MAX_FAILURES: Final = 8
MAX_OPEN: Final = 64

Found = tuple[tuple[Failure, ...], frozenset[str]]
"""(the failures of a function, the modules on which they depend)."""


@dataclass(slots=True)
class Direct:
    """The consequences of one function without those it uses: its own failures, the functions that it uses, and the modules consulted."""

    failures: list[Failure] = field(default_factory=list)
    edges: list[tuple[str, Hop]] = field(default_factory=list)
    modules: set[str] = field(default_factory=set)
    provisional: bool = False


class Solver:
    """Finds the failures of functions, each once.

    Args:
        memo: findings, kept for other checks.
        direct: returns the consequences of one function without those it uses.

    Attributes:
        unsure: findings made while a type was not inferred yet; for this check only.
        provisional: True if there was such a finding.
    """

    def __init__(self, memo: dict[str, Found], direct: Callable[[str], Direct]) -> None:
        self.memo = memo
        self.direct = direct
        self.unsure: dict[str, Found] = {}
        self.provisional = False

    def known(self, fullname: str) -> Found | None:
        """Return the findings about a function; None if it was not solved yet."""
        return self.memo.get(fullname) or self.unsure.get(fullname)

    def solve(self, root: str) -> None:
        """Find the components reachable from a function, innermost first (Tarjan's algorithm, without recursion)."""
        # Without recursion: a chain of functions may be longer than Python's stack, and a hook that fails takes mypy down.
        index: dict[str, int] = {}
        low: dict[str, int] = {}
        direct: dict[str, Direct] = {}
        pending: list[str] = []
        work: list[tuple[str, Iterator[tuple[str, Hop]]]] = []

        def enter(name: str) -> None:
            index[name] = low[name] = len(index)
            direct[name] = self.direct(name)
            pending.append(name)
            work.append((name, iter(direct[name].edges)))

        enter(root)
        while work:
            name, edges = work[-1]
            for target, _ in edges:
                if target in index:
                    if target in direct:
                        low[name] = min(low[name], index[target])
                elif self.known(target) is None:
                    enter(target)
                    break
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[name])
                if low[name] == index[name]:
                    at = pending.index(name)
                    self._close(pending[at:], direct)
                    del pending[at:]

    def _close(self, members: list[str], direct: dict[str, Direct]) -> None:
        if len(members) == 1 and not direct[members[0]].edges and not direct[members[0]].provisional:
            here = direct.pop(members[0])
            self.memo[members[0]] = capped(here.failures), frozenset(here.modules)
            return
        found: dict[str, dict[tuple[object, ...], Failure]] = {}
        modules: set[str] = set()
        provisional = False
        for member in members:
            here = direct[member]
            modules |= here.modules
            provisional |= here.provisional
            found[member] = {}
            for failure in here.failures:
                found[member].setdefault(_way(failure), failure)
            for target, hop in here.edges:
                known = self.known(target)
                if known is not None and target not in members:
                    modules |= known[1]
                    provisional |= target in self.unsure
                    self._merge(found[member], known[0], hop)
        changed = len(members) > 1
        while changed:
            changed = False
            for member in members:
                for target, hop in direct[member].edges:
                    if target in found and target != member:
                        changed |= self._merge(found[member], tuple(found[target].values()), hop)
        self.provisional |= provisional
        # What rests on a type that is not inferred yet must not outlive this check.
        memo = self.unsure if provisional else self.memo
        for member in members:
            memo[member] = tuple(found[member].values()), frozenset(modules)
            del direct[member]

    @staticmethod
    def _merge(into: dict[tuple[object, ...], Failure], failures: tuple[Failure, ...], hop: Hop) -> bool:
        before = len(into)
        final = sum(not failure.unless for failure in into.values())
        for failure in failures:
            if final >= MAX_FAILURES:
                break
            # A large number of refutable failures must not hide one that no source can refute.
            unless = conditions(hop.when, failure.unless) if len(into) < MAX_OPEN else ""
            reached = Failure(failure.finding, failure.rule, (hop, *failure.hops), unless)
            if _way(reached) not in into:
                into[_way(reached)] = reached
                final += not unless
        return len(into) > before


def conditions(name: str, unless: str) -> str:
    """Return the condition of a failure that occurs only if some code calls a method; the failure may have another condition too."""
    if not name or unless.startswith(OF_NAME):  # one name is enough: with fewer conditions more is refused
        return unless
    return f"{OF_NAME}{name}{AND}{unless}" if unless else f"{OF_NAME}{name}"


def _way(failure: Failure) -> tuple[object, ...]:
    """Return the identity of a failure together with the method that some code must call: on another path, the failure may not need the call."""
    return *failure.key, failure.unless.partition(AND)[0] if failure.unless.startswith(OF_NAME) else ""


def capped(failures: list[Failure]) -> tuple[Failure, ...]:
    """Return as many failures as are reported, and all that a source may still refute."""
    final = [failure for failure in failures if not failure.unless][:MAX_FAILURES]
    still_open = [failure for failure in failures if failure.unless] if len(final) < MAX_FAILURES else []
    return (*final, *still_open)
