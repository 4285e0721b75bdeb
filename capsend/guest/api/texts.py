"""Where the text of code is found inside a process: in the pieces from which its functions and classes were compiled."""

from __future__ import annotations

import ast
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from capsend_guest import mail  # type: ignore[import-not-found]  # the name that it has in the image

from capsend.parsed import ParsedText, parsed, without_source  # the package of that name in the image

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

IMPORT_AGAIN: Final = "write it as text that was sent with the program"


def texts_of(filename: str, module_globals: dict[str, Any], *, line: int | None = None) -> Sequence[ParsedText]:
    """Return the pieces of a file in which a function that begins at a line may stand; for no line, its classes.

    Raises:
        SourceError: the process was given no piece of that file.
    """
    del module_globals
    found = [piece for piece in _pieces() if piece[3] == filename]
    if not found:
        raise without_source(filename)
    fitting = [piece for piece in found if (piece[0] == "class" if line is None else _holds(piece, line))]
    return [_parse(*piece[:7]) for piece in fitting]


def _holds(piece: list[Any], line: int) -> bool:
    begin, text = int(piece[4]), str(piece[2])
    return begin <= line <= begin + text.count("\n")


@lru_cache(maxsize=256)
def _parse(kind: str, _name: str, text: str, file: str, line: int, indent: str, enclosing: str) -> ParsedText:
    """Parse a piece such that its nodes have the positions that they have in the file."""
    head, tail = ("(\n", "\n)") if kind == "lambda" else ("if 1:\n", "") if indent else ("", "")
    tree = ast.parse(f"{head}{indent}{text}{tail}", file)
    node: Any = tree.body[0]
    if head:
        node = node.value if kind == "lambda" else node.body[0]
    ast.increment_lineno(node, line - 1 - bool(head))
    lines = [*[""] * (line - 1), *f"{indent}{text}".splitlines(keepends=True)]
    whole = ast.Expression(node) if kind == "lambda" else ast.Module([node], [])
    return parsed(whole, tuple(lines), enclosing=enclosing if kind != "class" else "")


def cell_file(name: str, keyword: str = "class") -> str | None:
    """Find the file of a class, or type alias, whose module has none."""
    del keyword  # a `type` statement travels as a class does
    return next((str(piece[3]) for piece in _pieces() if piece[0] == "class" and piece[1] == name), None)


def _pieces() -> Iterator[list[Any]]:
    """Yield what this process was given, the newest first."""
    program = mail.program()
    yield from reversed([] if program is None else program.pieces)
