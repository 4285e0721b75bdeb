"""The host's side of the codec: errors for values that cannot be sent, and limits on the values of processes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

from capsend import codec
from capsend.codec.instances import defines
from capsend.codec.segments import size_of
from capsend.codec.text import Limits
from capsend.exceptions import OutputLimitExceeded, ProcessFailed, SerializationError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from capsend.codec.limits import Budget

__all__ = ["LIMITS", "Limits", "decode_value", "encode_value", "may_build"]

LIMITS: Final = Limits()


def encode_value(
    value: object,
    *,
    externals: Callable[[Any], Any],
    name: str = "the value",
    pickled: bool = True,
    shared: Callable[[Any], Any] | None = None,
    segments: list[bytes] | None = None,
) -> str:
    """Return the message for `value` to a process, in the fastest exact form.

    Args:
        value: the value to send.
        externals: names functions, classes, modules and handles; see `codec.encode`.
        pickled: True if the receiver reads pickles.
        shared: names the parts of any class that the receiver has already; see `codec.encode`.
        name: the value's name in error messages, such as `argument rows`.
        segments: an empty list for bytes that travel next to the text; see `codec.encode`.

    Raises:
        SerializationError: a part of the value cannot be sent; the error's `path` leads to the part.
    """
    try:
        return codec.encode(
            value, externals=externals, pickled=pickled and shared is None, shared=shared, segments=segments
        )
    except codec.NotEncodable as error:
        raise SerializationError(
            f"{name}{error.path} cannot be sent: {error.reason}. Send plain data and make the rest inside the process.",
            path=f"{name}{error.path}",
        ) from error


def decode_value(
    text: str,
    *,
    resolve: Callable[[Any], Any],
    limits: Limits = LIMITS,
    is_unwanted: Callable[[], bool] | None = None,
    segments: Sequence[bytes] = (),
    check: Callable[[list[Any], Budget], object] | None = None,
) -> Any:
    """Return the value in the message of a process, safe against anything that the process wrote.

    Only classes that `resolve` returns are rebuilt, without running their `__init__`, `__new__` or any property. A
    class's own `__setstate__` runs, as do `__hash__` and `__eq__` of keys and set elements: they get values that the
    process chose.

    Raises:
        OutputLimitExceeded: the message is longer than the limits allow.
        ProcessFailed: the text is not a message, names an object that was not sent, or exceeds the limits.
        Stopped: `is_unwanted`, which is called repeatedly, returned true.
    """
    if (size := len(text) + size_of(segments)) > limits.max_chars:
        raise OutputLimitExceeded(
            f"the process sent {size} characters, above the limit of {limits.max_chars}. Send less at a time.",
            limit=limits.max_chars,
        )
    try:
        return codec.decode(
            text,
            resolve=resolve,
            may_build=may_build,
            limits=limits,
            is_unwanted=is_unwanted,
            segments=segments,
            check=check,
        )
    except codec.Malformed as error:
        raise ProcessFailed(
            f"the process sent something that cannot be accepted: {error}",
            type_name="malformed",
            guest_message=str(error),
        ) from error


def may_build(cls: type) -> bool:
    """Return whether a process may send instances of a class of the host.

    A class of the standard library whose instances act when they are freed must not get its state from a process:
    `tempfile` deletes the file, and `subprocess` waits for the process, that the state names.
    """
    outside = cls.__module__.partition(".")[0] in sys.stdlib_module_names
    return not (outside and defines(cls, "__del__"))
