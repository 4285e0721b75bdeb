"""Mailboxes and addresses as a process sees them, under the name that they have outside."""

from __future__ import annotations

import asyncio

from capsend_guest.mail import Address, Down, Exit, Mailbox, Timer  # type: ignore[import-not-found]  # the name that it has in the image

__all__ = ["Address", "Down", "Exit", "Mailbox", "Timer"]


class Event:
    """An asyncio event; each wait uses it up."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def set(self) -> None:
        """Set it."""
        self._event.set()

    async def wait(self) -> None:
        """Wait until it is set, and reset it."""
        await self._event.wait()
        self._event.clear()
