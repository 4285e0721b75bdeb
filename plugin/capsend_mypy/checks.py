"""The checks behind the hooks: of calls, of classes that promise a trait, and of annotations that name a bound."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, NamedTuple

from mypy import nodes as n
from mypy.messages import MessageBuilder
from mypy.plugin import MethodContext
from mypy.types import AnyType, CallableType, Instance, Type, get_proper_type

from capsend_mypy import bounds, impls, mailboxes, names, outline, summary, supervised
from capsend_mypy.expressions import item_type
from capsend_mypy.marks import is_spawnable
from capsend_mypy.program import Program
from capsend_mypy.reporting import Reporter, forget
from capsend_mypy.signatures import awaited, awaited_result, parameter_names
from capsend_mypy.site import Site
from capsend_mypy.spawning import Check

if TYPE_CHECKING:
    from collections.abc import Callable

    from capsend_traits import Trait
    from mypy.errors import ErrorInfo
    from mypy.options import Options
    from mypy.plugin import AnalyzeTypeContext, ClassDefContext, FunctionContext

    from capsend_mypy.config import Boundary
    from capsend_mypy.modules import State

    Ctx = FunctionContext | MethodContext
    Lookup = Callable[[str], n.SymbolTableNode | None]


class LateChecker(NamedTuple):
    """The part of mypy's checker that a reporter needs for checks at the end of a file."""

    msg: MessageBuilder
    tree: n.MypyFile


class Checks:
    """Runs the checks of one build.

    Attributes:
        state: the state that all checks share.
        rested_on: {module: the modules on which its late checks and its summary depend}, until mypy asks for them.
    """

    def __init__(self, options: Options, state: State, modules: Callable[[], dict[str, n.MypyFile]]) -> None:
        self.options = options
        self.state = state
        self.modules = modules
        self.rested_on: dict[str, set[str]] = {}
        self.pending: dict[str, list[tuple[Callable[[Ctx, Check], None], Ctx]]] = {}
        self.named: dict[str, list[bounds.Written]] = {}
        self.asserted: dict[str, dict[str, tuple[n.ClassDef, Trait, Any]]] = {}
        self.looked: dict[n.Context, list[ErrorInfo]] = {}
        """The reports about calls within lambdas, kept while their file is checked."""

    def forget(self, module: str) -> None:
        """Forget the summary of a module that was parsed anew."""
        for kept in (self.state.summaries, self.named, self.asserted):
            kept.pop(module, None)
        self.state.sources.forget(module)

    def finish(self, file: n.MypyFile) -> None:
        """Run the checks that had to wait for the end of a file."""
        self.looked.clear()
        self._run_pending(file)
        self._run_late(file)

    # Calls

    def checked(self, ctx: Ctx, act: Callable[[Ctx, Check], None], *, result: bool = False) -> Type:
        """Run the check of a call; return the call's type as found by mypy."""
        checker: Any = ctx.api
        # mypy checks deferred functions again, with more types; errors of the first pass would remain next to those of
        # the second. capsend's own calls forward values that were checked at their callers.
        if not checker.current_node_deferred and names.top(checker.tree.fullname) != "capsend":
            self._look(ctx, act)
        return awaited(ctx.default_return_type) if result else ctx.default_return_type

    def _look(self, ctx: Ctx, act: Callable[[Ctx, Check], None]) -> None:
        """Check a call.

        Within a lambda mypy's last pass counts; earlier passes lack the types of the lambda's parameters.
        """
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
        check = Check(Site(checker, program, reporter, ctx.context))
        try:
            act(ctx, check)
        except Exception as error:  # noqa: BLE001 - a hook that raises ends mypy together with all its messages
            reporter.unexpected(error)
        self._note_dependencies(checker, program)
        if (program.provisional or program.judge.provisional) and not late:
            self.pending.setdefault(checker.tree.fullname, []).append((act, ctx))
        return reporter.reported

    def _note_dependencies(self, checker: Any, program: Program) -> None:
        """Report to mypy the modules on which the answer depends: per module for its caches, per symbol of a summary for its daemon."""
        modules = {module for module in program.consulted | program.judge.modules if module in checker.modules}
        # mypy writes them into its cache together with the module's imports, and checks the module again when the
        # interface of one changes.
        checker.module_refs.update(modules - {checker.tree.fullname})
        if self.state.daemon:
            # The daemon rechecks functions, not modules: those that depend on a changed symbol. The summary's symbol is
            # that.
            target = checker.tscope.current_full_target()
            for module in modules | {checker.tree.fullname}:
                checker.tree.plugin_deps.setdefault(f"<{module}.{summary.SYMBOL}>", set()).add(target)

    def _run_pending(self, file: n.MypyFile) -> None:
        for act, ctx in self.pending.pop(file.fullname, ()):
            checker: Any = ctx.api
            # mypy is between two files: without this the errors would be reported in the file that it checked last.
            checker.msg.errors.set_file(checker.path, file.fullname, scope=None, options=checker.options)
            self._run(ctx, act, late=True)

    # Classes and annotations

    def promise(self, ctx: ClassDefContext, trait: Trait) -> None:
        """Note a class that promises a trait; it is judged once all types of its file are known."""
        # The context has neither module nor errors; the semantic analyser behind its `api` has both.
        semantic: Any = ctx.api
        self.asserted.setdefault(semantic.cur_mod_id, {})[ctx.cls.fullname] = ctx.cls, trait, semantic.errors

    def name(self, ctx: AnalyzeTypeContext, info: n.TypeInfo) -> Type:
        """Note where a generic class that asks for a trait is named.

        Returns:
            The type, as mypy would analyse it without the plugin.
        """
        analyser: Any = ctx.api
        # A plugin that answers this hook provides the type: mypy does no further analysis.
        found: Type = analyser.analyze_type_with_type_info(info, ctx.type.args, ctx.context, ctx.type.empty_tuple_index)
        # The `api` is the semantic analyser; for a type that is analysed late it is the checker, which does not name
        # the module.
        module = getattr(analyser.api, "cur_mod_id", "")
        if isinstance(found, Instance) and ctx.type.args:
            self.named.setdefault(module, []).append(bounds.Written(found, ctx.context, analyser.api.errors))
        return found

    def _run_late(self, file: n.MypyFile) -> None:
        """Judge the uses that need all types of the file: the arguments of named generic classes, and the traits that classes assert."""
        for written in bounds.written_types(self.named.pop(file.fullname, ())):
            # The `errors` object is that of the analyser that met the type: mypy has one per build, and no hook at the end has it.
            late, program = self._late(file, written.errors, written.place)
            enforced = bounds.Bounds(program, late)
            self._guard(late, program, functools.partial(enforced.arguments, written.type, written.place))
        for definition, trait, errors in self.asserted.pop(file.fullname, {}).values():
            if not definition.info.is_protocol:
                late, program = self._late(file, errors, definition)
                self._guard(late, program, functools.partial(impls.check, definition, program, late, trait=trait))

    def _late(self, file: n.MypyFile, errors: Any, origin: n.Context) -> tuple[Reporter, Program]:
        modules = self.modules()
        # mypy may have gone on to another file; it sorts errors by the file that is set.
        if errors.target_module != file.fullname:
            # With that module's options: a section of the configuration may silence its errors.
            errors.set_file(file.path, file.fullname, options=self.options.clone_for_module(file.fullname), scope=None)
        program = Program(self.state, modules)
        return Reporter(LateChecker(MessageBuilder(errors, modules), file), program, origin), program

    def _guard(self, late: Reporter, program: Program, act: Callable[[], None]) -> None:
        try:
            act()
        except Exception as error:  # noqa: BLE001 - see _run
            late.unexpected(error)
        self.rested_on.setdefault(late.checker.tree.fullname, set()).update(program.consulted & self.modules().keys())


# The acts


def spawn(ctx: Ctx, check: Check) -> None:
    """Check a spawn: the callable, its arguments, its result."""
    # mypy calls the hook even for a call without arguments, and reports that error itself.
    if not ctx.args or not ctx.args[0]:
        return
    spawned = ctx.args[0][0]
    check.callable(spawned)
    _given(ctx, check)
    if not is_spawnable(ctx.arg_types[0][0]):
        _result(ctx, check, spawned)


def supervise(ctx: Ctx, check: Check) -> None:
    """Check a child of a supervisor."""
    if ctx.args and ctx.args[0]:
        check.callable(ctx.args[0][0])
        _given(ctx, check, own=supervised.OWN_KEYWORDS)
        judged = ctx.arg_types[0][0]
        result = None if is_spawnable(judged) else supervised.result_of(judged)
        if result is not None:
            check.judged.result(awaited_result(result), ctx.args[0][0], "the result")


def stream_items(ctx: Ctx, check: Check) -> None:
    """Check a stream: the generator function, its arguments, its items."""
    if not ctx.args or not ctx.args[0]:
        return
    check.callable(ctx.args[0][0])
    _arguments(ctx, check, parameter_names(ctx.arg_types[0][0]), start=1)
    # The parameter specification of the generator function was solved with the call: only its result has the type of the items.
    made = get_proper_type(ctx.default_return_type)
    if isinstance(made, Instance) and made.args:
        check.judged.result(made.args[0], ctx.args[0][0], "the items")


def map_items(ctx: Ctx, check: Check) -> None:
    """Check `Executor.map`: the callable, the items, the result."""
    if not ctx.args or not ctx.args[0]:
        return
    check.callable(ctx.args[0][0])
    for values, types in zip(ctx.args[1:2], ctx.arg_types[1:2], strict=True):
        for value, judged in zip(values, types, strict=True):
            item = item_type(judged)
            if isinstance(get_proper_type(item), AnyType):
                item = item_type(check.site.without_context(value))
            if item is not None:
                check.judged.argument(value, item, name="items", spread=True)
    _result(ctx, check, ctx.args[0][0])


def spawn_decorated(ctx: Ctx, check: Check) -> None:
    """Check `Spawnable.spawn`; the captures were checked at the decorator."""
    called = ctx.type if isinstance(ctx, MethodContext) else None
    # The receiver is a `Spawnable`, whose type has the parameters, while the method itself takes any.
    known = parameter_names(called) if called is not None else []
    _arguments(ctx, check, known if mailboxes.taken(called) is None else known[1:], start=0)


def decorate(ctx: Ctx, check: Check) -> None:
    """Check the function that `@process` decorates."""
    node = ctx.context
    # The context of a decorator's call is the decorated definition; the context of `process(fn)` is the call itself.
    if not isinstance(node, n.Decorator):
        if ctx.args and ctx.args[0]:
            check.callable(ctx.args[0][0])
        return
    function = node.func
    local = not check.site.program.symbol(function.fullname or "")
    if local:
        check.captures.function(function, function.name)
    else:
        check.site.trail.append(function.name)
        check.judged.refs(outline.refs_of(function, check.site.module), node)
    declared = function.type
    message = mailboxes.taken(declared)
    if message is not None:
        first = function.arguments[0]
        check.judged.messages(message, first, first.variable.name)
    if isinstance(declared, CallableType):
        check.judged.result(awaited_result(declared.ret_type), function, "the result")


def send(ctx: Ctx, check: Check) -> None:
    """Check a message to an address."""
    for formal, values, types in zip(ctx.callee_arg_names, ctx.args, ctx.arg_types, strict=True):
        if formal == "value" and values:
            check.judged.sent(values[0], types[0])


def bound(ctx: Ctx, check: Check) -> None:
    """Check a call of a function or class that asks for a trait."""
    # mypy also asks about operators and subscripts, which are calls of methods without an argument list.
    if isinstance(ctx.context, n.CallExpr):
        # `default_return_type` has the type arguments of a construction solved already.
        enforced = bounds.Bounds(check.site.program, check.site.reporter)
        enforced.call(ctx.context, ctx.default_return_type, ctx.args, ctx.arg_types, check.site.checker)


def cross(ctx: Ctx, check: Check, fullname: str, named: list[Boundary], lookup: Lookup) -> None:
    """Check a call of another tool, if it is the method or function of a boundary."""
    for boundary in named:
        owner = lookup(boundary.owner)
        info = owner.node if owner is not None else None
        if isinstance(info, n.TypeInfo):
            # Only the context of a method's call has the receiver's type.
            receiver = get_proper_type(ctx.type) if isinstance(ctx, MethodContext) else None
            applies = isinstance(receiver, Instance) and info in receiver.type.mro
        else:
            meant = lookup(f"{boundary.owner}.{boundary.name}")
            applies = meant is not None and meant.node is not None and meant.node.fullname == fullname
        if applies:
            _cross(ctx, check, boundary)
            return


def _cross(ctx: Ctx, check: Check, boundary: Boundary) -> None:
    """Check the callable and the arguments of another tool's call."""
    check.site.transport = boundary.transport
    for index, (values, types, formal) in enumerate(zip(ctx.args, ctx.arg_types, ctx.callee_arg_names, strict=True)):
        takes_callable = formal == boundary.parameter if boundary.parameter else index == 0
        for position, (value, judged, kind) in enumerate(zip(values, types, ctx.arg_kinds[index], strict=True)):
            if takes_callable:
                check.callable(value)
            else:
                name = ctx.arg_names[index][position] or formal or f"args[{position}]"
                check.judged.argument(value, judged, name=name, spread=kind.is_star())


def _given(ctx: Ctx, check: Check, *, own: frozenset[str] = frozenset()) -> None:
    """Check the arguments of a spawned function, and its messages unless they were checked before."""
    judged = ctx.arg_types[0][0]
    message = mailboxes.taken(judged)
    known = parameter_names(judged)
    if message is not None and not is_spawnable(judged):
        check.judged.messages(message, ctx.args[0][0], next(iter(known), None) or "args[0]")
    _arguments(ctx, check, known if message is None else known[1:], start=1, own=own)


def _arguments(
    ctx: Ctx, check: Check, known: list[str | None], *, start: int, own: frozenset[str] = frozenset()
) -> None:
    # mypy groups the arguments by parameter: all arguments for `*args` form one column.
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
        check.judged.argument(value, judged, name=name, spread=kind.is_star())


def _result(ctx: Ctx, check: Check, spawned: n.Expression) -> None:
    returned = get_proper_type(awaited_result(awaited(ctx.default_return_type)))
    if isinstance(returned, Instance) and returned.args:
        check.judged.result(returned.args[-1], spawned, "the result")
