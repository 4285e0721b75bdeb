"""The texts of code: on the host those in linecache; in the image the overlay's module of this name replaces it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from capsend.source.linecached import cell_files, text_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from capsend.source.parsed import ParsedText

__all__ = ["cell_files", "texts_of"]


def texts_of(filename: str, module_globals: dict[str, Any], *, line: int | None = None) -> Sequence[ParsedText]:
    """Return the texts that may contain code of a file, parsed.

    Args:
        filename: the file, as in code objects.
        module_globals: the globals of its module.
        line: the first line of the function to find; None to find classes.

    Raises:
        SourceError: linecache does not have the text of the file, or the text cannot be parsed.
    """
    del line  # on the host the one text is the whole file
    return (text_of(filename, module_globals),)
