"""The output of a process: whole lines, counted against a limit, for a stream of the host or a callable."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_LONGEST_LINE: Final = 65_536


def to_stdout(text: str) -> None:
    """Write to the present `sys.stdout`, so that pytest and `redirect_stdout` see the text."""
    if sys.stdout is not None:
        sys.stdout.write(text)


def to_stderr(text: str) -> None:
    """Write to the present `sys.stderr`."""
    if sys.stderr is not None:
        sys.stderr.write(text)


class Lines:
    """Collects text and passes it to the target in whole lines; an endless line is passed in pieces."""

    __slots__ = ("_pending", "_target")

    def __init__(self, target: Callable[[str], object] | None) -> None:
        self._target = target
        self._pending = ""

    def write(self, text: str) -> None:
        """Add text, and pass the complete lines to the target."""
        if self._target is None:
            return
        text = self._pending + text
        end = len(text) if len(text) > _LONGEST_LINE else text.rfind("\n") + 1
        self._pending = text[end:]
        if end:
            self._target(text[:end])

    def flush(self) -> None:
        """Pass the rest to the target, and flush that: the process has flushed its stream, so its output must be visible, even through a pipe."""
        self.close()
        if self._target is to_stdout and sys.stdout is not None:
            sys.stdout.flush()
        elif self._target is to_stderr and sys.stderr is not None:
            sys.stderr.flush()
        else:
            flush: Any = getattr(self._target, "flush", None)  # a target that forwards text to another program
            if flush is not None:
                flush()

    def close(self) -> None:
        """Pass the last line to the target, even without a line end."""
        text, self._pending = self._pending, ""
        if text and self._target is not None:
            self._target(text)
