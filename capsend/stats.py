"""What a process has used, in figures."""

from __future__ import annotations

import attrs


@attrs.frozen
class Stats:
    """What a process has used.

    Attributes:
        cpu_seconds: processor time of its thread.
        memory: bytes of memory that it had when it last asked the host for something, the interpreter's own included.
        sent, received: messages; answers to calls and notices are not counted.
        waiting: messages in its mailbox, those put by for later included.
        dropped: messages that were lost: see `Address.send`.
        output_bytes: what it wrote, log records included.
    """

    cpu_seconds: float
    memory: int
    sent: int
    received: int
    waiting: int
    dropped: int
    output_bytes: int
