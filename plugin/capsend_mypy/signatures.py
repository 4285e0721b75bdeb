"""The signatures of capsend's calls: without the mailbox, with the result of a coroutine in its place, and for lambdas with defaults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mypy import nodes as n
from mypy.types import AnyType, CallableType, Instance, Type, TypeOfAny, get_proper_type

from capsend_mypy import calls, mailboxes, supervised
from capsend_mypy.marks import is_wasm_function

if TYPE_CHECKING:
    from mypy.plugin import FunctionSigContext, MethodSigContext

# mypy gives an `async def` the type `typing.Coroutine`; the other names are for annotations.
COROUTINES: Final = frozenset({"typing.Coroutine", "typing.Awaitable", "types.CoroutineType"})


def of_spawn(ctx: MethodSigContext) -> CallableType:
    """Return the signature of a spawn of a callable."""
    spawned = mailboxes.type_of_spawned(ctx)
    checker: Any = ctx.api
    if spawned is not None and is_wasm_function(spawned):
        return mailboxes.of_wasm_function(ctx.default_signature, checker)
    if spawned is None or mailboxes.taken(spawned) is None:
        return _loose(ctx)
    return mailboxes.of_function(ctx.default_signature, spawned, checker.modules)


def of_supervised(ctx: MethodSigContext) -> CallableType:
    """Return the signature of `Supervisor.spawn` for a child."""
    spawned = mailboxes.type_of_spawned(ctx)
    return ctx.default_signature if spawned is None else supervised.of_child(ctx.default_signature, spawned)


def of_stream(ctx: MethodSigContext) -> CallableType:
    """Return the signature of a stream for its generator function, which takes no mailbox."""
    return _loose(ctx)


def of_call(ctx: MethodSigContext) -> CallableType:
    """Return the signature of an address's `call` with the type of the answer filled in."""
    try:
        return calls.signature(ctx)
    except Exception:  # noqa: BLE001 - without the answer's type, mypy infers as much as it can
        return ctx.default_signature


def of_spawnable(ctx: MethodSigContext) -> CallableType:
    """Return the signature of `Spawnable.spawn` without the mailbox."""
    checker: Any = ctx.api
    return mailboxes.of_spawnable(ctx.default_signature, checker.modules)


def parameter_names(spawned: Type) -> list[str | None]:
    """Return the names of a callable's positional parameters, as far as its type shows them."""
    found = mailboxes.parameters(spawned)
    if found is None:
        return []
    # A parameter that can only be passed by position has the name None in mypy's type.
    return [name for name, kind in zip(found.arg_names, found.arg_kinds, strict=True) if kind.is_positional()]


def awaited(returned: Type) -> Type:
    """Return `Process[R]` or `Actor[M, R]` with the result of a coroutine in place of the coroutine."""
    proper = get_proper_type(returned)
    if not isinstance(proper, Instance) or not proper.args:
        return returned
    # The result stands last in `Process[R]` and in `Actor[M, R]`.
    given = proper.args[-1]  # for `execute_async`: the coroutine that returns an `Outcome[R]`
    inner = awaited(given) if proper.type.fullname in COROUTINES else awaited_result(given)
    return returned if inner is proper.args[-1] else proper.copy_modified(args=[*proper.args[:-1], inner])


def awaited_result(declared: Type) -> Type:
    """Return the type of an awaited coroutine; any other type unchanged."""
    proper = get_proper_type(declared)
    if isinstance(proper, Instance) and proper.type.fullname in COROUTINES and proper.args:
        return proper.args[-1]
    return declared


def _loose(ctx: MethodSigContext | FunctionSigContext) -> CallableType:
    """Return a signature that takes any callable, if a lambda with defaults is spawned.

    mypy cannot infer the type of such a lambda from `Callable[P, R]`.
    """
    signature = ctx.default_signature
    if not ctx.args or not ctx.args[0]:
        return signature
    spawned = ctx.args[0][0]
    if not isinstance(spawned, n.LambdaExpr) or not any(argument.initializer for argument in spawned.arguments):
        return signature
    expected = get_proper_type(signature.arg_types[0])
    if not isinstance(expected, CallableType):
        return signature
    # An implicit Any, which the --disallow-any options do not report.
    anything = AnyType(TypeOfAny.special_form)
    loose = expected.copy_modified(
        arg_types=[anything, anything],
        arg_kinds=[n.ARG_STAR, n.ARG_STAR2],
        arg_names=[None, None],
        is_ellipsis_args=True,
    )
    return signature.copy_modified(arg_types=[loose, *(anything for _ in signature.arg_types[1:])])
