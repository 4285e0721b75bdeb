"""The hooks: which of mypy's calls lead to which check. Every hook gives back what mypy found, and never raises."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from capsend_traits import Trait
from mypy import nodes as n
from mypy.errors import CompileError
from mypy.messages import MessageBuilder
from mypy.plugin import (
    AnalyzeTypeContext,
    ClassDefContext,
    FunctionContext,
    FunctionSigContext,
    MethodContext,
    MethodSigContext,
    Plugin,
    ReportConfigContext,
)
from mypy.types import AnyType, CallableType, Instance, Type, TypeOfAny, get_proper_type

from capsend_mypy import bounds, calls, constants, impls, mailboxes, names, outline, summary, supervised
from capsend_mypy.config import Boundary, Configuration, ConfigurationError, load
from capsend_mypy.program import Program, State, is_spawnable, is_wasm_function
from capsend_mypy.reporting import Reporter, forget
from capsend_mypy.spawning import Check, item_type

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy.errors import ErrorInfo
    from mypy.options import Options

    from capsend_mypy.summary import Failure

    Ctx = FunctionContext | MethodContext
    Hook = Callable[[Ctx], Type]

SPAWN_METHODS: Final = frozenset(
    {
        "capsend.process._Spawn.__call__",
        "capsend.environment.Environment.spawn",
        "capsend.environment.Environment.execute",
        "capsend.environment.Environment.execute_async",
        "capsend.process.Environment.spawn",
        "capsend.process.Process.spawn_linked",
        "capsend.group.ProcessGroup.spawn",
        "capsend.executor.Executor.submit",
    }
)
SUPERVISED_METHODS: Final = frozenset({"capsend.supervisor.Supervisor.spawn"})
MAP_METHODS: Final = frozenset({"capsend.executor.Executor.map"})
CALL_METHODS: Final = frozenset(
    f"capsend.{owner}.{name}" for owner in ("mailbox.Address", "process.Actor") for name in ("call", "call_async")
)
SEND_METHODS: Final = frozenset(
    {
        *(
            f"capsend.{owner}.{name}"
            for owner in ("mailbox.Address", "process.Actor")
            for name in ("send", "send_async")
        ),
        "capsend.mailbox.Address.send_after",
    }
)
SPAWNABLE_METHODS: Final = frozenset({"capsend.process.Spawnable.spawn"})
METHOD_NAMES: Final = frozenset(
    name.rpartition(".")[2] for name in SPAWN_METHODS | SUPERVISED_METHODS | MAP_METHODS | SPAWNABLE_METHODS
) - {"__call__"}
PROCESS_FUNCTIONS: Final = frozenset({"capsend.process.process", "capsend.process"})
COROUTINES: Final = frozenset({"typing.Coroutine", "typing.Awaitable", "types.CoroutineType"})


class LateChecker(NamedTuple):
    """What a reporter needs of mypy's checker, for checks that run when a file is done."""

    msg: MessageBuilder
    tree: n.MypyFile


class CapsendPlugin(Plugin):
    """Checks spawns, `@process`, bounds and impls, and keeps one summary per module in mypy's cache."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.configuration = _configuration(options)
        self.state = State(options, packages=self.configuration.packages)
        self.boundaries: dict[str, list[Boundary]] = {}
        for boundary in self.configuration.boundaries:
            self.boundaries.setdefault(boundary.name, []).append(boundary)
        self.pending: dict[str, list[tuple[Callable[[Ctx, Check], None], Ctx]]] = {}
        self.rested_on: dict[str, set[str]] = {}
        self.named: dict[str, list[bounds.Written]] = {}
        self.asserted: dict[str, dict[str, tuple[n.ClassDef, Trait, Any]]] = {}
        self.asking: dict[str, bool] = {}
        self.looked: dict[n.Context, list[ErrorInfo]] = {}
        """What was reported of calls within lambdas, for as long as their file is checked."""
        self.silent: set[str] = set()
        """The methods that no hook is for: mypy asks for each of them again at every call."""
        self.methods: dict[str, Callable[[Ctx, Check], None]] = {
            **dict.fromkeys(SPAWN_METHODS, self._spawn),
            **dict.fromkeys(MAP_METHODS, self._map),
            **dict.fromkeys(SPAWNABLE_METHODS, self._spawnable),
            **dict.fromkeys(SUPERVISED_METHODS, self._supervised),
        }

    # Summaries

    def get_additional_deps(self, file: n.MypyFile) -> list[tuple[int, str, int]]:
        """Forget the summary of a file that was parsed anew: this is the daemon's first word of a change."""
        for kept in (self.state.summaries, self.named, self.asserted, self.state.sources.known):
            kept.pop(file.fullname, None)
        if self.state.daemon:
            self.asking.clear()
            self.silent.clear()
        return []

    def report_config_data(self, ctx: ReportConfigContext) -> Any:
        """Attach a module's summary at the last moment before mypy writes its cache."""
        if not ctx.is_check and self._modules is not None and ctx.id in self._modules:
            self._attach(self._modules[ctx.id])
        return self.configuration.data()

    def get_additional_indirect_deps(self, file: n.MypyFile) -> set[str]:
        """Finish a file before its tree is freed: checks that had to wait, and the summary if no cache was written."""
        self.looked.clear()
        self._run_pending(file)
        self._run_late(file)
        if self._modules is not None:
            self._attach(file)
        return self.rested_on.pop(file.fullname, set())

    def _attach(self, file: n.MypyFile) -> None:
        if (
            self._modules is None
            or file.is_stub
            or file.is_cache_skeleton
            or not file.defs
            or names.is_known(file.fullname)
            or self._is_idle()
        ):
            return
        if summary.SYMBOL in file.names and not self.state.daemon:
            return
        try:
            self._attach_summary(file)
        except Exception:  # noqa: BLE001 - a crash here would take mypy down; without its summary a module's functions count as unseen
            summary.attach(file, self._modules, '{"unseen":true,"version":1}')

    def _is_idle(self) -> bool:
        """Return whether nobody will ask for a summary: no module of this build can spawn, and no cache carries it to a later one."""
        kept = self.options.incremental and self.options.cache_dir != os.devnull
        return not (kept or self.state.daemon or self.boundaries) and "capsend" not in (self._modules or ())

    def _attach_summary(self, file: n.MypyFile) -> None:
        assert self._modules is not None
        program = Program(self.state, self._modules)
        own = program.summary(file.fullname)
        if own is None:
            return
        own.tables = constants.digest(file, own)
        if self.state.daemon:
            text = summary.encode_refs(file, own)
        else:
            verdicts: dict[str, tuple[Failure, ...]] = {}
            if not own.unseen:
                for local, refs in own.refs.items():
                    if refs:
                        verdicts[local] = program.open_failures(f"{file.fullname}.{local}")
            text = summary.encode_verdicts(own, verdicts)
            if not program.provisional:
                # The verdicts are kept; so many small objects would cost a whole collection of mypy's heap.
                own.refs, own.verdicts = {}, verdicts
        summary.attach(file, self._modules, text)
        self.rested_on.setdefault(file.fullname, set()).update(
            module for module in program.modules if module in self._modules
        )

    # Hooks

    def get_method_hook(self, fullname: str) -> Hook | None:
        """Check the callable, the arguments and the result of a spawn."""
        if fullname in self.silent:
            return None
        act = self.methods.get(self._defined(fullname))
        if act is not None:
            return lambda ctx: self._checked(ctx, act, result=True)
        if fullname in SEND_METHODS:
            return lambda ctx: self._checked(ctx, _sent)
        hook = self._boundary_hook(fullname) or self._bound_hook(fullname)
        if hook is None:
            self.silent.add(fullname)
        return hook

    def _defined(self, fullname: str) -> str:
        """Return the name of a method where it was defined: mypy asks by the class of the receiver, which may inherit a spawn."""
        owner, _, name = fullname.rpartition(".")
        if name not in METHOD_NAMES or fullname in self.methods or self._modules is None:
            return fullname
        symbol = self.lookup_fully_qualified(owner)
        info = symbol.node if symbol is not None else None
        if not isinstance(info, n.TypeInfo):
            return fullname
        definer = info.get_containing_type_info(name)
        return f"{definer.fullname}.{name}" if definer is not None else fullname

    def get_method_signature_hook(self, fullname: str) -> Callable[[MethodSigContext], CallableType] | None:
        """Take the mailbox out of what a spawn expects; let a lambda with defaults be spawned, for which mypy cannot infer a type."""
        if fullname in CALL_METHODS:
            return _call_signature
        if fullname in self.silent:
            return None
        defined = self._defined(fullname)
        if defined in SPAWN_METHODS:
            return _spawn_signature
        if defined in SUPERVISED_METHODS:
            return _supervised_signature
        return _spawnable_signature if fullname in SPAWNABLE_METHODS else None

    def get_function_hook(self, fullname: str) -> Hook | None:
        """Check what `@process` decorates, and calls of functions and classes whose type variables are bound to a trait."""
        if fullname in PROCESS_FUNCTIONS:
            return lambda ctx: self._checked(ctx, self._process)
        return self._boundary_hook(fullname) or self._bound_hook(fullname)

    def _boundary_hook(self, fullname: str) -> Hook | None:
        """Return the check of a call of another tool, found by its last name; which class it is called on is known at the call."""
        named = self.boundaries.get(fullname.rpartition(".")[2]) if self.boundaries else None
        if named is None:
            return None
        return lambda ctx: self._checked(ctx, lambda inner, check: self._boundary(inner, check, fullname, named))

    def _boundary(self, ctx: Ctx, check: Check, fullname: str, named: list[Boundary]) -> None:
        for boundary in named:
            owner = self.lookup_fully_qualified(boundary.owner)
            info = owner.node if owner is not None else None
            if isinstance(info, n.TypeInfo):
                receiver = get_proper_type(ctx.type) if isinstance(ctx, MethodContext) else None
                applies = isinstance(receiver, Instance) and info in receiver.type.mro
            else:
                meant = self.lookup_fully_qualified(f"{boundary.owner}.{boundary.name}")
                applies = meant is not None and meant.node is not None and meant.node.fullname == fullname
            if applies:
                self._cross(ctx, check, boundary)
                return

    def _cross(self, ctx: Ctx, check: Check, boundary: Boundary) -> None:
        """Check the callable and the arguments of another tool's call."""
        check.transport = boundary.transport
        for index, (values, types, formal) in enumerate(
            zip(ctx.args, ctx.arg_types, ctx.callee_arg_names, strict=True)
        ):
            takes_callable = formal == boundary.parameter if boundary.parameter else index == 0
            for position, (value, judged, kind) in enumerate(zip(values, types, ctx.arg_kinds[index], strict=True)):
                if takes_callable:
                    check.callable(value)
                else:
                    name = ctx.arg_names[index][position] or formal or f"args[{position}]"
                    check.argument(value, judged, name=name, spread=kind.is_star())

    def _bound_hook(self, fullname: str) -> Hook | None:
        known = self.asking.get(fullname)
        if known is None:
            known = self._asks(fullname)
        return (lambda ctx: self._checked(ctx, _bound)) if known else None

    def _asks(self, fullname: str) -> bool:
        known = False
        if not names.is_known(fullname) and self._modules is not None:
            symbol = self.lookup_fully_qualified(fullname)
            known = symbol is not None and bounds.asks(symbol.node)
        self.asking[fullname] = known
        return known

    def get_type_analyze_hook(self, fullname: str) -> Callable[[AnalyzeTypeContext], Type] | None:
        """Note where a generic class that asks for a trait is named, to judge its arguments when all types are known."""
        if names.is_known(fullname) or self._modules is None:
            return None
        symbol = self.lookup_fully_qualified(fullname)
        info = symbol.node if symbol is not None else None
        if not isinstance(info, n.TypeInfo) or not any(bounds.bound_of(variable) for variable in info.defn.type_vars):
            return None
        return lambda ctx: self._named(ctx, info)

    def _named(self, ctx: AnalyzeTypeContext, info: n.TypeInfo) -> Type:
        analyser: Any = ctx.api
        found: Type = analyser.analyze_type_with_type_info(info, ctx.type.args, ctx.context, ctx.type.empty_tuple_index)
        module = getattr(analyser.api, "cur_mod_id", "")
        if isinstance(found, Instance) and ctx.type.args:
            self.named.setdefault(module, []).append(bounds.Written(found, ctx.context, analyser.api.errors))
        return found

    def get_base_class_hook(self, fullname: str) -> Callable[[ClassDefContext], None] | None:
        """Note classes that name a trait as their base: they promise to have it."""
        trait = {names.PROCESS_SEND: Trait.PROCESS_SEND, names.SERIALIZABLE: Trait.SERIALIZABLE}.get(fullname)
        return (lambda ctx: self._assert(ctx, trait)) if trait is not None else None

    def _assert(self, ctx: ClassDefContext, trait: Trait) -> None:
        semantic: Any = ctx.api
        self.asserted.setdefault(semantic.cur_mod_id, {})[ctx.cls.fullname] = ctx.cls, trait, semantic.errors

    def get_class_decorator_hook_2(self, fullname: str) -> Callable[[ClassDefContext], bool] | None:
        """Note the explicit impls of classes."""
        record = impls.recorder(fullname)
        if record is None or fullname.rpartition(".")[2] != impls.ASSERTED:
            return record

        def asserted(ctx: ClassDefContext) -> bool:
            self._assert(ctx, Trait.PROCESS_SEND)
            return record(ctx)

        return asserted

    # Checks

    def _checked(self, ctx: Ctx, act: Callable[[Ctx, Check], None], *, result: bool = False) -> Type:
        checker: Any = ctx.api
        # capsend's own calls hand on what its callers were checked for.
        if not checker.current_node_deferred and names.top(checker.tree.fullname) != "capsend":
            self._look(ctx, act)
        return awaited(ctx.default_return_type) if result else ctx.default_return_type

    def _look(self, ctx: Ctx, act: Callable[[Ctx, Check], None]) -> None:
        """Check a call; of one within a lambda mypy's last look counts, the first know no types of the lambda's parameters."""
        checker: Any = ctx.api
        if not checker.expr_checker.in_lambda_expr:
            self._run(ctx, act)
            return
        forget(checker.msg, self.looked.pop(ctx.context, ()))
        found = self._run(ctx, act)
        if found:
            self.looked[ctx.context] = found

    def _run(self, ctx: Ctx, act: Callable[[Ctx, Check], None], *, late: bool = False) -> list[ErrorInfo]:
        checker: Any = ctx.api
        program = Program(self.state, checker.modules)
        reporter = Reporter(checker, program, ctx.context)
        check = Check(checker, program, reporter, ctx.context)
        try:
            act(ctx, check)
        except Exception as error:  # noqa: BLE001 - a hook that raises takes mypy down with all its messages
            reporter.unexpected(error)
        self._note_dependencies(checker, program)
        if (program.provisional or program.judge.provisional) and not late:
            self.pending.setdefault(checker.tree.fullname, []).append((act, ctx))
        return reporter.reported

    def _run_pending(self, file: n.MypyFile) -> None:
        for act, ctx in self.pending.pop(file.fullname, ()):
            checker: Any = ctx.api
            checker.msg.errors.set_file(checker.path, file.fullname, scope=None, options=checker.options)
            self._run(ctx, act, late=True)

    def _run_late(self, file: n.MypyFile) -> None:
        """Judge what needs all types of the file: the arguments of generic classes it names, and the traits its classes assert."""
        for written in bounds.written_types(self.named.pop(file.fullname, ())):
            late = self._late(file, written.errors, written.place)
            enforced = bounds.Bounds(late.program, late)
            self._guard(late, functools.partial(enforced.arguments, written.type, written.place))
        for definition, trait, errors in self.asserted.pop(file.fullname, {}).values():
            if not definition.info.is_protocol:
                late = self._late(file, errors, definition)
                self._guard(late, functools.partial(impls.check, definition, late.program, late, trait=trait))

    def _late(self, file: n.MypyFile, errors: Any, origin: n.Context) -> Reporter:
        assert self._modules is not None
        if errors.target_module != file.fullname:
            errors.set_file(file.path, file.fullname, options=self.options.clone_for_module(file.fullname), scope=None)
        program = Program(self.state, self._modules)
        return Reporter(LateChecker(MessageBuilder(errors, self._modules), file), program, origin)

    def _guard(self, late: Reporter, act: Callable[[], None]) -> None:
        try:
            act()
        except Exception as error:  # noqa: BLE001 - see _run
            late.unexpected(error)
        self.rested_on.setdefault(late.checker.tree.fullname, set()).update(late.program.modules & self.modules)

    @property
    def modules(self) -> set[str]:
        """The names of the modules of the build."""
        return set(self._modules or ())

    def _note_dependencies(self, checker: Any, program: Program) -> None:
        """Tell mypy which modules the answer rests on: its caches by module, its daemon by the symbol that holds a summary."""
        modules = {module for module in program.modules | program.judge.modules if module in checker.modules}
        checker.module_refs.update(modules - {checker.tree.fullname})
        if self.state.daemon:
            target = checker.tscope.current_full_target()
            for module in modules | {checker.tree.fullname}:
                checker.tree.plugin_deps.setdefault(f"<{module}.{summary.SYMBOL}>", set()).add(target)

    def _spawn(self, ctx: Ctx, check: Check) -> None:
        if not ctx.args or not ctx.args[0]:
            return
        spawned = ctx.args[0][0]
        check.callable(spawned)
        self._given(ctx, check)
        if not is_spawnable(ctx.arg_types[0][0]):
            self._result(ctx, check, spawned)

    def _given(self, ctx: Ctx, check: Check, *, own: frozenset[str] = frozenset()) -> None:
        """Check what a spawned function is given: its arguments, and its messages where they were not checked before."""
        judged = ctx.arg_types[0][0]
        message = mailboxes.taken(judged)
        known = parameter_names(judged)
        if message is not None and not is_spawnable(judged):
            check.messages(message, ctx.args[0][0], next(iter(known), None) or "args[0]")
        self._arguments(ctx, check, known if message is None else known[1:], start=1, own=own)

    def _supervised(self, ctx: Ctx, check: Check) -> None:
        if ctx.args and ctx.args[0]:
            check.callable(ctx.args[0][0])
            self._given(ctx, check, own=supervised.OWN_KEYWORDS)
            judged = ctx.arg_types[0][0]
            result = None if is_spawnable(judged) else supervised.result_of(judged)
            if result is not None:
                check.result(awaited_result(result), ctx.args[0][0], "the result")

    def _map(self, ctx: Ctx, check: Check) -> None:
        if not ctx.args or not ctx.args[0]:
            return
        check.callable(ctx.args[0][0])
        for values, types in zip(ctx.args[1:2], ctx.arg_types[1:2], strict=True):
            for value, judged in zip(values, types, strict=True):
                item = item_type(judged)
                if isinstance(get_proper_type(item), AnyType):
                    item = item_type(check.without_context(value))
                if item is not None:
                    check.argument(value, item, name="items", spread=True)
        self._result(ctx, check, ctx.args[0][0])

    def _spawnable(self, ctx: Ctx, check: Check) -> None:
        called = ctx.type if isinstance(ctx, MethodContext) else None
        known = parameter_names(called) if called is not None else []
        self._arguments(ctx, check, known if mailboxes.taken(called) is None else known[1:], start=0)

    @staticmethod
    def _arguments(
        ctx: Ctx, check: Check, known: list[str | None], *, start: int, own: frozenset[str] = frozenset()
    ) -> None:
        given = [
            argument
            for formal, *columns in zip(
                ctx.callee_arg_names, ctx.args, ctx.arg_types, ctx.arg_kinds, ctx.arg_names, strict=True
            )
            if formal not in own
            for argument in zip(*columns, strict=True)
        ][start:]
        position = 0
        for value, judged, kind, keyword in given:
            name = keyword or (known[position] if position < len(known) else None) or f"args[{position}]"
            position += keyword is None
            check.argument(value, judged, name=name, spread=kind.is_star())

    def _result(self, ctx: Ctx, check: Check, spawned: n.Expression) -> None:
        returned = get_proper_type(awaited(ctx.default_return_type))
        if isinstance(returned, Instance) and returned.args:
            check.result(returned.args[-1], spawned, "the result")

    def _process(self, ctx: Ctx, check: Check) -> None:
        node = ctx.context
        if not isinstance(node, n.Decorator):
            if ctx.args and ctx.args[0]:
                check.callable(ctx.args[0][0])
            return
        function = node.func
        local = not check.program.symbol(function.fullname or "")
        if local:
            check.function(function, function.name)
        else:
            check.trail.append(function.name)
            check.refs(outline.refs_of(function, check.module), node)
        declared = function.type
        message = mailboxes.taken(declared)
        if message is not None:
            first = function.arguments[0]
            check.messages(message, first, first.variable.name)
        if isinstance(declared, CallableType):
            check.result(awaited_result(declared.ret_type), function, "the result")


def parameter_names(spawned: Type) -> list[str | None]:
    """Return the names of a callable's positional parameters, as far as its type has them."""
    found = mailboxes.parameters(spawned)
    if found is None:
        return []
    return [name for name, kind in zip(found.arg_names, found.arg_kinds, strict=True) if kind.is_positional()]


def _bound(ctx: Ctx, check: Check) -> None:
    if isinstance(ctx.context, n.CallExpr):
        enforced = bounds.Bounds(check.program, check.reporter)
        enforced.call(ctx.context, ctx.default_return_type, ctx.args, ctx.arg_types, check.checker)


def _configuration(options: Options) -> Configuration:
    folder = Path(options.config_file).parent if options.config_file else Path()
    try:
        found = load(folder)
        return found if found != Configuration() else load(Path())
    except ConfigurationError as error:
        raise CompileError([f"pyproject.toml: error: {error}"], use_stdout=True) from None


def awaited(returned: Type) -> Type:
    """Return `Process[R]` or `Actor[M, R]` with the result of a coroutine in the place of the coroutine."""
    proper = get_proper_type(returned)
    if not isinstance(proper, Instance) or not proper.args:
        return returned
    inner = awaited_result(proper.args[-1])
    return returned if inner is proper.args[-1] else proper.copy_modified(args=[*proper.args[:-1], inner])


def awaited_result(declared: Type) -> Type:
    """Return what a coroutine gives when it is awaited; any other type as it is."""
    proper = get_proper_type(declared)
    if isinstance(proper, Instance) and proper.type.fullname in COROUTINES and proper.args:
        return proper.args[-1]
    return declared


def _spawn_signature(ctx: MethodSigContext) -> CallableType:
    spawned = mailboxes.type_of_spawned(ctx)
    checker: Any = ctx.api
    if spawned is not None and is_wasm_function(spawned):
        return mailboxes.of_wasm_function(ctx.default_signature, checker)
    if spawned is None or mailboxes.taken(spawned) is None:
        return _loose_signature(ctx)
    return mailboxes.of_function(ctx.default_signature, spawned, checker.modules)


def _supervised_signature(ctx: MethodSigContext) -> CallableType:
    spawned = mailboxes.type_of_spawned(ctx)
    return ctx.default_signature if spawned is None else supervised.of_child(ctx.default_signature, spawned)


def _sent(ctx: Ctx, check: Check) -> None:
    for formal, values, types in zip(ctx.callee_arg_names, ctx.args, ctx.arg_types, strict=True):
        if formal == "value" and values:
            check.sent(values[0], types[0])


def _call_signature(ctx: MethodSigContext) -> CallableType:
    try:
        return calls.signature(ctx)
    except Exception:  # noqa: BLE001 - without it, mypy infers what it can
        return ctx.default_signature


def _spawnable_signature(ctx: MethodSigContext) -> CallableType:
    checker: Any = ctx.api
    return mailboxes.of_spawnable(ctx.default_signature, checker.modules)


def _loose_signature(ctx: MethodSigContext | FunctionSigContext) -> CallableType:
    signature = ctx.default_signature
    if not ctx.args or not ctx.args[0]:
        return signature
    spawned = ctx.args[0][0]
    if not isinstance(spawned, n.LambdaExpr) or not any(argument.initializer for argument in spawned.arguments):
        return signature
    expected = get_proper_type(signature.arg_types[0])
    if not isinstance(expected, CallableType):
        return signature
    anything = AnyType(TypeOfAny.special_form)
    loose = expected.copy_modified(
        arg_types=[anything, anything],
        arg_kinds=[n.ARG_STAR, n.ARG_STAR2],
        arg_names=[None, None],
        is_ellipsis_args=True,
    )
    return signature.copy_modified(arg_types=[loose, *(anything for _ in signature.arg_types[1:])])
