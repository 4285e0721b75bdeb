"""Packages without the native code that images cannot have: a trial import on the host shows whether they work without it."""

from __future__ import annotations

import functools
import json
import sys
from typing import TYPE_CHECKING, Final

from capsend_traits.absent import ABSENT, LIBRARY, NETWORK, SYSTEM

from capsend.exceptions import ImageError
from capsend.image.native.recipes import recipe_of
from capsend.image.packages import collect, how_to_get

if TYPE_CHECKING:
    from collections.abc import Iterable

    from capsend.image.packages import Package

_PATIENCE: Final = 60.0
_ABSENT: Final = tuple(name for name, reason in ABSENT.items() if reason in {SYSTEM, LIBRARY, NETWORK})
"""The absent modules that the trial hides. Those that start OS processes are not hidden, as the host's own `subprocess` needs them."""
_ATTEMPT: Final = """
import importlib, json, sys
from importlib.machinery import SOURCE_SUFFIXES, FileFinder, SourceFileLoader
path, native, absent, packages = json.loads(sys.argv[1])
sys.path[:] = path
native = set(native)
find = FileFinder.find_spec
def find_spec(self, name, target=None):
    spec = find(self, name, target)
    if spec is not None and spec.origin in native:
        spec = find(FileFinder(self.path, (SourceFileLoader, SOURCE_SUFFIXES)), name, target)
    return spec
FileFinder.find_spec = find_spec
sys.modules.update(dict.fromkeys(absent))
out, sys.stdout = sys.stdout, sys.stderr
for name, tops in packages:
    problems = {}
    for top in tops:
        try:
            importlib.import_module(top)
        except BaseException as error:
            problems[top] = f"{type(error).__name__}: {error}"
    public = [top for top in tops if not top.startswith("_")] or tops
    failed = [top for top in public if top in problems]
    if failed and (len(failed) == len(public) or name in failed):
        print(json.dumps([name, problems[failed[0]]]), file=out, flush=True)
"""


def refuse_native(packages: Iterable[Package]) -> None:
    """Refuse packages that cannot be imported without their native code.

    Raises:
        ImageError: a package needs its native code; the message names all such packages, their files, and the packages that require them.
    """
    found = [package for package in packages if package.native]
    problems = _attempt(found) if found else {}
    told = []
    for package in found:
        if package.name in problems:
            why = f"{package.native[0].name} is native code, and without it: {problems[package.name]}"
            told.append(f"{package.words} cannot go into an image: {why}{_recipe(package)}")
    if told:
        raise ImageError(
            "\n".join(told)
            + "\nA process runs WebAssembly only. Use a pure-Python package, or call this one in the host, in a function "
            "made with @host_function"
        )


def _recipe(package: Package) -> str:
    recipe = recipe_of(package.name)
    return f".\nIt {how_to_get(recipe)}" if recipe else ""


def missing_native(packages: Iterable[Package]) -> list[Package]:
    """Return the packages that cannot be imported without their native code."""
    found = [package for package in packages if package.native]
    problems = _attempt(found) if found else {}
    return [package for package in found if package.name in problems]


@functools.cache
def needs_native(name: str) -> str:
    """Return the package that excludes *name* from images: *name* itself or a requirement; empty if none is known."""
    try:
        packages = collect([name])
    except ImageError:
        return ""
    found = [package for package in packages if package.native]
    problems = _attempt(found) if found else {}
    # A package with a recipe is built when an image needs it, or the image's error says how.
    return next((package.name for package in found if package.name in problems and not is_buildable(package.name)), "")


def is_buildable(name: str) -> bool:
    """Return whether a recipe describes the build of a package for the guest."""
    recipe = recipe_of(name)
    return recipe is not None and not recipe.refused


def _attempt(packages: list[Package]) -> dict[str, str]:
    """Import packages in a separate Python, without their native code.

    Returns:
        {name: error} of the packages that fail.
    """
    import subprocess  # not needed by a program whose image is built

    native = [str(path) for package in packages for path in package.native]
    told = json.dumps([sys.path, native, _ABSENT, [[package.name, package.imports] for package in packages]])
    command = [sys.executable, "-I", "-c", _ATTEMPT, told]
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter, our own arguments
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=_PATIENCE
        )
    except (OSError, subprocess.TimeoutExpired):
        return {}  # the build notices it, if nothing else does
    lines = [line for line in done.stdout.splitlines() if line.startswith("[")]
    return dict(json.loads(line) for line in lines)
