"""Exceptions of host functions as data; the calling process rebuilds them without their `__init__`."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any, Final

from capsend.codec import wire
from capsend.codec.instances import fields_of, plan_of
from capsend.codec.text import dumps
from capsend.shipping.description import MAX_ERRORS, MAX_NOTES, MAX_PAYLOAD, NATIVE, SYMBOL

if TYPE_CHECKING:
    from collections.abc import Callable

_LONGEST: Final = 2_000


def describe(error: BaseException, *, externals: Callable[[Any], Any] = lambda _: None) -> str:
    """Return an exception as JSON: itself, then the members of groups, each with its classes, nearest first.

    Causes, contexts and frames stay on the host, out of the process's sight, and so do arguments and fields that have
    no encoding.

    Args:
        error: the exception.
        externals: names the classes that the process has, as for `wire.encode_value`.
    """
    found, told = [error], []
    for each in found:  # the list grows meanwhile
        members = each.exceptions if isinstance(each, BaseExceptionGroup) else ()
        kept = members[: MAX_ERRORS - len(found)]
        numbers = list(range(len(found), len(found) + len(kept)))
        found += kept
        told.append(_one(each, numbers, externals))
    return dumps(told)


def _one(error: BaseException, members: list[int], externals: Callable[[Any], Any]) -> dict[str, Any]:
    message = _text(error)
    told: dict[str, Any] = {
        "classes": [_name(cls) for cls in type(error).__mro__ if issubclass(cls, BaseException)],
        "message": message,
        "payload": _payload(error, message, externals),
    }
    notes = getattr(error, "__notes__", None)
    if isinstance(notes, list):
        told["notes"] = [note[:_LONGEST] for note in notes[:MAX_NOTES] if isinstance(note, str)]
    if isinstance(error, BaseExceptionGroup):
        told["group"], told["members"] = error.message[:_LONGEST], members
    return told


def _name(cls: type) -> list[str]:
    return ["capsend" if cls.__module__ == "capsend.exceptions" else cls.__module__, cls.__qualname__]


def _text(error: BaseException) -> str:
    try:
        return str(error)[:_LONGEST]
    except Exception:  # noqa: BLE001 - __str__ of a user's class
        return ""


def _payload(error: BaseException, message: str, externals: Callable[[Any], Any]) -> str:
    """Return the sendable content of an exception as codec text: args, fields, and the attributes of its built-in classes."""
    plan = plan_of(type(error))
    args = () if isinstance(error, BaseExceptionGroup) else error.args
    fields = {name: value for name, value in fields_of(error, plan).items() if name != "__notes__"}
    native: dict[str, Any] = {}
    for cls in type(error).__mro__:
        if cls.__module__ == "builtins":
            native |= {name: cls.__dict__[name].__get__(error) for name in NATIVE.get(cls.__name__, ())}
    if type(native.get("errno")) is int:
        native[SYMBOL] = errno.errorcode.get(native["errno"])
    text = _encoded((args, fields, native), externals)
    if text is None:
        args = args if _encoded(args, externals) else (message,)
        kept, room = [], MAX_PAYLOAD - len(_encoded((args, {}, {}), externals) or "")
        for part in (native, fields):
            sizes = {name: len(_encoded(value, externals) or "") for name, value in part.items()}
            room -= sum(sizes.values())
            kept.append({name: part[name] for name, size in sizes.items() if size} if room > 0 else {})
        text = _encoded((args, kept[1], kept[0]), externals)
    return text or wire.encode_value(((message,), {}, {}), externals=lambda _: None)


def _encoded(value: object, externals: Callable[[Any], Any]) -> str | None:
    """Return a value as text; None if the value has no encoding or is too large for an exception."""
    try:
        text = wire.encode_value(value, externals=externals)
    except Exception:  # noqa: BLE001 - `__getstate__` and similar methods are the user's
        return None
    return text if len(text) <= MAX_PAYLOAD else None
