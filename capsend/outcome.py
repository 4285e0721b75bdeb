"""The outcome of a run, in one object: value or error, output, and resources used."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

import attrs

from capsend.codec.expansion import can_be_shown
from capsend.exceptions import GuestTraceback, shown_at_caller
from capsend.shipping.records import Record

if TYPE_CHECKING:
    from capsend.process import ExitReason

R = TypeVar("R")

_DEPTH: Final = 100
_MOST_TEXT: Final = 2_000
_LARGEST: Final = pow(10, 4_300)
"""Python writes no decimal number of more digits. A call makes it: mypy would write the value of an operator into its cache of JSON."""
_MOST_PARTS: Final = 1_000_000
"""The most characters of a value's text: lists that hold each other twice would make a tree without end."""


@attrs.frozen(kw_only=True, eq=False)
class Outcome(Generic[R]):
    """The outcome of a run.

    Attributes:
        value: the value that the function returned; None if the run ended by an error.
        error: the exception that ended the run; None if the function returned.
        stdout: text written to standard output.
        stderr: text written to standard error.
        exit_reason: "normal", "failed", "killed", "limit", "trap" or "lost".
        seconds: wall-clock time of the run.
        cpu_seconds: processor time that the run used.
        memory: bytes of the process's memory at its end, including those of the interpreter.
    """

    value: R | None
    error: BaseException | None
    stdout: str
    stderr: str
    exit_reason: ExitReason
    seconds: float
    cpu_seconds: float
    memory: int

    @shown_at_caller
    def result(self) -> R:
        """Return the value, or raise the error."""
        if self.error is not None:
            raise self.error
        value: R = self.value  # type: ignore[assignment]  # None is the value where there is no error
        return value

    @property
    def traceback(self) -> str:
        """The traceback of the error as the process's own Python would print it; empty if the run ended without an error."""
        cause = None if self.error is None else self.error.__cause__
        return cause.text if isinstance(cause, GuestTraceback) else ""

    def to_json(self) -> str:
        r"""Return the outcome as one JSON object.

        A value keeps its shape as far as JSON has it: tuples and sets are arrays, a `Record` is `{"class", "fields"}`, and any other value
        is `{"repr": text}`. So is a value whose parts contain each other in more ways than can be written down.

        Returns:
            `{attribute: value}` for the attributes of an outcome, as text. An error is `{"type", "message", "traceback"}`.

        Example:
            >>> import capsend, json
            >>> outcome = capsend.Environment().execute(capsend.Source("print('hi')\n(1, 'a')"))
            >>> told = json.loads(outcome.to_json())
            >>> told["value"], told["stdout"], told["error"]
            ([1, 'a'], 'hi\n', None)
        """
        error = self.error
        told = {
            "value": _plain(self.value, _DEPTH)
            if can_be_shown(self.value, most=_MOST_PARTS)
            else _name_only(self.value),
            "error": None
            if error is None
            else {"type": _name(error), "message": _message(error), "traceback": self.traceback},
            "stdout": self.stdout,
            "stderr": self.stderr,
            "exit_reason": self.exit_reason,
            "seconds": self.seconds,
            "cpu_seconds": self.cpu_seconds,
            "memory": self.memory,
        }
        return json.dumps(told)


def _name(error: BaseException) -> str:
    """Return the name of an error's class; for an error that stayed in the process, the name of its class in the guest."""
    told = getattr(error, "type_name", "")
    if told and told != "trap":
        return str(told).removeprefix("builtins.").removeprefix("__main__.")
    return type(error).__qualname__


def _message(error: BaseException) -> str:
    try:
        return str(getattr(error, "guest_message", "") or error)
    except Exception as failure:  # noqa: BLE001 - __str__ of a user's class
        return f"<its __str__ failed with {type(failure).__name__}>"


def _name_only(value: object) -> dict[str, str]:
    return {"repr": f"<{type(value).__qualname__}>"}


def _plain(value: Any, depth: int) -> Any:
    """Return a value in the types of JSON."""
    if value is None or type(value) in {bool, str}:
        return value
    if type(value) is int:
        return value if abs(value) < _LARGEST else {"repr": hex(value)[:_MOST_TEXT]}
    if type(value) is float:
        return value if math.isfinite(value) else {"repr": repr(value)}
    if depth > 0:
        if type(value) in {list, tuple, set, frozenset}:
            return [_plain(item, depth - 1) for item in value]
        if type(value) is dict and all(type(key) is str for key in value):
            return {key: _plain(item, depth - 1) for key, item in value.items()}
        if type(value) is Record:
            return {"class": value.name, "fields": _plain(value.fields, depth - 1)}
    try:
        return {"repr": repr(value)[:_MOST_TEXT]}
    except Exception:  # noqa: BLE001 - __repr__ of a user's class
        return _name_only(value)
