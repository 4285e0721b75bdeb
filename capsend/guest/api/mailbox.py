"""Mailboxes and addresses as a process sees them, under the name that they have outside."""

from __future__ import annotations

from capsend_guest.mail import Address, Down, Exit, Mailbox, Timer  # type: ignore[import-not-found]  # the name that it has in the image

__all__ = ["Address", "Down", "Exit", "Mailbox", "Timer"]
