"""While something examines a program in a process, the placeholders of values that stayed on the host can be looked at."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMINING: Final[list[object]] = []
"""Not empty while something examines a program: then placeholders let themselves be looked at."""


@contextlib.contextmanager
def examining() -> Iterator[None]:
    """Let placeholders be looked at without a refusal meanwhile, as a walk does that meets them in a process."""
    EXAMINING.append(None)
    try:
        yield
    finally:
        EXAMINING.pop()
