"""The store of guest wheels: packages built for the guest, in a separate folder that is never on the host's import path.

Each wheel is stored under its digest, together with its unpacked files: `NAME-VERSION-DIGEST/` contains `wheel.json`,
the wheel, and `files/`.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import io
import json
import shutil
import stat
import tempfile
import time
import zipfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final

import attrs

from capsend.exceptions import ImageError
from capsend.image.cache import check_owner, check_way, own_folder
from capsend.image.native.place import LOCK, SUFFIXES, TAG, native_folder
from capsend.image.native.recipes import normal

if TYPE_CHECKING:
    from collections.abc import Iterator

_RECORD: Final = "wheel.json"
_PREFIX: Final = "capsend-"
_MOST_BYTES: Final = 512_000_000
"""The most bytes to which a wheel may unpack."""
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)


@attrs.frozen
class Wheel:
    """A package built for the guest, in the store.

    Attributes:
        digest: the SHA-256 of the wheel.
        origin: the sdist from which it was built, with its digest; or the ready-made package that contained it.
        built: seconds since the epoch.
        cpu: seconds of processor time of the build; 0 for a ready-made wheel.
    """

    name: str
    version: str
    digest: str
    folder: Path = attrs.field(repr=False)
    origin: str = ""
    built: float = 0.0
    cpu: float = 0.0

    @property
    def path(self) -> Path:
        """The path of the wheel."""
        return self.folder / f"{normal(self.name).replace('-', '_')}-{self.version}-{TAG}.whl"

    @property
    def requires(self) -> tuple[str, ...]:
        """The requirements of its metadata."""
        found = next(self.folder.glob("files/*.dist-info/METADATA"), None)
        lines = found.read_text(encoding="utf-8", errors="replace").partition("\n\n")[0].splitlines() if found else ()
        return tuple(line.removeprefix("Requires-Dist: ") for line in lines if line.startswith("Requires-Dist: "))

    @property
    def native_bytes(self) -> int:
        """Bytes of its native code."""
        return sum(path.stat().st_size for path in self.folder.rglob("*.so"))

    def files(self) -> Iterator[tuple[str, Path]]:
        """Yield (path below the packages' folder, file) of all its files."""
        root = self.folder / "files"
        for path in sorted(root.rglob("*")):
            if path.is_file():
                yield path.relative_to(root).as_posix(), path


def wheels() -> list[Wheel]:
    """Return the wheels in the store, by name; of each name the newest first."""
    folder = native_folder() / "wheels"
    found = []
    with contextlib.suppress(FileNotFoundError):
        for record in folder.glob(f"*/{_RECORD}"):
            with contextlib.suppress(OSError, ValueError, TypeError):
                data: dict[str, Any] = json.loads(record.read_text(encoding="utf-8"))
                found.append(Wheel(folder=record.parent, **data))
    return sorted(found, key=lambda wheel: (normal(wheel.name), -wheel.built))


def find(name: str) -> Wheel | None:
    """Return the guest wheel of a package: an installed ready-made one, else one of the store, if possible of the host's version.

    Raises:
        ImageError: other users may have written the store; an installed ready-made package is damaged.
    """
    ready = _ready_made(name)
    mine = [wheel for wheel in wheels() if normal(wheel.name) == normal(name)]
    if ready is not None:
        return ready
    if not mine:
        return None
    check_way(native_folder())
    check_owner(mine[0].folder, stat.S_ISDIR)
    wanted = host_version(name)
    return next((wheel for wheel in mine if wheel.version == wanted), mine[0])


def host_version(name: str) -> str:
    """Return the version of a package on the host; empty if the package is not installed."""
    try:
        return importlib.metadata.version(name)
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return ""


def _ready_made(name: str) -> Wheel | None:
    """Return the guest wheel in an installed package `capsend-NAME`; it is stored at its first use."""
    try:
        distribution = importlib.metadata.distribution(f"{_PREFIX}{normal(name)}")
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return None
    carried = [file for file in distribution.files or () if file.name.endswith(f"-{TAG}.whl")]
    if not carried:
        return None
    path = Path(str(distribution.locate_file(carried[0])))
    recorded = carried[0].hash.value if carried[0].hash else ""
    origin = f"{distribution.name} {distribution.version} {recorded}".strip()
    try:
        kept = next((wheel for wheel in wheels() if wheel.origin == origin), None)
        return kept or keep(path.read_bytes(), origin=origin)
    except OSError as error:
        raise ImageError(f"the package {distribution.name!r} is damaged: {error}. Install it again") from error


def keep(wheel: bytes, *, origin: str, cpu: float = 0.0) -> Wheel:
    """Store a guest wheel.

    Returns:
        The stored wheel; the existing one if the store has the same content already.

    Raises:
        ImageError: the file is not a wheel for the guest, or the store cannot be written.
    """
    content = _rewritten(wheel)
    digest = hashlib.sha256(content).hexdigest()
    name, version = _identity(content)
    store = native_folder() / "wheels"
    own_folder(native_folder())
    own_folder(store)
    folder = store / f"{normal(name)}-{version}-{digest[:16]}"
    kept = Wheel(name=name, version=version, digest=digest, folder=folder, origin=origin, built=time.time(), cpu=cpu)
    workshop = Path(tempfile.mkdtemp(prefix=".wheel-", dir=store))
    try:
        _unpack(content, workshop / "files")
        (workshop / kept.path.name).write_bytes(content)
        data = attrs.asdict(kept, filter=lambda attribute, _: attribute.name != "folder")
        (workshop / _RECORD).write_text(json.dumps(data), encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        workshop.rename(folder)
    except OSError as error:
        raise ImageError(f"the package cannot be kept in {store}: {error}") from error
    finally:
        shutil.rmtree(workshop, ignore_errors=True)
    return kept


def discard(wheel: Wheel) -> None:
    """Remove a wheel from the store."""
    shutil.rmtree(wheel.folder, ignore_errors=True)


def clear() -> int:
    """Remove all wheels, the toolchain, the compiler's cache and the leftovers of killed builds; return the number of freed bytes.

    Waits for a running build.
    """
    import filelock

    folder = native_folder()
    if not folder.exists():
        return 0
    with filelock.FileLock(folder / LOCK):
        freed = sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())
        for path in folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
    return freed


def _rewritten(wheel: bytes) -> bytes:
    """Return the wheel with sorted files and without times: two builds of the same sources give the same bytes."""
    out = io.BytesIO()
    try:
        with zipfile.ZipFile(io.BytesIO(wheel)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
            for info in sorted(old.infolist(), key=lambda info: info.filename):
                if not info.is_dir():
                    new.writestr(zipfile.ZipInfo(info.filename, _EPOCH), old.read(info), zipfile.ZIP_DEFLATED)
    except (zipfile.BadZipFile, NotImplementedError, OSError) as error:
        raise ImageError(f"the wheel is damaged: {error}") from error
    return out.getvalue()


def _identity(wheel: bytes) -> tuple[str, str]:
    """Return (name, version) of a guest wheel; refuse any other wheel."""
    with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
        names = archive.namelist()
        if sum(info.file_size for info in archive.infolist()) > _MOST_BYTES:
            raise ImageError(f"the wheel unpacks to more than {_MOST_BYTES // 1_000_000} MB")
        metadata = next((name for name in names if name.endswith(".dist-info/METADATA") and name.count("/") == 1), "")
        if not metadata:
            raise ImageError("the wheel has no metadata")
        fields = dict(
            line.split(": ", 1) for line in reversed(archive.read(metadata).decode("utf-8", "replace").split("\n\n", 1)[0].splitlines())
            if line.startswith(("Name: ", "Version: "))
        )  # fmt: skip
        wrong = [name for name in names if name.endswith((".so", ".pyd", ".dylib")) and not name.endswith(SUFFIXES)]
        wrong += [name for name in names if name.endswith(".so") and archive.read(name)[:4] != b"\0asm"]
        if wrong:
            raise ImageError(f"the wheel holds native code that is not the guest's: {wrong[0]}")
    try:
        name, version = fields["Name"].strip(), fields["Version"].strip()
    except KeyError as error:
        raise ImageError(f"the metadata of the wheel has no {error.args[0]}") from error
    if not all(part and set(part) <= _PLAIN for part in (name, version)):
        raise ImageError(
            f"the wheel has the name {name!r} and the version {version!r}, which are not those of a package"
        )
    return name, version


_PLAIN: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-+!")


def _unpack(wheel: bytes, folder: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
        for name in archive.namelist():
            path = PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts or "\\" in name:
                raise ImageError(f"the wheel holds a file outside its folder: {name}")
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(archive.read(name))
