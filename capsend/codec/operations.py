"""The table of host operations, for host and guest: their numbers, refusal words, and the largest payload."""

from __future__ import annotations

import enum
from typing import Final

LARGEST_PAYLOAD: Final = 1 << 25
"""The most characters of one payload: one call across the boundary carries at most 128 MiB, at four bytes per character."""


class Operation(enum.IntEnum):
    """The number of a host operation. The headers of the payloads are in `capsend.codec.headers`."""

    END = 0
    """The program has ended. (With every operation the host also learns the size of the guest's memory.)"""
    STDOUT = 1
    STDERR = 2
    SLEEP = 3
    ANSWER = 4
    """Send a part of the answer ahead."""
    FLUSH = 5
    CPU = 6
    WARN = 7
    LOOK = 8
    """Let the host look at the memory of an instance that runs no program."""
    TAKE = 9
    """Copy the segments offered to the process to addresses in its memory."""

    SEND = 10
    RECEIVE = 11
    FORGET = 12
    MONITOR = 13
    DEMONITOR = 14
    LINK = 15
    UNLINK = 16
    TRAP = 17
    SEND_AFTER = 18
    CANCEL = 19
    OWN = 20
    RECORD = 21
    DROP = 22
    ALIVE = 23
    """Return whether the mailbox of an address is open."""
    WEAKEN = 24
    """Return an address with only one of the rights of another."""

    CALL = 40
    """Call a host function."""
    GIVE = 41
    """Send the segments of the answer ahead."""
    CODE = 42
    """Send the compiled functions of the program, before any of them runs."""

    SPAWN = 50
    JOIN = 51
    KILL = 52
    STATS = 53
    AWAIT = 54
    ADDRESS = 55
    LINK_CHILDREN = 56
    MORE = 57
    """Return the next part of a child's result."""
    ENTRY = 58
    """Return the handle of a module's function."""
    UNLINK_CHILDREN = 59


MAIL: Final = range(10, 40)
"""The numbers of operations on messages, monitors and links."""

CHILDREN: Final = range(50, 60)
"""The numbers of the operations on children."""


class RefusalWord(enum.StrEnum):
    """The first word of the answer to a refused operation; details follow after a space."""

    CALLS = "!calls"
    CLOSED = "!closed"
    ERROR = "!error"
    FORGED = "!forged"
    FULL = "!full"
    HANDLE = "!handle"
    HANDLES = "!handles"
    LARGE = "!large"
    LIMIT = "!limit"
    MALFORMED = "!malformed"
    MISSING = "!missing"
    REFUSED = "!refused"
    RIGHT = "!right"
    TAKEN = "!taken"
    TEXT = "!text"
    """The receiver does not read segments: the whole message must be in its text."""
    TIMERS = "!timers"
    UNKNOWN = "!unknown"
    WATCHES = "!watches"


def read_refusal(answer: str) -> tuple[RefusalWord, str]:
    """Return (word, details) of an answer that begins with `!`; `UNKNOWN` for a word that the table lacks."""
    word, _, details = answer.partition(" ")
    try:
        return RefusalWord(word), details
    except ValueError:
        return RefusalWord.UNKNOWN, details or word
