"""Standard streams inside a process: text goes to the host through operations 1 and 2, and there is nothing to read."""

from __future__ import annotations

import codecs
import io
import sys
from typing import Any

from . import host

_CHUNK = 65_536


class _HostWriter(io.RawIOBase):
    """A raw stream whose bytes reach the host as text; what is not UTF-8 arrives as backslash escapes."""

    def __init__(self, operation: int, number: int, name: str) -> None:
        self.name = name
        self._operation = operation
        self._number = number
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._number

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        for start in range(0, len(view), _CHUNK):
            text = self._decoder.decode(view[start : start + _CHUNK])
            if text:
                host.request(self._operation, text)
        return len(view)


def _writer(operation: int, number: int, name: str) -> io.TextIOWrapper:
    raw = _HostWriter(operation, number, name)
    # Whole lines leave at once, as they do on a terminal: a process that is killed has shown what it did.
    return io.TextIOWrapper(io.BufferedWriter(raw), "utf-8", "backslashreplace", line_buffering=True)


def install() -> None:
    """Replace the three standard streams, and what `sys` remembers as the original ones."""
    streams = {
        "stdin": io.TextIOWrapper(io.BufferedReader(io.BytesIO()), "utf-8"),
        "stdout": _writer(host.STDOUT, 1, "<stdout>"),
        "stderr": _writer(host.STDERR, 2, "<stderr>"),
    }
    for name, stream in streams.items():
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def flush() -> None:
    """Send what is left of the last lines; a stream that the program closed or replaced is not its business."""
    streams: set[Any] = {sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__}
    for stream in streams:
        try:
            stream.flush()
        except (AttributeError, ValueError, OSError):
            continue
