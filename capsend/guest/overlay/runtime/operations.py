"""The table of host operations, empty in a guest: the host does the operations of all processes."""

from __future__ import annotations

from typing import Any, Final

OPERATIONS: Final[tuple[Any, ...]] = ()
