"""The message types that the annotations of process functions name."""

from __future__ import annotations

import ast
import builtins
import contextlib
import functools
import re
import types
import typing
from typing import TYPE_CHECKING, Any, Final

from capsend.codec.instances import class_attribute, defines

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAILBOX: Final = re.compile(r"^[\"'\s]*(?:\w+\.)*Mailbox\b")
_UNKNOWN: Final = (None,)


def message_type(spawned: Any) -> tuple[Any] | None:
    """Return the `M` of a callable whose first parameter is annotated `Mailbox[M]`, as a 1-tuple; None for other callables.

    The first parameter is the first that a call passes: of a method the one after `self`, of a partial the first
    unbound one. If the annotation cannot be evaluated, for example because its names are imported for type checkers
    only, `M` is None.
    """
    if type(spawned) is types.FunctionType and not spawned.__code__.co_argcount:
        return None  # at once: most closures take nothing
    function, given = _behind(spawned)
    if not isinstance(function, types.FunctionType) or function.__code__.co_argcount <= given:
        return None
    annotation = function.__annotations__.get(function.__code__.co_varnames[given]) if _annotated(function) else None
    if isinstance(annotation, str):
        if not _MAILBOX.match(annotation):
            return None
        annotation = _evaluated(annotation, function)
        if annotation is None:
            return _UNKNOWN
    return _message_of(annotation)


def _behind(spawned: Any) -> tuple[Any, int]:
    """Return (the function that a call runs, the number of its parameters that are bound already)."""
    given = 0
    while True:
        if isinstance(spawned, functools.partial):
            given += len(spawned.args)
            spawned = spawned.func
        elif isinstance(spawned, types.MethodType):
            given += 1
            spawned = spawned.__func__
        elif defines(type(spawned), "__capsend_function__"):
            spawned = spawned.__capsend_function__
        elif isinstance(call := class_attribute(type(spawned), "__call__"), types.FunctionType):
            return call, given + 1
        else:
            return spawned, given


def _annotated(function: types.FunctionType) -> bool:
    try:
        return bool(function.__annotations__)
    except NameError:  # evaluated lazily, from Python 3.14 on
        return False


def _message_of(annotation: Any) -> tuple[Any] | None:
    origin = typing.get_origin(annotation) or annotation
    if (
        getattr(origin, "__module__", None) != "capsend.mailbox.mailbox"
        or getattr(origin, "__name__", None) != "Mailbox"
    ):
        return None
    arguments = typing.get_args(annotation)
    return (arguments[0],) if arguments else _UNKNOWN


def _evaluated(text: str, function: types.FunctionType) -> Any:
    names: dict[str, Any] = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            names[name] = cell.cell_contents
        except ValueError:
            continue
    try:
        value = eval(text, {**vars(builtins), **function.__globals__}, names)  # noqa: S307 - the user's own annotation
        return eval(value, function.__globals__, names) if isinstance(value, str) else value  # noqa: S307 - quoted twice
    except Exception:  # noqa: BLE001 - an annotation need not be valid
        return None


def mailbox_names(node: ast.AST) -> Iterator[str]:
    """Yield the names in the mailbox annotations of all functions that a piece of code defines."""
    for inner in ast.walk(node):
        if not isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for parameter in [*inner.args.posonlyargs, *inner.args.args][:1]:
            text = ast.unparse(parameter.annotation) if parameter.annotation is not None else ""
            if not _MAILBOX.match(text):
                continue
            with contextlib.suppress(SyntaxError):
                expression = ast.parse(text.strip("\"'"), mode="eval")
                yield from (each.id for each in ast.walk(expression) if isinstance(each, ast.Name))


def classes_in(annotation: Any) -> Iterator[type]:
    """Yield the classes that a type expression names, each once."""
    seen: list[Any] = []
    stack = [annotation]
    while stack:
        part = stack.pop()
        if part is None or any(part is other for other in seen):
            continue
        seen.append(part)
        if type(part) is not types.GenericAlias and isinstance(part, type):
            yield part
            continue
        stack += [getattr(part, "__value__", None), typing.get_origin(part), getattr(part, "__supertype__", None)]
        if typing.get_origin(part) is not typing.Literal:
            stack += [each for each in typing.get_args(part) if not isinstance(each, str)]
