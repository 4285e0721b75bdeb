"""Remembered refusals: a refused callable is refused again at once while everything that was read is the same."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from capsend_traits.wording import Finding

    from capsend.shipping.captures.observed import Observed

MOST: Final = 64


class Refusals:
    """The findings of recently refused callables; the oldest are dropped when there are too many."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[tuple[int, object], tuple[Any, list[Finding], Observed]] = {}

    def get(self, function: object, image: object) -> list[Finding]:
        """Return the findings about a callable, if it was refused and nothing has changed since; else an empty list."""
        known = self._known.get((id(function), image))
        return known[1] if known is not None and known[2].hold() else []

    def keep(self, function: object, image: object, findings: list[Finding], observed: Observed) -> None:
        """Remember the findings about a refused callable, and keep the callable alive, so that its identity is not reused."""
        with self._lock:
            self._known.pop((id(function), image), None)
            self._known[id(function), image] = function, findings, observed
            while len(self._known) > MOST:
                del self._known[next(iter(self._known))]
