"""The files that an image is made of, beside its packages, and where each stands inside.

A process can spawn as the host can, and by the same rules: the modules that judge and ship are the host's own, under their own names. Those
that differ inside stand in `guest/api`; they come instead of the host's of the same name.
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
_SHARED: Final = (
    "annotations", "captures", "claims", "environment", "exception_classes", "exceptions", "failure", "fields", "frames",
    "group", "handles", "judge", "linetexts", "operators", "origins", "parsed", "parts", "ports", "prepared", "process",
    "program", "records", "references", "shipping", "source", "source_text", "stats", "supervisor", "text_shipment", "traits", "typeforms", "wire",
)  # fmt: skip


@functools.cache
def guest_files() -> dict[Path, Path]:
    """Return {place inside: file}, in the order of the places: what is baked, and what decides whether an image is up to date."""
    found: dict[Path, Path] = {}
    for name in _SHARED:
        module = _HOST / name
        for path in module.rglob("*.py") if module.is_dir() else (module.with_suffix(".py"),):
            found[Path("capsend") / path.relative_to(_HOST)] = path
    for path in _TRAITS.rglob("*.py*"):
        if path.suffix in {".py", ".pyi"}:
            found[Path("capsend_traits") / path.relative_to(_TRAITS)] = path
    for path in _GUEST.rglob("*"):
        if path.suffix in {".py", ".wit"}:
            relative = path.relative_to(_GUEST)
            # What stands in `api` is the package that programs inside know as `capsend`.
            own = relative.parts[0] == "api"
            found[Path("capsend") / relative.relative_to("api") if own else Path("capsend_guest") / relative] = path
    return dict(sorted(found.items()))


def declaration_files(tops: Iterable[str]) -> dict[Path, Path]:
    """Return {place inside: file} of the declarations that other packages have of modules below these top-level names."""
    wanted = frozenset(tops)
    return {
        Path("capsend_traits", BAKED, folder.owner, Path(path).relative_to(folder.path)): Path(path)
        for folder in installed_providers()
        for module, path in folder.modules()
        if module.partition(".")[0] in wanted
    }
