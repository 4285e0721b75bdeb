"""Images: the snapshots from which processes start, built at first use and kept in the user's cache folder."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import platform
import shutil
import stat
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs
from capsend_traits.absent import ABSENT

from capsend.cache_place import cache_folder
from capsend.codec.text import dumps
from capsend.exceptions import ImageError
from capsend.image import rehearsal
from capsend.image.cache import check_owner, check_way, cpu, own_folder, unwritable
from capsend.image.guest_files import declaration_files, guest_files, guest_modules
from capsend.image.packages import ALWAYS, Package, collect
from capsend.image.provision import provide
from capsend.image.record import COMPILED, CONTENT, RECORD, Record, digest_of, is_merging
from capsend.image.without_native import needs_native, refuse_native
from capsend.shipping.captures.origins import register_native_code

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from capsend.engine import Template
    from capsend.image.image_file import ImageFile

FORMAT: Final = 6
"""Increased when a change of the engine's settings or of the cache's layout makes old images useless."""

_lock = threading.Lock()
_templates: dict[Path, Template] = {}
_inventories: dict[tuple[tuple[str, ...], str | None], frozenset[str]] = {}


def _names(value: Iterable[str]) -> tuple[str, ...]:
    names: list[Any] = [] if isinstance(value, str) else list(value)
    if isinstance(value, str) or not all(isinstance(name, str) and name.strip() for name in names):
        message = f"packages must be a list of package names, such as ['rich'], not {value!r}"
        raise TypeError(message)
    return tuple(sorted({name.strip() for name in names}))


@attrs.frozen(cache_hash=True)
class Image:
    """A CPython for WebAssembly with its whole standard library, `attrs`, `typing_extensions` and chosen packages.

    An image is a value that describes the content. Its file is built when a process first needs it, which takes about
    15 seconds once per machine and user. All programs that ask for the same content share the file.

    Args:
        packages: names of packages; the packages that they require are included. A package with native code is used in
            a build for processes: ready-made (`pip install capsend-NAME`), made by `capsend image add NAME`, or made
            now if it has a recipe and the tools are installed. All others must be installed on the host.

    Raises:
        ImageError: from `ensure`: a package is not installed, or has native code that is not built for processes, or
            the image cannot be built, stored or trusted.
    """

    packages: tuple[str, ...] = attrs.field(default=(), converter=_names)
    file: ImageFile | None = attrs.field(default=None, init=False)
    """The file from which it is read; None for an image that is built on this machine."""

    @classmethod
    def from_file(cls, path: str | os.PathLike[str], *, digest: str | None = None) -> Image:
        """Return the image in a file that `to_file`, or `capsend image build --output`, wrote on any machine.

        The file contains WebAssembly, which runs on every machine, and no machine code. It is compiled for this CPU
        when a process first needs it, in about 5 seconds, into the same cache as other images; until then only its head
        is read. The author of the file can decide the results of functions and see the data sent to them, in every
        process that starts from the image, but cannot reach beyond a process. So give *digest*, or let no other user
        write to the file.

        Args:
            path: the file.
            digest: the digest that the file must have, 64 hexadecimal digits, as `to_file` returns it.

        Raises:
            ImageError: the file cannot be read, is not an image, is damaged, has another digest, was made by another
                version of capsend, or, without *digest*, belongs to or can be written by another user.
        """
        from capsend.image import image_file

        try:
            file = image_file.read(path, digest=digest)
        except OSError as error:
            raise ImageError(f"{path} cannot be read: {error.strerror or error}. Name the file of an image") from error
        if file.guest != _guest():
            raise ImageError(
                f"{path} was made by another version of capsend, or with another one of its tools. Make it again with this one: "
                "capsend image build --output FILE"
            )
        image = cls(
            tuple(package.partition(" ")[0] for package in file.packages if package.partition(" ")[0] not in ALWAYS)
        )
        object.__setattr__(image, "file", file)
        return image

    def to_file(self, path: str | os.PathLike[str]) -> str:
        """Write the image to a file for other machines, and return the digest of the file; see `from_file`.

        Args:
            path: the file; an existing file is replaced once the new one is complete.

        Returns:
            The digest of the file in hexadecimal, as `from_file` takes it.

        Raises:
            ImageError: a package is not installed or contains native code, the image cannot be built, or the file cannot be written.
        """
        from capsend.image import bake, image_file

        if self.file is not None:
            raise ImageError(f"this image is that of a file already: copy {self.file.path}")
        packages, modules = _packages(self.packages), self.modules
        with _workshop(cache_folder()) as workshop:
            component = bake.assemble_component(workshop, packages, rehearsal.texts(knows=Image().knows))
            try:
                return image_file.write(
                    path,
                    component,
                    guest=_guest(),
                    python=self.record.python,
                    packages=bake.described(packages),
                    modules=modules,
                )
            except OSError as error:
                raise ImageError(
                    f"{path} cannot be written: {error.strerror or error}. Name a file in a folder of yours"
                ) from error

    @property
    def _digest(self) -> str:
        """The digest of its file; empty for an image without a file."""
        return self.file.digest if self.file is not None else ""

    @property
    def path(self) -> Path:
        """The compiled file, which exists once the image is built."""
        return self._folder / COMPILED

    @property
    def _folder(self) -> Path:
        return _folder_of(self.packages, self._digest, os.environ.get("CAPSEND_CACHE_DIR"))

    @property
    def key(self) -> str:
        """A digest of everything on which the built file depends: versions, guest files, packages, settings and CPU."""
        return _key(self.packages, self._digest)

    @property
    def content_key(self) -> str:
        """A digest of the image's content: like `key`, but independent of the machine."""
        return _content_key(self.packages, self._digest, os.environ.get("CAPSEND_CACHE_DIR"))

    @property
    def requirements(self) -> tuple[str, ...]:
        """Its packages and their requirements, without capsend's: `("name==version", ...)`; empty for the image of a file."""
        if self.file is not None or not self.packages:
            return ()
        own = {package.name for package in always()}
        return tuple(f"{each.name}=={each.version}" for each in _packages(self.packages) if each.name not in own)

    @property
    def is_built(self) -> bool:
        """True if the image is in the cache."""
        return (self._folder / RECORD).exists()

    def ensure(self) -> Path:
        """Build the image if its file does not exist, and return the file.

        Programs that start at the same time build it once: the others wait.

        Raises:
            ImageError: a package is not installed or contains native code, or the image cannot be built, stored or trusted.
        """
        self.template()
        return self.path

    @property
    def modules(self) -> frozenset[str]:
        """The full names of all modules in the image; builds the image if necessary."""
        self.ensure()
        return self.record.modules

    @property
    def record(self) -> Record:
        """The record written when the image was built.

        Raises:
            ImageError: the image is not built.
        """
        try:
            return _record(self._folder / RECORD)
        except (OSError, ValueError) as error:
            raise ImageError(
                f"the image is not built yet, or damaged: {error}. Build it: capsend image build"
            ) from error

    def knows(self, module: str) -> bool:
        """Return whether a program can import a module in the guest, by its full name; answers without building.

        Before the image is built, the answer is derived from the names of the standard library and of the packages; it
        is right for every module that programs usually import.
        """
        if self.file is not None:
            return module in self.file.modules
        place = (self.packages, os.environ.get("CAPSEND_CACHE_DIR"))
        inventory = _inventories.get(place)
        if inventory is None:
            with contextlib.suppress(ImageError):
                inventory = _inventories[place] = self.record.modules
        if inventory is not None:
            return module in inventory
        top = module.partition(".")[0]
        if top in sys.stdlib_module_names:
            return top not in ABSENT
        if top == "capsend":
            return module in guest_modules()
        return any(top in package.imports for package in _packages(self.packages))

    def template(self) -> Template:
        """Return the image, loaded into this OS process; it is built first if necessary, and loaded once."""
        if self.packages and self.file is None:
            _provide(self.packages, os.environ.get("CAPSEND_CACHE_DIR"))
        folder = self._folder
        loaded = _templates.get(folder)
        if loaded is None:
            with _lock:
                loaded = _templates.get(folder)
                if loaded is None:
                    loaded = _templates[folder] = self._obtain(folder)
        return loaded

    def _obtain(self, folder: Path) -> Template:
        own_folder(folder.parent)
        if (template := _load(folder)) is not None:
            return template
        with _building(folder.parent):
            # Another program may have built the image while this one waited for the lock.
            if (template := _load(folder)) is not None:
                return template
            self._build(folder)
        if (template := _load(folder)) is None:
            raise ImageError(f"the image in {folder} was damaged right after it was built. Is its disk healthy?")
        return template

    def _build(self, folder: Path) -> None:
        from capsend.image import bake  # tools that a program with a built image never needs

        _remove_leftovers(folder.parent)
        with _workshop(folder.parent) as workshop:
            if self.file is not None:
                try:
                    bake.bake_file(workshop, key=self.key, file=self.file)
                except OSError as error:
                    raise ImageError(
                        f"{self.file.path} cannot be read: {error}. Put it back, or build the image: Image()"
                    ) from error
            else:
                packages = _packages(self.packages)
                refuse_native(packages)
                bake.bake(workshop, key=self.key, packages=packages, rehearsal=rehearsal.texts(knows=Image().knows))
            _discard(folder)
            workshop.rename(folder)
            for old in list_images()[_KEPT:]:
                _discard(old.path)


@attrs.frozen
class StoredImage:
    """One image in the cache."""

    path: Path
    size: int
    """Bytes on the disk."""
    record: Record | None
    """None when the image is damaged."""


def list_images() -> list[StoredImage]:
    """Return every image in the cache, the newest first, including those of other versions."""
    found = []
    with contextlib.suppress(FileNotFoundError):
        for folder in cache_folder().iterdir():
            if folder.is_dir() and not folder.name.startswith("."):
                size = sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
                try:
                    record = Record.load(folder / RECORD)
                except (OSError, ValueError):
                    record = None
                found.append(StoredImage(path=folder, size=size, record=record))
    return sorted(found, key=lambda image: -(image.record.built if image.record else 0.0))


def clear_images() -> int:
    """Remove every image and all leftovers of killed builds; return the number of bytes that became free.

    Running programs are not affected: they have loaded everything they need.
    """
    freed = sum(image.size for image in list_images())
    folder = cache_folder()
    if folder.exists():
        with _building(folder):
            for image in list_images():
                _discard(image.path)
            _remove_leftovers(folder)
    _record.cache_clear()
    return freed


_IN_PLACE: Final = "CAPSEND_IN_PLACE"
"""The environment variable that, set to 0, sends bytes as text: for tests, and for finding the cause of a fault."""

_WORKSHOP: Final = ".build-"
_KEPT: Final = 8
"""The most images that stay in the cache after a build: those of a few versions, environments and package sets."""


@functools.cache
def _provide(names: tuple[str, ...], _cache_dir: str | None) -> None:
    """Build, once, missing packages with native code that have a recipe; the image's content changes with them."""
    if provide(names):
        forget()


def forget() -> None:
    """Look at the packages again: one was built for the guest, or removed."""
    for cached in (_folder_of, _collected, _content_in, _content_key, needs_native):
        cached.cache_clear()
    _provide.cache_clear()


@functools.cache
def _folder_of(names: tuple[str, ...], file: str, _cache_dir: str | None) -> Path:
    return cache_folder() / _key(names, file)


def _packages(names: tuple[str, ...]) -> tuple[Package, ...]:
    return _collected(names, os.environ.get("CAPSEND_CACHE_DIR"))


@functools.cache
def _collected(names: tuple[str, ...], _cache_dir: str | None) -> tuple[Package, ...]:
    return collect((*ALWAYS, *names))


def always() -> tuple[Package, ...]:
    """Return the packages that every image contains."""
    return _packages(())


@functools.cache
def _record(path: Path) -> Record:
    return Record.load(path)


def _key(names: tuple[str, ...], file: str) -> str:
    return _short([*_content(names, file), ("machine", [sys.platform, platform.machine(), cpu()])])


def _short(parts: list[tuple[str, Any]]) -> str:
    return hashlib.sha256(dumps(parts).encode()).hexdigest()[:24]


def _content(names: tuple[str, ...], file: str) -> list[tuple[str, Any]]:
    """Return the sources of an image: by the names of its packages, or, if it has a file, by the file's digest."""
    return _content_in(names, file, os.environ.get("CAPSEND_CACHE_DIR"))


@functools.cache
def _content_in(names: tuple[str, ...], file: str, _cache_dir: str | None) -> list[tuple[str, Any]]:
    import importlib.metadata

    from capsend import engine
    from capsend.image import time_zones

    compiled = [
        ("format", FORMAT),
        ("wasmtime", importlib.metadata.version("wasmtime")),
        ("merged", is_merging()),
        ("slots", engine.has_slots()),
        ("file", file),
    ]
    if file:
        return compiled
    return [
        *compiled,
        ("guest", _guest()),
        ("declarations", _declarations(names)),
        ("packages", [(package.name, package.version, _digest(package)) for package in _packages(names)]),
        ("zones", time_zones.version()),
    ]


@functools.cache
def _content_key(names: tuple[str, ...], file: str, cache_dir: str | None) -> str:
    return _short(_content_in(names, file, cache_dir))


@functools.cache
def _guest() -> str:
    """Return the digest of the part that this installation's images share: capsend's own files, and the tool that makes components."""
    import importlib.metadata

    files = [(str(inside), digest_of(path)) for inside, path in guest_files().items()]
    tool = importlib.metadata.version("componentize-py")
    return hashlib.sha256(dumps([tool, files]).encode()).hexdigest()


def _declarations(names: tuple[str, ...]) -> list[tuple[str, str]]:
    """Return other packages' declarations for the chosen packages.

    The search takes milliseconds, so it is skipped for the default image.
    """
    tops = [top for package in _packages(names) for top in package.imports] if names else []
    return [(str(inside), digest_of(path)) for inside, path in declaration_files(tops).items()] if tops else []


def _digest(package: Package) -> str:
    if package.digest:
        return package.digest
    total = hashlib.sha256()
    for relative, path in package.files:
        total.update(f"{relative}\0{digest_of(path)}\0".encode())
    return total.hexdigest()


def _load(folder: Path) -> Template | None:
    """Load a built image; return None if it is missing, or damaged, which is reported.

    Raises:
        ImageError: the image exists, but other users may have written it.
    """
    from capsend import engine

    if not folder.exists():
        return None
    check_way(folder)
    check_owner(folder, stat.S_ISDIR)
    try:
        record = Record.load(folder / RECORD)
        check_owner(folder / RECORD, stat.S_ISREG)
        for name in _files_of(record):
            check_owner(folder / name, stat.S_ISREG)
        _check_content(folder, record)
        in_place = os.environ.get(_IN_PLACE) != "0"
        return engine.Template(
            folder / COMPILED,
            content=folder / CONTENT if record.content else None,
            instance=record.instance if in_place else None,
            written=record.written,
        )
    except (OSError, ValueError) as error:
        print(f"capsend: the cached image is not used: {error}", file=sys.stderr)  # noqa: T201 - explains the wait
        return None


def _files_of(record: Record) -> dict[str, str]:
    """Return {name: digest} of the files from which an image is loaded."""
    return {COMPILED: record.digest} | ({CONTENT: record.content} if record.content else {})


def _check_content(folder: Path, record: Record) -> None:
    """Compare the files with their digests, unless they are unchanged since the last comparison.

    The digest of 75 MB takes longer than the rest of the start; the change time reveals every write.
    """
    digests, stamp = _files_of(record), folder / "verified"
    states = [(folder / name).stat() for name in digests]
    current = "\n".join(
        f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino}" for status in states
    )
    with contextlib.suppress(OSError):
        if stamp.read_text(encoding="ascii") == current:
            return
    for name, digest in digests.items():
        if digest_of(folder / name) != digest:
            message = f"{folder / name} is not the file that was built"
            raise ValueError(message)
    # If the cache cannot be written, the digests are computed every time.
    with contextlib.suppress(OSError):
        stamp.write_text(current, encoding="ascii")


@contextlib.contextmanager
def _building(folder: Path) -> Iterator[None]:
    """Let only one OS process at a time build or remove images."""
    import filelock

    lock = filelock.FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        print("capsend: waiting for another program that builds the image...", file=sys.stderr)  # noqa: T201
        lock.acquire()
    except OSError as error:
        raise unwritable(folder, error) from error
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def _workshop(folder: Path) -> Iterator[Path]:
    """Yield a new folder for a build; the folder is removed in the end unless it was renamed."""
    try:
        workshop = Path(tempfile.mkdtemp(prefix=_WORKSHOP, dir=folder))
    except OSError as error:
        raise unwritable(folder, error) from error
    try:
        yield workshop
    finally:
        shutil.rmtree(workshop, ignore_errors=True)


def _remove_leftovers(folder: Path) -> None:
    """Remove the workshops of killed builds; the caller holds the lock, so no build is running."""
    for workshop in folder.glob(f"{_WORKSHOP}*"):
        shutil.rmtree(workshop, ignore_errors=True)


def _discard(folder: Path) -> None:
    """Remove an image in an order that never lets a partly removed image pass for a whole one."""
    if folder.exists() or folder.is_symlink():
        grave = folder.with_name(f"{_WORKSHOP}{folder.name}-{os.getpid()}")
        folder.rename(grave)
        shutil.rmtree(grave, ignore_errors=True)
        grave.unlink(missing_ok=True) if grave.is_symlink() else None


register_native_code(needs_native)
