"""The output of one cell, kept for the cell's outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from capsend.exceptions import LimitExceeded
from capsend.outcome import Outcome
from capsend.runtime.output import to_stderr, to_stdout

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from capsend.environment import Environment
    from capsend.process import ExitReason
    from capsend.session.life import Call, SessionLife

    Target: TypeAlias = Callable[[str], object] | None

OF_ENVIRONMENT: Final[Any] = object()
"""Represents the environment's value if a call gives none: None is a value."""


class KeptOutput:
    """The output of one cell: kept, and forwarded to the targets of the cell, or else of the environment."""

    def __init__(self, environment: Environment, stdout: Target, stderr: Target) -> None:
        self._out: list[str] = []
        self._err: list[str] = []
        own = (environment.stdout, environment.stderr)
        self._targets = tuple(
            (None if mine is to_stdout or mine is to_stderr else mine) if given is OF_ENVIRONMENT else given
            for given, mine in zip((stdout, stderr), own, strict=True)
        )

    def stdout(self, text: str) -> None:
        """Take standard output."""
        self._take(self._out, self._targets[0], text)

    def stderr(self, text: str) -> None:
        """Take standard error."""
        self._take(self._err, self._targets[1], text)

    def _take(self, kept: list[str], target: Target, text: str) -> None:
        kept.append(text)
        if target is not None:
            target(text)

    def outcome(self, call: Call, life: SessionLife) -> Outcome[Any]:
        """Return the outcome of a cell, with all its output."""
        return Outcome(
            value=call.value,
            error=call.error,
            stdout="".join(self._out),
            stderr="".join(self._err),
            exit_reason=_reason(call, life),
            seconds=call.seconds,
            cpu_seconds=call.cpu_seconds,
            memory=life.stats().memory,
        )


def _reason(call: Call, life: SessionLife) -> ExitReason:
    """Return the reason of a cell's end, in the terms for processes."""
    if call.error is None:
        return "normal"
    if life.reason is not None and life.reason != "normal":
        return life.reason
    return "limit" if isinstance(call.error, LimitExceeded) else "failed"
