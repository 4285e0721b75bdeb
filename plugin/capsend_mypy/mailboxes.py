"""Processes that take messages: the first parameter, a `Mailbox[M]`, comes by itself, and the handle is an `Actor[M, R]`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mypy import nodes as n
from mypy.types import CallableType, Instance, Parameters, Type, get_proper_type

from capsend_mypy import names

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mypy.plugin import FunctionSigContext, MethodSigContext


def messages(declared: Type | None) -> Type | None:
    """Return the `M` of a type that is `Mailbox[M]`; None for any other."""
    proper = get_proper_type(declared) if declared is not None else None
    if isinstance(proper, Instance) and proper.type.fullname == names.MAILBOX and proper.args:
        return proper.args[0]
    return None


def taken(spawned: Type | None) -> Type | None:
    """Return the `M` of a callable whose first parameter is a `Mailbox[M]`; None for any other."""
    signature = parameters(spawned)
    return messages(signature.arg_types[0]) if signature is not None and _has_first(signature.arg_kinds) else None


def parameters(spawned: Type | None) -> CallableType | Parameters | None:
    """Return the parameters of a function or of a `Spawnable`, as far as its type has them."""
    proper = get_proper_type(spawned) if spawned is not None else None
    if isinstance(proper, Instance) and proper.type.fullname == names.SPAWNABLE and proper.args:
        proper = get_proper_type(proper.args[0])
    return proper if isinstance(proper, CallableType | Parameters) else None


def of_function(signature: CallableType, spawned: Type, files: Mapping[str, n.MypyFile]) -> CallableType:
    """Return the signature of `spawn(fn, ...)` for an `fn` that takes a mailbox: `fn`, and what it takes besides."""
    found = parameters(spawned)
    if found is None or taken(spawned) is None:
        return signature
    proper = get_proper_type(spawned)
    returned = proper.args[1] if isinstance(proper, Instance) else getattr(found, "ret_type", None)
    made = actor(signature.ret_type, spawned, returned, files)
    if made is None:
        return signature
    return signature.copy_modified(
        arg_types=[spawned, *found.arg_types[1:]],
        arg_kinds=[n.ARG_POS, *found.arg_kinds[1:]],
        arg_names=[signature.arg_names[0], *found.arg_names[1:]],
        variables=list(found.variables),
        ret_type=made,
    )


def of_wasm_function(signature: CallableType, checker: Any) -> CallableType:
    """Return the signature of `spawn(fn, ...)` for a function of a `WasmModule`: a process that takes any message and returns bytes."""
    info = _actor(checker.modules)
    proper = get_proper_type(signature.ret_type)
    if info is None or not isinstance(proper, Instance) or proper.type.fullname != names.PROCESS:
        return signature
    types = [checker.named_generic_type(f"builtins.{name}", []) for name in ("object", "bytes")]
    return signature.copy_modified(ret_type=Instance(info, types))


def of_spawnable(signature: CallableType, files: Mapping[str, n.MypyFile]) -> CallableType:
    """Return the signature of `fn.spawn(...)` without the mailbox that `fn` takes."""
    handle = get_proper_type(signature.ret_type)
    if taken(signature) is None or not isinstance(handle, Instance) or not handle.args:
        return signature
    made = actor(handle, signature, handle.args[-1], files)
    if made is None:
        return signature
    return signature.copy_modified(
        arg_types=signature.arg_types[1:],
        arg_kinds=signature.arg_kinds[1:],
        arg_names=signature.arg_names[1:],
        ret_type=made,
    )


def actor(handle: Type, spawned: Type, returned: Type | None, files: Mapping[str, n.MypyFile]) -> Instance | None:
    """Return `Actor[M, R]` in the place of a `Process[R]`; None where the spawn gives something else."""
    proper, message = get_proper_type(handle), taken(spawned)
    info = _actor(files)
    if message is None or returned is None or info is None:
        return None
    if not isinstance(proper, Instance) or proper.type.fullname != names.PROCESS:
        return None
    return Instance(info, [message, returned])


def _actor(files: Mapping[str, n.MypyFile]) -> n.TypeInfo | None:
    module = files.get("capsend.process")
    info = module.names["Actor"].node if module is not None and "Actor" in module.names else None
    return info if isinstance(info, n.TypeInfo) else None


def type_of_spawned(ctx: MethodSigContext | FunctionSigContext) -> Type | None:
    """Return the type of what is spawned, where it is named or a module's function: a lambda cannot annotate a mailbox."""
    spawned = ctx.args[0][0] if ctx.args and ctx.args[0] else None
    of_module = (
        isinstance(spawned, n.CallExpr)
        and isinstance(spawned.callee, n.MemberExpr)
        and spawned.callee.name == "function"
    )
    if spawned is None or not (isinstance(spawned, n.RefExpr) or of_module):
        return None
    checker: Any = ctx.api
    with checker.msg.filter_errors():
        found: Type = checker.get_expression_type(spawned)
    return found


def _has_first(kinds: Sequence[n.ArgKind]) -> bool:
    return bool(kinds) and kinds[0].is_positional()
