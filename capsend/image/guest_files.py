"""The files that an image is made of, beside its packages, and the place of each in the guest.

A process can spawn as the host can, and by the same rules: the rooms that judge and ship are baked whole, under the names that they have on
the host. A file in `guest/overlay` replaces the host's file of the same path; nothing else decides which files differ in the guest.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Final

import capsend_traits
from capsend_traits import BAKED, installed_providers

if TYPE_CHECKING:
    from collections.abc import Iterable

_HOST: Final = Path(__file__).parent.parent
_GUEST: Final = _HOST / "guest"
_TRAITS: Final = Path(capsend_traits.__file__).parent
_OVERLAY: Final = _GUEST / "overlay"
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
    """Return {place in the guest: file}, in the order of the places; these files decide whether an image is up to date."""
    shared = [_HOST / f"{name}.py" for name in _SINGLE] + [
        path for room in _WHOLE for path in (_HOST / room).rglob("*.py")
    ]
    found = {Path("capsend") / path.relative_to(_HOST): path for path in shared}
    for path in _TRAITS.rglob("*.py*"):
        if path.suffix in {".py", ".pyi"}:
            found[Path("capsend_traits") / path.relative_to(_TRAITS)] = path
    for path in _GUEST.rglob("*"):
        if path.suffix in {".py", ".wit"} and not path.is_relative_to(_OVERLAY):
            found[Path("capsend_guest") / path.relative_to(_GUEST)] = path
    found |= {Path("capsend") / path.relative_to(_OVERLAY): path for path in _OVERLAY.rglob("*.py")}
    return dict(sorted(found.items()))


@functools.cache
def guest_modules() -> frozenset[str]:
    """Return the full names of the modules among these files."""
    paths = (place.with_suffix("") for place in guest_files() if place.suffix == ".py")
    return frozenset(".".join(path.parts[:-1] if path.name == "__init__" else path.parts) for path in paths)


def declaration_files(tops: Iterable[str]) -> dict[Path, Path]:
    """Return {place in the guest: file} of the declarations that other packages have of modules below these top-level names."""
    wanted = frozenset(tops)
    return {
        Path("capsend_traits", BAKED, folder.owner, Path(path).relative_to(folder.path)): Path(path)
        for folder in installed_providers()
        for module, path in folder.modules()
        if module.partition(".")[0] in wanted
    }
