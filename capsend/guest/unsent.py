"""Placeholders for values that stay on the host: visible to `hasattr` and `in globals()` as on the host, but every use is refused.

A use is remembered, so that a program which catches the error cannot return another result than on the host.
"""

from __future__ import annotations

from typing import Any, Final, NoReturn

from capsend.exceptions import CaptureError
from capsend.shipping.entities import NOT_NAMED
from capsend.shipping.examining import EXAMINING

_uses: list[CaptureError] = []
_set: Final = object.__setattr__
_OPERATIONS: Final = (
    *(
        "call",
        "get",
        "getattribute",
        "bool",
        "len",
        "length_hint",
        "iter",
        "next",
        "reversed",
        "contains",
        "getitem",
        "setitem",
        "delitem",
        "missing",
    ),
    *(
        "hash",
        "repr",
        "str",
        "bytes",
        "format",
        "index",
        "int",
        "float",
        "complex",
        "round",
        "trunc",
        "floor",
        "ceil",
        "abs",
        "neg",
        "pos",
        "invert",
        "eq",
        "ne",
    ),
    *(
        "lt",
        "le",
        "gt",
        "ge",
        "add",
        "radd",
        "iadd",
        "sub",
        "rsub",
        "isub",
        "mul",
        "rmul",
        "imul",
        "matmul",
        "rmatmul",
        "imatmul",
        "truediv",
        "rtruediv",
        "itruediv",
    ),
    *(
        "floordiv",
        "rfloordiv",
        "ifloordiv",
        "mod",
        "rmod",
        "imod",
        "divmod",
        "rdivmod",
        "pow",
        "rpow",
        "ipow",
        "lshift",
        "rlshift",
        "ilshift",
        "rshift",
    ),
    *(
        "rrshift",
        "irshift",
        "and",
        "rand",
        "iand",
        "or",
        "ror",
        "ior",
        "xor",
        "rxor",
        "ixor",
        "enter",
        "exit",
        "aenter",
        "aexit",
        "aiter",
        "anext",
        "await",
    ),
    *(
        "setattr",
        "delattr",
        "dir",
        "reduce_ex",
        "instancecheck",
        "subclasscheck",
        "mro_entries",
        "fspath",
        "buffer",
        "copy",
        "deepcopy",
    ),
)


def begin() -> None:
    """Forget the uses of an earlier program."""
    _uses.clear()


def used() -> CaptureError | None:
    """Return the error of the first use of a placeholder; None if none was used."""
    return _uses[0] if _uses else None


class Unsent:
    """The placeholder of one value.

    Args:
        name: the name of the value in the user's program.
        reason: the reason why the value was not sent; its second line, if any, is the cure. None if no code names the value.
    """

    __slots__ = ("_name", "_reason")
    __capsend_unsent__ = True

    def __init__(self, name: str, reason: str | None = None) -> None:
        # A module has many: the message is put together when it is needed.
        _set(self, "_name", name)
        _set(self, "_reason", reason)


def _reason_of(placeholder: Unsent) -> str:
    return str(object.__getattribute__(placeholder, "_reason") or NOT_NAMED)


def message_of(placeholder: Unsent) -> str:
    """Return the message of a placeholder's error."""
    words = _reason_of(placeholder).partition("\n")[0]
    return f"{object.__getattribute__(placeholder, '_name')} was not sent with the program: {words}"


def _cure(placeholder: Unsent) -> str:
    known = _reason_of(placeholder).partition("\n")[2]
    if known:
        return known
    if message_of(placeholder).endswith("which is not ProcessSend"):
        return "pass it as an argument; or make it immutable, or declare it PerProcess[...], where it is a list, dict or set"
    return (
        "name it in a function that the process runs, so that it is judged before the start, or pass it as an argument"
    )


def refuse(reason: str, cure: str) -> NoReturn:
    """Refuse an object that was not sent and has no placeholder.

    Args:
        reason: the reason, which begins with the name.
        cure: the advice in the error message.

    Raises:
        CaptureError: always; the process ends with this error.
    """
    error = CaptureError(f"{reason}.\n\n    Instead: {cure}.")
    _uses.append(error)
    raise error


def _refuse(self: Unsent, *_args: Any, **_keywords: Any) -> NoReturn:
    if EXAMINING:
        raise TypeError(message_of(self))
    error = CaptureError(f"{message_of(self)}.\n\n    Instead: {_cure(self)}.")
    _uses.append(error)
    raise error


def _get_attribute(self: Unsent, name: str) -> Any:
    return object.__getattribute__(self, name) if EXAMINING else _refuse(self)


def _get(self: Unsent, *_args: Any) -> Any:
    return self if EXAMINING else _refuse(self)


def _equal(self: Unsent, other: object) -> bool:
    return self is other if EXAMINING else _refuse(self)


def _hash(self: Unsent) -> int:
    return id(self) if EXAMINING else _refuse(self)


for _operation in _OPERATIONS:
    setattr(Unsent, f"__{_operation}__", _refuse)
_LOOKED_AT: Final[dict[str, Any]] = {"getattribute": _get_attribute, "get": _get, "eq": _equal, "hash": _hash}
for _operation, _method in _LOOKED_AT.items():
    setattr(Unsent, f"__{_operation}__", _method)
