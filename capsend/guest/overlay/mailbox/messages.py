"""The notices that a mailbox receives as a process has them, under the host's name."""

from __future__ import annotations

from capsend_guest.mailbox import Down, Exit

__all__ = ["Down", "Exit"]
