"""Closing: objects whose `with` and `async with` block ends them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self


class Closing:
    """A base for a class with a `close`, which is called when a `with` block of the object is left."""

    __slots__ = ()

    def close(self) -> None:
        """End the object and wait for its end; do nothing if it has ended already."""
        raise NotImplementedError

    async def _close_async(self) -> None:
        """Close without blocking the event loop; a class whose `close` waits for something overrides this."""
        self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close without blocking the event loop."""
        await self._close_async()
