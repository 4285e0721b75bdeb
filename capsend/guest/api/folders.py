"""Folders as capabilities inside a process: one that it was given can be passed on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import attrs
from capsend_guest import handles  # type: ignore[import-not-found]  # the name that it has in the image

from capsend.held import HeldGrant  # type: ignore[import-not-found]  # as above


@attrs.frozen
class _Folder:
    """What stands for a folder: the number of its handle, and whether less goes along than is held."""

    told_as: str


class Dir:
    """A folder that this process was given, to be passed on to one that it spawns, with the same rights or fewer.

    Args:
        path: the folder, as this process was given it.
        write: whether the other process may do what this one may; else it can only read.

    Raises:
        ValueError: this process was not given this folder, or only one around it.
    """

    __slots__ = ("_number", "_path", "_write")

    def __init__(self, path: str | os.PathLike[str], *, write: bool = False) -> None:
        given = os.fspath(path)
        number = handles.folders.get(given)
        if number is None:
            raise ValueError(
                f"this process cannot pass {given} on: only a folder that it was given itself, as a whole, can be passed on. "
                "Let the host give it a Dir of that folder"
            )
        self._number, self._path, self._write = number, Path(given), write

    @property
    def __capsend_handle__(self) -> Any:
        return HeldGrant(_Folder(f"{self._number}{'' if self._write else 'r'}"))

    @property
    def write(self) -> bool:
        """Whether a process may do all that this one may."""
        return self._write

    def __truediv__(self, part: str | os.PathLike[str]) -> Path:
        return self._path / part

    def __getattr__(self, name: str) -> Any:
        """Everything else is as the path has it."""
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._path, name)

    def __fspath__(self) -> str:
        return str(self._path)

    def __str__(self) -> str:
        return str(self._path)

    def __repr__(self) -> str:
        return f"Dir({str(self._path)!r}{', write=True' if self._write else ''})"
