"""The consequences of each reference of a function: failures, and further functions and classes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from capsend_traits import Trait, table, wording
from mypy import nodes as n
from mypy.types import CallableType, Instance, Overloaded, Type, get_proper_type
from mypy.typevars import fill_typevars

from capsend_mypy import constants, mentions, names, outline, receivers, reflection, syntax, writes
from capsend_mypy.classes import is_wrapping
from capsend_mypy.failures import absent, decorated, elsewhere, foreign, of_global, opaque, shadowing, short, written
from capsend_mypy.marks import is_host_function, is_per_process, is_spawnable
from capsend_mypy.mentions import Ref
from capsend_mypy.solving import OF_DEFAULT, OF_GENERIC, OF_SUBCLASSES
from capsend_mypy.summary import Failure, Hop
from capsend_mypy.values import Follower, Values, is_callable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from capsend_mypy.classes import Classes
    from capsend_mypy.modules import Modules
    from capsend_mypy.paths import Paths
    from capsend_mypy.solving import Direct
    from capsend_mypy.variables import Variables

NAMED: Final = frozenset({mentions.FUNCTION, mentions.CLASS, mentions.VARIABLE, mentions.MODULE, mentions.SUBCLASS})
"""The kinds of references whose target is the full name of something in a module."""
SUBCLASSES: Final = "__subclasses__"
CACHES: Final = frozenset({"functools.cache", "functools.lru_cache", "functools.lru_cache()"})
GENERIC: Final = frozenset({"functools.singledispatch", "functools.singledispatchmethod"})
"""The decorators that make a generic function, whose implementations are among the function's references."""


class References:
    """Follows references.

    Args:
        modules: finds the object of a full name.
        paths: finds the classes of receivers.
        variables: judges variables.
        classes: follows classes.
        follower: follows the consequences of values.
    """

    def __init__(
        self, modules: Modules, paths: Paths, variables: Variables, classes: Classes, *, follower: Follower
    ) -> None:
        self.modules = modules
        self.paths = paths
        self.variables = variables
        self.classes = classes
        self.follower = follower

    def all(self, function: str, refs: Iterable[Ref], found: Direct) -> None:
        """Add the consequences of the references of a function; a lost write is not also reported as a read."""
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
        """Add the failure of an assignment to an attribute, unless a declaration allows it; return the reference of a read."""
        kind, _, name = ref.target.partition(" ")
        if kind == writes.MODULE:
            found.modules.add(name)
            # The type of the variable may be an alias, `PerProcess[...]`, which mypy keeps as such until it is asked for the proper type.
            node = self.modules.symbol(f"{name}.{ref.member}")
            owner, read = short(name), (f"{name}.{ref.member}", "")
        elif kind == writes.OF_FUNCTION:
            node, owner, read = None, short(name), (name, ref.member)
        else:
            info = self.paths.receiver(ref.target, found)[0]
            if info is None:
                return set()
            found.modules |= self.modules.modules_of(info)
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

    def follow(self, function: str, ref: Ref, found: Direct) -> bool:
        """Add the consequences of a reference; return whether it settles the whole function."""
        hop = Hop(function, (ref.member or ref.target).rpartition(".")[2], ref.place)
        if ref.kind in NAMED and self.modules.is_shadowing(ref.target, hop):
            found.failures.append(shadowing(names.top(ref.target), hop))
            return False
        match ref.kind:
            case mentions.FUNCTION | mentions.CLASS:
                found.edges.append((ref.target, hop))
            case mentions.VARIABLE:
                self.variables.variable(ref.target, hop, found)
            case mentions.MEMBER:
                self._member(ref, hop, found)
            case mentions.SUPER:
                info = self.modules.symbol(ref.target)
                # `super()` of the class that contains the call; a subclass may put another class between, see `Classes._cooperating`.
                for base in info.mro[1:] if isinstance(info, n.TypeInfo) else ():
                    if ref.member in base.names:
                        self.classes.reach(base, ref.member, hop, found)
                        break
            case mentions.MODULE:
                if names.is_absent(ref.target):
                    found.failures.append(absent(ref.target, hop))
                elif names.top(function) != ref.target and self.modules.is_installed(ref.target):
                    found.modules.add(ref.target)
                    found.failures.append(foreign(ref.target, hop))
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
                self.variables.hidden(ref.target, hop, found)
            case mentions.SUBCLASS:
                self.classes.subclassed(ref.target, hop, found)
            case mentions.OPAQUE:
                node = self.modules.symbol(function)
                found.failures.append(
                    opaque(self.modules.judge, function, node.type if isinstance(node, n.Var) else None)
                )
        return False

    def _member(self, ref: Ref, hop: Hop, found: Direct) -> None:
        if ref.target.startswith(receivers.IMPORTED):
            self._of_module(ref, hop, found)
            return
        for info, through_class in self.paths.receivers(ref.target, found):
            if ref.member == SUBCLASSES:
                found.failures.append(elsewhere(f"{info.name}.{SUBCLASSES}()", f"{OF_SUBCLASSES}{info.fullname}", hop))
            if not ref.member.endswith(reflection.BEGUN):
                self.classes.reach(info, ref.member, hop, found, through_class=through_class)
                continue
            found.modules |= self.modules.modules_of(info)
            for name in reflection.matching(info, ref.member):
                self.classes.reach(info, name, hop._replace(label=name), found, through_class=through_class)

    def _of_module(self, ref: Ref, hop: Hop, found: Direct) -> None:
        """Add the consequences of an attribute of a module named by `import_module`."""
        module, _, rest = ref.target.removeprefix(receivers.IMPORTED).partition("/")
        first, _, more = rest.partition("/")
        fullname = f"{module}.{first.removesuffix('()') or ref.member}"
        node = self.modules.symbol(fullname)
        target = outline.target_of(node, fullname) if node is not None else None
        if target is not None:
            self.follow(hop.function, Ref(*target, "", ref.place), found)
        if first:
            kind = "V" if isinstance(node, n.Var) else "F" if syntax.function_of(node) is not None else "T"
            path = f"{kind} {fullname}" + (f"/{more}" if more else "")
            self._member(Ref(mentions.MEMBER, path, ref.member, ref.place), hop, found)

    def _default(self, function: str, ref: Ref, hop: Hop, found: Direct) -> None:
        form, _, target = ref.member.partition(" ")
        hop = Hop(function, ref.target, ref.place)
        if form == "variable":
            self.variables.variable(target, hop, found, kind=wording.Kind.DEFAULT, shown=ref.target)
        elif form == "function":
            found.edges.append((target, hop))
        elif form == "class":
            info = self.modules.symbol(target)
            if isinstance(info, n.TypeInfo) and info.fullname != "builtins.object":
                instance = fill_typevars(info)
                spoils = self.modules.judge.conditional(instance, Trait.PROCESS_SEND)
                found.modules |= self.modules.judge.modules
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
                self.variables.typed(
                    declared, Trait.PROCESS_SEND, kind=wording.Kind.DEFAULT, name=ref.target, hop=hop, found=found
                )

    def _parameter(self, function: str, name: str) -> Type | None:
        node = syntax.function_of(self.modules.symbol(function))
        if node is None or not isinstance(node.type, CallableType) or name not in node.type.arg_names:
            return None
        return node.type.arg_types[node.type.arg_names.index(name)]

    def _cached(self, ref: Ref, hop: Hop, found: Direct) -> None:
        """Add the results that a caching function would share with its callers: each process would have a separate cache."""
        if CACHES.isdisjoint(ref.member.split(",")):
            return
        # The function in the decorator keeps its declared type; that of the decorator's `Var` is `_lru_cache_wrapper[...]`.
        function = syntax.function_of(self.modules.symbol(ref.target))
        declared = get_proper_type(function.type) if function is not None and function.type is not None else None
        if isinstance(declared, CallableType):
            self.variables.typed(
                declared.ret_type,
                Trait.PROCESS_SEND,
                kind=wording.Kind.CACHED,
                name=short(ref.target),
                hop=hop,
                found=found,
            )

    def _decorated(self, ref: Ref, found: Direct) -> bool:
        if all(name in GENERIC or self.modules.is_transparent(name) for name in ref.member.split(",")):
            return False
        node = _decorator_of(self.modules.symbol(ref.target))
        # mypy fills in the type when it checks the decorator, which may be after a module of the same import cycle asks.
        declared = node.var.type if node is not None else None
        if declared is None:
            found.provisional = True
            return True
        found.modules.add(self.modules.split(ref.target)[0])
        name = ref.target.rpartition(".")[2]
        proper = get_proper_type(declared)
        if is_wrapping(proper):
            self.classes.descriptor(proper, ref, found)
            return False
        if self._is_shown(proper, found) and self._by_body(ref, found):
            return False
        if isinstance(proper, CallableType | Overloaded):
            found.failures.append(decorated(name, self.modules.judge.name(declared)))
        else:
            spoils, _ = self.modules.judged(declared, Trait.PROCESS_SEND, found)
            if spoils:
                spoils = tuple(spoil for spoil in spoils if not is_callable(spoil)) or spoils
                leaves = tuple(spoil.of(name) for spoil in spoils)
                finding = wording.Finding(
                    wording.Kind.GLOBAL, name, self.modules.judge.name(declared), "ProcessSend", leaves
                )
                found.failures.append(Failure(finding, spoils[0].rule))
            elif not is_spawnable(proper) and not is_host_function(proper):
                return False
        return True

    def _is_shown(self, declared: Type, found: Direct) -> bool:
        """Return whether the result of decorators is judged by the decorators' bodies.

        It is judged by its type if that is capsend's, or spoilt by more than callables.
        """
        if is_spawnable(declared) or is_host_function(declared):
            return False
        by_type = isinstance(declared, Instance) and not names.is_known(declared.type.fullname)
        return not by_type or all(map(is_callable, self.modules.judged(declared, Trait.PROCESS_SEND, found)[0]))

    def _by_body(self, ref: Ref, found: Direct) -> bool:
        """Add the consequences of the function made by decorators, if their bodies show it."""
        shape = self.modules.shape(f"{ref.target}@")
        hop = Hop(ref.target, ref.target.rpartition(".")[2], ref.place)
        return shape is not None and Values(self.follower, found).follow(shape, hop)


def _decorator_of(node: n.SymbolNode | None) -> n.Decorator | None:
    """Return the decorator that a symbol is, or the one around its overloaded implementation."""
    if isinstance(node, n.OverloadedFuncDef):
        node = node.impl
    return node if isinstance(node, n.Decorator) else None
