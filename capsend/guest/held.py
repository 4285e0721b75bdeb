"""Grants of this process's handles: the host gives the same handles to children, by this process's numbers."""

from __future__ import annotations

from typing import Any

import attrs

from capsend.capabilities.handles import Grant


@attrs.frozen(eq=False)
class HeldGrant(Grant):
    """A handle of this process, as a grant."""

    kind = "held"

    thing: Any

    def describe(self) -> object:
        """Return nothing: the host can describe the handle itself."""
        return None

    def handle(self) -> object:
        """Return the handle."""
        return self.thing

    def __str__(self) -> str:
        name: str = self.thing.told_as
        return name
