"""What later processes of a program need not do again: compile its functions, and load the modules that it names.

The host cannot compile for a process, whose Python is another one. The first process that is asked compiles the functions and sends
their code before it runs anything of the program. So the code is the image's work, and no program can forge it.
"""

from __future__ import annotations

import collections
import itertools
from typing import Final

_MOST: Final = 1 << 18
_TO_TEXT: Final = 6
"""The most characters of code that are kept for one program, and for each character of its text."""


NO_STEPS: Final = "0:"
"""The beginning of the text of a call whose arguments add nothing to the program."""


MOST_OF_NODE: Final = 256
"""The most programs whose code a node keeps."""

_numbers = itertools.count(1)


class Reuse:
    """The part of the work for one program that is done once.

    Args:
        size: the characters of the program's text.

    Attributes:
        number: its number, by which nodes know the program; no other one of this program has it.
        room: the most characters of code.
        code: the functions as the image's `marshal` writes code objects, in hexadecimal, separated by commas, in the order of the
            program; empty if there are none; None before they are known.
        is_code_wanted: True if the next process is asked for the code.
        is_preloaded: True once the modules are loaded whose exceptions the program can raise.
    """

    __slots__ = ("code", "is_code_wanted", "is_preloaded", "number", "room")

    def __init__(self, size: int) -> None:
        self.number: int = next(_numbers)
        self.room: int = min(_TO_TEXT * size, _MOST)
        self.code: str | None = None
        self.is_code_wanted: bool = False
        self.is_preloaded: bool = False

    @property
    def is_repeated(self) -> bool:
        """True from the second run of the program on."""
        return self.is_code_wanted or self.code is not None

    def want_code(self) -> None:
        """Have the next process asked for the code: the program is run again."""
        self.is_code_wanted = self.code is None

    def take_code(self, payload: str) -> None:
        """Keep what a process answers; a text that is too long, or is not code, counts as empty."""
        self.is_code_wanted = False
        self.code = payload if len(payload) <= self.room and _is_hexadecimal(payload.replace(",", "")) else ""


class Reuses:
    """What a node keeps for the programs of its home: those that were run most recently."""

    def __init__(self) -> None:
        self._by_number: collections.OrderedDict[int, Reuse] = collections.OrderedDict()

    def of(self, number: int, size: int) -> Reuse:
        """Return what is kept for a program that home runs repeatedly.

        Args:
            number: the program's number at home.
            size: the characters of its text.
        """
        found = self._by_number.pop(number, None)
        if found is None:
            found = Reuse(size)
            found.want_code()
        self._by_number[number] = found
        while len(self._by_number) > MOST_OF_NODE:
            self._by_number.popitem(last=False)
        return found


def _is_hexadecimal(text: str) -> bool:
    try:
        bytes.fromhex(text)
    except ValueError:
        return False
    return text.isalnum()
