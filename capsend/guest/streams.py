"""Standard streams in a guest: all output goes to the host by operations 1 and 2; standard input is empty."""

from __future__ import annotations

import _io
import _thread
import builtins
import codecs
import faulthandler
import io
import os
import posix
import sys
import types
from typing import TYPE_CHECKING, Any

from . import host_operations

if TYPE_CHECKING:
    from collections.abc import Callable

_CHUNK = 65_536
_RUNTIME = "capsend_guest"

FINDERS: list[Callable[[Any], bytes | None]] = []
"""The functions that return the content of files that are not on the file system."""

_open_file, _write_file = io.open, os.write


class _Interrupt(int):
    """The number of a signal, whose attribute simulates the signal.

    It is a getter in C: no Python code runs between it and the return from the function that reads it, and so no handler.
    """

    now = property(_thread.interrupt_main)


class _Writing:
    """Holds interrupts back while text is on its way to the host: a `BufferedWriter` whose raw stream fails writes the text again."""

    def __init__(self) -> None:
        self.is_on = False
        self.was_interrupted = False

    def holds_back(self) -> bool:
        """Return whether an interrupt has to wait; it comes when the text has been written."""
        self.was_interrupted |= self.is_on
        return self.is_on


writing = _Writing()
_INTERRUPT = _Interrupt(2)


class _HostWriter(io.RawIOBase):
    """A raw stream whose bytes reach the host as text; bytes that are not UTF-8 arrive as backslash escapes."""

    def __init__(self, operation: int, number: int, name: str) -> None:
        self.name = name
        self.has_written = False
        self._operation = operation
        self._number = number
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")

    def again(self) -> _HostWriter:
        """Return another writer to the same stream of the host, which can be closed independently."""
        return _HostWriter(self._operation, self._number, self.name)

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._number

    def write(self, data: Any) -> int:
        self.has_written = True
        view = memoryview(data).cast("B")
        size = len(view)
        writing.is_on = True
        try:
            for start in range(0, size, _CHUNK):
                text = self._decoder.decode(view[start : start + _CHUNK])
                if text:
                    host_operations.request(self._operation, text)
        finally:
            writing.is_on = False
            if writing.was_interrupted:
                writing.was_interrupted = False
                _INTERRUPT.now  # noqa: B018
        return size

    def pass_on(self) -> None:
        """Make the host show the text so far, even without a line end."""
        from capsend.codec.operations import (
            Operation,  # imported after this module, which guards the streams first
        )

        host_operations.request(Operation.FLUSH, str(self._operation))


class _Bytes(io.BufferedIOBase):
    """The `buffer` of a stream: flushing it makes the host show the text so far."""

    def __init__(self, buffer: Any, raw: _HostWriter) -> None:
        self._buffer = buffer
        self.raw = raw
        self.name = raw.name
        self.mode = "wb"

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self.raw.fileno()

    def write(self, data: Any) -> int:
        written: int = self._buffer.write(data)
        return written

    def flush(self) -> None:
        if not self._buffer.closed:  # together with the text stream around it
            self._buffer.flush()
            self.raw.pass_on()


class _Text(io.TextIOWrapper):
    """A text stream that forwards whole lines, and unfinished lines when it is flushed."""

    def __init__(self, raw: _HostWriter) -> None:
        buffer = io.BufferedWriter(raw)
        # Whole lines are forwarded at once, as on a terminal: the output of a killed process is visible.
        super().__init__(buffer, "utf-8", "backslashreplace", line_buffering=True)
        self._raw = raw
        self._bytes = _Bytes(buffer, raw)

    @property
    def buffer(self) -> Any:
        """The underlying stream of bytes."""
        return self._bytes

    def flush(self) -> None:
        super().flush()
        self._raw.pass_on()

    def end(self) -> None:
        """Make the host show the text, if there is any."""
        if self._raw.has_written:
            self._raw.pass_on()


# The numbers of the operations equal the descriptors; `capsend.codec.operations` is imported after this module.
_RAW = {
    1: _HostWriter(1, 1, "<stdout>"),
    2: _HostWriter(2, 2, "<stderr>"),
}


def _open(_raw: object, file: Any, mode: str = "r", buffering: int = -1, *args: Any, **kwargs: Any) -> Any:
    raw = _RAW.get(file) if type(file) is int else None
    if raw is None or "r" in mode:
        return _open_any(file, mode, buffering, *args, **kwargs)
    raw = raw.again()
    if "b" in mode:
        return raw if buffering == 0 else _Bytes(io.BufferedWriter(raw), raw)
    return _Text(raw)


def _open_any(file: Any, mode: str, buffering: int, *args: Any, **kwargs: Any) -> Any:
    try:
        return _open_file(file, mode, buffering, *args, **kwargs)
    except OSError:
        data = next(filter(None, (find(file) for find in FINDERS)), None) if set(mode) <= set("rbt") else None
        if data is None:
            raise
        return io.BytesIO(data) if "b" in mode else io.TextIOWrapper(io.BytesIO(data), *args, **kwargs)


def _write(fd: int, data: Any, /) -> int:
    raw = _RAW.get(fd) if type(fd) is int else None
    if raw is None:
        return _write_file(fd, data)
    written = raw.write(data)
    raw.pass_on()
    return written


def dump_traceback(file: Any = None, all_threads: bool = True) -> None:
    """Dump the traceback of the one thread of the guest, as text, into file."""
    lines = ["Current thread (most recent call first):" if all_threads else "Stack (most recent call first):"]
    frame: types.FrameType | None = sys._getframe(1)  # noqa: SLF001 - as the C function does
    while frame is not None:
        if not frame.f_globals.get("__name__", "").startswith(_RUNTIME):
            lines.append(f'  File "{frame.f_code.co_filename}", line {frame.f_lineno} in {frame.f_code.co_name}')
        frame = frame.f_back
    number = 2 if file is None else file if isinstance(file, int) else file.fileno()
    os.write(number, "".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace"))


def guard() -> None:
    """Make everything that uses the descriptors of the standard streams reach the host.

    Called before any other module keeps them.
    """
    _open.__name__ = _open.__qualname__ = "open"
    _open.__module__ = "_io"
    _open.__doc__ = _open_file.__doc__
    _write.__name__ = _write.__qualname__ = "write"
    _write.__module__ = "posix"
    _write.__doc__ = _write_file.__doc__
    dump_traceback.__module__ = "faulthandler"
    # A bound method stays the same as an attribute of a class, like the built-in function.
    opener: Any = types.MethodType(_open, _RAW)
    for module in (builtins, io, _io):
        vars(module)["open"] = opener
    for module in (os, posix):
        vars(module)["write"] = _write
    vars(faulthandler)["dump_traceback"] = dump_traceback


def install() -> None:
    """Replace the three standard streams, and the originals kept by `sys`."""
    streams = {
        "stdin": io.TextIOWrapper(io.BufferedReader(io.BytesIO()), "utf-8"),
        "stdout": _Text(_RAW[1].again()),
        "stderr": _Text(_RAW[2].again()),
    }
    for name, stream in streams.items():
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def flush() -> None:
    """Send the rest of the last lines, and flush standard error; a stream that the program closed or replaced is not touched."""
    streams: Any = sys.stdout, sys.stderr
    if sys.stdout is not sys.__stdout__ or sys.stderr is not sys.__stderr__:
        streams = {*streams, sys.__stdout__, sys.__stderr__}
    for stream in streams:
        try:
            # The host itself shows the rest when a process ends.
            io.TextIOWrapper.flush(stream) if type(stream) is _Text else stream.flush()
            if stream is sys.stderr and type(stream) is _Text:
                stream.end()
        except (AttributeError, ValueError, OSError):
            continue
