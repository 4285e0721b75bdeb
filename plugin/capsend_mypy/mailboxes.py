"""Processes with a mailbox: the first parameter, a `Mailbox[M]`, is provided, and the handle is an `Actor[M, R]`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mypy import nodes as n
from mypy.subtypes import find_member
from mypy.typeops import make_simplified_union
from mypy.types import AnyType, CallableType, Instance, Overloaded, Parameters, Type, TypeOfAny, get_proper_type

from capsend_mypy import names

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mypy.plugin import FunctionSigContext, MethodSigContext


PARTIAL: Final = "functools.partial"
REST: Final = "__mypy_partial"


def messages(declared: Type | None) -> Type | None:
    """Return the `M` of a type that is `Mailbox[M]`; None for any other."""
    proper = get_proper_type(declared) if declared is not None else None
    if isinstance(proper, Instance) and proper.type.fullname == names.MAILBOX and proper.args:
        return proper.args[0]
    return None


def taken(spawned: Type | None) -> Type | None:
    """Return the `M` of a callable whose first parameter is a `Mailbox[M]`; None for any other.

    For an overloaded function the type is a union over its variants, if all of them take a mailbox.
    """
    proper = get_proper_type(spawned) if spawned is not None else None
    if isinstance(proper, Overloaded):
        each = [taken(item) for item in proper.items]
        known = [message for message in each if message is not None]
        return make_simplified_union(known) if len(known) == len(each) else None
    signature = parameters(spawned)
    return messages(signature.arg_types[0]) if signature is not None and _has_first(signature.arg_kinds) else None


def parameters(spawned: Type | None) -> CallableType | Parameters | None:
    """Return the parameters of a function, a `Spawnable`, a partial or a callable object, as far as its type has them."""
    proper = get_proper_type(spawned) if spawned is not None else None
    if isinstance(proper, Instance):
        proper = get_proper_type(_called(proper))
    return proper if isinstance(proper, CallableType | Parameters) else None


def returned(spawned: Type) -> Type | None:
    """Return the result type of a function, a `Spawnable`, a partial or a callable object, as far as its type shows it."""
    proper = get_proper_type(spawned)
    if isinstance(proper, Instance) and proper.type.fullname == names.SPAWNABLE and proper.args:
        return proper.args[1]
    return getattr(parameters(proper), "ret_type", None)


def _called(instance: Instance) -> Type | None:
    """Return the type of an instance as a callable."""
    if instance.type.fullname == names.SPAWNABLE and instance.args:
        return instance.args[0]
    if instance.type.fullname == PARTIAL:
        # mypy's plugin for functools stores the remaining parameters there.
        return instance.extra_attrs.attrs.get(REST) if instance.extra_attrs is not None else None
    # As for an operator, `__getattr__` does not answer for `__call__`.
    # mypy's own lookup, as in its check of a call: it binds `self`, and fills in the arguments of generic classes.
    return find_member("__call__", instance, instance, is_operator=True)


def of_function(signature: CallableType, spawned: Type, files: Mapping[str, n.MypyFile]) -> CallableType:
    """Return the signature of `spawn(fn, ...)` for an `fn` that takes a mailbox: `fn`, and its other parameters."""
    proper, found = get_proper_type(spawned), parameters(spawned)
    if isinstance(proper, Overloaded):
        return _of_overloaded(signature, proper, files)
    if found is None or taken(spawned) is None:
        return signature
    made = actor(signature.ret_type, spawned, returned(proper), files)
    if made is None:
        return signature
    return signature.copy_modified(
        arg_types=[spawned, *found.arg_types[1:]],
        arg_kinds=[n.ARG_POS, *found.arg_kinds[1:]],
        arg_names=[signature.arg_names[0], *found.arg_names[1:]],
        # A generic `fn` has its own type variables: mypy solves them for the arguments of this call.
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


def _of_overloaded(signature: CallableType, spawned: Overloaded, files: Mapping[str, n.MypyFile]) -> CallableType:
    """Return a signature that takes any arguments: the chosen variant is not known before they are checked."""
    made = actor(signature.ret_type, spawned, make_simplified_union([item.ret_type for item in spawned.items]), files)
    if made is None:
        return signature
    # An implicit Any, which no option of mypy reports.
    anything = AnyType(TypeOfAny.special_form)
    return signature.copy_modified(
        arg_types=[spawned, *(anything for _ in signature.arg_types[1:])], variables=[], ret_type=made
    )


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


def actor(handle: Type, spawned: Type, result: Type | None, files: Mapping[str, n.MypyFile]) -> Instance | None:
    """Return `Actor[M, R]` in place of a `Process[R]`; None if the spawn returns anything else."""
    proper, message = get_proper_type(handle), taken(spawned)
    info = _actor(files)
    if message is None or result is None or info is None:
        return None
    if not isinstance(proper, Instance) or proper.type.fullname != names.PROCESS:
        return None
    return Instance(info, [message, result])


def _actor(files: Mapping[str, n.MypyFile]) -> n.TypeInfo | None:
    module = files.get("capsend.process")
    info = module.names["Actor"].node if module is not None and "Actor" in module.names else None
    return info if isinstance(info, n.TypeInfo) else None


def type_of_spawned(ctx: MethodSigContext | FunctionSigContext) -> Type | None:
    """Return the type of the spawned callable, if it is a name or a module's function: a lambda cannot annotate a mailbox."""
    spawned = ctx.args[0][0] if ctx.args and ctx.args[0] else None
    if not isinstance(spawned, n.RefExpr | n.CallExpr | n.IndexExpr):
        return None
    checker: Any = ctx.api
    # A signature hook is called before the arguments are checked: their types are unknown, and checking them here would
    # report errors twice.
    with checker.msg.filter_errors():
        found: Type = checker.get_expression_type(spawned)
    return found


def _has_first(kinds: Sequence[n.ArgKind]) -> bool:
    return bool(kinds) and kinds[0].is_positional()
