"""Envelopes of the host: values put in and taken out."""

from __future__ import annotations

import functools
import types
from typing import Any, Final, NoReturn

from capsend import codec
from capsend.capabilities.handles import grant_of
from capsend.codec import wire
from capsend.exceptions import SerializationError
from capsend.mailbox.byte_messages import envelope_of, value_of
from capsend.mailbox.ports import Envelope, Port
from capsend.traits.judge import declared_refusal

_NUMBERS: Final = frozenset({int, float, bool, type(None)})


def encode(value: object, port: Port, *, tag: int = 0) -> Envelope:
    """Return a value in an envelope for a port.

    Args:
        value: the message.
        port: the port that is to receive it; its `reads_pickles` and `name` decide on the form.
        tag: the call that the message answers; 0 for an ordinary message.

    Raises:
        SerializationError: a part of the value cannot be sent, or is of a class that the receiver does not know.
    """
    if type(value) in _NUMBERS:  # the short way of many messages: nothing in them has a name
        return Envelope(codec.encode(value), tag=tag, trusted=True)
    envelope = envelope_of(value)
    if envelope is not None:
        envelope.tag = tag
        return envelope
    grants: list[Any] = []
    things: list[object] = []
    refused: list[str] = []

    def refuse(thing: object, why: str) -> NoReturn:
        refused.append(why)
        raise codec.NotEncodable(thing, why)  # the encoder knows the path of the part

    def external(thing: object) -> object:
        grant = grant_of(thing)
        if grant is not None:
            if why := port.refuses(grant):
                refuse(thing, why)
            grants.append(grant)
            return {"h": len(grants) - 1}
        if why := getattr(type(thing), "__capsend_refusal__", ""):
            refuse(thing, why)
        if refusal := declared_refusal(thing):
            refuse(thing, f"{refusal[0]}. Instead: {refusal[1]}")
        if port.name is not None:
            return port.name(thing)
        if isinstance(thing, type | types.FunctionType | types.BuiltinFunctionType):
            things.append(thing)
            return {"o": len(things) - 1}
        return None

    segments: list[bytes] | None = [] if port.reads_pickles else None
    try:
        text = wire.encode_value(
            value, externals=external, name="message", pickled=port.reads_pickles, segments=segments
        )
    except SerializationError as error:
        if not refused:
            raise
        raise SerializationError(f"{error.path} cannot be sent: {refused[-1]}", path=error.path) from None

    origin = _Things(things) if things else None
    return Envelope(text, tuple(grants), tag=tag, origin=origin, trusted=True, segments=segments or ())


class _Things:
    """The objects of a message from host to host, which are named by their place."""

    __slots__ = ("_things",)

    def __init__(self, things: list[object]) -> None:
        self._things = things

    def resolve(self, reference: Any) -> object:
        """Return the object at the place that a text names."""
        return self._things[reference["o"]]


def decode(envelope: Envelope, *, limit: int) -> Any:
    """Return the value in an envelope that is no notice.

    Args:
        envelope: the envelope.
        limit: the most characters of its text.

    Raises:
        ProcessFailed: the text is no message, or names an object that its sender was not given.
    """
    grants = envelope.grants
    if envelope.data is not None:
        return value_of(envelope)
    if envelope.text.startswith(("p", "s")):  # the short way of a text that has no names
        if envelope.trusted:
            return codec.decode(envelope.text)
        return wire.decode_value(envelope.text, resolve=_nothing, limits=_limits_of(limit), segments=envelope.segments)

    def resolve(reference: Any) -> object:
        if type(reference) is not dict:
            raise LookupError("a reference is an object")
        number = reference.get("h")
        if type(number) is int and 0 <= number < len(grants):
            return grants[number].handle()
        if envelope.origin is None:
            raise LookupError("its sender has ended")
        return envelope.origin.resolve(reference)

    if envelope.trusted:
        return codec.decode(envelope.text, resolve=resolve, segments=envelope.segments)
    limits = _limits_of(limit)
    return wire.decode_value(envelope.text, resolve=resolve, limits=limits, segments=envelope.segments)


@functools.lru_cache(maxsize=64)
def _limits_of(limit: int) -> wire.Limits:
    return wire.LIMITS if limit >= wire.LIMITS.max_chars else wire.LIMITS._replace(max_chars=limit)


def _nothing(_reference: Any) -> NoReturn:
    raise LookupError("this text has no names")
