"""A guest's memory as the host sees it, found by a mark that the guest writes: the C interface hides the memory of components.

Linux only, through `/proc/self`; on other systems no memory is found, and its users do without it.
"""

from __future__ import annotations

import os
import secrets
import struct
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_LOOK: Final = 8  # the operation of `capsend.guest.host_operations` with which a guest lets the host look at its memory
_STATIC: Final = 16 << 20
"""Bytes at the start of the memory that contain the interpreter's variables."""

_TEXT: Final = 256
_WORD: Final = struct.Struct("<I")
_PENDING: Final = frozenset({1, 2})
"""The values of a word about pending signals while a signal is pending: a flag, or a bit among others."""

_FLAGS: Final = 0xFF

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
    """The memory of one instance; valid until the instance is closed.

    Args:
        base: its start address in this OS process.
    """

    __slots__ = ("base",)

    def __init__(self, base: int) -> None:
        self.base: int = base

    def read(self, address: int, size: int) -> bytes:
        """Return the bytes at an address of the guest; fewer than requested at the end of its memory.

        Raises:
            OSError: there is no memory at the address.
        """
        return os.pread(_file(), size, self.base + address)

    def write(self, address: int, data: bytes) -> None:
        """Write bytes to an address of the guest.

        Raises:
            OSError: there is no memory at the address.
        """
        os.pwrite(_file(), data, self.base + address)

    def set_bits(self, address: int, bits: int) -> None:
        """Set bits of a word; called on the guest's thread, or while the guest does not run."""
        (word,) = _WORD.unpack(self.read(address, _WORD.size))
        self.write(address, _WORD.pack(word | bits))


def _file() -> int:
    """Return the file through which this OS process accesses its own memory.

    An address without memory gives an error of the file instead of a fault.
    """
    process = os.getpid()
    if process not in _opened:
        _opened[process] = os.open("/proc/self/mem", os.O_RDWR | os.O_CLOEXEC)
    return _opened[process]


def find_memory(guest: Guest) -> Memory | None:
    """Return the memory of an instance that has run only its image's code; None if it cannot be found.

    It is found before the guest can act: no later act of the guest can move the memory or mislead the host.
    """
    mark = secrets.token_hex(32)
    address = int(guest.run(mark, "place"))
    try:
        for base in _candidates():
            if _holds(base + address, mark):
                _last[:] = [*_last[-3:], base]
                return Memory(base)
    except OSError:  # no such file: the system is not Linux, or forbids access
        return None
    return None


def _candidates() -> Iterator[int]:
    """Yield addresses at which memories may begin: first near those found last, then at the start of every mapping."""
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
    except (OSError, OverflowError, ValueError):  # there is no memory at the address
        return False


def find_signals(make: Callable[[Callable[[int, str], str]], Guest]) -> tuple[tuple[int, int], ...]:
    """Return (address, bits) of the words that are set while a signal is pending, the same in every instance of an image; () if none.

    By the same calls, the guest lets the host look once with a pending signal and once without: the words that differ
    alike in all looks are the ones sought.

    Args:
        make: makes an instance of the image, with a given answer to its host operations.
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
    """Yield (address, value) of the words whose flags are 0 in all looks *without*, and one pending value in all looks *pending*."""
    for start in range(0, min(map(len, [*without, *pending])), _PAGE):
        pages = [shot[start : start + _PAGE] for shot in without]
        others = [shot[start : start + _PAGE] for shot in pending]
        if pages[0] == others[0]:
            continue
        for offset in range(0, len(pages[0]) - 3, _WORD.size):
            word = pages[0][offset : offset + 4], others[0][offset : offset + 4]
            before = int.from_bytes(word[0], "little")
            value = before ^ int.from_bytes(word[1], "little")
            # The interpreter keeps a version above the bits of one of the words.
            if value not in _PENDING or before & _FLAGS:
                continue
            alike = all(page[offset : offset + 4] == word[0] for page in pages)
            if alike and all(page[offset : offset + 4] == word[1] for page in others):
                yield start + offset, value
