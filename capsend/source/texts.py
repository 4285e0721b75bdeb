"""Where the text of code is found: here, wherever linecache finds it; a process has another module in this one's place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from capsend.source.linecached import cell_files, text_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from capsend.source.parsed import ParsedText

__all__ = ["cell_files", "texts_of"]


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
    return (text_of(filename, module_globals),)
