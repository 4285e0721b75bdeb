"""The file of an image: a WebAssembly component made by one machine and compiled by others, with the facts about it.

It contains no machine code: each machine compiles the component for its own CPU, into its own cache. A reader checks
every number, size and text of the file, and reads nothing after a part that is wrong.

==========================================  ==================================================================
part                                        content
==========================================  ==================================================================
start, 24 bytes                             `capsend image`, the format, bytes of the head
head                                        JSON of `_FIELDS`
component                                   compressed by zlib; its size and SHA-256 are in the head
==========================================  ==================================================================

The digest of a file is the SHA-256 of start and head, which contains the component's: it identifies the whole content.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import re
import stat
import struct
import tempfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs

from capsend.codec.text import dumps, loads
from capsend.exceptions import ImageError
from capsend.image.cache import check_readable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import FileIO

_MAGIC: Final = b"capsend image\n\0\0"
_FORMAT: Final = 1
_START: Final = struct.Struct("<16sII")
_MOST_HEAD: Final = 1 << 20
_MOST_COMPONENT: Final = 1 << 28
_PART: Final = 1 << 20
_LEVEL: Final = 6
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_NAME: Final = re.compile(r"[\w.+!\- ]{1,200}")
_FIELDS: Final = {
    "guest": str,
    "python": str,
    "packages": list,
    "modules": list,
    "size": int,
    "stored": int,
    "sha256": str,
}
_AGAIN: Final = "Make it again: capsend image build --output FILE"


@attrs.frozen
class ImageFile:
    """A file whose start and head have been read and checked.

    Attributes:
        path: the file.
        digest: its SHA-256, as hexadecimal digits.
        guest: the digest of capsend's files in it; see `capsend.image.image`.
        python: the version of its CPython.
        packages: names and versions of its packages, as in `Record`.
        modules: the full names of its modules.
        size: bytes of the component.
        stored: bytes of the component in the file.
        sha256: the component's digest, as hexadecimal digits.
        start: the component's position in the file.
    """

    path: Path = attrs.field(eq=False)
    digest: str
    guest: str = attrs.field(eq=False)
    python: str = attrs.field(eq=False)
    packages: tuple[str, ...] = attrs.field(eq=False)
    modules: frozenset[str] = attrs.field(eq=False, repr=False)
    size: int = attrs.field(eq=False)
    stored: int = attrs.field(eq=False)
    sha256: str = attrs.field(eq=False, repr=False)
    start: int = attrs.field(eq=False, repr=False)

    def unpack(self, target: Path) -> None:
        """Write the component to a new file, and compare the file with the component's digest.

        Raises:
            ImageError: the file is not the one whose head was read, or is damaged.
            OSError: the file cannot be read, or the component cannot be written.
        """
        if read(self.path, digest=self.digest) != self:
            raise damaged(self.path, "it has changed since it was opened")
        total, size = hashlib.sha256(), 0
        with _opened(self.path) as file, target.open("xb") as out:
            file.seek(self.start)
            try:
                for part in _inflated(file, self.stored, self.size):
                    total.update(part)
                    size += len(part)
                    out.write(part)
            except zlib.error as error:
                raise damaged(self.path, str(error)) from None
        if size != self.size or not hmac.compare_digest(total.hexdigest(), self.sha256):
            target.unlink()
            raise damaged(self.path, "its component has changed since it was written")


def write(
    path: str | os.PathLike[str],
    component: Path,
    *,
    guest: str,
    python: str,
    packages: tuple[str, ...],
    modules: frozenset[str],
) -> str:
    """Write a file and return its digest; an existing file is replaced once the new one is complete.

    Args:
        path: the file.
        component: the file of the component.
        guest: the digest of capsend's files in it.
        python: the version of its CPython.
        packages: names and versions of its packages.
        modules: the full names of its modules.

    Raises:
        OSError: the file cannot be written.
    """
    target, data = Path(path), component.read_bytes()
    packed = zlib.compress(data, _LEVEL)
    facts = {"guest": guest, "python": python, "packages": list(packages), "modules": sorted(modules)}
    sizes = {"size": len(data), "stored": len(packed), "sha256": hashlib.sha256(data).hexdigest()}
    head = dumps(facts | sizes).encode("ascii")
    begin = _START.pack(_MAGIC, _FORMAT, len(head)) + head
    handle, made = tempfile.mkstemp(prefix=f".{target.name}-", dir=target.parent)
    try:
        with open(handle, "wb") as file:
            file.write(begin + packed)
        Path(made).chmod(0o644)
        Path(made).replace(target)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(made).unlink()
        raise
    return hashlib.sha256(begin).hexdigest()


def read(path: str | os.PathLike[str], *, digest: str | None = None) -> ImageFile:
    """Read start and head of a file, which may come from anyone; `ImageFile.unpack` checks the component.

    Args:
        path: the file.
        digest: the required digest of the file; without it, no other user may be able to write to the file.

    Raises:
        ImageError: the file is not an image, is damaged, has another digest, or could have been written by another
            user.
        OSError: the file cannot be read.
    """
    if digest is not None and not _DIGEST.fullmatch(digest):
        message = f"digest must be the 64 hexadecimal digits that capsend image build --output prints, not {digest!r}"
        raise ImageError(message)
    with _opened(Path(path)) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            message = f"{path} is not a file: an image can only be read from a file"
            raise ImageError(message)
        if digest is None:
            check_readable(Path(path), status)
        begin = file.read(_START.size) or b""
        if begin[: len(_MAGIC)] != _MAGIC:
            message = f"{path} is not an image: it does not begin like a file of capsend image build --output"
            raise ImageError(message)
        if len(begin) < _START.size:
            raise damaged(path, "it is not complete")
        _, form, length = _START.unpack(begin)
        if form != _FORMAT:
            message = f"{path} was written by another version of capsend. {_AGAIN}"
            raise ImageError(message)
        if length > _MOST_HEAD:
            raise damaged(path, "its numbers are out of bounds")
        head = file.read(length) or b""
        found = hashlib.sha256(begin + head).hexdigest()
        if digest is not None and not hmac.compare_digest(found, digest):
            message = (
                f"{path} is not the image that was asked for: its digest is {found}, not {digest}. Get the file again"
            )
            raise ImageError(message)
        try:
            facts = _checked(loads(head.decode("ascii")))
        except (ValueError, RecursionError):
            raise damaged(path, "its head cannot be read") from None
        if facts["stored"] != status.st_size - _START.size - length:
            raise damaged(path, "it is not as long as it says")
    return ImageFile(path=Path(path), digest=found, start=_START.size + length, **facts)


def damaged(path: str | os.PathLike[str], reason: str) -> ImageError:
    """Return the error of a file that is not in its original form."""
    return ImageError(f"{path} is damaged: {reason}. {_AGAIN}")


def _opened(path: Path) -> FileIO:
    """Open a file; do not wait for the other end of a pipe."""
    return open(path, "rb", buffering=0, opener=lambda name, flags: os.open(name, flags | getattr(os, "O_NONBLOCK", 0)))


def _checked(facts: Any) -> dict[str, Any]:
    """Return the facts of a head as attributes.

    Raises:
        ValueError: the facts are not in the form that `write` gives them.
    """
    if type(facts) is not dict or {name: type(value) for name, value in facts.items()} != _FIELDS:
        message = "other fields"
        raise ValueError(message)
    names = [facts["python"], *facts["packages"], *facts["modules"]]
    sizes = 0 < facts["size"] <= _MOST_COMPONENT and 0 < facts["stored"] <= _MOST_COMPONENT
    digests = _DIGEST.fullmatch(facts["guest"]) and _DIGEST.fullmatch(facts["sha256"])
    if not sizes or not digests or not all(type(name) is str and _NAME.fullmatch(name) for name in names):
        message = "no sizes, digests or names"
        raise ValueError(message)
    return facts | {"packages": tuple(facts["packages"]), "modules": frozenset(facts["modules"])}


def _inflated(file: FileIO, stored: int, size: int) -> Iterator[bytes]:
    """Yield the decompressed parts: as many bytes as they should have, and at most one part more."""
    machine, left = zlib.decompressobj(), size
    while stored:
        packed = file.read(min(stored, _PART)) or b""
        if not packed:
            return
        stored -= len(packed)
        while packed and left >= 0:
            part = machine.decompress(packed, _PART)
            left -= len(part)
            yield part
            packed = machine.unconsumed_tail
        if left < 0:
            return
