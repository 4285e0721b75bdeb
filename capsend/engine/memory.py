"""The memory of a guest as the host sees it: found by a mark that the guest writes, since the C interface shows no memory of a component.

Linux only, by `/proc/self`; elsewhere no memory is found, and its users do without.
"""

from __future__ import annotations

import os
import secrets
import struct
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_LOOK: Final = 8  # the operation of `capsend.guest.host_operations` by which a guest lets the host look at its memory
_STATIC: Final = 16 << 20
"""Bytes at the start of the memory in which the interpreter's own variables are."""

_TEXT: Final = 256
_WORD: Final = struct.Struct("<I")
_PENDING: Final = frozenset({1, 2})
"""The values of the words about pending signals while one is pending: a flag, or a bit among others."""

_PAGE: Final = 4096
_WORDS: Final = 3
_opened: dict[int, int] = {}
_last: list[int] = []


class Guest(Protocol):
    """An instance of an image, as this module uses it."""

    def run(self, program: str, call: str) -> str:
        """Call the guest's one function."""

    def close(self) -> None:
        """Free the instance."""


class Memory:
    """The memory of one instance; to be used only while the instance is not closed.

    Args:
        base: the address in this OS process at which it begins.
    """

    __slots__ = ("base",)

    def __init__(self, base: int) -> None:
        self.base: int = base

    def read(self, address: int, size: int) -> bytes:
        """Return the bytes at an address of the guest; fewer than asked for where its memory ends.

        Raises:
            OSError: no memory is at that address.
        """
        return os.pread(_file(), size, self.base + address)

    def write(self, address: int, data: bytes) -> None:
        """Put bytes at an address of the guest.

        Raises:
            OSError: no memory is at that address.
        """
        os.pwrite(_file(), data, self.base + address)

    def set_bits(self, address: int, bits: int) -> None:
        """Set bits of a word; on the thread that runs the guest, or while none does."""
        (word,) = _WORD.unpack(self.read(address, _WORD.size))
        self.write(address, _WORD.pack(word | bits))


def _file() -> int:
    """Return the file by which this OS process reads and writes its own memory: where no memory is, the file gives an error instead of a fault."""
    process = os.getpid()
    if process not in _opened:
        _opened[process] = os.open("/proc/self/mem", os.O_RDWR | os.O_CLOEXEC)
    return _opened[process]


def find_memory(guest: Guest) -> Memory | None:
    """Return the memory of an instance that has run only its image's code; None where it cannot be found.

    No later act of the guest can move the memory, nor lead the host elsewhere: it is found before.
    """
    mark = secrets.token_hex(32)
    address = int(guest.run(mark, "place"))
    try:
        for base in _candidates():
            if _holds(base + address, mark):
                _last[:] = [*_last[-3:], base]
                return Memory(base)
    except OSError:  # no such file: not Linux, or not allowed
        return None
    return None


def _candidates() -> Iterator[int]:
    """Yield the addresses at which memories may begin: beside those that were found last, then wherever a mapping begins."""
    if len(_last) > 1:
        step = _last[-1] - _last[-2]
        yield _last[-1] + step
    yield from _last
    with open("/proc/self/maps", encoding="utf-8", errors="replace") as maps:
        lines = maps.readlines()
    for line in lines:
        if line.split(" ", 2)[1].startswith("rw"):
            yield int(line.partition("-")[0], 16)


def _holds(place: int, mark: str) -> bool:
    try:
        return mark.encode() in os.pread(_file(), _TEXT, place)
    except (OSError, OverflowError, ValueError):  # no memory is at that address
        return False


def find_signals(make: Callable[[Callable[[int, str], str]], Guest]) -> tuple[tuple[int, int], ...]:
    """Return (address, bits) of the words that are set while a signal is pending, the same in every instance of an image; () where none are found.

    The guest lets the host look with a pending signal and without one, by the same calls: they are the words in which all looks differ alike.

    Args:
        make: makes an instance of the image, with the answer to its host operations.
    """
    shots: dict[str, list[bytes]] = {"none": [], "pending": []}
    memory: Memory | None = None

    def look(operation: int, payload: str) -> str:
        if operation == _LOOK and payload in shots and memory is not None:
            shots[payload].append(memory.read(0, _STATIC))
        return ""

    guest = make(look)
    try:
        memory = find_memory(guest)
        if memory is None:
            return ()
        guest.run("", "signals")
    finally:
        guest.close()
    words = tuple(_pending_words(shots["none"], shots["pending"]))
    return words if len(words) == _WORDS else ()


def _pending_words(without: list[bytes], pending: list[bytes]) -> Iterator[tuple[int, int]]:
    """Yield (address, value) of the words that are 0 in all looks *without*, and a value of a pending signal in all looks *pending*."""
    for start in range(0, min(map(len, [*without, *pending])), _PAGE):
        pages = [shot[start : start + _PAGE] for shot in without]
        others = [shot[start : start + _PAGE] for shot in pending]
        if pages[0] == others[0]:
            continue
        for offset in range(0, len(pages[0]) - 3, _WORD.size):
            word = pages[0][offset : offset + 4], others[0][offset : offset + 4]
            value = int.from_bytes(word[1], "little")
            if word[0] != bytes(4) or value not in _PENDING:
                continue
            alike = all(page[offset : offset + 4] == word[0] for page in pages)
            if alike and all(page[offset : offset + 4] == word[1] for page in others):
                yield start + offset, value
