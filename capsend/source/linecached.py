"""The texts in linecache: files, and the cells of notebooks and doctests."""

from __future__ import annotations

import ast
import linecache
from functools import lru_cache
from typing import Any, Final

from capsend.source.parsed import ParsedText, SourceError, parsed, without_source

IMPORT_AGAIN: Final = "import it again, or restart the program"


def text_of(filename: str, module_globals: dict[str, Any]) -> ParsedText:
    """Return the text of a file, parsed.

    Args:
        filename: the file, as in code objects.
        module_globals: the globals of its module.

    Raises:
        SourceError: linecache does not have the text of the file, or the text cannot be parsed.
    """
    if not filename.startswith("<"):
        linecache.checkcache(filename)
    # The name of code given to exec() is not a file: linecache would ask the module's loader, which returns the
    # module's text.
    lines = linecache.getlines(filename, None if filename.startswith("<") else module_globals)
    if not lines:
        raise without_source(filename)
    try:
        return _parse(filename, tuple(lines))
    except SyntaxError as error:
        raise SourceError(
            f"{filename} cannot be parsed any more ({error.msg}, line {error.lineno}): it has changed since it was imported",
            IMPORT_AGAIN,
        ) from None


@lru_cache(maxsize=256)
def _parse(filename: str, lines: tuple[str, ...]) -> ParsedText:
    return parsed(ast.parse("".join(lines), filename), lines)


def cell_files(name: str, keyword: str = "class") -> list[str]:
    """Return the cells of a notebook, or the examples of a doctest, that define a class without methods; the newest is last."""
    statement = f"{keyword} {name}"
    # Some kernels name their cells after files that never change on disk.
    names = [
        file for file, entry in linecache.cache.items() if file.startswith("<") or (len(entry) > 1 and entry[1] is None)
    ]
    found = [file for file in names if statement in "".join(linecache.getlines(file))]
    # doctest gives linecache the examples of the running test without putting them into its cache.
    test = getattr(getattr(linecache.getlines, "__self__", None), "test", None)
    for number, example in enumerate(getattr(test, "examples", ())):
        if statement in example.source:
            found.append(f"<doctest {getattr(test, 'name', '')}[{number}]>")
    return found
