"""The identity of plain constants: values that exist once per interpreter, and interned texts."""

from __future__ import annotations

import sys
from typing import Final

_SMALL: Final = range(-5, 257)
"""The ints that exist once in every CPython."""


def has_no_identity(value: object) -> bool:
    """Return whether every CPython has only one object of this value."""
    kind = type(value)
    return value is None or kind is bool or (kind is int and value in _SMALL) or (kind is str and value == "")


def is_interned(value: object) -> bool:
    """Return whether a text is interned, and so shared with the constants of code."""
    if type(value) is not str or len(value) < 2:
        return False
    copy = "".join((value[:1], value[1:]))
    return copy is not value and sys.intern(copy) is value
