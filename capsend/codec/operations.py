"""The host operations: their numbers, the words of their refusals, and the largest text that one of them carries. Host and guest read this table."""

from __future__ import annotations

import enum
from typing import Final

LARGEST_PAYLOAD: Final = 1 << 25
"""Characters of one payload: one call across the boundary carries 128 MiB at most, four bytes for each character."""


class Operation(enum.IntEnum):
    """The number of a host operation. The headers of the payloads are in `capsend.codec.headers`."""

    END = 0
    """The program has ended; the host learns with every operation how much memory the guest has."""
    STDOUT = 1
    STDERR = 2
    SLEEP = 3
    ANSWER = 4
    """A part of the answer, ahead of the rest."""
    FLUSH = 5
    CPU = 6
    WARN = 7
    LOOK = 8
    """The host may look at the memory of an instance that runs no program."""
    TAKE = 9
    """Copy the segments that wait for the process to places in its memory."""

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
    """Whether the mailbox behind an address is open."""
    WEAKEN = 24
    """An address with one of the rights of another."""

    CALL = 40
    """Call a function of the host."""
    GIVE = 41
    """Segments of the answer, ahead of it."""

    SPAWN = 50
    JOIN = 51
    KILL = 52
    STATS = 53
    AWAIT = 54
    ADDRESS = 55
    LINK_CHILDREN = 56
    MORE = 57
    """The next part of a child's result."""
    ENTRY = 58
    """One function of a module."""
    UNLINK_CHILDREN = 59


MAIL: Final = range(10, 40)
"""The numbers of operations on messages, monitors and links."""

CHILDREN: Final = range(50, 60)
"""The numbers of operations on processes that the process spawned."""


class RefusalWord(enum.StrEnum):
    """The first word of the answer to an operation that the host refuses; details follow after a space."""

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
    """The receiver reads no segments: all of the message has to be in its text."""
    TIMERS = "!timers"
    UNKNOWN = "!unknown"
    WATCHES = "!watches"


def read_refusal(answer: str) -> tuple[RefusalWord, str]:
    """Return the word and the details of an answer that begins with `!`; `UNKNOWN` for a word that is not in the table."""
    word, _, details = answer.partition(" ")
    try:
        return RefusalWord(word), details
    except ValueError:
        return RefusalWord.UNKNOWN, details or word
