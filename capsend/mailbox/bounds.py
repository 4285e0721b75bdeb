"""The bounds that a mailbox has unless it is given others; host and guest share them."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

Policy: TypeAlias = Literal["block", "fail", "drop_oldest"]
"""What happens to a message for which a mailbox has no room: its sender waits; `send` raises; the oldest message goes."""

MESSAGES: Final = 1_000
SIZE: Final = 16 << 20
OVERHEAD: Final = 256
"""Bytes that a message is charged beside its text, and again for every handle that it carries."""

MOST_CALLS: Final = 1_000
"""Open calls of one mailbox."""

MOST_WARNINGS: Final = 10
"""Messages of one mailbox about whose refusal a warning is logged."""
