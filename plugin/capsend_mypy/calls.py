"""Calls with a lambda: mypy cannot infer the type of the answer from `lambda reply: Get(reply)`; the message class shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mypy import nodes as n
from mypy.expandtype import expand_type, expand_type_by_instance
from mypy.types import (
    AnyType,
    CallableType,
    Instance,
    ProperType,
    TupleType,
    Type,
    TypeOfAny,
    UnionType,
    get_proper_type,
)

from capsend_mypy import names

if TYPE_CHECKING:
    from mypy.plugin import MethodSigContext

_DEEPEST: Final = 4


def signature(ctx: MethodSigContext) -> CallableType:
    """Return the signature of a `call` with the type of the answer filled in, if the messages allow only one."""
    made = ctx.default_signature
    given = ctx.args[0][0] if ctx.args and ctx.args[0] else None
    # A method signature hook is called before the arguments have types: only the syntax of the lambda can be asked.
    if not isinstance(given, n.LambdaExpr) or len(made.variables) != 1:
        return made
    message = _message(made.arg_types[0])
    found: list[Type] = []
    if isinstance(message, Instance) and message.type.fullname == "builtins.object":
        found.append(
            AnyType(TypeOfAny.special_form)
        )  # a receiver of any message, such as a module in C, may answer anything
    else:
        _answers(_built(given.expr()) or message, found, 0)
    answers = {str(each): each for each in found}
    if len(answers) != 1:
        return made
    (answer,) = answers.values()
    # Without the type variable mypy infers nothing, and checks the lambda against the given answer.
    return expand_type(made.copy_modified(variables=[]), {made.variables[0].id: answer})


def _message(make: Type) -> ProperType | None:
    """Return the `M` of a `Callable[[Address[T]], M]`."""
    proper = get_proper_type(make)
    return get_proper_type(proper.ret_type) if isinstance(proper, CallableType) else None


def _built(made: n.Expression | None) -> Type | None:
    """Return the class of message that a lambda makes by name; the name alone does not suffice for a generic class."""
    if not isinstance(made, n.CallExpr) or not isinstance(made.callee, n.RefExpr):
        return None
    info = made.callee.node
    # `type_vars` has the names of the class's own variables; their values follow from arguments that are not checked yet.
    if not isinstance(info, n.TypeInfo) or info.type_vars:
        return None
    return Instance(info, [])


def _answers(message: Type | None, found: list[Type], depth: int) -> None:
    """Collect the `T` of every `Address[T]` in a type of messages."""
    proper = get_proper_type(message) if message is not None else None
    if depth > _DEEPEST or proper is None or isinstance(proper, AnyType):
        return
    if isinstance(proper, UnionType | TupleType):
        for item in proper.items:
            _answers(item, found, depth + 1)
    elif isinstance(proper, Instance):
        if proper.type.fullname == names.ADDRESS:
            found.extend(proper.args)
        elif proper.type.fullname == "builtins.tuple":
            _answers(proper.args[0], found, depth + 1)
        elif names.top(proper.type.fullname) != "builtins":
            _fields(proper, found, depth)


def _fields(message: Instance, found: list[Type], depth: int) -> None:
    # A named tuple's class: mypy has the types of the items in `tuple_type`.
    if message.type.tuple_type is not None:
        _answers(message.type.tuple_type, found, depth + 1)
    for base in message.type.mro:
        for symbol in base.names.values():
            if isinstance(symbol.node, n.Var) and symbol.node.type is not None and not symbol.node.is_classvar:
                _answers(expand_type_by_instance(symbol.node.type, message), found, depth + 1)
