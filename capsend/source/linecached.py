"""The texts that linecache knows: files, and the cells of notebooks and doctests."""

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
        filename: the file, as code objects name it.
        module_globals: the globals of its module.

    Raises:
        SourceError: linecache has no text of the file, or the text cannot be parsed any more.
    """
    if not filename.startswith("<"):
        linecache.checkcache(filename)
    # A name that exec() was given is no name of a file: linecache would ask the loader of the module for the module's own text.
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
    """Return the cells of a notebook, or the examples of a doctest, that define a class without methods; the newest comes last."""
    statement = f"{keyword} {name}"
    # Some kernels give their cells the names of files that never change on disk.
    names = [
        file for file, entry in linecache.cache.items() if file.startswith("<") or (len(entry) > 1 and entry[1] is None)
    ]
    found = [file for file in names if statement in "".join(linecache.getlines(file))]
    # doctest shows linecache the examples of the test that runs, without putting them into its cache.
    test = getattr(getattr(linecache.getlines, "__self__", None), "test", None)
    for number, example in enumerate(getattr(test, "examples", ())):
        if statement in example.source:
            found.append(f"<doctest {getattr(test, 'name', '')}[{number}]>")
    return found
