"""The functions of the checked program: which of them cannot run in another process, found by following what they refer to."""

from __future__ import annotations

import ast
import builtins
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from capsend_traits import Trait, table, wording
from mypy import nodes as n
from mypy.types import (
    CallableType,
    Instance,
    Overloaded,
    TupleType,
    Type,
    TypeType,
    TypeVarType,
    UnionType,
    get_proper_type,
)
from mypy.typevars import fill_typevars

from capsend_mypy import (
    bodies,
    constants,
    dispatch,
    mentions,
    names,
    operators,
    outline,
    receivers,
    shapes,
    summary,
    syntax,
    writes,
)
from capsend_mypy.bare import Bare
from capsend_mypy.constants import Sources
from capsend_mypy.failures import absent, decorated, elsewhere, of_global, short, with_global_cure, written
from capsend_mypy.judge import Judge, Memo, Rule, Spoil, is_class_level, is_default
from capsend_mypy.marks import is_host_function, is_per_process, is_spawnable
from capsend_mypy.mentions import Ref
from capsend_mypy.solving import OF_NAME, Direct, Found, Solver
from capsend_mypy.summary import Failure, Hop, Summary
from capsend_mypy.values import Values, is_callable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from capsend_traits.constants import Constant
    from mypy.options import Options

    from capsend_mypy.shapes import Shape

BUILT_IN: Final = frozenset(dir(builtins))
UNSEEN_VERDICT: Final = (
    "its body is not seen: it belongs to an installed package, or to a module that mypy only follows silently"
)
UNSEEN_CURE: Final = "let mypy check the module, or name its package in [tool.capsend] packages if the image has it"
MAKING_CLASSES: Final = ("__prepare__", "__new__", "__init__")
CONSTRUCTION: Final = ("__new__", "__init__", "__post_init__", "__attrs_post_init__", "__attrs_pre_init__")
OBJECT: Final = "builtins.object"
SUBCLASSES: Final = "__subclasses__"
OF_SUBCLASSES: Final = "< "
OF_GENERIC: Final = "@ "
OF_DEFAULT: Final = "= "
"""What the condition of a failure begins with that holds unless other modules make nothing bad: subclasses, implementations."""
AWAITED: Final = frozenset({"typing.Coroutine", "typing.Awaitable"})
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

MADE_VERDICT: Final = "it is made in a function, whose variables its methods may capture"
MADE_CURE: Final = "move the class to module level"
CACHES: Final = frozenset({"functools.cache", "functools.lru_cache", "functools.lru_cache()"})
GENERIC: Final = frozenset({"functools.singledispatch", "functools.singledispatchmethod"})
"""The decorators that make a generic function, whose implementations are among what the function refers to."""
VALUED: Final = frozenset(
    {"partial", "partialmethod", "_SingleDispatchCallable", "singledispatchmethod", "MappingProxyType"}
)
"""The classes of the standard library that hold callables which the syntax shows."""
DESCRIPTORS: Final = ("__init__", "__set_name__", "__get__", "__set__", "__delete__")
WRAPPING: Final = frozenset(
    {
        "functools.partialmethod",
        "functools.cached_property",
        "functools.singledispatchmethod",
        "builtins.staticmethod",
        "builtins.classmethod",
        "builtins.property",
        "functools.partial",
    }
)
"""The classes whose instances in a class body are part of the class: what they wrap is code of it."""


@dataclass
class State:
    """What all checks of one build share; in the daemon, where types change in place, only the summaries."""

    options: Options
    packages: frozenset[str] = frozenset()
    types: Memo = field(default_factory=dict)
    functions: dict[str, Found] = field(default_factory=dict)
    summaries: dict[str, Summary] = field(default_factory=dict)
    decoded: dict[str, Summary] = field(default_factory=dict)
    sources: Sources = field(default_factory=Sources)

    def __post_init__(self) -> None:
        self.bare = Bare(self.options)

    @property
    def daemon(self) -> bool:
        """Whether modules may change under others within this run, or within one that reads this run's cache."""
        return bool(self.options.fine_grained_incremental or self.options.cache_fine_grained)


class Program:
    """Follows references between functions, for one check.

    Attributes:
        judge: judges the types met on the way.
        modules: the modules that the answers rest on, so far.
        provisional: whether a type was not inferred yet.
        bodies: the lambdas and local functions of the check, by the names that messages give them.
    """

    def __init__(self, state: State, files: Mapping[str, n.MypyFile]) -> None:
        self.state = state
        self.files = files
        self.judge = Judge(
            files,
            state.options,
            memo=None if state.daemon else state.types,
            assigned=self._assigned,
            changes=self._changes_itself,
        )
        self.modules: set[str] = set()
        self.provisional = False
        self.bodies: dict[str, n.FuncItem] = {}
        self._solver = Solver({} if state.daemon else state.functions, self._direct)
        self._split: dict[str, tuple[str, str]] = {}
        self._bases: dict[n.TypeInfo, frozenset[str]] = {}

    # Names

    def split(self, fullname: str) -> tuple[str, str]:
        """Split a full name into its module and what is inside."""
        known = self._split.get(fullname)
        if known is None:
            module = fullname
            while module and module not in self.files:
                module = module.rpartition(".")[0]
            known = self._split[fullname] = module, fullname[len(module) + 1 :] if module else fullname
        return known

    def symbol(self, fullname: str) -> n.SymbolNode | None:
        """Return what a full name stands for."""
        module, local = self.split(fullname)
        if not module:
            return None
        table: n.SymbolTable = self.files[module].names
        node: n.SymbolNode | None = None
        for part in local.split("."):
            symbol = table.get(part)
            node = symbol.node if symbol is not None else None
            table = node.names if isinstance(node, n.TypeInfo | n.MypyFile) else n.SymbolTable()
        return node

    def _modules_of(self, info: n.TypeInfo) -> frozenset[str]:
        known = self._bases.get(info)
        if known is None:
            known = self._bases[info] = frozenset(base.module_name for base in info.mro)
        return known

    def is_in_image(self, fullname: str) -> bool:
        """Return whether every process has what a name stands for."""
        return names.is_known(fullname) or names.top(fullname) in self.state.packages

    def summary(self, module: str) -> Summary | None:
        """Return a module's summary: from its tree, or from the symbol that the cache carried."""
        file = self.files.get(module)
        if file is None or file.is_stub:
            return None
        known = self.state.summaries.get(module)
        if known is not None:
            return known
        if file.defs and not file.is_cache_skeleton:
            found = self.state.summaries[module] = summary.from_tree(file)
            return found
        text = summary.attached(file) or self.state.bare.text(module, self.files)
        if text is None:
            return None
        if text not in self.state.decoded:
            self.state.decoded[text] = summary.decode(text)
        return self.state.decoded[text]

    # Failures of functions, by strongly connected components

    def failures(self, fullname: str) -> tuple[Failure, ...]:
        """Return why a function, a class's methods, or a callable global cannot run in another process; empty if it can."""
        return tuple(self.settled(self.open_failures(fullname)))

    def settled(self, failures: Iterable[Failure], here: str = "") -> Iterator[Failure]:
        """Yield the failures that remain once those about constants of modules are taken out.

        Args:
            failures: the failures.
            here: the module of what has no full name, such as a lambda.
        """
        waiting, seen = list(failures), set()
        while waiting:
            failure = waiting.pop(0)
            reader = self.split(failure.hops[-1].function)[0] or here if failure.unless else ""
            is_of_spawned = (
                failure.unless.startswith(OF_DEFAULT) and len(failure.hops) == 2 and not failure.hops[0].function
            )
            held = self._refuted(failure.unless, reader) if failure.unless and not is_of_spawned else None
            if held is None:
                yield failure
            elif (failure.unless, failure.hops[0]) not in seen:
                seen.add((failure.unless, failure.hops[0]))
                waiting += [
                    replace(inner, hops=(*failure.hops, *inner.hops))
                    for function in held
                    for inner in self.open_failures(function)
                ]

    def _refuted(self, unless: str, reader: str) -> list[str] | None:
        """Return what counts in the place of a failure; None if it holds."""
        if unless.startswith(OF_SUBCLASSES):
            return self._subclasses(unless.removeprefix(OF_SUBCLASSES))
        if unless.startswith(OF_GENERIC):
            return self._implementations(unless.removeprefix(OF_GENERIC))
        if unless.startswith(OF_DEFAULT):
            return self._held_by_default(unless.removeprefix(OF_DEFAULT))
        if unless.startswith(OF_NAME):
            return None if self._is_read(unless.removeprefix(OF_NAME)) else []
        return self._held_by_constant(unless, reader)

    def _subclasses(self, fullname: str) -> list[str]:
        """Return the subclasses of a class in all modules of the build."""
        base = self.symbol(fullname)
        found: list[str] = []
        for module, file in self.files.items():
            if not file.is_stub and not self.is_in_image(module):
                found += [info.fullname for info in _classes(file.names, module) if base in info.mro[1:]]
        return found

    def _is_read(self, name: str) -> bool:
        """Return whether any module of the user's reads an attribute of a name, as far as its text shows."""
        spelled = f".{name}".encode()
        return any(
            spelled in self.state.sources.text(file)
            for module, file in self.files.items()
            if not (file.is_stub or self.is_in_image(module) or names.is_installed(file.path))
        )

    def _implementations(self, generic: str) -> list[str]:
        """Return what other modules register with a generic function, as names that `open_failures` knows."""
        key = dispatch.local_name(generic)
        found: list[str] = []
        for module, file in self.files.items():
            known = self.state.summaries.get(module)
            text = summary.attached(file) if known is None and file.is_cache_skeleton else None
            if text is not None and key in text:
                known = self.summary(module)
            if known is not None and (key in known.refs or key in (known.verdicts or ())):
                found.append(f"{module}.{key}")
        return found

    def _held_by_constant(self, fullname: str, reader: str) -> list[str] | None:
        """Return the functions and classes in a constant of a module; None if a variable is none, or its reader does more than read it."""
        module, name = self.split(fullname)
        node, file = self.symbol(fullname), self.files.get(module)
        sources, is_global = self.state.sources, "." not in name
        self.modules |= {module, reader} & set(self.files)
        if file is None or not isinstance(node, n.Var) or node.type is None:
            return None
        constant = sources.constant(file, name) if is_global else sources.class_constant(file, name)
        is_filled = constant is None and is_global
        if is_filled:
            constant = sources.filled(file, name, node.type)
        if constant is None:
            return None
        if reader != module:
            other = self.files.get(reader)
            if other is None or not (
                sources.only_reads(other, lambda full: self.symbol(full) is node, constant)
                if is_global
                else sources.only_reads_attribute(other, constant)
            ):
                return None
        if is_filled:  # its expression does not make all of it
            return self._classes_of_contents(node.type, constant.depth, [])
        held = self._leaves(module, constant, name if is_global else "")
        known = [function for function in held if function]
        return known if None not in held else self._classes_of_contents(node.type, constant.depth, known)

    def _leaves(self, module: str, constant: Constant, table_: str = "") -> list[str | None]:
        """Return the functions and classes in a display; empty for what every process has, None for what the source does not show.

        Args:
            module: the module where it stands.
            constant: the constant that it makes.
            table_: the global that holds it, if lambdas in it are known by that name.
        """
        found: list[str | None] = []
        for leaf in constants.leaves(constant.value):
            if isinstance(leaf, ast.Lambda) and table_:
                found.append(f"{module}.{summary.lambdas_of(table_)}")
            elif isinstance(leaf, ast.Call) and self._is_plain_partial(module, leaf):
                found.append(self._function_at(module, leaf.args[0]))
            elif not constants.is_literal(leaf):
                found.append(self._function_at(module, leaf))
        return found

    def _is_plain_partial(self, module: str, call: ast.Call) -> bool:
        """Return whether an expression is `functools.partial(function, ...)` with literals for all other arguments."""
        named = constants.dotted(call.func)
        node = self.symbol(f"{module}.{named}") if named else None
        given = [*call.args[1:], *(keyword.value for keyword in call.keywords)]
        return (
            isinstance(node, n.TypeInfo)
            and node.fullname == "functools.partial"
            and bool(call.args)
            and all(map(constants.is_literal, given))
        )

    def _held_by_default(self, described: str) -> list[str] | None:
        """Return the functions and classes in a default that its function only reads; None if it does more."""
        fullname, _, parameter = described.partition("(")
        module, local = self.split(fullname)
        file = self.files.get(module)
        constant = self.state.sources.default(file, local, parameter) if file is not None else None
        held = self._leaves(module, constant) if constant is not None else [None]
        return [function for function in held if function] if None not in held else None

    def _classes_of_contents(self, declared: Type, depth: int, known: list[str]) -> list[str] | None:
        """Judge what is in a constant by the types of its containers, where the source does not show it."""
        found = Direct()
        for inner in constants.contents(declared, depth):
            spoils, classes = self.judged(inner, Trait.PROCESS_SEND, found)
            if spoils or constants.is_container(inner):
                return None
            known += sorted(classes)
        self.modules |= found.modules
        return known

    def _function_at(self, module: str, leaf: ast.expr) -> str | None:
        """Return the full name of the function or class that an expression of a module names; empty if every process has it."""
        name = constants.dotted(leaf)
        first = name.partition(".")[0]
        if first in BUILT_IN and first not in self.files[module].names:
            return ""
        node = self.symbol(f"{module}.{name}") if name else None
        if not isinstance(node, n.TypeInfo | n.OverloadedFuncDef) and syntax.function_of(node) is None:
            return None
        return "" if node is None or self.is_in_image(node.fullname) else node.fullname

    def open_failures(self, fullname: str) -> tuple[Failure, ...]:
        """Return the failures of `failures` before those about constants are taken out, which needs sources to be read."""
        found = self._solver.known(fullname)
        if found is None:
            self._solver.solve(fullname)
            self.provisional |= self._solver.provisional
            found = self._solver.known(fullname) or ((), frozenset())
        self.modules |= found[1]
        return found[0]

    # What one function refers to

    def _direct(self, fullname: str) -> Direct:
        found = Direct()
        owner = operators.owner(fullname)
        if owner:
            self._operators(self.symbol(owner), found)
            return found
        module, local = self.split(fullname)
        if not module or self.is_in_image(module):
            return found
        found.modules.add(module)
        node = self.symbol(fullname)
        if isinstance(node, n.TypeInfo):
            self._class(node, found)
            return found
        known = self.summary(module)
        if known is None or (known.unseen and not known.refs.get(local) and syntax.function_of(node) is not None):
            if known is not None or self.files[module].is_stub:
                found.failures.append(self._unseen(fullname))
            return found
        if known.verdicts is not None:
            found.failures += known.verdicts.get(local, ())
            return found
        refs = known.refs.get(local)
        if refs is None and isinstance(node, n.Var) and not self._valued(fullname, found):
            found.failures.append(self._opaque(fullname, node.type))
        self.all(fullname, refs or (), found)
        return found

    def _valued(self, fullname: str, found: Direct, hop: Hop | None = None, *, strict: bool = False) -> bool:
        """Add what a variable's value leads to, if its module shows that."""
        shape = self.shape(fullname)
        hop = hop or Hop("", fullname.rpartition(".")[2])
        return shape is not None and Values(self, found).follow(shape, hop, strict=strict)

    def all(self, function: str, refs: Iterable[Ref], found: Direct) -> None:
        """Add what the references of a function lead to; what it writes in vain is not reported as read, too."""
        refs = list(refs)
        lost = {(ref.target, "") for ref in refs if ref.kind in {mentions.WRITTEN, mentions.HIDDEN}}
        for ref in refs:
            if ref.kind == mentions.ATTRIBUTE:
                lost |= self._attribute(function, ref, found)
        for ref in refs:
            if ref.kind in {mentions.VARIABLE, mentions.MEMBER} and (ref.target, ref.member) in lost:
                continue
            if self.follow(function, ref, found):
                break

    def _attribute(self, function: str, ref: Ref, found: Direct) -> set[tuple[str, str]]:
        """Add what assigning an attribute comes to, unless its declaration allows it; return how reading it would be referred to."""
        kind, _, name = ref.target.partition(" ")
        if kind == writes.MODULE:
            found.modules.add(name)
            node = self.symbol(f"{name}.{ref.member}")
            owner, read = short(name), (f"{name}.{ref.member}", "")
        elif kind == writes.OF_FUNCTION:
            node, owner, read = None, short(name), (name, ref.member)
        else:
            info = self.receiver(ref.target, found)[0]
            if info is None:
                return set()
            found.modules |= self._modules_of(info)
            symbol = info.get(ref.member)
            node = symbol.node if symbol is not None else None
            owner, read = info.name, (ref.target, ref.member)
        if isinstance(node, n.Var) and node.type is not None and is_per_process(node.type):
            return set()
        if kind == writes.MODULE and table().is_per_process(f"{name}.{ref.member}"):
            return set()
        shown = f"{owner}.{ref.member}"
        found.failures.append(written(shown, short(function), Hop(function, ref.member, ref.place)))
        return {read}

    def _unseen(self, fullname: str, what: str = "function") -> Failure:
        file = self.files.get(self.split(fullname)[0])
        installed = file is not None and names.is_installed(file.path)
        cure = wording.image_cure(names.top(fullname)) if installed else UNSEEN_CURE
        leaf = wording.Leaf(fullname, f"a {what}", UNSEEN_VERDICT, cure, predicate=wording.UNKNOWN_CAPTURES)
        return Failure(wording.Finding(wording.Kind.GLOBAL, fullname, what, "ProcessSend", (leaf,)), Rule.OPAQUE)

    def _opaque(self, fullname: str, declared: Type | None) -> Failure:
        name = fullname.rpartition(".")[2]
        shown = self.judge.name(declared) if declared is not None else "Callable"
        leaf = wording.Leaf(
            name,
            shown,
            wording.OPAQUE_CALLABLE_VERDICT,
            wording.OPAQUE_CALLABLE_CURE,
            predicate=wording.UNKNOWN_CAPTURES,
        )
        return Failure(wording.Finding(wording.Kind.GLOBAL, name, shown, "ProcessSend", (leaf,)), Rule.OPAQUE)

    def _class(self, info: n.TypeInfo, found: Direct) -> None:
        """Add what making an instance of a class runs; its other methods count where something calls them."""
        known = self.summary(info.module_name)
        if known is None or known.unseen:
            found.failures.append(self._unseen(info.fullname, "class"))
            return
        if names.is_local(info) and any(syntax.function_of(symbol.node) is not None for symbol in info.names.values()):
            leaf = wording.Leaf(
                info.name, f"class {info.name}", MADE_VERDICT, MADE_CURE, predicate=wording.UNKNOWN_CAPTURES
            )
            finding = wording.Finding(wording.Kind.GLOBAL, info.name, leaf.type, "ProcessSend", (leaf,))
            found.failures.append(Failure(finding, Rule.OPAQUE))
            return
        for name in CONSTRUCTION:
            self._reach(info, name, Hop("", ""), found)
        for name, by_library in _overriding(info):
            self._reach(info, name, Hop("", "", when="" if by_library else name), found)
        if len(info.bases) > 1:
            self._cooperating(info, found)
        found.edges.append((operators.of(info.fullname), Hop("", "")))
        if info.is_enum:
            here = Hop("", info.name)
            self._judged(
                fill_typevars(info), Trait.PROCESS_SEND, kind=wording.Kind.GLOBAL, name=info.name, hop=here, found=found
            )
        if info.metaclass_type is not None:
            self._operators(info.metaclass_type.type, found)
        for base in info.mro:
            made = base.metadata.get("dataclass") or base.metadata.get("attrs") or {}
            for attribute in made.get("attributes", ()):
                self._stored(base, attribute["name"], Hop("", ""), found)
        for base in info.mro[1:]:
            if names.is_absent(base.module_name):
                found.failures.append(absent(names.absent_name(base.module_name), Hop("", "")))

    def _operators(self, info: n.SymbolNode | None, found: Direct) -> None:
        """Add the methods of a class that operators, statements and built-in functions call, inherited ones included."""
        if not isinstance(info, n.TypeInfo):
            return
        own: dict[str, n.TypeInfo] = {}
        for base in info.mro:
            if not self.is_in_image(base.module_name):
                own |= {name: base for name in base.names if name in operators.METHODS and name not in own}
        for name, owner in sorted(own.items()):
            known = self.summary(owner.module_name)
            if known is None or known.unseen:  # one report for the class, not one for each of its methods
                found.failures.append(self._unseen(owner.fullname, "class"))
            else:
                self._reach(info, name, Hop("", ""), found)

    def _cooperating(self, info: n.TypeInfo, found: Direct) -> None:
        """Add all that `super()` may find in a class with several bases, in an order that no single class knows."""
        for name, _ in _overriding(info):
            for base in info.mro:
                node = base.names[name].node if name in base.names else None
                if node is not None and not self.is_in_image(node.fullname) and syntax.function_of(node) is not None:
                    found.edges.append((node.fullname, Hop("", "", when=name)))

    def _subclassed(self, fullname: str, hop: Hop, found: Direct) -> None:
        """Add what making a subclass of a class runs."""
        info = self.symbol(fullname)
        if not isinstance(info, n.TypeInfo):
            return
        self._reach(info, "__init_subclass__", hop, found)
        made_by = info if info.is_metaclass() else info.metaclass_type.type if info.metaclass_type else None
        if made_by is not None:
            for name in MAKING_CLASSES:
                self._reach(made_by, name, hop, found)

    def _changes_itself(self, info: n.TypeInfo) -> bool:
        known = None if self.is_in_image(info.module_name) else self.summary(info.module_name)
        return known is not None and info.fullname[len(info.module_name) + 1 :] in known.changing

    def _assigned(self, info: n.TypeInfo) -> frozenset[str]:
        known = None if self.is_in_image(info.module_name) else self.summary(info.module_name)
        if known is None:
            return frozenset()
        prefix = info.fullname[len(info.module_name) + 1 :] + "."
        return frozenset(name[len(prefix) :] for name in known.assigned if name.startswith(prefix))

    def follow(self, function: str, ref: Ref, found: Direct) -> bool:
        """Add what a reference leads to; return whether it settles the whole function."""
        hop = Hop(function, (ref.member or ref.target).rpartition(".")[2], ref.place)
        match ref.kind:
            case mentions.FUNCTION | mentions.CLASS:
                found.edges.append((ref.target, hop))
            case mentions.VARIABLE:
                self.variable(ref.target, hop, found)
            case mentions.MEMBER:
                self._member(ref, hop, found)
            case mentions.SUPER:
                info = self.symbol(ref.target)
                for base in info.mro[1:] if isinstance(info, n.TypeInfo) else ():
                    if ref.member in base.names:
                        self._reach(base, ref.member, hop, found)
                        break
            case mentions.MODULE:
                found.failures.append(absent(ref.target, hop))
            case mentions.WRITTEN:
                found.failures.append(written(ref.target.rpartition(".")[2], short(function), hop))
            case mentions.DEFAULT:
                self._default(function, ref, hop, found)
            case mentions.DECORATED:
                self._cached(ref, hop, found)
                if not GENERIC.isdisjoint(ref.member.split(",")):
                    found.failures.append(elsewhere(short(ref.target), f"{OF_GENERIC}{ref.target}", hop))
                return self._decorated(ref, found)
            case mentions.HIDDEN:
                self._hidden(ref.target, hop, found)
            case mentions.SUBCLASS:
                self._subclassed(ref.target, hop, found)
            case mentions.OPAQUE:
                node = self.symbol(function)
                found.failures.append(self._opaque(function, node.type if isinstance(node, n.Var) else None))
        return False

    def variable(
        self, fullname: str, hop: Hop, found: Direct, *, kind: wording.Kind = wording.Kind.GLOBAL, shown: str = ""
    ) -> None:
        """Add what reading a module-level variable leads to."""
        node = self.symbol(fullname)
        if not isinstance(node, n.Var):
            if node is not None and not self.is_in_image(fullname):
                found.edges.append((fullname, hop))
            return
        module, local = self.split(fullname)
        found.modules.add(module)
        name = shown or local
        if node.type is None:
            found.provisional = True
            return
        known = None if self.is_in_image(module) else self.summary(module)
        if known is not None and local in known.hidden:
            self._hidden(fullname, hop, found)
            return
        if known is not None and local in known.rebound:
            cure = wording.CHANGED_CURE if fullname in self.changes(hop.function) else wording.GLOBAL_CURE
            leaf = wording.Leaf(name, self.judge.name(node.type), wording.REBOUND_VERDICT, cure)
            found.failures.append(of_global(kind, name, self.judge.name(node.type), "ProcessSend", [leaf], hop=hop))
            return
        proper = get_proper_type(node.type)
        if isinstance(proper, CallableType | Overloaded) and not proper.is_type_obj():
            if known is not None:
                found.edges.append((fullname, hop))
            return
        declared = is_per_process(node.type) or table().is_per_process(fullname)
        trait = Trait.SERIALIZABLE if declared else Trait.PROCESS_SEND
        self._judged(node.type, trait, kind=kind, name=name, hop=hop, found=found, variable=fullname)

    def _hidden(self, fullname: str, hop: Hop, found: Direct) -> None:
        """Add what reading a name comes to that has a value at run time which mypy does not see."""
        name, node = short(fullname), self.symbol(fullname)
        shown = self.judge.name(node.type) if isinstance(node, n.Var) and node.type is not None else "unknown"
        leaf = wording.Leaf(name, shown, wording.HIDDEN_VERDICT, wording.HIDDEN_CURE, predicate=wording.UNKNOWN)
        found.failures.append(
            of_global(wording.Kind.GLOBAL, name, shown, "ProcessSend", [leaf], rule=Rule.OPAQUE, hop=hop)
        )

    def changes(self, function: str) -> frozenset[str]:
        """Return the variables and attributes whose values a function changes, if its tree is at hand."""
        node = self.bodies.get(function) or syntax.function_of(self.symbol(function))
        return writes.changed(node) if node is not None else frozenset()

    def _judged(
        self,
        judged: Type,
        trait: Trait,
        *,
        kind: wording.Kind,
        name: str,
        hop: Hop,
        found: Direct,
        variable: str = "",
    ) -> None:
        of = f"*.{short(variable)}" if kind is wording.Kind.CLASS_ATTRIBUTE else variable
        spoils, classes = self.judged(judged, trait, found)
        if spoils and variable and self._is_told(variable, spoils, found, hop):
            spoils = ()
        if spoils:
            leaves = [with_global_cure(spoil.of(name), kind) for spoil in spoils]
            if kind is wording.Kind.CACHED:
                leaves = [replace(leaf, cure=wording.CACHED_CURE) for leaf in leaves]
            if of and of in self.changes(hop.function):
                leaves = [replace(leaf, cure=wording.CHANGED_CURE) for leaf in leaves]
            failure = of_global(kind, name, self.judge.name(judged), trait.value, leaves, rule=spoils[0].rule, hop=hop)
            may_be_constant = (
                kind in {wording.Kind.GLOBAL, wording.Kind.CLASS_ATTRIBUTE}
                and trait is Trait.PROCESS_SEND
                and constants.is_container(judged)
            )
            found.failures.append(replace(failure, unless=variable) if may_be_constant else failure)
        found.edges += [(fullname, hop) for fullname in sorted(classes)]

    def _is_told(self, variable: str, spoils: tuple[Spoil, ...], found: Direct, hop: Hop) -> bool:
        """Return whether the value of a variable shows what its type does not say, and add what it leads to."""
        if is_sentinel(self.shape(variable)):
            return True
        if all(is_callable(spoil) or spoil.leaf.type.partition("[")[0] in VALUED for spoil in spoils):
            return self._valued(variable, found, hop)
        unsaid = all(spoil.rule is Rule.ANY and not spoil.leaf.path for spoil in spoils)
        return unsaid and self._valued(variable, found, hop, strict=True)

    def judged(self, judged: Type, trait: Trait, found: Direct) -> tuple[tuple[Spoil, ...], set[str]]:
        """Judge a type, and note what the answer rests on."""
        judge = self.judge
        judge.modules, judge.classes, judge.provisional = set(), set(), False
        spoils = judge.spoils(judged, trait)
        found.modules |= judge.modules
        found.provisional |= judge.provisional
        return spoils, judge.classes

    def _member(self, ref: Ref, hop: Hop, found: Direct) -> None:
        if ref.target.startswith(receivers.IMPORTED):
            self._of_module(ref, hop, found)
            return
        for info, through_class in self._receivers(ref.target, found):
            if ref.member == SUBCLASSES:
                found.failures.append(elsewhere(f"{info.name}.{SUBCLASSES}()", f"{OF_SUBCLASSES}{info.fullname}", hop))
            self._reach(info, ref.member, hop, found, through_class=through_class)

    def _of_module(self, ref: Ref, hop: Hop, found: Direct) -> None:
        """Add what an attribute leads to of a module that `import_module` named."""
        module, _, rest = ref.target.removeprefix(receivers.IMPORTED).partition("/")
        first, _, more = rest.partition("/")
        fullname = f"{module}.{first.removesuffix('()') or ref.member}"
        node = self.symbol(fullname)
        target = outline.target_of(node, fullname) if node is not None else None
        if target is not None:
            self.follow(hop.function, Ref(*target, "", ref.place), found)
        if first:
            kind = "V" if isinstance(node, n.Var) else "F" if syntax.function_of(node) is not None else "T"
            path = f"{kind} {fullname}" + (f"/{more}" if more else "")
            self._member(Ref(mentions.MEMBER, path, ref.member, ref.place), hop, found)

    def receiver(self, target: str, found: Direct) -> tuple[n.TypeInfo | None, bool]:
        """Return the class that a path leads to, and whether it is that of the class itself, not of an instance."""
        return next(iter(self._receivers(target, found)), (None, False))

    def _receivers(self, target: str, found: Direct) -> list[tuple[n.TypeInfo, bool]]:
        """Return the classes that a path may lead to, each as `receiver` does: a declared union has several."""
        kind, _, path = target.partition(" ")
        start, *parts = path.split("/")
        reached = self._start(kind, start, found)
        for part in parts:
            reached = [step for info, _ in reached for step in self._step(info, part, found)]
        return reached

    def _start(self, kind: str, name: str, found: Direct) -> list[tuple[n.TypeInfo, bool]]:
        found.modules.add(self.split(name)[0])
        node = self.symbol(name)
        if kind in "CT":
            return [(node, kind == "T")] if isinstance(node, n.TypeInfo) else []
        if kind == "V" and isinstance(node, n.Var):
            if node.type is None:
                found.provisional = True
            return classes_of(node.type)
        function = node.func if isinstance(node, n.Decorator) else node
        declared = function.type if isinstance(function, n.FuncDef) else None
        return classes_of(declared.ret_type) if isinstance(declared, CallableType) else []

    def _step(self, info: n.TypeInfo, part: str, found: Direct) -> list[tuple[n.TypeInfo, bool]]:
        symbol = info.get(part.removesuffix("()"))
        if symbol is None:
            return []
        found.modules |= self._modules_of(info)
        node, called = symbol.node, part.endswith("()")
        if isinstance(node, n.TypeInfo):
            return [(node, not called)]
        if isinstance(node, n.Var) and node.type is None:
            found.provisional = True
        if isinstance(node, n.Var):
            return [] if called else classes_of(node.type)
        function = syntax.function_of(node)
        declared = function.type if function is not None else None
        if not isinstance(declared, CallableType) or not (called or (function is not None and function.is_property)):
            return []
        return classes_of(declared.ret_type, of_self=info)

    def _reach(self, info: n.TypeInfo, name: str, hop: Hop, found: Direct, *, through_class: bool = False) -> None:
        """Add what reaching an attribute of a class leads to: a method runs, a class attribute is read."""
        found.modules |= self._modules_of(info)
        symbol = info.get(name)
        node = symbol.node if symbol is not None else None
        if through_class and (node is None or self.is_in_image(node.fullname)) and info.metaclass_type is not None:
            self._reach(info.metaclass_type.type, name, hop, found)
            return
        if node is None or symbol is None or self.is_in_image(node.fullname):
            return
        if syntax.function_of(node) is not None:
            if not symbol.plugin_generated:
                found.edges.append((node.fullname, hop))
        elif isinstance(node, n.TypeInfo):
            found.edges.append((node.fullname, hop))
        elif isinstance(node, n.Var) and not info.is_enum and not node.is_property:
            of_class = (is_class_level(node) or is_default(node)) and not (
                not node.is_classvar and node.info and name in self._assigned(node.info)
            )
            if of_class or (through_class and node.is_initialized_in_class):
                owner = node.info.name if node.info else info.name
                self._class_attribute(node, f"{owner}.{name}", hop, found)

    def _stored(self, info: n.TypeInfo, name: str, hop: Hop, found: Direct) -> bool:
        """Add what the callables lead to that a class attribute holds; return whether its class body may show them."""
        known = None if self.is_in_image(info.module_name) else self.summary(info.module_name)
        local = f"{info.fullname[len(info.module_name) + 1 :]}.{name}"
        if known is None or (known.verdicts is None and local not in known.refs):
            return False
        found.edges.append((f"{info.fullname}.{name}", hop))
        return True

    def _class_attribute(self, node: n.Var, name: str, hop: Hop, found: Direct) -> None:
        if node.type is None:
            found.provisional = True
            return
        proper = get_proper_type(node.type)
        if is_sentinel(self.shape(node.fullname)):
            return
        is_function = isinstance(proper, CallableType | Overloaded) and node.is_inferred
        is_accessor = isinstance(proper, Instance) and proper.type.fullname in bodies.ACCESSORS
        if (is_function or _is_wrapping(proper)) and self._valued(node.fullname, found, hop):
            return
        stored = (is_function or is_accessor) and node.info and self._stored(node.info, node.name, hop, found)
        if stored or is_function:
            return
        trait = Trait.SERIALIZABLE if is_per_process(node.type) else Trait.PROCESS_SEND
        self._judged(
            node.type,
            trait,
            kind=wording.Kind.CLASS_ATTRIBUTE,
            name=name,
            hop=hop,
            found=found,
            variable=node.fullname,
        )

    def _default(self, function: str, ref: Ref, hop: Hop, found: Direct) -> None:
        form, _, target = ref.member.partition(" ")
        hop = Hop(function, ref.target, ref.place)
        if form == "variable":
            self.variable(target, hop, found, kind=wording.Kind.DEFAULT, shown=ref.target)
        elif form == "function":
            found.edges.append((target, hop))
        elif form == "class":
            info = self.symbol(target)
            if isinstance(info, n.TypeInfo) and info.fullname != "builtins.object":
                instance = fill_typevars(info)
                spoils = self.judge.conditional(instance, Trait.PROCESS_SEND)
                found.modules |= self.judge.modules
                if spoils:
                    leaves = [spoil.of(ref.target) for spoil in spoils]
                    kind, rule = wording.Kind.DEFAULT, spoils[0].rule
                    failure = of_global(kind, ref.target, info.name, "ProcessSend", leaves, rule=rule, hop=hop)
                    may_be_constant = ref.member in constants.DEFAULTS and "@" not in function
                    unless = f"{OF_DEFAULT}{function}({ref.target}" if may_be_constant else ""
                    found.failures.append(replace(failure, unless=unless))
        else:
            declared = self._parameter(function, ref.target)
            if declared is not None:
                self._judged(
                    declared, Trait.PROCESS_SEND, kind=wording.Kind.DEFAULT, name=ref.target, hop=hop, found=found
                )

    def _parameter(self, function: str, name: str) -> Type | None:
        node = syntax.function_of(self.symbol(function))
        if node is None or not isinstance(node.type, CallableType) or name not in node.type.arg_names:
            return None
        return node.type.arg_types[node.type.arg_names.index(name)]

    def _cached(self, ref: Ref, hop: Hop, found: Direct) -> None:
        """Add what a function that keeps its results would share with its callers: each process would have a cache of its own."""
        if CACHES.isdisjoint(ref.member.split(",")):
            return
        function = syntax.function_of(self.symbol(ref.target))
        declared = get_proper_type(function.type) if function is not None and function.type is not None else None
        if isinstance(declared, CallableType):
            self._judged(
                declared.ret_type,
                Trait.PROCESS_SEND,
                kind=wording.Kind.CACHED,
                name=short(ref.target),
                hop=hop,
                found=found,
            )

    def _decorated(self, ref: Ref, found: Direct) -> bool:
        if all(name in GENERIC or self.is_transparent(name) for name in ref.member.split(",")):
            return False
        node = syntax_decorator(self.symbol(ref.target))
        declared = node.var.type if node is not None else None
        if declared is None:
            found.provisional = True
            return True
        found.modules.add(self.split(ref.target)[0])
        name = ref.target.rpartition(".")[2]
        proper = get_proper_type(declared)
        if _is_wrapping(proper):
            self._descriptor(proper, ref, found)
            return False
        if self._is_shown(proper, found) and self._made(ref, found):
            return False
        if isinstance(proper, CallableType | Overloaded):
            found.failures.append(decorated(name, self.judge.name(declared)))
        else:
            spoils, _ = self.judged(declared, Trait.PROCESS_SEND, found)
            if spoils:
                spoils = tuple(spoil for spoil in spoils if not is_callable(spoil)) or spoils
                leaves = tuple(spoil.of(name) for spoil in spoils)
                finding = wording.Finding(wording.Kind.GLOBAL, name, self.judge.name(declared), "ProcessSend", leaves)
                found.failures.append(Failure(finding, spoils[0].rule))
            elif not is_spawnable(proper) and not is_host_function(proper):
                return False
        return True

    def _descriptor(self, declared: Type, ref: Ref, found: Direct) -> None:
        """Add what looking up an attribute runs that a subclass of `property`, `cached_property` and the like makes."""
        hop = Hop(ref.target, short(ref.target), ref.place)
        for info, _ in classes_of(declared):
            for name in DESCRIPTORS:
                self._reach(info, name, hop, found)

    def _is_shown(self, declared: Type, found: Direct) -> bool:
        """Return whether what decorators make is judged by their bodies: by its type where that is capsend's, or spoilt by more than callables."""
        if is_spawnable(declared) or is_host_function(declared):
            return False
        by_type = isinstance(declared, Instance) and not names.is_known(declared.type.fullname)
        return not by_type or all(map(is_callable, self.judged(declared, Trait.PROCESS_SEND, found)[0]))

    def _made(self, ref: Ref, found: Direct) -> bool:
        """Add what the decorators of a function make of it, if their bodies show it."""
        shape = self.shape(f"{ref.target}@")
        hop = Hop(ref.target, ref.target.rpartition(".")[2], ref.place)
        return shape is not None and Values(self, found).follow(shape, hop)

    def shape(self, fullname: str) -> Shape | None:
        """Return the value of a module-level variable, or the function that makes callables, as far as the syntax shows it."""
        module, local = self.split(fullname)
        if not module or self.is_in_image(module):
            return None
        self.modules.add(module)
        known = self.summary(module)
        return known.shapes.get(local) if known is not None else None

    def reach(self, info: n.TypeInfo, name: str, hop: Hop, found: Direct) -> None:
        """Add what reaching an attribute of an instance leads to."""
        self._reach(info, name, hop, found)

    def is_transparent(self, decorator: str) -> bool:
        """Return whether a decorator, by the name that `outline.decorators` gives it, returns the function it is given."""
        if decorator in TRANSPARENT:
            return True
        module, local = self.split(decorator.removesuffix("()"))
        known = self.summary(module) if module else None
        self.modules.add(module)
        return known is not None and local + decorator[len(decorator.removesuffix("()")) :] in known.identity


def _classes(table: n.SymbolTable, around: str) -> Iterator[n.TypeInfo]:
    for name, symbol in table.items():
        info = symbol.node
        if isinstance(info, n.TypeInfo) and info.fullname == f"{around}.{name}":
            yield info
            yield from _classes(info.names, info.fullname)


def _overriding(info: n.TypeInfo) -> Iterator[tuple[str, bool]]:
    """Yield the methods of a class that replace a base's, which whoever has an instance under the base's name may call.

    Each comes with whether the base is one of the library, which calls its methods by itself.
    """
    for place, cls in enumerate(
        info.mro[:-2]
    ):  # the last two: the one below `object` replaces nothing, nor does `object`
        if names.is_known(cls.module_name):
            continue
        for name, symbol in cls.names.items():
            if syntax.function_of(symbol.node) is None or symbol.plugin_generated or is_dunder(name):
                continue
            replaced = [base for base in info.mro[place + 1 :] if name in base.names]
            if replaced:
                yield name, any(names.is_known(base.module_name) for base in replaced)


def is_dunder(name: str) -> bool:
    """Return whether Python itself knows a name, such as `__len__`."""
    return name.startswith("__") and name.endswith("__")


def classes_of(declared: Type | None, *, of_self: n.TypeInfo | None = None) -> list[tuple[n.TypeInfo, bool]]:
    """Return the classes of the values of a type, each with whether such a value is the class itself.

    Args:
        declared: the type.
        of_self: the class that a method is called on, for a method that returns `Self`.
    """
    proper = get_proper_type(declared) if declared is not None else None
    if isinstance(proper, UnionType):
        return [found for item in proper.items for found in classes_of(item, of_self=of_self)]
    if isinstance(proper, TypeVarType):
        bounds = classes_of(proper.upper_bound)
        is_self = of_self is not None and any(bound in of_self.mro and bound.fullname != OBJECT for bound, _ in bounds)
        return [(of_self, False)] if is_self and of_self is not None else bounds
    if isinstance(proper, TypeType):
        return [(info, True) for info, _ in classes_of(proper.item, of_self=of_self)]
    if isinstance(proper, TupleType):
        proper = proper.partial_fallback
    if isinstance(proper, Instance) and proper.type.fullname in AWAITED and proper.args:
        return classes_of(proper.args[-1], of_self=of_self)
    return [(proper.type, False)] if isinstance(proper, Instance) else []


def is_sentinel(shape: Shape | None) -> bool:
    """Return whether a variable is bound once, to `object()`: it travels by its name."""
    return (
        shape is not None
        and shape.kind == shapes.CALL
        and len(shape.parts) == 1
        and (shape.parts[0].kind, shape.parts[0].name) == (shapes.NAME, shapes.SENTINEL)
    )


def _is_wrapping(proper: Type) -> bool:
    return isinstance(proper, Instance) and any(base.fullname in WRAPPING for base in proper.type.mro)


def syntax_decorator(node: n.SymbolNode | None) -> n.Decorator | None:
    """Return the decorator that a symbol is, or that wraps its overloaded implementation."""
    if isinstance(node, n.OverloadedFuncDef):
        node = node.impl
    return node if isinstance(node, n.Decorator) else None
