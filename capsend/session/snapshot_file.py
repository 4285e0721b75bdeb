"""The file of a snapshot: written by one program, and read by another one that does not trust it.

Everything in it is content of a guest's memory, or a number or text within bounds. From a file made by an attacker, a
reader gets an error or the memory of a hostile guest, and any session may be a hostile guest.

==========================================  ==================================================================
part                                        content
==========================================  ==================================================================
head, 84 bytes                              `capsend snapshot`, and the numbers of `_HEAD`
16 bytes for each run of pages              address, length
texts                                       JSON of `{name: text}`: cells, for the lines of tracebacks
pages                                       those of all runs, one after the other
32 bytes                                    the SHA-256 of all before: against accidents, not attackers
==========================================  ==================================================================
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import re
import stat
import struct
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import attrs

from capsend.codec.text import dumps, loads
from capsend.engine.pictures import PAGE, Picture
from capsend.exceptions import MemoryLimitExceeded, SnapshotError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from io import FileIO

_MAGIC: Final = b"capsend snapshot"
_FORMAT: Final = 1
_HEAD: Final = struct.Struct("<16sI32sQQQII")
"""Magic, format, digest of the image, bytes of memory, next handle, next cell, runs, bytes of texts."""

_RUN: Final = struct.Struct("<QQ")
_DIGEST: Final = hashlib.sha256().digest_size
_PART: Final = 1 << 20
_MOST_TEXT: Final = 1 << 20
_MOST_TEXTS: Final = 50
_MOST_NUMBER: Final = 1 << 53
_CELL: Final = re.compile(r"<cell [0-9]{1,16}>")


@attrs.frozen
class Contents:
    """The content of a file.

    Attributes:
        image: the SHA-256 of the image, as hexadecimal digits.
        picture: the memory.
        next_handle: the first number that no handle of the session has had.
        next_cell: the number of the next cell.
        texts: {name: text} of cells, for the lines of tracebacks.
    """

    image: str
    picture: Picture
    next_handle: int
    next_cell: int
    texts: Mapping[str, str]


def write(path: str | os.PathLike[str], contents: Contents) -> None:
    """Write a file that only this user can read; an existing file is replaced once the new one is complete.

    Raises:
        OSError: the file cannot be written.
    """
    target = Path(path)
    handle, made = tempfile.mkstemp(prefix=f".{target.name}-", dir=target.parent)
    try:
        with open(handle, "wb") as file:
            digest = hashlib.sha256()
            for part in _parts(contents):
                digest.update(part)
                file.write(part)
            file.write(digest.digest())
        Path(made).replace(target)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(made).unlink()
        raise


def _parts(contents: Contents) -> Iterator[bytes]:
    picture, texts = contents.picture, _encoded(contents.texts)
    numbers = (picture.size, contents.next_handle, contents.next_cell, len(picture.runs), len(texts))
    yield _HEAD.pack(_MAGIC, _FORMAT, bytes.fromhex(contents.image), *numbers)
    yield b"".join(itertools.starmap(_RUN.pack, picture.runs))
    yield texts
    yield from picture.parts()


def _encoded(texts: Mapping[str, str]) -> bytes:
    """Return as many of the newest texts of cells as fit."""
    kept: dict[str, str] = {}
    left = _MOST_TEXT - 100
    for name, text in reversed(list(texts.items())):
        left -= len(dumps({name: text}))
        if left < 0:
            break
        if _CELL.fullmatch(name):
            kept[name] = text
    return dumps(dict(reversed(kept.items()))).encode("ascii")


def read(path: str | os.PathLike[str], *, image: str, memory: int) -> Contents:
    """Read a file, which may come from anyone.

    Args:
        path: the file.
        image: the digest of the image with which the snapshot must have been made.
        memory: the most bytes of memory that the snapshot may need; reading takes no more on the host either.

    Raises:
        SnapshotError: the file is not a snapshot, is damaged or incomplete, or was made with another image.
        MemoryLimitExceeded: the snapshot needs more memory.
        OSError: the file cannot be read.
    """
    with open(path, "rb", buffering=0, opener=_open) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            message = f"{path} is not a file: a snapshot can only be loaded from a file"
            raise SnapshotError(message)
        reader = _Reader(file, str(path), status.st_size)
        try:
            return reader.contents(image, memory)
        except (ValueError, RecursionError) as error:
            if isinstance(error, SnapshotError):
                raise
            raise reader.damaged(str(error) or type(error).__name__) from None


def _open(path: str, flags: int) -> int:
    """Open a file; do not wait for the other end of a pipe."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


class _Reader:
    """The reading of one file.

    Args:
        file: the file.
        name: its name in messages.
        size: its bytes.
    """

    def __init__(self, file: FileIO, name: str, size: int) -> None:
        self._file = file
        self._name = name
        self._size = size
        self._digest = hashlib.sha256()

    def damaged(self, reason: str) -> SnapshotError:
        """Return the error for a file that is not in its original form."""
        return SnapshotError(f"{self._name} is damaged: {reason}. Save the snapshot again: Snapshot.save")

    def contents(self, image: str, memory: int) -> Contents:
        """Return the content of the file."""
        head = self._take(min(_HEAD.size, self._size))
        if head[: len(_MAGIC)] != _MAGIC:
            message = f"{self._name} is not a snapshot of a session: it does not begin like a file of Snapshot.save"
            raise SnapshotError(message)
        if len(head) < _HEAD.size:
            raise self.damaged("it is not complete")
        _, form, digest, size, handle, cell, runs, texts = _HEAD.unpack(head)
        if form != _FORMAT:
            message = f"{self._name} was written by another version of capsend. Save the snapshot again with this one"
            raise SnapshotError(message)
        if digest.hex() != image:
            message = (
                f"{self._name} was made with another image: a snapshot needs the same packages, capsend and wasmtime, on a CPU of the same kind. "
                "Use the environment that it was made with, or save the snapshot again"
            )
            raise SnapshotError(message)
        if size > memory:
            raise too_large(size, memory)
        if runs > size // PAGE or texts > _MOST_TEXT or max(handle, cell) > _MOST_NUMBER:
            raise self.damaged("its numbers are out of bounds")
        rest = self._size - _HEAD.size - _DIGEST - _RUN.size * runs - texts
        if rest < 0:
            raise self.damaged("it is not complete")
        places = tuple(_RUN.iter_unpack(self._take(_RUN.size * runs)))
        if sum(length for _, length in places) != rest:
            raise self.damaged("its length is not the one that it states")
        lines = _decoded(self._take(texts))
        picture = Picture.of_file(size, places, self._pages(rest))
        expected = self._digest.digest()
        if self._take(_DIGEST) != expected:
            raise self.damaged("it has changed since it was written")
        return Contents(image, picture, handle, cell, lines)

    def _pages(self, size: int) -> Iterable[bytes]:
        while size:
            part = self._take(min(size, _PART))
            size -= len(part)
            yield part

    def _take(self, size: int) -> bytes:
        parts: list[bytes] = []
        left = size
        while left:
            part = self._file.read(left)
            if not part:
                raise self.damaged("it is not complete")
            parts.append(part)
            left -= len(part)
        taken = b"".join(parts)
        self._digest.update(taken)
        return taken


def _decoded(data: bytes) -> dict[str, str]:
    texts = loads(data.decode("ascii"))
    if type(texts) is not dict or len(texts) > _MOST_TEXTS:
        message = "its texts are not those of cells"
        raise ValueError(message)
    # Lines are shown under these names: none may be the name of a file on the host.
    if not all(_CELL.fullmatch(name) and type(text) is str for name, text in texts.items()):
        message = "its texts are not those of cells"
        raise ValueError(message)
    return texts


def too_large(size: int, memory: int) -> MemoryLimitExceeded:
    """Return the error for a snapshot that needs more memory than an environment has."""
    message = f"the snapshot needs {size} bytes of memory, not {memory}. Allow more: Environment(memory=...)"
    return MemoryLimitExceeded(message, limit=memory)
