"""Messages in a guest: their encoding, and the notices among them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from capsend import codec
from capsend.codec.limits import Limits
from capsend.exceptions import SerializationError

from . import handles, transit
from .handles import Handle

if TYPE_CHECKING:
    from .rebuild import Program

_LIMITS = Limits()
PLAIN = frozenset({int, bool, float, type(None)})  # these can always be sent and contain no names


@dataclass(frozen=True, slots=True)
class Down:
    """The notice that a monitor leaves in the mailbox, once, when the monitored process or mailbox has ended."""

    address: Any
    reason: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class Exit:
    """The notice that a process which traps exits receives when a linked process ends."""

    address: Any
    reason: str
    message: str = ""


def write(value: Any, program: Program | None, *, in_text: bool = False) -> tuple[str, str, list[bytes]]:
    """Encode a message.

    Args:
        value: the message.
        program: the program whose classes the message may contain.
        in_text: True to write the message without segments.

    Returns:
        (codec text, the handles in it, the segments next to it).
    """
    segments: list[bytes] = []
    if type(value) in PLAIN:
        return codec.encode(value), "", segments
    names: list[str] = []

    def external(thing: Any) -> Any:
        if isinstance(thing, Handle):
            names.append(thing.told_as)
            return {"h": len(names) - 1}
        return program.message_name(thing) if program is not None else None

    try:
        text = codec.encode(value, externals=external, segments=None if in_text else segments)
    except codec.NotEncodable as error:
        raise SerializationError(f"message{error.path} cannot be sent: {error.reason}") from error
    return text, ",".join(names), segments


def read_text(text: str) -> Any:
    """Return the value of a text in the form without names."""
    return codec.decode(text, limits=_LIMITS)


def read(kind: str, told: str, text: str, program: Program | None) -> Any:
    """Decode a message of a given kind, with its handles."""
    segments: list[bytes] = []
    if kind in "HM":
        kind = kind.lower()
        text, segments = transit.received(text, has_segments=True)
    held = handles.receive(codec.loads(told)) if told else []
    if kind in "dx":
        reason, words = codec.loads(text)
        return (Down if kind == "d" else Exit)(held[0], reason, words)

    def resolve(reference: Any) -> Any:
        if "h" in reference and type(reference["h"]) is int and reference["h"] >= 0:
            return held[reference["h"]]
        if program is None or "c" not in reference:
            raise LookupError("it names nothing that this process has")
        return program.by_name(*reference["c"])

    if kind == "h":
        return codec.decode(text, resolve=resolve, segments=segments)
    return codec.decode(
        text, resolve=resolve, may_build=lambda cls: _may_build(cls, program), limits=_LIMITS, segments=segments
    )


def _may_build(cls: type, program: Program | None) -> bool:
    return program is not None and (program.has(cls) or not hasattr(cls, "__del__"))
