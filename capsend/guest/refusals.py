"""Refusals by the host, as the exceptions that a program in a process catches."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from capsend.codec.operations import RefusalWord, read_refusal
from capsend.exceptions import CapsendError, LimitExceeded

if TYPE_CHECKING:
    from collections.abc import Mapping

Problems: TypeAlias = "Mapping[RefusalWord, tuple[type[Exception], str]]"
"""{word: (exception, text)}; in a text `{0}` is the label of the object concerned, and `{1}` the details of the refusal."""

_ANYWHERE: Problems = {
    RefusalWord.CALLS: (LimitExceeded, "too many calls are waiting for their answers"),
    RefusalWord.WATCHES: (LimitExceeded, "too many processes are being monitored"),
}


def refusal_of(answer: str, problems: Problems, label: str = "") -> Exception:
    """Return the exception for an answer that begins with `!`.

    Args:
        answer: the answer of the host.
        problems: the refusals of this kind of operation, in addition to those of every kind.
        label: the name of the object concerned.
    """
    word, details = read_refusal(answer)
    cls, text = problems.get(word) or _ANYWHERE.get(word, (CapsendError, "the host refused it ({1})"))
    return cls(text.format(label, details or word))
