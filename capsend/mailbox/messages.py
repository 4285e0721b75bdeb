"""The notices that a mailbox receives, and a message read back as a value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from capsend import codec
from capsend.mailbox.envelopes import decode

if TYPE_CHECKING:
    from capsend.mailbox.address import Address
    from capsend.mailbox.ports import Envelope


@attrs.frozen
class Down:
    """The message that a monitor leaves in a mailbox, once, when what it watched has ended.

    Attributes:
        address: of what has ended; equal to what `Mailbox.monitor` was given, weakened to `monitor_only`.
        reason: "normal", "failed", "killed", "limit" or "trap" for a process, "closed" for a mailbox.
        message: words for people.
    """

    address: Address[Any]
    reason: str
    message: str = ""


@attrs.frozen
class Exit:
    """The message that comes instead of an end when something ends to which the process is linked, and it traps exits; as `Down`."""

    address: Address[Any]
    reason: str
    message: str = ""


# The path by which the documentation names them.
Down.__module__ = Exit.__module__ = "capsend.mailbox"


def message_in(envelope: Envelope, *, limit: int) -> Any:
    """Return the message in an envelope: a notice, or the value that was sent; arguments and errors as `envelopes.decode`."""
    if envelope.kind == "m":
        return decode(envelope, limit=limit)
    reason, words = codec.loads(envelope.text)
    address: Any = envelope.grants[0].handle()
    return (Down if envelope.kind == "d" else Exit)(address, reason, words)
