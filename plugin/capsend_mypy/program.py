"""The functions of the checked program: following references finds those that cannot run in another process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mypy import nodes as n

from capsend_mypy import operators, syntax
from capsend_mypy.classes import Classes
from capsend_mypy.failures import opaque, unseen
from capsend_mypy.modules import Modules
from capsend_mypy.paths import Paths
from capsend_mypy.references import References
from capsend_mypy.settling import Settling
from capsend_mypy.solving import Direct, Solver
from capsend_mypy.variables import Variables

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from capsend_mypy.mentions import Ref
    from capsend_mypy.modules import State
    from capsend_mypy.summary import Failure, Hop


class Program(Modules):
    """Follows references between functions, for one check.

    It connects the parts: each part has the earlier ones, and reaches the later ones through the program.
    """

    def __init__(self, state: State, files: Mapping[str, n.MypyFile]) -> None:
        super().__init__(state, files)
        self.paths = Paths(self)
        self.variables = Variables(self, self)
        self.classes = Classes(self, self.variables)
        self.references = References(self, self.paths, self.variables, self.classes, follower=self)
        self._settling = Settling(self, self.open_failures)
        self._solver = Solver({} if state.daemon else state.functions, self._direct)

    # Failures of functions, by strongly connected components

    def failures(self, fullname: str) -> tuple[Failure, ...]:
        """Return the failures of a function, of a class's methods, or of a callable global; empty if it can run in another process."""
        return tuple(self.settled(self.open_failures(fullname)))

    def open_failures(self, fullname: str) -> tuple[Failure, ...]:
        """Return the failures of `failures` without removing those about constants, which requires reading sources."""
        found = self._solver.known(fullname)
        if found is None:
            self._solver.solve(fullname)
            self.provisional |= self._solver.provisional
            found = self._solver.known(fullname) or ((), frozenset())
        self.consulted |= found[1]
        return found[0]

    def _direct(self, fullname: str) -> Direct:
        found = Direct()
        owner = operators.owner(fullname)
        if owner:
            self.classes.operators(self.symbol(owner), found)
            return found
        module, local = self.split(fullname)
        if not module or self.is_in_image(module):
            return found
        found.modules.add(module)
        node = self.symbol(fullname)
        # A class stands for what making an instance runs.
        if isinstance(node, n.TypeInfo):
            self.classes.made(node, found)
            return found
        known = self.summary(module)
        if known is not None and self.files[module].is_stub:  # mypy ignores the imports of the source next to a stub
            found.modules |= self.files.keys() & set(known.imports)
        if known is None or (known.unseen and not known.refs.get(local) and syntax.function_of(node) is not None):
            if known is not None or self.files[module].is_stub:
                found.failures.append(unseen(self, fullname))
            return found
        if known.verdicts is not None:
            found.failures += known.verdicts.get(local, ())
            return found
        refs = known.refs.get(local)
        if refs is None and isinstance(node, n.Var) and not self.variables.valued(fullname, found):
            found.failures.append(opaque(self.judge, fullname, node.type))
        self.references.all(fullname, refs or (), found)
        return found

    def settled(self, failures: Iterable[Failure], here: str = "") -> Iterator[Failure]:
        """Yield the failures that the sources of modules do not refute; see `Settling.settled`."""
        return self._settling.settled(failures, here)

    # The consequences of values, see `values.Follower`

    def all(self, function: str, refs: Iterable[Ref], found: Direct) -> None:
        """Add the consequences of the references of a function."""
        self.references.all(function, refs, found)

    def follow(self, function: str, ref: Ref, found: Direct) -> bool:
        """Add the consequences of a reference; return whether it settles the whole function."""
        return self.references.follow(function, ref, found)

    def variable(self, fullname: str, hop: Hop, found: Direct) -> None:
        """Add the consequences of reading a module-level variable."""
        self.variables.variable(fullname, hop, found)

    def reach(self, info: n.TypeInfo, name: str, hop: Hop, found: Direct) -> None:
        """Add the consequences of reaching an attribute of an instance."""
        self.classes.reach(info, name, hop, found)

    def receiver(self, target: str, found: Direct) -> tuple[n.TypeInfo | None, bool]:
        """Return (the class to which a path leads, True if the path leads to the class itself and not to an instance)."""
        return self.paths.receiver(target, found)
