"""Folders as capabilities in a guest: paths that a process can give to its children."""

from __future__ import annotations

import os
from pathlib import Path, PosixPath
from typing import Any, final
from urllib.parse import quote

import attrs
from capsend_guest import handles
from capsend_guest.held import HeldGrant


@attrs.frozen
class _Folder:
    """A folder that this process holds.

    Attributes:
        number: the folder's handle.
        inside: its path in the guest.
        write: True if the folder's content may be changed.
        is_weaker: True if the right passed on is weaker than the held one.
    """

    number: int
    inside: str
    write: bool
    is_weaker: bool = False


@attrs.frozen
class _Place:
    """The name of a path in a folder, as the host reads it."""

    told_as: str


class _DirGrant(HeldGrant):  # type: ignore[misc]  # a class of the image, which no type checker knows
    refusal = "which folders a process may use is settled when it starts. Capture the Dir, or pass it to spawn; to send only a path, send str(path)"


@final
class Dir(PosixPath):
    """A folder granted to this process, or a path in it: a `pathlib.Path` that children can capture or be passed.

    The folders granted to a process are `Dir`s already. So are paths derived from one, by `/`, `glob`, `parent` and so
    on, unless they lead out of the folder. Calling the class makes another `Dir` of the same folder, with the same
    rights or fewer.

    Args:
        path: the folder, as this process got it.
        write: True to give a child all rights of this process to the folder; False for the right to read.
        importable: as on the host; without effect in a guest, whose right was given earlier.

    Raises:
        ValueError: the process was not granted this folder, or was granted only a folder around it.
    """

    __slots__ = ("_folder",)

    _folder: _Folder

    def __init__(self, path: str | os.PathLike[str], *, write: bool = False, importable: bool = False) -> None:
        given = os.fspath(path)
        held = _given.get(given)
        if held is None:
            raise ValueError(
                f"this process cannot pass {given} on: only a folder that it was given itself, as a whole, can be passed on. "
                "Let the host give it a Dir of that folder"
            )
        PosixPath.__init__(self, given)  # type: ignore[call-arg]  # it takes the path since Python 3.12
        self._folder = held if write else attrs.evolve(held, write=False, is_weaker=held.write)

    @property
    def __capsend_handle__(self) -> Any:
        folder = self._folder
        relative = os.path.relpath(str(self), folder.inside)
        name = f"{folder.number}{'r' if folder.is_weaker else ''}/{quote(relative, errors='surrogatepass')}"
        return _DirGrant(_Place(name))

    @property
    def write(self) -> bool:
        """True if a process may change the folder's content."""
        return self._folder.write

    def with_segments(self, *segments: str | os.PathLike[str]) -> Any:
        """Return a path in the folder as a `Dir`, and any other path as an ordinary path.

        `pathlib` calls this method for every derived path.
        """
        return _within(Path(*segments), self._folder)

    def __copy__(self) -> Dir:
        return self

    def __deepcopy__(self, _memo: object) -> Dir:
        return self

    def __reduce__(self) -> Any:
        raise TypeError("a Dir cannot be pickled: it is a right, and anyone can write a pickle. Send its path")

    def __repr__(self) -> str:
        folder, relative = self._folder, os.path.relpath(str(self), self._folder.inside)
        below = "" if relative == "." else f" / {relative!r}"
        return f"Dir({folder.inside!r}{', write=True' if folder.write else ''}){below}"


_given: dict[str, _Folder] = {}


def _within(path: Path, folder: _Folder) -> Any:
    """Return a path in the folder as a `Dir`, and any other unchanged."""
    if ".." in path.parts or not f"{path}/".startswith(f"{folder.inside}/"):
        return path
    made = object.__new__(Dir)
    PosixPath.__init__(made, path)  # type: ignore[call-arg]  # as above
    made._folder = folder
    return made


def _receive(number: int, description: Any) -> Any:
    path, inside, write = description
    _given[path] = _Folder(number, inside, write)
    return _within(Path(path), _given[path])


handles.KINDS["dir"] = _receive
