"""What later processes of a program need not do again: compile its functions, and load the modules that it names.

The host cannot compile for a process, whose Python is another one. The first process that is asked compiles the functions and sends
their code before it runs anything of the program. So the code is the image's work, and no program can forge it.
"""

from __future__ import annotations

from typing import Final

_MOST: Final = 1 << 18
_TO_TEXT: Final = 6
"""The most characters of code that are kept for one program, and for each character of its text."""


NO_STEPS: Final = "0:"
"""The beginning of the text of a call whose arguments add nothing to the program."""


class Reuse:
    """The part of the work for one program that is done once.

    Args:
        size: the characters of the program's text.

    Attributes:
        room: the most characters of code.
        code: the functions as the image's `marshal` writes code objects, in hexadecimal, separated by commas, in the order of the
            program; empty if there are none; None before they are known.
        is_code_wanted: True if the next process is asked for the code.
        is_preloaded: True once the modules are loaded whose exceptions the program can raise.
    """

    __slots__ = ("code", "is_code_wanted", "is_preloaded", "room")

    def __init__(self, size: int) -> None:
        self.room: int = min(_TO_TEXT * size, _MOST)
        self.code: str | None = None
        self.is_code_wanted: bool = False
        self.is_preloaded: bool = False

    def want_code(self) -> None:
        """Have the next process asked for the code: the program is run again."""
        self.is_code_wanted = self.code is None

    def take_code(self, payload: str) -> None:
        """Keep what a process answers; a text that is too long, or is not code, counts as empty."""
        self.is_code_wanted = False
        self.code = payload if len(payload) <= self.room and _is_hexadecimal(payload.replace(",", "")) else ""


def _is_hexadecimal(text: str) -> bool:
    try:
        bytes.fromhex(text)
    except ValueError:
        return False
    return text.isalnum()
