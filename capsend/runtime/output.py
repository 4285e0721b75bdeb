"""The output of a process: whole lines, counted against a limit, to a stream of the host or to a callable."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_LONGEST_LINE: Final = 65_536


def to_stdout(text: str) -> None:
    """Write to the `sys.stdout` of that moment, so that pytest and `redirect_stdout` see it."""
    if sys.stdout is not None:
        sys.stdout.write(text)


def to_stderr(text: str) -> None:
    """Write to the `sys.stderr` of that moment."""
    if sys.stderr is not None:
        sys.stderr.write(text)


class Lines:
    """Collects text and hands it on in whole lines; a line without end is handed on in pieces."""

    __slots__ = ("_pending", "_target")

    def __init__(self, target: Callable[[str], object] | None) -> None:
        self._target = target
        self._pending = ""

    def write(self, text: str) -> None:
        """Add text, and hand on the lines that are complete."""
        if self._target is None:
            return
        text = self._pending + text
        end = len(text) if len(text) > _LONGEST_LINE else text.rfind("\n") + 1
        self._pending = text[end:]
        if end:
            self._target(text[:end])

    def flush(self) -> None:
        """Hand on the rest: the process has flushed its stream, and its output is to be seen, through a pipe as well."""
        self.close()
        if self._target is to_stdout and sys.stdout is not None:
            sys.stdout.flush()
        elif self._target is to_stderr and sys.stderr is not None:
            sys.stderr.flush()
        else:
            flush: Any = getattr(self._target, "flush", None)  # of a target that hands text on to another program
            if flush is not None:
                flush()

    def close(self) -> None:
        """Hand on the last line, although its end is missing."""
        text, self._pending = self._pending, ""
        if text and self._target is not None:
            self._target(text)
