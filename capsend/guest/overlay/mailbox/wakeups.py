"""An asyncio event for a process, which has only one thread."""

from __future__ import annotations

import asyncio


class Event:
    """An asyncio event; each wait uses it up."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def set(self) -> None:
        """Set the event."""
        self._event.set()

    async def wait(self) -> None:
        """Wait until the event is set, and reset it."""
        await self._event.wait()
        self._event.clear()
