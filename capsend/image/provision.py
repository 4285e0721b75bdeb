"""Packages with native code that an image needs and that are not built yet: they are built by their recipes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from capsend.exceptions import ImageError
from capsend.image.native import store
from capsend.image.native.place import is_available
from capsend.image.native.recipes import recipe_of
from capsend.image.packages import collect, distribution_name
from capsend.image.without_native import missing_native

if TYPE_CHECKING:
    from collections.abc import Iterable


def provide(names: Iterable[str]) -> bool:
    """Build the missing packages among the named ones and their requirements, if they have recipes and the tools are installed.

    If the build of a package fails that works without its native code, the image gets the package without it; this is
    reported.

    Returns:
        True if anything was built.

    Raises:
        ImageError: a build failed, and the package needs its native code.
    """
    if not is_available():
        return False
    built = False
    for name in map(distribution_name, names):
        built |= _obtain(name)
    try:
        packages = collect(names)
    except ImageError:
        return built
    for package in missing_native(packages):
        built |= _obtain(package.name)
    return built


def _obtain(name: str) -> bool:
    from capsend.image.native.build import build

    recipe = recipe_of(name)
    if recipe is None or recipe.refused or store.find(name) is not None:
        return False
    _say(
        f"building {recipe.name} {recipe.newest} for processes (once, about {recipe.minutes} min of processor time)..."
    )
    try:
        build(name, say=lambda _line: None)
    except ImageError as error:
        if not store.host_version(name) or missing_native(collect([name])):
            raise
        _say(f"{error}\n{recipe.name} goes into the image without its native code, which it can do without")
        return False
    return True


def _say(text: str) -> None:
    if sys.stderr is not None:
        print(f"capsend: {text}", file=sys.stderr, flush=True)  # noqa: T201 - explains the wait
