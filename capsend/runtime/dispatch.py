"""Host operations of a process: from a number and a text to a text, with a word for each refusal."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from capsend.capabilities.handles import TooManyHandles
from capsend.codec.operations import RefusalWord

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")


class Refused(Exception):
    """An operation that cannot be done; its text is the answer.

    Args:
        word: the first word of the answer.
        details: the rest of the answer.
    """

    def __init__(self, word: RefusalWord, details: str = "") -> None:
        super().__init__(f"{word} {details}" if details else str(word))
        self.word = word


def do(operation: int, payload: str, *, owner: T, table: Mapping[int, Callable[[T, str], str]]) -> str:
    """Do an operation for its owner.

    Returns:
        Data or an empty text on success; `!` and a word on refusal.
    """
    handler = table.get(operation)
    if handler is None:
        return RefusalWord.UNKNOWN
    try:
        return handler(owner, payload)
    except Refused as refused:
        return str(refused)
    except TooManyHandles:
        return RefusalWord.HANDLES
    except (ValueError, OverflowError):
        return RefusalWord.MALFORMED
