"""The guest's notices of a mailbox, under the host's name."""

from __future__ import annotations

from capsend_guest.messages import Down, Exit

__all__ = ["Down", "Exit"]
