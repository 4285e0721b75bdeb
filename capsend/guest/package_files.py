"""Data files and metadata of packages, in memory: a guest has no disk to read them from."""

from __future__ import annotations

import importlib.machinery
import importlib.metadata
import io
import os
import pathlib
import sys
import zlib
from importlib.resources.abc import Traversable, TraversableResources
from typing import TYPE_CHECKING, Any

from . import streams

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_ROOT = pathlib.PurePosixPath(__file__).parent.parent
_files: dict[str, bytes] = {}  # by the path below the packages' folder, compressed

_loader: Any = importlib.machinery.SourceFileLoader.__mro__[
    1
]  # FileLoader, which loaders without sources derive from too
_get_data = _loader.get_data


def keep(names: Iterable[str]) -> None:
    """Load the named files into memory, during the build of the image."""
    for name in names:
        _files[name] = zlib.compress(pathlib.Path(str(_ROOT), name).read_bytes())


def find(path: Any) -> bytes | None:
    """Return the content of a package's file, by the full path that packages derive from their `__file__`."""
    try:
        text = os.fspath(path)
    except TypeError:
        return None
    if not isinstance(text, str) or not text.startswith(str(_ROOT)):
        return None
    found = _files.get(_below(text))
    return None if found is None else zlib.decompress(found)


def _below(path: str) -> str:
    return os.path.normpath(path).removeprefix(str(_ROOT)).lstrip("/")


class _Entry(Traversable):
    """A file or folder of a package."""

    def __init__(self, path: str) -> None:
        self._path = path

    @property
    def name(self) -> str:
        return self._path.rpartition("/")[2]

    def is_file(self) -> bool:
        return self._path in _files

    def exists(self) -> bool:
        return self.is_file() or self.is_dir()

    def is_dir(self) -> bool:
        start = f"{self._path}/"
        module = sys.modules.get(self._path.replace("/", "."))
        return any(name.startswith(start) for name in _files) or hasattr(module, "__path__")

    def iterdir(self) -> Iterator[_Entry]:
        start = f"{self._path}/"
        names = {name.removeprefix(start).partition("/")[0] for name in _files if name.startswith(start)}
        return (_Entry(start + name) for name in sorted(names))

    def joinpath(self, *descendants: Any) -> _Entry:
        return _Entry(_below(str(_ROOT.joinpath(self._path, *descendants))))

    __truediv__ = joinpath

    def open(self, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        stream = io.BytesIO(self.read_bytes())
        return stream if "b" in mode else io.TextIOWrapper(stream, *args, **kwargs)

    def read_bytes(self) -> bytes:
        data = find(str(self))
        if data is None:
            raise FileNotFoundError(f"the image has no file {self}: only packages that are built into it have theirs")
        return data

    def read_text(self, encoding: str | None = None, errors: str | None = None) -> str:
        text: str = self.open("r", encoding, errors).read()
        return text

    def __str__(self) -> str:
        return str(_ROOT / self._path)

    __fspath__ = __str__

    def __repr__(self) -> str:
        return f"<package file {self}>"


class _Reader(TraversableResources):
    def __init__(self, path: str) -> None:
        self._path = path

    def files(self) -> _Entry:
        return _Entry(_below(self._path))


class _Distribution(importlib.metadata.Distribution):
    def __init__(self, folder: str) -> None:
        self._folder = folder

    def read_text(self, filename: Any) -> str | None:
        data = find(_ROOT / self._folder / filename)
        return None if data is None else data.decode("utf-8")

    def locate_file(self, path: Any) -> Any:
        return _Entry(_below(str(_ROOT / path)))


class _Finder:
    """The finder of `importlib.metadata`."""

    @staticmethod
    def find_spec(_name: str, _path: object = None, _target: object = None) -> None:
        """Return None: all modules of packages are loaded."""

    @staticmethod
    def find_distributions(context: Any = None) -> Iterator[importlib.metadata.Distribution]:
        """Yield the distributions in the image."""
        wanted = getattr(context, "name", None)
        normalize: Any = importlib.metadata.Prepared.normalize  # type: ignore[attr-defined] # not in typeshed
        for folder in sorted({name.partition("/")[0] for name in _files}):
            name = folder.partition("-")[0]
            if folder.endswith(".dist-info") and (wanted is None or normalize(wanted) == normalize(name)):
                yield _Distribution(folder)


def install() -> None:
    """Let the standard library find these files."""
    sys.meta_path.append(_Finder)
    streams.FINDERS.append(find)

    def get_data(self: Any, path: str) -> Any:
        data = find(path)
        return _get_data(self, path) if data is None else data

    def get_resource_reader(self: Any, _name: str) -> _Reader:
        return _Reader(os.path.dirname(self.path))

    _loader.get_data, _loader.get_resource_reader = get_data, get_resource_reader
