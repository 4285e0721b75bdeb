"""Mailboxes as a process has them, under the host's name."""

from __future__ import annotations

from capsend_guest.mailbox import Mailbox

__all__ = ["Mailbox"]
