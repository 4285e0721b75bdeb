"""The table of host operations, which is empty in a process: the host does the operations of all."""

from __future__ import annotations

from typing import Any, Final

OPERATIONS: Final[tuple[Any, ...]] = ()
