"""The notices that a mailbox receives, and messages decoded from envelopes."""

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
    """The notice that a monitor leaves in a mailbox, once, when the monitored process or mailbox has ended.

    Attributes:
        address: the address of the ended process or mailbox; equal to the argument of `Mailbox.monitor`, weakened to `monitor_only`.
        reason: "normal", "failed", "killed", "limit", "trap" or "lost" for a process, "closed" for a mailbox.
        message: words for people.

    Source:
        Erlang's `{'DOWN', Ref, process, Pid, Reason}`.
    """

    address: Address[Any]
    reason: str
    message: str = ""


@attrs.frozen
class Exit:
    """The notice that a process which traps exits receives when a linked process ends.

    Attributes:
        address, reason, message: as those of `Down`.

    Source:
        Erlang's `{'EXIT', Pid, Reason}`.
    """

    address: Address[Any]
    reason: str
    message: str = ""


# The path that the documentation gives for them.
Down.__module__ = Exit.__module__ = "capsend.mailbox"


def message_in(envelope: Envelope, *, limit: int) -> Any:
    """Return the message in an envelope: a notice, or the sent value; arguments and errors as `envelopes.decode`."""
    if envelope.kind == "m":
        return decode(envelope, limit=limit)
    reason, words = codec.loads(envelope.text)
    address: Any = envelope.grants[0].handle()
    return (Down if envelope.kind == "d" else Exit)(address, reason, words)
