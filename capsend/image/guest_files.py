"""The files of an image other than its packages, and the place of each in the guest.

A process can spawn like the host, by the same rules: the rooms that judge and ship are baked whole, under their names
on the host. A file in `guest/overlay` replaces the host's file of the same path; nothing else decides which files
differ in the guest.
"""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import capsend_traits
from capsend_traits import BAKED, installed_providers

if TYPE_CHECKING:
    from collections.abc import Iterable

_HOST: Final = Path(__file__).parent.parent
_GUEST: Final = _HOST / "guest"
_TRAITS: Final = Path(capsend_traits.__file__).parent
_OVERLAY: Final = "overlay"
_WHOLE: Final = ("codec", "shipping", "source", "traits")
"""The rooms that are baked whole."""
_SINGLE: Final = (
    "capabilities/__init__", "capabilities/handles", "environment", "exceptions", "group", "image/__init__", "mailbox/__init__",
    "mailbox/bounds", "mailbox/receiving", "outcome", "process", "runtime/__init__", "source_text/__init__", "source_text/shipment",
    "source_text/source", "spawning", "supervisor", "wasm/__init__",
)  # fmt: skip
"""The other files that host and guest share."""


@functools.cache
def guest_files() -> dict[Path, Path]:
    """Return {place in the guest: file}, in the order of the places.

    These files decide whether an image is up to date.
    """
    shared = [f"{name}.py" for name in _SINGLE]
    shared += [os.path.join(room, relative) for room in _WHOLE for relative in _below(_HOST / room, (".py",))]
    found = {os.path.join("capsend", relative): _HOST / relative for relative in shared}
    for relative in _below(_TRAITS, (".py", ".pyi")):
        found[os.path.join("capsend_traits", relative)] = _TRAITS / relative
    for relative in _below(_GUEST, (".py", ".wit")):
        if not relative.startswith(_OVERLAY + os.sep):
            found[os.path.join("capsend_guest", relative)] = _GUEST / relative
    for relative in _below(_GUEST / _OVERLAY, (".py",)):
        found[os.path.join("capsend", relative)] = _GUEST / _OVERLAY / relative
    return {Path(place): found[place] for place in sorted(found)}


def _below(folder: Path, suffixes: tuple[str, ...]) -> list[str]:
    """Return the paths of the files with these suffixes below a folder, relative to it.

    The first spawn of a program waits for this: texts take a tenth of the time that `Path.rglob` and `relative_to` take.
    """
    start = len(str(folder)) + 1
    return [
        os.path.join(parent, name)[start:]
        for parent, _, names in os.walk(folder)
        for name in names
        if name.endswith(suffixes)
    ]


@functools.cache
def guest_modules() -> frozenset[str]:
    """Return the full names of the modules among these files."""
    paths = (place.with_suffix("") for place in guest_files() if place.suffix == ".py")
    return frozenset(".".join(path.parts[:-1] if path.name == "__init__" else path.parts) for path in paths)


def declaration_files(tops: Iterable[str]) -> dict[Path, Path]:
    """Return {place in the guest: file} of the declarations in other packages for modules below these top-level names."""
    wanted = frozenset(tops)
    return {
        Path("capsend_traits", BAKED, folder.owner, Path(path).relative_to(folder.path)): Path(path)
        for folder in installed_providers()
        for module, path in folder.modules()
        if module.partition(".")[0] in wanted
    }
