"""Kinds of differences that the echo has found and that are not mended yet: a line goes when its kind does."""

from __future__ import annotations

import re
from typing import Final

OPEN: Final = (("differs", r"typing\.Optional", "Python 3.14 prints a union as `int | None`"),)


def is_open(kind: str, texts: str) -> bool:
    """Tell whether a difference of a kind, in a program with these texts, is one of these."""
    return any(kind == each and re.search(pattern, texts) for each, pattern, _ in OPEN)
