"""The modules of a build: the objects of full names, and the summary of each module, which needs no bodies."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from mypy import nodes as n

from capsend_mypy import names, summary, syntax, writes
from capsend_mypy.asked import Asked
from capsend_mypy.bare import Bare
from capsend_mypy.constants import Sources
from capsend_mypy.judge import Judge, Memo

if TYPE_CHECKING:
    from collections.abc import Mapping

    from capsend_traits import Trait
    from mypy.options import Options
    from mypy.types import Type

    from capsend_mypy.shapes import Shape
    from capsend_mypy.solving import Direct, Found
    from capsend_mypy.spoils import Spoil
    from capsend_mypy.summary import Hop, Summary

TRANSPARENT: Final = frozenset(
    {
        "functools.wraps()",
        "functools.cache",
        "functools.lru_cache",
        "functools.lru_cache()",
        "contextlib.contextmanager",
        "contextlib.asynccontextmanager",
        "typing.no_type_check",
        "typing.runtime_checkable",
        "typing.dataclass_transform()",
        "typing_extensions.deprecated()",
        "warnings.deprecated()",
        "types.coroutine",
        "atexit.register",
    }
)


@dataclass
class State:
    """The state shared by all checks of one build; in the daemon, where types change in place, only the summaries."""

    options: Options
    packages: frozenset[str] = frozenset()
    types: Memo = field(default_factory=dict)
    functions: dict[str, Found] = field(default_factory=dict)
    summaries: dict[str, Summary] = field(default_factory=dict)
    decoded: dict[str, Summary] = field(default_factory=dict)
    sources: Sources = field(default_factory=Sources)

    def __post_init__(self) -> None:
        self.bare = Bare(self.options)
        self.asked = Asked(self.options)

    @property
    def daemon(self) -> bool:
        """True if modules may change within this run, or within a run that reads this run's cache."""
        return bool(self.options.fine_grained_incremental or self.options.cache_fine_grained)


class Modules:
    """Finds objects by full names, for one check.

    Attributes:
        judge: judges types.
        consulted: the modules on which the answers so far depend.
        provisional: True if a type was not inferred yet.
        bodies: the lambdas and local functions of the check, by their names in messages.
    """

    def __init__(self, state: State, files: Mapping[str, n.MypyFile]) -> None:
        self.state = state
        self.files = files
        names.note_shadowing(files)
        self.judge = Judge(
            files,
            state.options,
            memo=None if state.daemon else state.types,
            assigned=self.assigned,
            changes=self.changes_itself,
        )
        self.consulted: set[str] = set()
        self.provisional = False
        self.bodies: dict[str, n.FuncItem] = {}
        self._split: dict[str, tuple[str, str]] = {}
        self._bases: dict[n.TypeInfo, frozenset[str]] = {}

    def split(self, fullname: str) -> tuple[str, str]:
        """Split a full name into its module and the rest."""
        known = self._split.get(fullname)
        if known is None:
            module = fullname
            # A full name does not say where the module ends and the class begins: only the modules of the build do.
            while module and module not in self.files:
                module = module.rpartition(".")[0]
            known = self._split[fullname] = module, fullname[len(module) + 1 :] if module else fullname
        return known

    def symbol(self, fullname: str) -> n.SymbolNode | None:
        """Return the object of a full name."""
        module, local = self.split(fullname)
        if not module:
            return None
        # A check has the modules of the build, but not the plugin, which alone can look up a name.
        table: n.SymbolTable = self.files[module].names
        node: n.SymbolNode | None = None
        for part in local.split("."):
            symbol = table.get(part)
            node = symbol.node if symbol is not None else None
            # A local class has a full name with a line in it, and is in no table: the search ends with None.
            table = node.names if isinstance(node, n.TypeInfo | n.MypyFile) else n.SymbolTable()
        return node

    def modules_of(self, info: n.TypeInfo) -> frozenset[str]:
        """Return the modules of a class and its bases."""
        known = self._bases.get(info)
        if known is None:
            known = self._bases[info] = frozenset(base.module_name for base in info.mro)
        return known

    def is_in_image(self, fullname: str) -> bool:
        """Return whether every process has the object of a name."""
        return names.is_known(fullname) or names.top(fullname) in self.state.packages

    def is_shadowing(self, fullname: str, hop: Hop) -> bool:
        """Return whether something belongs to a module that shadows a module of the library; its code is judged by its content, as a script is."""
        if not names.shadows_library(fullname):
            return False
        home = hop.place.module if hop.place is not None else self.split(hop.function)[0]
        return names.top(home) != names.top(fullname)

    def is_installed(self, package: str) -> bool:
        """Return whether a package is installed next to the checked program, and not configured to be in the image."""
        file = self.files.get(package)
        return file is not None and names.is_installed(file.path) and not self.is_in_image(package)

    def summary(self, module: str) -> Summary | None:
        """Return a module's summary: from its tree, or from the symbol in the cache."""
        file = self.files.get(module)
        if file is None:
            return None
        known = self.state.summaries.get(module)
        if known is not None:
            return known
        # A module that mypy read from its cache has names but no statements.
        if file.defs and not file.is_cache_skeleton and not file.is_stub:
            found = self.state.summaries[module] = summary.from_tree(file)
            return found
        text = (summary.attached(file) if not file.is_stub else None) or self.state.bare.text(module, self.files)
        if text is None:
            return None
        if text not in self.state.decoded:
            self.state.decoded[text] = summary.decode(text)
        return self.state.decoded[text]

    def shape(self, fullname: str) -> Shape | None:
        """Return the shape of a module-level variable's value, or of a function that makes callables, as far as the syntax shows it."""
        module, local = self.split(fullname)
        if not module or self.is_in_image(module):
            return None
        self.consulted.add(module)
        known = self.summary(module)
        return known.shapes.get(local) if known is not None else None

    def is_transparent(self, decorator: str) -> bool:
        """Return whether a decorator, named as by `outline.decorators`, returns the function that it is given."""
        if decorator in TRANSPARENT:
            return True
        module, local = self.split(decorator.removesuffix("()"))
        known = self.summary(module) if module else None
        self.consulted.add(module)
        return known is not None and local + decorator[len(decorator.removesuffix("()")) :] in known.identity

    def changes_itself(self, info: n.TypeInfo) -> bool:
        """Return whether methods of a class change its instances although the class looks immutable."""
        known = None if self.is_in_image(info.module_name) else self.summary(info.module_name)
        return known is not None and info.fullname[len(info.module_name) + 1 :] in known.changing

    def assigned(self, info: n.TypeInfo) -> frozenset[str]:
        """Return the class variables of a class that its methods assign on their receivers."""
        known = None if self.is_in_image(info.module_name) else self.summary(info.module_name)
        if known is None:
            return frozenset()
        prefix = info.fullname[len(info.module_name) + 1 :] + "."
        return frozenset(name[len(prefix) :] for name in known.assigned if name.startswith(prefix))

    def changes(self, function: str) -> frozenset[str]:
        """Return the variables and attributes whose values a function changes, if its tree is available."""
        node = self.bodies.get(function) or syntax.function_of(self.symbol(function))
        return writes.changed(node) if node is not None else frozenset()

    def judged(self, judged: Type, trait: Trait, found: Direct) -> tuple[tuple[Spoil, ...], set[str]]:
        """Judge a type, and note the modules on which the answer depends."""
        judge = self.judge
        judge.modules, judge.classes, judge.provisional = set(), set(), False
        spoils = judge.spoils(judged, trait)
        found.modules |= judge.modules
        found.provisional |= judge.provisional
        return spoils, judge.classes
