"""Tracebacks made from data: Python prints frames of the user's files with their lines, carets and colours."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import PurePath
from types import CodeType, FunctionType, TracebackType
from typing import Any, Final

import attrs

_MAX_FRAMES: Final = 200
_MAX_LINE: Final = 10_000_000
_MAX_COLUMN: Final = 10_000
_MAX_SPAN: Final = 100
_LIBRARY: Final = re.compile(r"(?:.*/(?:lib/python\d[\d.]*|site-packages)/|/python/|/\d+/)")
_IN_IMAGE: Final = "<image "


class _Here(Exception):
    pass


@attrs.frozen
class Frame:
    """One frame of a process: a place in a source file, and the function there.

    Attributes:
        file: a path of the host for a file that was sent; otherwise a label such as `<image json/decoder.py>`.
        line, end_line, column, end_column: the part of the source that was running; columns in bytes, None when unknown.
        function: its name.
        is_own: True if the file was sent with the program.
    """

    file: str
    line: int
    end_line: int
    column: int | None
    end_column: int | None
    function: str
    is_own: bool

    @property
    def place(self) -> str:
        """The place of the frame, for people."""
        return f"{PurePath(self.file).name}:{self.line} in {self.function}"


def read_frames(frames: list[Any], files: Collection[str]) -> list[Frame]:
    """Return the plausible frames of a process's description; files that were not sent lose their path."""
    return [frame for frame in (_read(each, files) for each in frames[:_MAX_FRAMES]) if frame is not None]


def _read(told: Any, files: Collection[str]) -> Frame | None:
    if type(told) is not list or len(told) != 6 or type(told[0]) is not str or type(told[5]) is not str:
        return None
    file, line, end_line, column, end_column, function = told
    line = _within(line, 1, _MAX_LINE)
    if line is None:
        return None
    last = _within(end_line, line, line + _MAX_SPAN) or line
    first_column, last_column = _within(column, 0, _MAX_COLUMN), _within(end_column, 0, _MAX_COLUMN)
    if first_column is None or last_column is None or (last == line and last_column <= first_column):
        first_column = last_column = None
    is_own = file in files
    name = "".join(c for c in function[:200] if c.isprintable())
    shown = files[file] if is_own and isinstance(files, Mapping) else file
    return Frame(shown if is_own else _labelled(file), line, last, first_column, last_column, name, is_own)


def _within(value: Any, low: int, high: int) -> int | None:
    return value if type(value) is int and low <= value <= high else None


def _labelled(file: str) -> str:
    """Return a label, which names no file of the host, for a file of the image or for code made in the guest."""
    if re.fullmatch(r"<[\w .-]{1,100}>", file):
        return file
    # The other two come from a process that has read another process's frames.
    known = file.startswith(_IN_IMAGE) and file.endswith(">")
    found = _LIBRARY.match(file[:500])
    start = len(_IN_IMAGE) if known else found.end() if found else 0
    # Like `<frozen os>`: in angle brackets, since Python 3.11 looks for the last part of a path on sys.path and would
    # show a line of that file.
    path = file[start:500].strip("<>")
    parts = [part for part in path.split("/") if re.fullmatch(r"[\w.-]+", part) and part != ".."]
    return f"{_IN_IMAGE if known or found else '<'}{'/'.join(parts[-6:])}>"


def synthetic_traceback(frames: list[Frame]) -> TracebackType | None:
    """Return a traceback that shows these frames, outermost first; None for none."""
    result: TracebackType | None = None
    for frame in reversed(frames):
        function = FunctionType(_code(frame), {"__builtins__": {}, "__name__": "", "here": _Here})
        try:
            function()
        except _Here as here:
            own = here.__traceback__
            made = own.tb_next if own is not None else None
        if made is None:
            continue
        where = made.tb_lasti if frame.column is not None else -1
        result = TracebackType(result, made.tb_frame, where, frame.line)
    return result


def _template() -> CodeType:
    module = compile("def f():\n    raise here", "<frame>", "exec")
    return next(constant for constant in module.co_consts if isinstance(constant, CodeType))


# Compiled once: the failure of a process is a bad time for compiling. In a function, since its code begins at its own
# line: debuggers and pytest look at it.
_TEMPLATE: Final = _template()
_UNITS_OF_ENTRY: Final = 8
_LONG_FORM: Final = 14


def _code(frame: Frame) -> CodeType:
    return _TEMPLATE.replace(
        co_name=frame.function,
        co_qualname=frame.function,
        co_filename=frame.file,
        co_firstlineno=frame.line,
        co_linetable=_positions(frame),
    )


def _positions(frame: Frame) -> bytes:
    """Return a line table that gives every instruction of the template the position of a frame.

    Source: PEP 626 and PEP 657; `Objects/locations.md` (before, `locations.md`) of CPython.
    """
    columns = (frame.column or 0) + 1, (frame.end_column or 0) + 1
    place = b"".join(map(_number, (0, frame.end_line - frame.line, *columns)))  # 0: the line stays the same
    table = bytearray()
    units = len(_TEMPLATE.co_code) // 2
    for start in range(0, units, _UNITS_OF_ENTRY):
        count = min(_UNITS_OF_ENTRY, units - start)
        table += bytes([0x80 | _LONG_FORM << 3 | count - 1]) + place
    return bytes(table)


def _number(value: int) -> bytes:
    """Return a number in the table's format: six bits per byte, the lowest first.

    Of the table's signed numbers only 0 occurs, which has the same form.
    """
    text = bytearray()
    while value >= 0x40:
        text.append(0x40 | value & 0x3F)
        value >>= 6
    text.append(value)
    return bytes(text)
