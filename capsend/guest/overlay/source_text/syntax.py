"""The syntax check of a text: in a guest, the process itself compiles it."""

from __future__ import annotations

from capsend_guest import cells


def check_syntax(text: str, name: str, _image: object) -> None:
    """Compile a text without running it.

    Raises:
        SyntaxError: the text cannot be compiled.
    """
    cells.Cell(text, name)
