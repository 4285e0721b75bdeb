"""Recipes for packages with native code, one small TOML file each.

A recipe has the pinned sources of a package, the steps of its build for the guest, and a trial; or the reason why it
cannot be built yet.
"""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any, Final

import attrs

from capsend.image.native.sources import Source

FOLDER: Final = Path(__file__).parent / "recipes"
"""The folder of the recipes and of their files."""


@attrs.frozen
class Library:
    """A library with which a package is linked.

    Attributes:
        files: the files to compile, by their paths in the source.
        headers: the header files for the package, by their paths in the source.
        source: the sdist of another package that contains the files; None for files in the folder of recipes.
        defines: macros, as `NAME=VALUE`.
        flags: further compiler options.
    """

    name: str
    files: tuple[str, ...]
    headers: tuple[str, ...] = ()
    source: Source | None = None
    defines: tuple[str, ...] = ()
    flags: tuple[str, ...] = ("-O2",)


@attrs.frozen
class Replacement:
    """A text of the sdist that is wrong for WebAssembly.

    Attributes:
        file: the path in the sdist.
        old: the text, which must occur exactly once in the file.
        new: the replacement.
    """

    file: str
    old: str
    new: str


@attrs.frozen
class Recipe:
    """The build of one package for the guest.

    Attributes:
        versions: {version: SHA-256 of the sdist}, the newest last; empty for a package without a recipe file.
        builder: `setuptools` or `meson`.
        imports: the modules that the trial imports in a process.
        expression: a Python expression that is true in a process if the package works; empty for none.
        options: arguments of `meson setup`.
        properties: {name: value} of the target, for meson.
        meson: the path in the sdist of a meson of the package; empty for the one of the extra.
        environment: {variable: value} of the build.
        replacements: texts of the sdist to replace before the build.
        minutes: the approximate minutes of processor time of a build.
        differs: the differences between the package in a process and on the host; empty when it has none.
        refused: the reason why the package cannot be built; empty when it can.
    """

    name: str
    versions: dict[str, str] = attrs.field(factory=dict)
    builder: str = "setuptools"
    imports: tuple[str, ...] = ()
    expression: str = ""
    options: tuple[str, ...] = ()
    properties: dict[str, str] = attrs.field(factory=dict)
    meson: str = ""
    environment: dict[str, str] = attrs.field(factory=dict)
    libraries: tuple[Library, ...] = ()
    replacements: tuple[Replacement, ...] = ()
    minutes: int = 1
    differs: str = ""
    refused: str = ""

    @property
    def newest(self) -> str:
        """The version that is built if no other is requested; empty if the recipe has none."""
        return next(reversed(self.versions), "")

    def source(self, version: str = "") -> Source:
        """Return the sdist of a version, or of the newest."""
        chosen = version or self.newest
        return Source(self.name, chosen, self.versions.get(chosen, ""))


def normal(name: str) -> str:
    """Return a package's name in the index's normal form."""
    return re.sub(r"[-_.]+", "-", name).lower()


@functools.cache
def recipes() -> dict[str, Recipe]:
    """Return {normal name: recipe} of all recipes, by name."""
    found = (_read(path) for path in sorted(FOLDER.glob("*.toml")))
    return {normal(recipe.name): recipe for recipe in found}


def recipe_of(name: str) -> Recipe | None:
    """Return the recipe of a package; None if it has none."""
    return recipes().get(normal(name))


def _read(path: Path) -> Recipe:
    import tomllib

    data: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    libraries = tuple(_library(each) for each in data.pop("library", ()))
    replacements = tuple(Replacement(**each) for each in data.pop("replacement", ()))
    listed: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in data.items()}
    return Recipe(libraries=libraries, replacements=replacements, **listed)


def _library(data: dict[str, Any]) -> Library:
    source = Source(**data.pop("source")) if "source" in data else None
    listed: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in data.items()}
    return Library(source=source, **listed)
