"""The hooks: a table from mypy's calls to checks. Every hook returns the type found by mypy, and never raises.

Most runs of mypy find few changes, and mypy asks for a hook at every call in a program: so the checks are imported only
when one is due.
"""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mypy import nodes as n
from mypy.errors import CompileError
from mypy.plugin import Plugin

from capsend_mypy import markers, names, overloads
from capsend_mypy.cache import Summaries
from capsend_mypy.config import Boundary, Configuration, ConfigurationError, load

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy.options import Options
    from mypy.plugin import (
        AnalyzeTypeContext,
        ClassDefContext,
        FunctionContext,
        MethodContext,
        MethodSigContext,
        ReportConfigContext,
    )
    from mypy.types import CallableType, Type

    from capsend_mypy.checks import Checks

    Ctx = FunctionContext | MethodContext
    Hook = Callable[[Ctx], Type]

SPAWN_METHODS: Final = frozenset(
    {
        "capsend.spawning._Spawn.__call__",
        "capsend.environment.Environment.spawn",
        "capsend.environment.Environment.execute",
        "capsend.environment.Environment.execute_async",
        "capsend.process.Process.spawn_linked",
        "capsend.group.ProcessGroup.spawn",
        "capsend.executor.Executor.submit",
    }
)
SUPERVISED_METHODS: Final = frozenset({"capsend.supervisor.Supervisor.spawn"})
STREAM_METHODS: Final = frozenset({"capsend.streams._Stream.__call__", "capsend.streams.Within.__call__"})
SPAWNABLE_METHODS: Final = frozenset({"capsend.spawning.Spawnable.spawn"})
METHODS: Final = {
    **dict.fromkeys(SPAWN_METHODS, "spawn"),
    **dict.fromkeys(SUPERVISED_METHODS, "supervise"),
    **dict.fromkeys(SPAWNABLE_METHODS, "spawn_decorated"),
    **dict.fromkeys(STREAM_METHODS, "stream_items"),
    "capsend.executor.Executor.map": "map_items",
}
"""{method: name of the `Checks` method for calls of it}."""
METHOD_NAMES: Final = frozenset(name.rpartition(".")[2] for name in METHODS) - {"__call__"}
CALL_METHODS: Final = frozenset(
    f"capsend.{owner}.{name}"
    for owner in ("mailbox.address.Address", "process.Actor")
    for name in ("call", "call_async")
)
SEND_METHODS: Final = frozenset(
    {
        *(
            f"capsend.{owner}.{name}"
            for owner in ("mailbox.address.Address", "process.Actor")
            for name in ("send", "send_async")
        ),
        "capsend.mailbox.address.Address.send_after",
    }
)
PROCESS_FUNCTIONS: Final = frozenset({"capsend.spawning.process", "capsend.process"})


class CapsendPlugin(Plugin):
    """Checks spawns, `@process`, bounds and impls, and keeps one summary per module in mypy's cache."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.configuration = _configuration(options)
        self.boundaries: dict[str, list[Boundary]] = {}
        for boundary in self.configuration.boundaries:
            self.boundaries.setdefault(boundary.name, []).append(boundary)
        tops = frozenset({"capsend", *(names.top(boundary.owner) for boundary in self.configuration.boundaries)})
        self.summaries = Summaries(options, tops, lambda: self.checks)
        data = self.configuration.data()
        self.data = {made: [*data, made] for made in (False, True)}
        self.asking: dict[str, bool] = {}
        self.silent: set[str] = set()
        """The methods without a hook: mypy asks for each of them again at every call."""
        self.plain: set[str] = set()
        """The names in annotations that ask for no trait: mypy asks at every annotation, about 100,000 times in a large program."""

    @functools.cached_property
    def checks(self) -> Checks:
        """The checks of this build."""
        from capsend_mypy.checks import Checks
        from capsend_mypy.modules import State

        state = State(self.options, packages=self.configuration.packages)
        return Checks(self.options, state, lambda: self._modules or {})

    @property
    def _is_checking(self) -> bool:
        return "checks" in self.__dict__

    # Summaries

    def get_additional_deps(self, file: n.MypyFile) -> list[tuple[int, str, int]]:
        """Forget the summary of a newly parsed file: in the daemon this call is the first sign of a change."""
        # Called for each parsed file, about imports that its syntax does not show. There are none.
        self.summaries.note(file)
        if self._is_checking:
            self.checks.forget(file.fullname)
        # The daemon keeps the plugin for its whole life, and what a name denotes may change with every edit.
        if self.summaries.daemon:
            self.asking.clear()
            self.silent.clear()
            self.plain.clear()
        return []

    def report_config_data(self, ctx: ReportConfigContext) -> Any:
        """Attach a module's summary just before mypy writes its cache; return the dependencies of the cached module."""
        if names.is_known(ctx.id):  # such a module never has a summary
            return self.data[False]
        # mypy calls this to compare the answer with the cached one. It is also the last moment for adding a symbol to
        # the module's table that is then written with it.
        if not ctx.is_check and self._modules is not None:
            # `_modules` is the table of the build, None before mypy sets it: mypy loads plugins before it makes a build.
            made = self.summaries.are_made(self._modules)
            if made and ctx.id in self._modules:
                self.summaries.attach(self._modules[ctx.id], self._modules)
            return self._data(ctx, made=made)
        return self._data(ctx, made=self.summaries.used)

    def _data(self, ctx: ReportConfigContext, *, made: bool) -> list[Any]:
        """Return the dependencies of a module. For a module with a stub they include the source next to the stub, which mypy does not watch."""
        beside = names.source_beside(ctx.path, ctx.id) if made and ctx.path.endswith(".pyi") else ""
        try:
            state = os.stat(beside) if beside else None
        except OSError:
            state = None
        return [*self.data[made], state.st_size, state.st_mtime_ns] if state is not None else self.data[made]

    def get_additional_indirect_deps(self, file: n.MypyFile) -> set[str]:
        """Finish a file before its tree is freed: run checks that had to wait, and make the summary if no cache was written."""
        # Called when a file is checked and its tree still complete, about modules on which the file depends beyond its
        # imports.
        if self._is_checking:
            self.checks.finish(file)
        if self._modules is not None:
            self.summaries.attach(file, self._modules)
        return self.checks.rested_on.pop(file.fullname, set()) if self._is_checking else set()

    # Calls

    def get_method_hook(self, fullname: str) -> Hook | None:
        """Check the callable, the arguments and the result of a spawn."""
        if fullname in self.silent:
            return None
        act = METHODS.get(self._defined(fullname))
        if act is not None:
            return self._hook(act, result=True)
        if fullname in SEND_METHODS:
            return self._hook("send")
        # The first plugin that returns a hook wins, and plugins after it are not asked: a hook is returned for exact names alone.
        hook = self._boundary_hook(fullname) or self._bound_hook(fullname)
        if hook is None:
            self.silent.add(fullname)
        return hook

    def _hook(self, act: str, *, result: bool = False) -> Hook:
        from capsend_mypy import checks

        return lambda ctx: self.checks.checked(ctx, getattr(checks, act), result=result)

    def _defined(self, fullname: str) -> str:
        """Return a method's name in the class that defines it: mypy asks by the class of the receiver, which may inherit a spawn."""
        owner, _, name = fullname.rpartition(".")
        if name not in METHOD_NAMES or fullname in METHODS or self._modules is None:
            return fullname
        symbol = self.lookup_fully_qualified(owner)
        info = symbol.node if symbol is not None else None
        if not isinstance(info, n.TypeInfo):
            return fullname
        definer = info.get_containing_type_info(name)
        return f"{definer.fullname}.{name}" if definer is not None else fullname

    def get_method_signature_hook(self, fullname: str) -> Callable[[MethodSigContext], CallableType] | None:
        """Remove the mailbox from the expected arguments of a spawn; accept lambdas with defaults, for which mypy infers no type."""
        if fullname in CALL_METHODS:
            from capsend_mypy import signatures

            return signatures.of_call
        defined = fullname if fullname in self.silent else self._defined(fullname)
        if defined not in METHODS:
            return None
        from capsend_mypy import signatures

        if defined in SPAWN_METHODS:
            return signatures.of_spawn
        if defined in SUPERVISED_METHODS:
            return signatures.of_supervised
        if defined in STREAM_METHODS:
            return signatures.of_stream
        return signatures.of_spawnable if fullname in SPAWNABLE_METHODS else None

    def get_function_hook(self, fullname: str) -> Hook | None:
        """Check functions decorated by `@process`, and calls of functions and classes whose type variables are bound to a trait."""
        if not self.boundaries and self.asking.get(fullname) is False and fullname not in PROCESS_FUNCTIONS:
            return None
        if fullname in PROCESS_FUNCTIONS:
            # mypy checks a decorator as a call, and asks for this hook.
            return self._hook("decorate")
        return self._boundary_hook(fullname) or self._bound_hook(fullname)

    def _boundary_hook(self, fullname: str) -> Hook | None:
        """Return the check of a call of another tool, found by its last name; the receiver's class is known only at the call."""
        named = self.boundaries.get(fullname.rpartition(".")[2]) if self.boundaries else None
        if named is None:
            return None
        from capsend_mypy import checks

        lookup = self.lookup_fully_qualified
        return lambda ctx: self.checks.checked(ctx, lambda c, check: checks.cross(c, check, fullname, named, lookup))

    def _bound_hook(self, fullname: str) -> Hook | None:
        known = self.asking.get(fullname)
        if known is None:
            known = self._asks(fullname)
        return self._hook("bound") if known else None

    def _asks(self, fullname: str) -> bool:
        known = False
        if self._may_ask and not names.is_known(fullname):
            symbol = self.lookup_fully_qualified(fullname)
            known = symbol is not None and markers.asks(symbol.node)
        self.asking[fullname] = known
        return known

    @property
    def _may_ask(self) -> bool:
        """Return whether the declarations known so far may name a trait: only once the module that defines the traits is loaded."""
        return self._modules is not None and names.TRAITS in self._modules

    # Classes and annotations

    def get_type_analyze_hook(self, fullname: str) -> Callable[[AnalyzeTypeContext], Type] | None:
        """Note where a generic class that asks for a trait is named; its arguments are judged once all types are known."""
        # Written out, and not by `_may_ask`: mypy asks this more often than all other hooks together.
        modules = self._modules
        if modules is None or names.TRAITS not in modules or fullname in self.plain:
            return None
        if names.is_known(fullname):
            self.plain.add(fullname)
            return None
        symbol = self.lookup_fully_qualified(fullname)
        info = symbol.node if symbol is not None else None
        if not isinstance(info, n.TypeInfo) or not any(markers.bound_of(variable) for variable in info.defn.type_vars):
            # A class whose order of bases is not computed yet may still get type variables.
            if isinstance(info, n.TypeInfo) and info.mro:
                self.plain.add(fullname)
            return None
        return lambda ctx: self.checks.name(ctx, info)

    def get_customize_class_mro_hook(self, fullname: str) -> Callable[[ClassDefContext], None] | None:
        """Remove the overloads of capsend's own calls."""
        # The only hook that is called before a class body is analysed: the names of its methods are not bound yet.
        return overloads.take_away if fullname in overloads.CLASSES else None

    def get_base_class_hook(self, fullname: str) -> Callable[[ClassDefContext], None] | None:
        """Note classes with a trait as their base: they promise to have it."""
        # Asked about each base of each class by its full name, before the MRO of the class is computed.
        if fullname not in names.MARKERS:
            return None
        trait = markers.trait_of({fullname})
        return (lambda ctx: self.checks.promise(ctx, trait)) if trait is not None else None

    def get_class_decorator_hook_2(self, fullname: str) -> Callable[[ClassDefContext], bool] | None:
        """Note the explicit impls of classes."""
        if names.top(fullname) != "capsend":
            return None
        from capsend_mypy import impls

        record, trait = impls.recorder(fullname), markers.trait_of({names.PROCESS_SEND})
        if record is None or trait is None or fullname.rpartition(".")[2] != impls.ASSERTED:
            return record

        def asserted(ctx: ClassDefContext) -> bool:
            self.checks.promise(ctx, trait)
            return record(ctx)

        return asserted


def _configuration(options: Options) -> Configuration:
    folder = Path(options.config_file).parent if options.config_file else Path()
    try:
        found = load(folder)
        return found if found != Configuration() else load(Path())
    except ConfigurationError as error:
        # The only exception that mypy prints as a message; for any other it prints a traceback.
        raise CompileError([f"pyproject.toml: error: {error}"], use_stdout=True) from None
