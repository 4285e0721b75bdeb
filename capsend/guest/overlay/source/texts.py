"""The source texts in a guest: above all the pieces from which its functions and classes were compiled."""

from __future__ import annotations

import ast
import linecache
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from capsend_guest import inbox

from capsend.source import linecached
from capsend.source.linecached import text_of
from capsend.source.parsed import ParsedText, parsed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def texts_of(filename: str, module_globals: dict[str, Any], *, line: int | None = None) -> Sequence[ParsedText]:
    """Return the texts that may contain code of a file: pieces sent to this process, or the guest's linecache.

    Args:
        filename: the file, as in code objects.
        module_globals: the globals of its module.
        line: the first line of the function to find; None to find classes.

    Raises:
        SourceError: the guest has no text of the file.
    """
    pieces = [piece for piece in _pieces() if piece[3] == filename]
    if not pieces or linecache.getlines(filename, module_globals):
        return [*_fitting(pieces, line), text_of(filename, module_globals)]
    return _fitting(pieces, line)


def _fitting(pieces: list[list[Any]], line: int | None) -> list[ParsedText]:
    fitting = [piece for piece in pieces if (piece[0] == "class" if line is None else _holds(piece, line))]
    return [_parse(*piece[:7]) for piece in fitting]


def _holds(piece: list[Any], line: int) -> bool:
    begin, text = int(piece[4]), str(piece[2])
    return begin <= line <= begin + text.count("\n")


@lru_cache(maxsize=256)
def _parse(kind: str, _name: str, text: str, file: str, line: int, indent: str, enclosing: str) -> ParsedText:
    """Parse a piece so that its nodes have the positions that they have in the file."""
    head, tail = ("(\n", "\n)") if kind == "lambda" else ("if 1:\n", "") if indent else ("", "")
    tree = ast.parse(f"{head}{indent}{text}{tail}", file)
    node: Any = tree.body[0]
    if head:
        node = node.value if kind == "lambda" else node.body[0]
    ast.increment_lineno(node, line - 1 - bool(head))
    lines = [*[""] * (line - 1), *f"{indent}{text}".splitlines(keepends=True)]
    whole = ast.Expression(node) if kind == "lambda" else ast.Module([node], [])
    return parsed(whole, tuple(lines), enclosing=enclosing if kind != "class" else "")


def cell_files(name: str, keyword: str = "class") -> list[str]:
    """Return the files that may contain a class or type alias whose module has no file; the newest is last."""
    # A `type` statement is sent as a class is.
    found = [str(piece[3]) for piece in _pieces() if piece[0] == "class" and piece[1] == name]
    return [*linecached.cell_files(name, keyword), *reversed(dict.fromkeys(found))]


def _pieces() -> Iterator[list[Any]]:
    """Yield the pieces that were sent to this process, the newest first."""
    program = inbox.program()
    yield from reversed([] if program is None else program.pieces)
