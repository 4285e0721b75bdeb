"""An asyncio event that other threads set."""

from __future__ import annotations

import contextlib


class Event:
    """An asyncio event that any thread may set; each wait uses it up."""

    def __init__(self) -> None:
        import asyncio

        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()

    def set(self) -> None:
        """Set the event, from any thread."""
        with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile: no task waits any longer
            self._loop.call_soon_threadsafe(self._event.set)

    async def wait(self) -> None:
        """Wait until the event is set, and reset it."""
        await self._event.wait()
        self._event.clear()
