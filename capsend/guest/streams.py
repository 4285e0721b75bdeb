"""Standard streams inside a process: text goes to the host through operations 1 and 2, and there is nothing to read."""

import codecs
import io
import sys

from capsend_guest import host

_CHUNK = 65_536


class _HostWriter(io.RawIOBase):
    """A raw stream whose bytes reach the host as text; what is not UTF-8 arrives as backslash escapes."""

    def __init__(self, operation, number):
        self._operation = operation
        self._number = number
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")

    def writable(self):
        return True

    def fileno(self):
        return self._number

    def write(self, data):
        view = memoryview(data).cast("B")
        for start in range(0, len(view), _CHUNK):
            text = self._decoder.decode(view[start : start + _CHUNK])
            if text:
                host.request(self._operation, text)
        return len(view)


def _writer(operation, number, name):
    raw = _HostWriter(operation, number)
    raw.name = name
    # Whole lines leave at once, as they do on a terminal: a process that is killed has shown what it did.
    return io.TextIOWrapper(io.BufferedWriter(raw), "utf-8", "backslashreplace", line_buffering=True)


def install():
    """Replace the three standard streams, and what `sys` remembers as the original ones."""
    sys.stdout = sys.__stdout__ = _writer(host.STDOUT, 1, "<stdout>")
    sys.stderr = sys.__stderr__ = _writer(host.STDERR, 2, "<stderr>")
    sys.stdin = sys.__stdin__ = io.TextIOWrapper(io.BufferedReader(io.BytesIO()), "utf-8")


def flush():
    """Send what is left of the last lines; a stream that the program closed or replaced is not its business."""
    for stream in {sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__}:
        try:
            stream.flush()
        except (AttributeError, ValueError, OSError):
            continue
