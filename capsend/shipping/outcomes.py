"""The outcome of a child, kept by the host as text that only the parent decodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

import attrs

from capsend.codec.text import dumps, loads
from capsend.exceptions import (
    CapsendError,
    ImageError,
    LimitExceeded,
    MemoryLimitExceeded,
    OutputLimitExceeded,
    ProcessFailed,
    ProcessKilled,
    SerializationError,
    TimeLimitExceeded,
)

if TYPE_CHECKING:
    from capsend.capabilities.handles import Grant, Handles

_LONGEST_HEAD: Final = 10
_MOST_NAMES: Final = 1_000
_LONGEST_MESSAGE: Final = 2_000
_TOLD: Final = (ProcessKilled, ProcessFailed, LimitExceeded, SerializationError, ImageError)
_NORMAL_EXITS: Final = frozenset(("SystemExit", "SystemExit: 0", "SystemExit: None", "SystemExit: False"))
_BY_NAME: Final = {
    error.__name__: error
    for error in (
        ProcessKilled,
        ProcessFailed,
        LimitExceeded,
        TimeLimitExceeded,
        MemoryLimitExceeded,
        OutputLimitExceeded,
        SerializationError,
        ImageError,
    )
}
_MALFORMED: Final = "answered with a malformed text"


@attrs.frozen
class Outcome:
    """The answer of a child.

    Attributes:
        kind: "v" a value, "u" a value that has no encoding, "e" an exception, "x" an end known to the host.
        text: the child's text; JSON for "x".
        grants: the grants behind its handles.
    """

    kind: Literal["v", "u", "e", "x"]
    text: str
    grants: tuple[Grant, ...] = ()


class ChildRaised(Exception):
    """A child answered with an exception, or with a value without an encoding, which its parent will read.

    Attributes:
        outcome: the answer.
        words: a one-line summary for people.
        is_normal_exit: True if it is `sys.exit()` with the code of success, as far as its text shows.
        is_limit: True if it is the uncaught `MemoryError` of a process that has reached its limit, as far as its text shows.
    """

    def __init__(self, outcome: Outcome, words: str) -> None:
        super().__init__(words)
        self.outcome = outcome
        self.words = words
        self.is_normal_exit: bool = outcome.kind == "e" and words in _NORMAL_EXITS
        self.is_limit: bool = outcome.kind == "e" and words == "MemoryError"


def read_outcome(text: str, *, number: int, handles: Handles) -> Outcome:
    """Return the outcome that a process sent, with its handles looked up in the process's table.

    Raises:
        ProcessFailed: the text is not an outcome, or names handles that the process does not hold.
        SerializationError: the result has handles that cannot be part of a result.
        MemoryLimitExceeded: the answer is an uncaught `MemoryError`.
        ChildRaised: the answer is an exception, or a result that has no encoding.
    """
    outcome = _split(text, number, handles)
    if outcome.kind == "v":
        return outcome
    words = "SerializationError: its result cannot be sent"
    if outcome.kind == "e":
        from capsend.shipping import failure  # only needed after a failure

        words = failure.summary(outcome.text)
        if words == "MemoryError":  # with a message it is the user's
            raise MemoryLimitExceeded(
                f"process {number} asked for more memory than its environment allows. Give it more: Environment(memory=...)"
            )
    raise ChildRaised(outcome, words)


def _split(text: str, number: int, handles: Handles) -> Outcome:
    kind: Any = text[:1]
    length, colon, _ = text[1:_LONGEST_HEAD].partition(":")
    try:
        start = 2 + len(length)
        end = start + int(length, 16)
        numbers = [int(name) for name in text[start:end].split(",", _MOST_NAMES)] if end > start else []
    except ValueError:
        raise _malformed(number) from None
    grants = handles.all_of(numbers)
    # Only the host may write a pickle, which begins with k.
    if kind not in ("v", "u", "e") or not colon or end > len(text) or grants is None or text.startswith("k", end):
        raise _malformed(number)
    refusal = next((grant.refusal for grant in grants if grant.refusal), "")
    if refusal:
        raise SerializationError(f"the result of process {number} cannot be sent: {refusal}", path="result")
    rest = text[end:]
    if not rest.isascii():
        raise _malformed(number)
    return Outcome(kind, rest, tuple(grants))


def _malformed(number: int) -> ProcessFailed:
    return ProcessFailed(f"process {number} {_MALFORMED}", type_name="malformed", guest_message=_MALFORMED)


def outcome_of(error: BaseException, *, number: int, reason: str) -> Outcome:
    """Return the outcome, for its parent, of a process that ended by an error.

    Errors of the host's own code stay on the host: their text is not for processes.
    """
    if isinstance(error, ChildRaised):
        return error.outcome
    if not isinstance(error, _TOLD):
        error = ProcessFailed(
            f"process {number} could not continue: an error in the host ({type(error).__name__})",
            type_name=type(error).__name__,
        )
    names = ("limit", "type_name", "guest_message")
    data = {name: getattr(error, name) for name in names if hasattr(error, name)}
    told = [type(error).__name__, str(error)[:_LONGEST_MESSAGE], reason, data]
    return Outcome("x", dumps(told))


def error_of(text: str) -> tuple[CapsendError, str]:
    """Return (the error, the exit reason) of an outcome of kind "x"; the inverse of `outcome_of`.

    Raises:
        ValueError: the text is not that of such an outcome.
    """
    try:
        name, message, reason, data = loads(text)
        kind = _BY_NAME[name]
        if type(message) is not str or type(reason) is not str or type(data) is not dict:
            raise ValueError("no outcome")  # noqa: TRY301 - handled like any other malformed text
        given = {key: data[key] for key in ("limit", "type_name", "guest_message") if key in data}
        return kind(message, **given), reason
    except (ValueError, TypeError, LookupError):
        raise ValueError("a malformed outcome of the host") from None
