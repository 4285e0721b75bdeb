"""Warnings of processes, issued through the `warnings` of the host program and subject to its filters."""

from __future__ import annotations

import builtins
import contextlib
import linecache
import warnings
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final

from capsend import codec
from capsend.codec.operations import RefusalWord

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

_LIMITS: Final = codec.Limits(max_chars=1 << 16, max_nodes=10, max_items=10)
_LONGEST: Final = 2_000
_LONGEST_NAME: Final = 200


def warn(payload: str, *, number: int, files: Collection[str]) -> str:
    """Issue a warning as the host program's own code would; return `!error` if the filters turn it into an error.

    Args:
        payload: JSON of `[category, text, file, line, module]`, or anything else.
        number: the process's number.
        files: the source files that were sent; other names are replaced, since the code that shows a warning may open
            its file.
    """
    try:
        category, text, file, line, module = codec.parse(payload, _LIMITS, depth=1)
        kind: Any = vars(builtins).get(category)
        good = isinstance(kind, type) and issubclass(kind, Warning) and type(line) is int and 0 <= line < 1 << 31
        if not good or any(type(each) is not str for each in (text, file, module)):
            return ""
    except (ValueError, TypeError):
        return ""
    text = _printable(text[:_LONGEST])
    place = file if file in files else f"<process {number}: {_printable(PurePath(file).name[:_LONGEST_NAME])}>"
    seen = (text, kind) in _once
    try:
        with _unopened(place):
            warnings.warn_explicit(text, kind, place, line, module=_printable(module[:_LONGEST_NAME]) or None)
    except Warning:
        return RefusalWord.ERROR
    finally:
        if not seen:
            _once.pop((text, kind), None)  # keep no text of a process
    return ""


_once: dict[Any, Any] = warnings.onceregistry  # type: ignore[attr-defined] # not in typeshed


@contextlib.contextmanager
def _unopened(file: str) -> Iterator[None]:
    """Prevent a warning from being shown with a line read from its file, unless the line is cached: no process makes the host open a file."""
    before = linecache.cache.get(file)
    if before is not None and len(before) > 1:
        yield
        return
    unknown: tuple[int, None, list[str], str] = (0, None, [], file)
    linecache.cache[file] = unknown
    try:
        yield
    finally:
        if linecache.cache.get(file) is unknown:
            if before is None:
                del linecache.cache[file]
            else:
                linecache.cache[file] = before


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)
