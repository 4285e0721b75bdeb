"""The identity of plain constants: those of which every interpreter has one object, and texts that it interns."""

from __future__ import annotations

import sys
from typing import Final

_SMALL: Final = range(-5, 257)
"""The ints of which there is one object each, in every CPython."""


def has_no_identity(value: object) -> bool:
    """Return whether every CPython has just one object of this value."""
    kind = type(value)
    return value is None or kind is bool or (kind is int and value in _SMALL) or (kind is str and value == "")


def is_interned(value: object) -> bool:
    """Return whether a text is the interned one of its characters, which the constants of code share."""
    if type(value) is not str or len(value) < 2:
        return False
    copy = "".join((value[:1], value[1:]))
    return copy is not value and sys.intern(copy) is value
