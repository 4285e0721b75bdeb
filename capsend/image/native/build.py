"""The build of a guest wheel from an sdist: fetch the sdist, compile it with the toolchain, store the wheel.

A build runs the build script of the sdist on the host, with the user's rights. Recipes pin the digest of the sources
that they run.
"""

from __future__ import annotations

import collections
import configparser
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from capsend.exceptions import ImageError
from capsend.image.native import driver, store, toolchain
from capsend.image.native.place import EXTRA, SUFFIXES, TAG, native_folder
from capsend.image.native.recipes import FOLDER, Recipe, normal, recipe_of
from capsend.image.native.sources import Source, checked, fetch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from capsend.image.native.toolchain import Toolchain

_BACKEND: Final = """
import importlib, json, sys
backend, folders, out = json.loads(sys.argv[1])
sys.path[:0] = folders
name, _, attributes = backend.partition(":")
module = importlib.import_module(name)
for attribute in filter(None, attributes.split(".")):
    module = getattr(module, attribute)
module.build_wheel(out)
"""
_LEGACY: Final = "setuptools.build_meta:__legacy__"
_FLAGS: Final = ("CC", "CXX", "AR", "RANLIB", "LDSHARED", "LDCXXSHARED", "CFLAGS", "CXXFLAGS")
_HOSTS: Final = (
    "CPPFLAGS",
    "LDFLAGS",
    "CPATH",
    "C_INCLUDE_PATH",
    "CPLUS_INCLUDE_PATH",
    "LIBRARY_PATH",
    "PKG_CONFIG_PATH",
)
_LAST_LINES: Final = 12
_LICENCES: Final = ("LICENSE", "LICENCE", "COPYING", "NOTICE")


def build(
    name: str, version: str = "", *, sha256: str = "", sdist: Path | None = None, say: Callable[[str], None]
) -> store.Wheel:
    """Build a package for the guest and store the wheel.

    Args:
        name: the package.
        version: the version; if empty, the host's version if the recipe supports it, else the recipe's newest, else the
            index's newest.
        sha256: the required digest of the sdist of a package without a recipe; empty to trust the index.
        sdist: the sdist, instead of a download.
        say: called with each line of progress.

    Raises:
        ImageError: the package cannot be built: its recipe gives a reason, a tool is missing, a download failed, or the
            build failed. Nothing is left behind.
    """
    recipe = recipe_of(name) or Recipe(name)
    if recipe.refused:
        raise ImageError(f"the package {recipe.name!r} cannot be built for a process yet: {recipe.refused}")
    source = _chosen(recipe, version, sha256)
    with toolchain.borrowed() as tools, tempfile.TemporaryDirectory(prefix=".build-", dir=native_folder()) as temporary:
        workshop = Path(temporary)
        started = _cpu()
        say(f"fetching {source.name} {source.version}".rstrip())
        archive = sdist or fetch(source, workshop)
        digest = checked(archive.read_bytes(), source)
        folder = _unpacked(archive, workshop / "source")
        replace_texts(folder, recipe)
        wheel = _Work(recipe, folder, workshop, tools=tools, say=say).wheel()
        return store.keep(wheel.read_bytes(), origin=f"{archive.name} sha256:{digest}", cpu=round(_cpu() - started, 1))


def _chosen(recipe: Recipe, version: str, sha256: str) -> Source:
    if version and recipe.versions and version not in recipe.versions and not sha256:
        known = ", ".join(recipe.versions)
        raise ImageError(
            f"the recipe of {recipe.name!r} knows {known}, not {version}. Take one of these, or give the digest of the sdist with --sha256"
        )
    if not version and (mine := store.host_version(recipe.name)) and (mine in recipe.versions or not recipe.versions):
        version = mine
    source = recipe.source(version)
    return Source(source.name, source.version, sha256 or source.sha256)


def _cpu() -> float:
    used = os.times()
    return used.children_user + used.children_system


def _unpacked(archive: Path, folder: Path) -> Path:
    """Unpack an sdist; return its only folder."""
    folder.mkdir()
    try:
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="data")
    except (tarfile.TarError, OSError) as error:
        raise ImageError(f"the sdist {archive.name} cannot be unpacked: {error}") from error
    inside = list(folder.iterdir())
    return inside[0] if len(inside) == 1 and inside[0].is_dir() else folder


def replace_texts(folder: Path, recipe: Recipe) -> None:
    """Replace texts of an unpacked sdist that are wrong for WebAssembly.

    Raises:
        ImageError: a text does not occur exactly once in its file.
    """
    for each in recipe.replacements:
        path = folder / each.file
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        if text.count(each.old) != 1:
            raise ImageError(
                f"the recipe of {recipe.name!r} replaces a text in {each.file} that this sdist does not have there once: {each.old!r}. "
                f"Take a version that the recipe knows: {', '.join(recipe.versions)}"
            )
        path.write_text(text.replace(each.old, each.new), encoding="utf-8")


class _Work:
    """One build: its recipe, its folders and its output."""

    def __init__(
        self, recipe: Recipe, folder: Path, workshop: Path, *, tools: Toolchain, say: Callable[[str], None]
    ) -> None:
        self.recipe = recipe
        self.folder = folder
        self.workshop = workshop
        self.say = say
        self.tools = tools
        self.failures = workshop / "undefined.txt"
        self.environment = {name: value for name, value in os.environ.items() if name not in _HOSTS}
        self.environment |= (
            tools.environment | recipe.environment | {driver.FAILURES: str(self.failures), "TMPDIR": str(workshop)}
        )
        self.licences: list[Path] = []
        self.places: dict[str, Path] = {}

    def wheel(self) -> Path:
        """Build and return the wheel."""
        self._libraries()
        made = self._by_meson() if self.recipe.builder == "meson" else self._by_backend()
        self._check(made)
        return made

    def _check(self, wheel: Path) -> None:
        with zipfile.ZipFile(wheel) as archive:
            names = archive.namelist()
        missing = [each for each in self.recipe.imports if not _has_module(names, each)]
        if missing or not any(name.endswith(SUFFIXES) for name in names):
            what = f"without {', '.join(missing)}" if missing else "without native code"
            why = self._undefined() or ": it can do without, and its build gave up on it"
            raise ImageError(f"the package {self.recipe.name!r} was built {what}{why}")
        if self.licences:
            with zipfile.ZipFile(wheel, "a") as archive:
                info = next(name for name in names if name.endswith(".dist-info/METADATA")).rpartition("/")[0]
                for path in self.licences:
                    archive.write(path, f"{info}/licenses/{path.parent.name}/{path.name}")

    def _libraries(self) -> None:
        """Compile the libraries that the recipe lists, and make them known to the compiler."""
        for library in self.recipe.libraries:
            place = self.workshop / f"library-{library.name}"
            place.mkdir()
            source = _unpacked(fetch(library.source, place), place / "source") if library.source else FOLDER
            for header in library.headers:
                shutil.copy(source / header, place)
            flags = [*library.flags, *(f"-D{each}" for each in library.defines), f"-I{source}"]
            objects = [str(place / f"{Path(file).stem}.o") for file in library.files]
            for file, made in zip(library.files, objects, strict=True):
                self._run([self.environment["CC"], "-c", *flags, file, "-o", made], cwd=source)
            self._run([self.environment["AR"], "rcs", str(place / f"lib{library.name}.a"), *objects], cwd=source)
            self.environment["CFLAGS"] += f" -I{place}"
            self.environment["LDFLAGS"] = f"{self.environment.get('LDFLAGS', '')} -L{place}"
            self.places[library.name] = place
            if library.source:
                self.licences += [path for path in source.iterdir() if path.name.upper().startswith(_LICENCES)]

    def _by_backend(self) -> Path:
        """Let the package's own backend build the wheel, if that is setuptools."""
        project = self.folder / "pyproject.toml"
        system: dict[str, Any] = {}
        if project.exists():
            system = tomllib.loads(project.read_text(encoding="utf-8")).get("build-system", {})
        backend = system.get("build-backend", _LEGACY)
        if backend == "mesonpy":
            return self._by_meson()
        if not backend.startswith("setuptools.") and "backend-path" not in system:
            raise ImageError(
                f"the package {self.recipe.name!r} cannot be built: its sdist is built by {backend!r}, "
                "and capsend supports setuptools and meson"
            )
        out = self.workshop / "out"
        out.mkdir()
        folders = [str(self.folder / each) for each in system.get("backend-path", ())]
        told = json.dumps([backend, folders, str(out)])
        self._run([sys.executable, "-P", "-c", _BACKEND, told], cwd=self.folder)
        return next(out.glob("*.whl"))

    def _by_meson(self) -> Path:
        """Configure, compile and install with meson, and make the wheel of the installed files."""
        cross = self.workshop / "cross.ini"
        self._write_cross(cross)
        for name in _FLAGS:
            self.environment.pop(name, None)
        own = self.recipe.meson
        meson = [sys.executable, str(self.folder / own)] if own else [sys.executable, "-m", "mesonbuild.mesonmain"]
        made, out = self.workshop / "meson", self.workshop / "installed"
        options = self.recipe.options or ("-Dbuildtype=release",)
        self._run([*meson, "setup", str(made), f"--cross-file={cross}", "--prefix=/usr", *options], cwd=self.folder)
        self._run(["ninja", "-C", str(made)], cwd=self.folder)
        self._run([*meson, "install", "-C", str(made), "--no-rebuild", "--quiet", f"--destdir={out}"], cwd=self.folder)
        places = [path for path in out.rglob("site-packages") if path.is_dir()] or [
            path for path in out.rglob("dist-packages") if path.is_dir()
        ]
        if not places:
            raise ImageError(f"the package {self.recipe.name!r} was built, and installs nothing that can be imported")
        return self._packed(places[0])

    def _write_cross(self, path: Path) -> None:
        scripts = self.tools.python.parent
        config = configparser.ConfigParser()
        binaries = {"c": "cc", "cpp": "c++", "ar": "ar", "ranlib": "ranlib", "python": "python"}
        config["binaries"] = {name: f"'{scripts / tool}'" for name, tool in binaries.items()} | {"strip": "'true'"}
        if cython := shutil.which(
            "cython", path=os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
        ):
            config["binaries"]["cython"] = f"'{cython}'"
        config["host_machine"] = {"system": "'wasi'", "cpu_family": "'wasm32'", "cpu": "'wasm32'", "endian": "'little'"}
        # meson searches for some libraries, among them BLAS, in the folders that these properties name.
        folders = {
            f"{name}_{kind}dir": str(place) for name, place in self.places.items() for kind in ("library", "include")
        }
        config["properties"] = {"needs_exe_wrapper": "true", "skip_sanity_check": "true"} | {
            name: f"'{value}'" for name, value in (folders | self.recipe.properties).items()
        }
        with path.open("w", encoding="utf-8") as file:
            config.write(file)

    def _packed(self, place: Path) -> Path:
        """Make a wheel from an installed folder, with the metadata and licences of the sdist."""
        metadata = (self.folder / "PKG-INFO").read_bytes()
        fields = dict(
            line.split(": ", 1)
            for line in metadata.decode().partition("\n\n")[0].splitlines()
            if line.startswith(("Name: ", "Version: "))
        )
        stem = f"{normal(fields['Name']).replace('-', '_')}-{fields['Version']}"
        info = f"{stem}.dist-info"
        path = self.workshop / f"{stem}-{TAG}.whl"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            files = [file for file in sorted(place.rglob("*")) if file.is_file() and "__pycache__" not in file.parts]
            written = {
                file.relative_to(place).as_posix(): file
                for file in files
                if not file.relative_to(place).parts[0].endswith(".dist-info")
            }
            for name, file in written.items():
                archive.write(file, name)
            archive.writestr(f"{info}/METADATA", metadata)
            archive.writestr(
                f"{info}/WHEEL", f"Wheel-Version: 1.0\nGenerator: capsend\nRoot-Is-Purelib: false\nTag: {TAG}\n"
            )
            for file in self.folder.iterdir():
                if file.is_file() and file.name.upper().startswith(_LICENCES):
                    archive.write(file, f"{info}/licenses/{file.name}")
            archive.writestr(f"{info}/RECORD", "".join(f"{name},,\n" for name in written))
        return path

    def _run(self, command: list[str], *, cwd: Path) -> None:
        """Run a step and report its output lines; raise with the last lines if it fails."""
        last: collections.deque[str] = collections.deque(maxlen=_LAST_LINES)
        try:
            with subprocess.Popen(  # noqa: S603 - a build requested by the user, of a package whose digest was checked
                command, cwd=cwd, env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                errors="replace",
            ) as process:  # fmt: skip
                try:
                    for line in process.stdout or ():
                        if line.strip():
                            last.append(line.rstrip())
                            self.say(line.strip())
                except BaseException:
                    process.kill()
                    raise
        except FileNotFoundError as error:
            missing = f"{error.filename} is not installed. Install it: {EXTRA}"
            raise ImageError(f"the package {self.recipe.name!r} could not be built: {missing}") from error
        if process.returncode != 0:
            raise ImageError(
                f"the package {self.recipe.name!r} could not be built{self._undefined() or ':'}\n" + "\n".join(last)
            )

    def _undefined(self) -> str:
        """Return, as part of a message, the symbols that no library of the guest has; empty if there are none."""
        if not self.failures.exists():
            return ""
        lines = dict.fromkeys(self.failures.read_text(encoding="utf-8").splitlines())
        return ": undefined symbols, which no library of an image has: " + "; ".join(lines)


def _has_module(names: Iterable[str], module: str) -> bool:
    stem = module.replace(".", "/")
    return any(name.startswith((f"{stem}.", f"{stem}/")) for name in names)
