"""The code of a program's functions, compiled by the first process that is asked for it: later processes need not compile it.

The host cannot compile for a process, whose Python is another one. A process compiles and sends the code before it runs anything of
the program. So the code is the image's work, and no program can forge it.
"""

from __future__ import annotations

from typing import Final

_MOST: Final = 1 << 18
"""The most characters that are kept for one program."""


class Compiled:
    """The compiled functions of one program.

    Attributes:
        code: the code objects as the image's `marshal` writes them, in hexadecimal, separated by commas, in the order of the program's
            functions; empty if there are none; None before they are known.
        is_wanted: True if the next process is asked for them.
    """

    __slots__ = ("code", "is_wanted")

    def __init__(self) -> None:
        self.code: str | None = None
        self.is_wanted: bool = False

    def want(self) -> None:
        """Have the next process asked, as the program is run again."""
        self.is_wanted = self.code is None

    def take(self, payload: str) -> None:
        """Keep what a process answers; a text that is too long, or is not code, counts as empty."""
        self.is_wanted = False
        self.code = payload if len(payload) <= _MOST and _is_hexadecimal(payload.replace(",", "")) else ""


def _is_hexadecimal(text: str) -> bool:
    try:
        bytes.fromhex(text)
    except ValueError:
        return False
    return text.isalnum()
