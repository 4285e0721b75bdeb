"""Folders as capabilities: `Dir`, the grant that stands for a captured `Dir`, and its mount point."""

from __future__ import annotations

import contextlib
import itertools
import os
import sys
import warnings
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, ClassVar, Final, final

import attrs

from capsend.cache_place import cache_folder, module_folder
from capsend.capabilities.handles import Grant
from capsend.traits.markers import not_process_send

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

    # To a type checker a Dir is a path: in a guest it is one, and on the host it delegates to one.
    _Base = Path
else:
    _Base = object

LONGEST_PATH: Final = 4096
"""Bytes of the longest path that a process can open."""

MOST_LISTINGS: Final = 32
"""The most listings of folders that a process can have open at a time: each of them lies whole in the host's memory."""

_numbers: Final = itertools.count()


@attrs.frozen
class Mount:
    """A folder of the host that a process sees.

    Attributes:
        path: its path on the host.
        inside: its path in the guest.
        write: True if the process may change the folder's content.
    """

    path: str
    inside: str
    write: bool

    def __str__(self) -> str:
        return f"{self.path} ({'read and write' if self.write else 'read only'})"


@attrs.frozen
class DirGrant(Grant):
    """The right to use a folder, and a path in it.

    Attributes:
        mount: the folder.
        relative: the path, relative to the folder; "." for the folder itself.
    """

    kind: ClassVar[str] = "dir"
    refusal: ClassVar[str] = (
        "which folders a process may use is settled when it starts. Capture the Dir, or pass it to spawn"
    )

    mount: Mount
    relative: str

    @property
    def stays(self) -> str:
        """The reason why the grant cannot be given to a process on another machine."""
        return (
            "it is a folder of this machine. Instead: pass its content, as bytes, or give a host function that reads it"
        )

    def describe(self) -> object:
        """Return the path in the guest, the folder's mount point, and whether the folder's content may be changed."""
        return [str(PurePosixPath(self.mount.inside, self.relative)), self.mount.inside, self.mount.write]

    def read_only(self) -> DirGrant:
        """Return a read-only grant of the same folder. It gets a mount of its own, so a writable grant beside it does not widen it."""
        mount = self.mount
        return attrs.evolve(self, mount=Mount(mount.path, f"{mount.inside}r", write=False)) if mount.write else self

    def at(self, relative: str) -> DirGrant:
        """Return the same right with another path in the folder.

        Raises:
            ValueError: the path leads out of the folder, or is no path.
        """
        path = PurePosixPath(relative)
        if path.is_absolute() or ".." in path.parts or "\0" in relative or len(relative) > LONGEST_PATH:
            raise ValueError("no path in the folder")
        return attrs.evolve(self, relative=str(path))

    def handle(self) -> object:
        """Return the `Dir` on the host."""
        return _within(Path(self.mount.path, self.relative), self.mount)

    def __str__(self) -> str:
        return f"the folder {self.mount}"


@final
class Dir(_Base):
    """A folder of the host that a process may use: a process sees its content if it captures it or gets it as an argument.

    `folder / "x.csv"` is a path in it that can be captured too. In a guest both are `pathlib.Path`s, under a mount point that does not
    reveal the folder's path on the host; `open`, `pathlib`, `csv` and `sqlite3` take them, and children of the process may capture them in
    turn. On the host they can be used like paths as well, so that a function which takes one can also be called without a process.

    * A process sees this folder and the files and folders below it. `..`, absolute paths, symbolic links, renaming and hard links lead
      nowhere else.
    * Without `write=True` it can change nothing in it.
    * Capturing a path *in* the folder grants the whole folder. To grant less, make a `Dir` of less: `Dir(folder / "sub")`.
    * Pipes, sockets and devices in the folder cannot be opened.
    * Disk space is not limited: a process that may write can fill the disk.
    * A symbolic link that the process itself makes leads it nowhere, but may lead a careless program of the host astray.

    Args:
        path: an absolute path; a symbolic link is followed now, and never again.
        write: True lets the process create, change and delete files and folders in it.
        importable: True lets the process also write where the host program imports from, or keeps compiled code: it can then run code on the host.

    Raises:
        TypeError: *path* is not a path, or *write* is not a bool.
        ValueError: the path is relative, or the host program would import or load files that are written to the folder.
        FileNotFoundError: nothing exists at this path.
        NotADirectoryError: the path is not that of a folder.

    Example:
        >>> import tempfile, capsend
        >>> place = tempfile.TemporaryDirectory()
        >>> folder = capsend.Dir(place.name)
        >>> _ = (folder / "x.csv").write_text("1,2")
        >>> capsend.spawn(lambda: (folder / "x.csv").read_text()).result()
        '1,2'
        >>> place.cleanup()

    Source:
        Object capabilities, and the preopened folders of WASI.
    """

    __slots__ = ("_mount", "_path")

    _path: Path
    _mount: Mount

    def __init__(self, path: str | os.PathLike[str], *, write: bool = False, importable: bool = False) -> None:
        given: Any = os.fspath(path)  # checked values come from callers without a type checker: hence Any
        flag: Any = write
        if not isinstance(given, str) or not isinstance(flag, bool):
            raise TypeError(f"Dir needs a path and whether to write, Dir(path, write=True), not {path!r} and {write!r}")
        if not os.path.isabs(given):
            raise ValueError(
                f"Dir needs an absolute path, not {given!r}: a relative one would depend on the program's current folder. "
                "Write Dir(Path(...).resolve())"
            )
        real = os.path.realpath(given)
        if not os.path.exists(real):
            raise FileNotFoundError(f"there is no folder {given}: a Dir is a folder that exists. Create it first")
        if not os.path.isdir(real):
            raise NotADirectoryError(
                f"{given} is not a folder: a Dir is a folder. Take the one around it: Dir({os.path.dirname(given)!r})"
            )
        if write:
            check_imports(real, allowed=importable)
        self._path = Path(real)
        self._mount = Mount(real, f"/dirs/{next(_numbers)}", write)

    @property
    def __capsend_handle__(self) -> Grant:
        return DirGrant(self._mount, str(self._path.relative_to(self._mount.path)))

    @property
    def write(self) -> bool:
        """True if a process may change the folder's content."""
        return self._mount.write

    if not TYPE_CHECKING:

        def __truediv__(self, part):
            """Return a path in the folder; a path that leads out of it is an ordinary `Path`."""
            return _within(self._path / part, self._mount)

        def joinpath(self, *parts):
            """Return a path in the folder, as `/` does with each of the *parts*."""
            return _within(self._path.joinpath(*parts), self._mount)

        def __getattr__(self, name):
            """Return an attribute of the path on the host; a path among its values is a `Dir` again if it lies in the folder."""
            if name.startswith("__"):
                raise AttributeError(name)
            found = getattr(self._path, name)
            return DirMethod(found, self._mount) if callable(found) else _within(found, self._mount)

    def iterdir(self) -> Generator[Dir, None, None]:
        """Yield the paths of the folder's content."""
        return (_within(path, self._mount) for path in self._path.iterdir())

    def glob(self, pattern: str, **options: Any) -> Iterator[Dir]:  # type: ignore[override] # options differ between versions
        """Find the paths that match *pattern*; *options* as for `pathlib.Path.glob`.

        Returns:
            An iterator of the paths, each a `Dir` with the rights of this one.
        """
        return (_within(path, self._mount) for path in self._path.glob(pattern, **options))

    def rglob(self, pattern: str, **options: Any) -> Iterator[Dir]:  # type: ignore[override] # as above
        """Find the paths that match *pattern* at any depth; *options* as for `pathlib.Path.rglob`.

        Returns:
            An iterator of the paths, each a `Dir` with the rights of this one.
        """
        return (_within(path, self._mount) for path in self._path.rglob(pattern, **options))

    def __fspath__(self) -> str:
        return str(self._path)

    def __str__(self) -> str:
        return str(self._path)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Dir):
            return (self._path, self._mount) == (other._path, other._mount)
        return NotImplemented

    def __hash__(self) -> int:
        return hash((self._path, self._mount))

    def __reduce__(self) -> Any:
        raise TypeError("a Dir cannot be pickled: it is a right, and anyone can write a pickle. Send its path")

    def __copy__(self) -> Dir:
        return self

    def __deepcopy__(self, _memo: object) -> Dir:
        return self

    def __repr__(self) -> str:
        write = ", write=True" if self._mount.write else ""
        relative = self._path.relative_to(self._mount.path)
        below = "" if relative == Path() else f" / {str(relative)!r}"
        return f"Dir({self._mount.path!r}{write}){below}"


def check_imports(folder: str, *, allowed: bool) -> None:
    """Refuse to let processes write to a folder from which the host program imports modules, or has imported some.

    Args:
        folder: its real path.
        allowed: True warns instead of raising.

    Raises:
        ValueError: the host program imports from the folder, and *allowed* is False.
    """
    why = _imported_from(folder)
    if not why:
        return
    danger = f"{why}: a process that may write there can run code in this program"
    if not allowed:
        raise ValueError(
            f"Dir({folder!r}, write=True) is refused, since {danger}. Give the process a folder of its own, such as "
            f"Dir({os.path.join(folder, 'data')!r}, write=True), or permit it: Dir(..., write=True, importable=True)"
        )
    warnings.warn(f"Dir({folder!r}): {danger}", RuntimeWarning, stacklevel=3)


def _imported_from(folder: str) -> str:
    """Return the reason why files written to a folder may be run as code; empty if they cannot be."""
    for kept in map(os.path.realpath, (cache_folder(), module_folder())):
        if _is_in(kept, folder) or _is_in(folder, kept):
            return f"capsend keeps compiled code in {kept}, which this program loads"
    entries = [os.path.realpath(entry or os.curdir) for entry in sys.path]
    around = next((entry for entry in entries if _is_in(entry, folder)), None)
    if around is not None:
        return f"{around} is on sys.path, from which this program imports"
    if not any(_is_in(folder, entry) for entry in entries):
        return ""
    # A folder below an entry of `sys.path`: a folder of plain data is no package unless something was imported from it.
    if os.path.exists(os.path.join(folder, "__init__.py")):
        return f"{folder} is a package that can be imported"
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and _is_in(os.path.realpath(file), folder):
            return f"the module {name} was imported from that folder"
    return ""


def _is_in(path: str, folder: str) -> bool:
    """Return whether *path*, a real path, is *folder* or lies in it."""
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


@not_process_send(
    "it is bound to the path that the folder has on the host. Capture the Dir, and call its method in the process"
)
@attrs.frozen
class DirMethod:
    """A method of the path behind a `Dir` on the host."""

    _bound: Callable[..., Any]
    _mount: Mount

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the `pathlib` method. A path that it returns is a `Dir` again if it lies in the folder."""
        return _within(self._bound(*args, **kwargs), self._mount)


def mounts_of(grants: Iterable[Grant]) -> tuple[Mount, ...]:
    """Return the folders that a process with these grants sees, each once."""
    return tuple(dict.fromkeys(grant.mount for grant in grants if isinstance(grant, DirGrant)))


class Anchors:
    """Folders held open for the life of a tree of processes.

    A process that may write to a folder can put a symbolic link in the place of a folder below it. Whatever its path leads to by then, a
    process that is spawned later gets the very folder that the first process was given.

    Raises:
        OSError: a folder cannot be opened.
    """

    def __init__(self, mounts: Iterable[Mount]) -> None:
        self._held: dict[str, int] = {}
        for mount in mounts:
            if mount.path not in self._held and hasattr(os, "O_DIRECTORY"):
                self._held[mount.path] = self._open(mount)

    def _open(self, mount: Mount) -> int:
        try:
            return os.open(mount.path, os.O_DIRECTORY | os.O_CLOEXEC | getattr(os, "O_PATH", 0))
        except OSError as error:
            self.close()
            raise OSError(
                f"the folder {mount.path} cannot be opened any more: it is gone, or this program has no file descriptor left"
            ) from error

    def held(self, mounts: Iterable[Mount]) -> list[Mount]:
        """Return the same mounts under paths that lead to the open folders, where the system has such paths."""
        return [attrs.evolve(mount, path=self._path(mount)) for mount in mounts]

    def _path(self, mount: Mount) -> str:
        path = f"/proc/self/fd/{self._held.get(mount.path)}"
        return path if os.path.isdir(path) else mount.path

    def close(self) -> None:
        """Close all folders."""
        while self._held:
            os.close(self._held.popitem()[1])

    def __del__(self) -> None:
        """Close at the end of the last process of the tree, or of the interpreter, which may have lost `os` by then."""
        with contextlib.suppress(Exception):
            self.close()


def _within(path: Any, mount: Mount) -> Any:
    """Return a path in the folder as a `Dir`, and any other value unchanged."""
    if not isinstance(path, Path) or ".." in path.parts or not path.is_relative_to(mount.path):
        return path
    made = Dir.__new__(Dir)
    made._path, made._mount = path, mount  # noqa: SLF001 - its own module
    return made
