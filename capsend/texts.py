"""Where the text of code is found: in files, as linecache knows them, and in the cells of notebooks and doctests."""

from __future__ import annotations

import ast
import linecache
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from capsend.parsed import ParsedText, SourceError, parsed, without_source

if TYPE_CHECKING:
    from collections.abc import Sequence

IMPORT_AGAIN: Final = "import it again, or restart the program"


def texts_of(filename: str, module_globals: dict[str, Any], *, line: int | None = None) -> Sequence[ParsedText]:
    """Return the texts in which code of a file may stand, parsed.

    Args:
        filename: the file, as code objects name it.
        module_globals: the globals of its module.
        line: the first line of a function that is looked for; None to look for classes.

    Raises:
        SourceError: there is no text, or it cannot be parsed any more.
    """
    del line  # here the one text is the whole file
    if not filename.startswith("<"):
        linecache.checkcache(filename)
    lines = linecache.getlines(filename, module_globals)
    if not lines:
        raise without_source(filename)
    try:
        return (_parse(filename, tuple(lines)),)
    except SyntaxError as error:
        raise SourceError(
            f"{filename} cannot be parsed any more ({error.msg}, line {error.lineno}): it has changed since it was imported",
            IMPORT_AGAIN,
        ) from None


@lru_cache(maxsize=256)
def _parse(filename: str, lines: tuple[str, ...]) -> ParsedText:
    return parsed(ast.parse("".join(lines), filename), lines)


def cell_file(name: str, keyword: str = "class") -> str | None:
    """Find a class without methods in a notebook or doctest: the newest cell that defines it."""
    for filename in reversed(list(linecache.cache)):
        if filename.startswith("<") and f"{keyword} {name}" in "".join(linecache.getlines(filename)):
            return filename
    # doctest shows linecache the examples of the test that runs, without putting them into its cache.
    test = getattr(getattr(linecache.getlines, "__self__", None), "test", None)
    for number, example in reversed(list(enumerate(getattr(test, "examples", ())))):
        if f"{keyword} {name}" in example.source:
            return f"<doctest {getattr(test, 'name', '')}[{number}]>"
    return None
