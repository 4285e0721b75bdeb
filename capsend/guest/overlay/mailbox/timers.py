"""Messages that are sent later as a process has them, under the host's name."""

from __future__ import annotations

from capsend_guest.mailbox import Timer

__all__ = ["Timer"]
