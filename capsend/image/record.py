"""The record of a built image, and the names of its files: all that a program reads to start processes from it."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Final

import attrs

from capsend.codec.text import dumps, loads

if TYPE_CHECKING:
    from pathlib import Path

COMPONENT: Final = "image.wasm"
COMPILED: Final = "image.cwasm"
CONTENT: Final = "image.memory"
RECORD: Final = "image.json"

SWITCH: Final = "CAPSEND_MERGE"
"""The environment variable that, set to 0, keeps images unmerged: for tests, and for finding the cause of a fault."""


@attrs.frozen
class Record:
    """The facts about a built image that are available without loading it; stored next to it as JSON."""

    key: str
    python: str
    packages: tuple[str, ...]
    modules: frozenset[str] = attrs.field(repr=False)
    missing: dict[str, str] = attrs.field(repr=False)
    digest: str
    size: int
    built: float
    """Seconds since the epoch."""
    instance: int | None = None
    """The number of the instance with its memory, by which the host reaches the memory in place; None if it was not found."""
    written: tuple[tuple[int, int], ...] = attrs.field(default=(), repr=False)
    """(address, bytes) of the pages of its memory to which every process writes."""
    content: str = ""
    """SHA-256 of the file with the initial content of its memory; empty if the compiled form contains it."""
    unmerged: str = ""
    """The reason why its modules are not merged into one (merged modules start faster); empty if they are."""
    file: str = ""
    """The digest of the file from which it was compiled; empty if it was built on this machine."""

    def save(self, path: Path) -> None:
        """Write the record as JSON."""
        data = attrs.asdict(self)
        data["modules"] = sorted(self.modules)
        path.write_text(dumps(data), encoding="ascii")

    @classmethod
    def load(cls, path: Path) -> Record:
        """Read a file written by `save`.

        Raises:
            ValueError: the file does not hold a record.
        """
        try:
            data = loads(path.read_text(encoding="ascii"))
            data["modules"] = frozenset(data["modules"])
            data["packages"] = tuple(data["packages"])
            data["written"] = tuple((address, length) for address, length in data["written"])
            return cls(**data)
        except (TypeError, KeyError, ValueError) as error:
            message = f"{path} is damaged"
            raise ValueError(message) from error


def is_merging() -> bool:
    """Return whether images are merged: always, unless the environment forbids it."""
    return os.environ.get(SWITCH) != "0"


def content_of(folder: Path) -> Path | None:
    """Return the file with the initial content of an image's memory; None if the compiled form contains it."""
    path = folder / CONTENT
    return path if path.exists() else None


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file, as hexadecimal digits."""
    with open(path, "rb", buffering=0) as file:  # `file_digest` reads in blocks of its own
        return hashlib.file_digest(file, "sha256").hexdigest()
