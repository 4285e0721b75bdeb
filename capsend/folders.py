"""Folders of the host as a process sees them: where each is mounted, and how many files may be open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

if TYPE_CHECKING:
    from pathlib import Path

LONGEST_PATH: Final = 4096


@attrs.frozen
class Mount:
    """A folder of the host that a process sees.

    Attributes:
        path: where it is here.
        inside: where it is in the process.
        write: whether the process may change what is in it.
    """

    path: Path
    inside: str
    write: bool
