"""The packages baked into an image on top of the standard library: guest wheels, or packages of the host without native code."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Final

import attrs

from capsend.exceptions import ImageError
from capsend.image.native import store
from capsend.image.native.place import EXTRA, SUFFIXES, is_available
from capsend.image.native.recipes import Recipe, normal, recipe_of
from capsend.shipping.captures.origins import distributions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ALWAYS: Final = ("attrs", "typing_extensions")
"""The distributions that every image contains."""
_PLAIN: Final = frozenset(map(normal, ALWAYS))

_NATIVE: Final = (".so", ".pyd", ".dylib", ".dll")
_VERSIONED: Final = re.compile(r"\.so\.[0-9.]+$")
_SOURCES: Final = (".pyc", ".pyi", ".pth", ".c", ".h", ".pyx", ".pxd", ".pyx.in", ".a", ".inc", ".src", ".f", ".f90")
_TESTS: Final = re.compile(r"(^|/)tests?/")
_METADATA: Final = ("PKG-INFO", "METADATA", "entry_points.txt", "top_level.txt", "RECORD")
_REQUIREMENT: Final = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")


@attrs.frozen
class Package:
    """A distribution, or an importable package without a distribution, as it goes into an image."""

    name: str
    version: str
    files: tuple[tuple[str, Path], ...] = attrs.field(repr=False)
    """(path below the packages' folder, file on the host)."""
    native: tuple[Path, ...] = attrs.field(default=(), repr=False)
    """Its native code, which is left out."""
    needed_by: str = ""
    """The package that requires this one; empty if the user asked for it."""
    digest: str = attrs.field(default="", repr=False)
    """The digest of its content, if known: that of a guest wheel."""
    host_version: str = ""
    """The host's version of a package built for the guest, if it differs."""

    @property
    def words(self) -> str:
        """Its name for a message, with the package that requires it."""
        return f"the package {self.name!r}" + (f", which {self.needed_by!r} requires," if self.needed_by else "")

    @property
    def imports(self) -> tuple[str, ...]:
        """The top-level names that a program imports, sorted."""
        tops = {
            relative.split("/", 1)[0].split(".", 1)[0]
            for relative, _ in self.files
            if relative.endswith((".py", *SUFFIXES))
        }
        return tuple(sorted(tops))


def how_to_get(recipe: Recipe) -> str:
    """Return the ways to get a package with native code into an image, as the end of a sentence."""
    if recipe.refused:
        return f"cannot be built for a process yet: {recipe.refused}"
    tools = "" if is_available() else f"{EXTRA}, then "
    return f"is not built for processes yet. Build it, which takes about {recipe.minutes} min: {tools}capsend image add {recipe.name}"


def collect(names: Iterable[str]) -> tuple[Package, ...]:
    """Return the named packages and all packages that they require.

    A name is a distribution's name or an import name. A guest wheel replaces the host's package.

    Returns:
        Each package once, sorted by name.

    Raises:
        ImageError: a package or one of its requirements is not installed, or a package has no Python files.
    """
    found: dict[str, Package] = {}
    waiting: list[tuple[str, str]] = [(name, "") for name in names]
    while waiting:
        name, needed_by = waiting.pop()
        distribution = _distribution(name)
        key = normal(distribution.name if distribution else name)
        if key in found:
            continue
        if key not in _PLAIN and (wheel := store.find(key)) is not None:
            found[key] = _built(wheel, needed_by)
            waiting.extend((required, wheel.name) for required in _required(wheel.requires))
        elif distribution is None:
            found[key] = _loose_package(name, needed_by)
        else:
            files = chain(_files(distribution), _metadata(distribution))
            found[key] = _pack(distribution.name, distribution.version, files, needed_by)
            waiting.extend((required, distribution.name) for required in _required(distribution.requires or ()))
    return tuple(found[key] for key in sorted(found))


def distribution_name(name: str) -> str:
    """Return the name of the distribution for a name that `collect` accepts."""
    found = _distribution(name)
    return found.name if found else name


def _distribution(name: str) -> importlib.metadata.Distribution | None:
    try:
        return importlib.metadata.distribution(name)
    except (importlib.metadata.PackageNotFoundError, ValueError):
        pass
    owners = distributions().get(name)
    return importlib.metadata.distribution(owners[0]) if owners else None


def _required(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        match = _REQUIREMENT.match(line)
        marker = line.partition(";")[2]
        if match is None or re.search(r"\bextra\s*==", marker):
            continue
        # If a marker does not hold on this machine, the requirement is not installed: pip has evaluated the marker.
        if not marker or _distribution(match[1]) is not None:
            yield match[1]


def _files(distribution: importlib.metadata.Distribution) -> Iterator[tuple[str, Path]]:
    listed = [
        (file.as_posix(), Path(str(distribution.locate_file(file))))
        for file in distribution.files or ()
        if not file.parts[0].endswith((".dist-info", ".egg-info")) and ".." not in file.parts
    ]
    if any(relative.endswith(".py") and "/" in relative for relative, _ in listed) or _has_modules(listed):
        yield from listed
        return
    # An editable installation lists only a link; its import names lead to the sources.
    for top, owners in distributions().items():
        if distribution.name in owners:
            yield from _folder_of(top)
    for top in (distribution.read_text("top_level.txt") or "").split() or [distribution.name.replace("-", "_")]:
        yield from _folder_of(top)


def _metadata(distribution: importlib.metadata.Distribution) -> Iterator[tuple[str, Path]]:
    """Yield (name in a wheel, file) of the files that `importlib.metadata` reads."""
    folder = f"{normal(distribution.name).replace('-', '_')}-{distribution.version}.dist-info"
    place = Path(str(getattr(distribution, "_path", "")))
    for name in _METADATA:
        path = place / name if place.is_dir() else place
        if path.is_file() and (place.is_dir() or name == "PKG-INFO"):
            yield f"{folder}/{'METADATA' if name == 'PKG-INFO' else name}", path


def _has_modules(listed: list[tuple[str, Path]]) -> bool:
    return any(relative.endswith(".py") and not relative.startswith("__editable__") for relative, _ in listed)


def _folder_of(top: str) -> Iterator[tuple[str, Path]]:
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        spec = None
    if spec is None:
        return
    folders = list(spec.submodule_search_locations or ())
    if not folders and spec.origin and spec.origin.endswith(".py"):
        yield Path(spec.origin).name, Path(spec.origin)
    for folder in map(Path, folders):
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                yield f"{top}/{file.relative_to(folder).as_posix()}", file


def _built(wheel: store.Wheel, needed_by: str) -> Package:
    """Return a package built for the guest, without files that only its tests and other builds read."""
    files = tuple((relative, path) for relative, path in wheel.files() if not _is_left_out(relative))
    mine = store.host_version(wheel.name)
    return Package(
        name=wheel.name,
        version=wheel.version,
        files=files,
        needed_by=needed_by,
        digest=wheel.digest,
        host_version="" if mine == wheel.version else mine,
    )


def _is_left_out(relative: str) -> bool:
    return bool(_TESTS.search(relative)) or relative.endswith(_SOURCES) or "__pycache__" in relative


def _loose_package(name: str, needed_by: str) -> Package:
    files = tuple(_folder_of(name)) if name.isidentifier() else ()
    if not files:
        reason = f", which {needed_by!r} requires," if needed_by else ""
        if recipe := recipe_of(name):
            raise ImageError(f"the package {name!r}{reason} has native code, and {how_to_get(recipe)}")
        message = f"the package {name!r}{reason} is not installed. Install it first: pip install {name}"
        raise ImageError(message)
    return _pack(name, "", files, needed_by)


def _pack(name: str, version: str, files: Iterable[tuple[str, Path]], needed_by: str) -> Package:
    kept: dict[str, Path] = {}
    native = []
    for relative, path in files:
        if relative.endswith(_NATIVE) or _VERSIONED.search(relative):
            native.append(path)
        elif "__pycache__" not in relative and not relative.endswith((".pyc", ".pyi", ".pth")):
            kept[relative] = path
    package = Package(
        name=name, version=version, files=tuple(sorted(kept.items())), native=tuple(native), needed_by=needed_by
    )
    if not package.imports:
        message = f"{package.words} has no Python files that could go into an image"
        raise ImageError(message)
    return package
