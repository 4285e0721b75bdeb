"""The folders of declaration files: capsend's, and those that other packages announce by an entry point."""

from __future__ import annotations

import dataclasses
import os
import sys
from typing import TYPE_CHECKING, Final

from capsend_traits._declaration import DeclarationError
from capsend_traits._entry_points import GROUP

if TYPE_CHECKING:
    from collections.abc import Iterator


SUFFIX: Final = ".pyi"
BAKED: Final = "baked"
"""The folder next to this module in which an image keeps the declarations of other packages, with one subfolder for each."""


@dataclasses.dataclass(frozen=True, slots=True)
class Folder:
    """A folder of declaration files, laid out like the described modules, and the distribution that it belongs to."""

    path: str
    owner: str

    def file(self, module: str) -> str | None:
        """Return the declaration file of a module, if there is one."""
        parts = module.split(".")
        if not all(part.isidentifier() for part in parts):
            return None
        stem = os.path.join(self.path, *parts)
        return next(
            (path for path in (stem + SUFFIX, os.path.join(stem, "__init__" + SUFFIX)) if os.path.isfile(path)), None
        )

    def modules(self) -> Iterator[tuple[str, str]]:
        """Yield (module, file) for each described module, in a fixed order."""
        for directory, directories, files in os.walk(self.path):
            directories.sort()
            for file in sorted(files):
                if file.endswith(SUFFIX):
                    path = os.path.join(directory, file)
                    parts = os.path.relpath(path, self.path).removesuffix(SUFFIX).split(os.sep)
                    yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def installed_providers() -> tuple[Folder, ...]:
    """Return the declaration folders of installed packages: each entry point of `capsend.traits` names a package.

    Raises:
        DeclarationError: an entry point names no package, or one of its files describes a module of the standard
            library.
    """
    baked = os.path.join(os.path.dirname(os.path.abspath(__file__)), BAKED)
    if os.path.isdir(baked):
        return tuple(Folder(os.path.join(baked, owner), owner) for owner in sorted(os.listdir(baked)))
    import importlib.metadata
    import importlib.util

    folders = []
    for entry in sorted(importlib.metadata.entry_points(group=GROUP), key=lambda entry: (entry.name, entry.value)):
        owner = entry.dist.name if entry.dist is not None else entry.name
        try:
            spec = importlib.util.find_spec(entry.value)
        except (ImportError, ValueError):
            spec = None
        if spec is None or not spec.submodule_search_locations:
            raise DeclarationError(
                owner,
                1,
                f"{GROUP} entry point {entry.name} = {entry.value!r} names no package. Name the one with the files.",
            )
        folders += [Folder(path, owner) for path in spec.submodule_search_locations]
    for folder in folders:
        for module, path in folder.modules():
            if module.partition(".")[0] in sys.stdlib_module_names:
                raise DeclarationError(
                    path,
                    1,
                    f"{module} is a module of the standard library, which capsend itself declares. Remove the file.",
                )
    return tuple(folders)
