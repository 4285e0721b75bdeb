"""The state of the declarations in force as one text; verdicts depend on it and on the judged code.

mypy asks for it at every start, even if nothing has changed: so this module imports little and reads few files.
"""

from __future__ import annotations

import hashlib
import importlib.machinery
import os
import sys
from typing import Final

from capsend_traits._entry_points import GROUP

OWN: Final = os.path.dirname(os.path.abspath(__file__))
METADATA: Final = (".dist-info", ".egg-info")


def fingerprint() -> str:
    """Return a digest of all declaration files in force: capsend's, and those that other packages announce."""
    digest = hashlib.sha256(state_of(OWN).encode())
    for text in _provided() if may_be_provided() else ():
        digest.update(text)
    return digest.hexdigest()


def state_of(folder: str) -> str:
    """Return a text that changes with any file of a package: its record if it was installed, else the sizes and times of its files."""
    recorded = _record(folder)
    return recorded if recorded is not None else repr(sorted(_stamps(folder, "")))


def _record(folder: str) -> str | None:
    """Return the list of files and digests that an installer left next to a package."""
    parent, package = os.path.split(os.path.abspath(folder))
    for name in os.listdir(parent):
        if name.startswith("capsend-") and name.endswith(METADATA[0]):
            try:
                with open(os.path.join(parent, name, "RECORD"), encoding="utf-8") as file:
                    text = file.read()
            except OSError:
                continue
            if f"{package}/__init__.py,sha256=" in text:
                return text
    return None


def _stamps(folder: str, prefix: str) -> list[tuple[str, int, int]]:
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith((".py", ".pyi")):
                state = entry.stat()
                found.append((prefix + entry.name, state.st_size, state.st_mtime_ns))
            elif entry.is_dir() and entry.name != "__pycache__":
                found += _stamps(entry.path, f"{prefix}{entry.name}/")
    return found


def may_be_provided() -> bool:
    """Return whether an installed package announces declarations; ten times faster than `importlib.metadata`.

    Source: the packaging guide, "Entry points specification": they are in a file of the metadata folder.
    """
    if any(hasattr(f, "find_distributions") and f is not importlib.machinery.PathFinder for f in sys.meta_path):
        return True
    return any(_announces(path or os.curdir) for path in sys.path)


def _announces(path: str) -> bool:
    try:
        names = os.listdir(path)
    except OSError:
        return os.path.isfile(path)  # an archive, whose contents only importlib.metadata can read
    for name in names:
        if name.endswith(METADATA):
            try:
                with open(os.path.join(path, name, "entry_points.txt"), "rb") as file:
                    if GROUP.encode() in file.read():
                        return True
            except OSError:
                continue
    return False


def _provided() -> list[bytes]:
    """Return the declaration files of other packages, each after a line with its name."""
    from capsend_traits._folder import installed_providers

    found = []
    for folder in installed_providers():
        for module, path in folder.modules():
            with open(path, "rb") as file:
                content = file.read()
            found += [f"{folder.owner}\0{module}\0{len(content)}\0".encode(), content]
    return found
