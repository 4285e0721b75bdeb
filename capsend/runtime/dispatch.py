"""Host operations of a process: a number and a text in, a text out, and a word for each refusal."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, TypeVar

from capsend.capabilities.handles import TooManyHandles

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")

_LONGEST: Final = 366 * 86_400.0


class Refused(Exception):
    """An operation cannot be done; the exception's text is the answer."""


def do(operation: int, payload: str, *, owner: T, table: Mapping[int, Callable[[T, str], str]]) -> str:
    """Do an operation of an owner.

    Returns:
        Data, or an empty text, on success; `!` and a word on refusal.
    """
    handler = table.get(operation)
    if handler is None:
        return "!unknown"
    try:
        return handler(owner, payload)
    except Refused as refused:
        return str(refused)
    except TooManyHandles:
        return "!handles"
    except (ValueError, OverflowError):
        return "!malformed"


def read_timeout(text: str) -> float | None:
    """Return seconds; None for no limit, written -1.

    Raises:
        ValueError: the text is no number.
    """
    if text == "-1":
        return None
    seconds = float(text)
    if math.isnan(seconds):
        raise ValueError("no number")
    return None if seconds < 0 else min(seconds, _LONGEST)
