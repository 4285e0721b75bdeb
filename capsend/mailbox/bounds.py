"""The default bounds of a mailbox, shared by host and guest."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

Policy: TypeAlias = Literal["block", "fail", "drop_oldest"]
"""The fate of a message that does not fit into a mailbox: its sender waits; `send` raises; the oldest message is dropped."""

MESSAGES: Final = 1_000
SIZE: Final = 16 << 20
OVERHEAD: Final = 256
"""Bytes that a message is charged on top of its text, and again for every handle that it carries."""

MOST_CALLS: Final = 1_000
"""The most open calls of one mailbox."""

MOST_WARNINGS: Final = 10
"""The most warnings that are logged about a mailbox's refused messages."""
