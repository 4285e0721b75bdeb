"""The headers of host operations: words separated by spaces, then unchanged text; one side writes them, the other reads them.

Each class has the fields of one header; `write` and `read` are inverses. The texts may come from untrusted code: `read`
raises `ValueError` for a malformed header, and the caller checks the values of the fields.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

LONGEST_TIMEOUT: Final = 366 * 86_400.0


def write_timeout(seconds: float | None) -> str:
    """Return seconds as a word; `-1` for None, no limit."""
    return "-1" if seconds is None else repr(max(float(seconds), 0.0))


def read_timeout(text: str) -> float | None:
    """Return seconds, limited to a year; None for no limit.

    Raises:
        ValueError: the text is not a number.
    """
    if text == "-1":
        return None
    seconds = float(text)
    if math.isnan(seconds):
        raise ValueError("no number")
    return None if seconds < 0 else min(seconds, LONGEST_TIMEOUT)


def _only(words: list[str]) -> str:
    """Return the only word of a header, or the empty text."""
    if len(words) > 1:
        raise ValueError("too many words")
    return words[0] if words else ""


def _write_answer(kind: str, number: int, handles: str, text: str) -> str:
    return f"{kind} {number} {len(handles)} {handles}{text}"


def _read_answer(answer: str) -> tuple[str, int, str, str]:
    kind, number, size, rest = answer.split(" ", 3)
    length = int(size)
    return kind, int(number), rest[:length], rest[length:]


class Send(NamedTuple):
    """`number timeout tag handles segments:text` of `SEND`: a message to the address with that handle, or, with a tag, a call.

    Without segments the last word is missing.
    """

    number: str
    timeout: float | None
    tag: int
    handles: str
    segments: str
    text: str

    def write(self) -> str:
        """Return the payload."""
        beside = f" {self.segments}" if self.segments else ""
        return f"{self.number} {write_timeout(self.timeout)} {self.tag} {self.handles}{beside}:{self.text}"

    @classmethod
    def read(cls, payload: str) -> Send:
        """Return the fields of a payload."""
        head, _, text = payload.partition(":")
        number, timeout, tag, handles, *beside = head.split(" ", 5)
        return cls(number, read_timeout(timeout), int(tag), handles, _only(beside), text)


def plain_send(number: int, text: str) -> str:
    """Return the payload of the most frequent `Send`: without a timeout, a tag, handles and segments."""
    return f"{number} -1 0 :{text}"


class SendAfter(NamedTuple):
    """`number seconds handles segments:text` of `SEND_AFTER`; the last word as in `Send`."""

    number: str
    seconds: float | None
    handles: str
    segments: str
    text: str

    def write(self) -> str:
        """Return the payload."""
        beside = f" {self.segments}" if self.segments else ""
        return f"{self.number} {write_timeout(self.seconds)} {self.handles}{beside}:{self.text}"

    @classmethod
    def read(cls, payload: str) -> SendAfter:
        """Return the fields of a payload."""
        head, _, text = payload.partition(":")
        number, seconds, handles, *beside = head.split(" ", 4)
        return cls(number, read_timeout(seconds), handles, _only(beside), text)


class Receive(NamedTuple):
    """`urgent timeout held held_size refused drops` of `RECEIVE`.

    Attributes:
        urgent: True to receive only answers to calls.
        timeout: seconds to wait.
        held: messages that the guest has set aside.
        held_size: bytes of these messages.
        refused: unreadable messages since the last request.
        drops: `number*holds,...`, the handles that the guest has dropped.
    """

    urgent: bool
    timeout: float | None
    held: int
    held_size: int
    refused: int
    drops: str

    def write(self) -> str:
        """Return the payload."""
        wait = write_timeout(self.timeout)
        return f"{int(self.urgent)} {wait} {self.held} {self.held_size} {self.refused} {self.drops}"

    @classmethod
    def read(cls, payload: str) -> Receive:
        """Return the fields of a payload."""
        urgent, timeout, held, held_size, refused, drops = payload.split(" ", 6)
        return cls(urgent == "1", read_timeout(timeout), int(held), int(held_size), int(refused), drops)


class Received(NamedTuple):
    """`kind tag length handles text`, the answer to `RECEIVE`; `length` counts the characters of `handles`.

    A kind in upper case has segments: their sizes and a colon precede the text.
    """

    kind: str
    tag: int
    handles: str
    text: str

    def write(self) -> str:
        """Return the answer."""
        return _write_answer(self.kind, self.tag, self.handles, self.text)

    @classmethod
    def read(cls, answer: str) -> Received:
        """Return the fields of an answer."""
        return cls(*_read_answer(answer))


class Record(NamedTuple):
    """`level name:text` of `RECORD`: a log record of the guest."""

    level: int
    name: str
    text: str

    def write(self) -> str:
        """Return the payload; a name has neither spaces nor colons."""
        return f"{self.level} {self.name}:{self.text}"

    @classmethod
    def read(cls, payload: str) -> Record:
        """Return the fields of a payload."""
        head, _, text = payload.partition(":")
        level, _, name = head.partition(" ")
        return cls(int(level), name, text)


class Join(NamedTuple):
    """`number timeout` of `JOIN`."""

    number: str
    timeout: float | None

    def write(self) -> str:
        """Return the payload."""
        return f"{self.number} {write_timeout(self.timeout)}"

    @classmethod
    def read(cls, payload: str) -> Join:
        """Return the fields of a payload."""
        number, timeout = payload.split(" ", 1)
        return cls(number, read_timeout(timeout))


class Joined(NamedTuple):
    """`kind total length handles text`, the answer to `JOIN`: `text` is the first part of `total` characters."""

    kind: str
    total: int
    handles: str
    text: str

    def write(self) -> str:
        """Return the answer."""
        return _write_answer(self.kind, self.total, self.handles, self.text)

    @classmethod
    def read(cls, answer: str) -> Joined:
        """Return the fields of an answer."""
        return cls(*_read_answer(answer))


class Pair(NamedTuple):
    """`first second` of `AWAIT` (tag, number), `ENTRY` (number, name) and `WEAKEN` (number, right).

    `LINK_CHILDREN` and `UNLINK_CHILDREN` use it for two numbers.
    """

    first: str
    second: str

    def write(self) -> str:
        """Return the payload."""
        return f"{self.first} {self.second}"

    @classmethod
    def read(cls, payload: str) -> Pair:
        """Return the fields of a payload."""
        first, second = payload.split(" ", 1)
        return cls(first, second)


class Spawn(NamedTuple):
    """`head`, `program` and `call` of `SPAWN`, separated by line breaks; the head is JSON."""

    head: str
    program: str
    call: str

    def write(self) -> str:
        """Return the payload; neither head nor program has a line break."""
        return f"{self.head}\n{self.program}\n{self.call}"

    @classmethod
    def read(cls, payload: str) -> Spawn:
        """Return the fields of a payload."""
        head, _, rest = payload.partition("\n")
        program, _, call = rest.partition("\n")
        return cls(head, program, call)


class Call(NamedTuple):
    """`number segments:arguments` of `CALL`: a call of the function with that handle; the last word as in `Send`."""

    number: str
    segments: str
    arguments: str

    def write(self) -> str:
        """Return the payload."""
        return f"{self.number} {self.segments}:{self.arguments}" if self.segments else f"{self.number}:{self.arguments}"

    @classmethod
    def read(cls, payload: str) -> Call:
        """Return the fields of a payload."""
        head, _, arguments = payload.partition(":")
        number, _, segments = head.partition(" ")
        return cls(number, segments, arguments)
