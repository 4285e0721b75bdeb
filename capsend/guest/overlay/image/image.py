"""`Image` in a guest: always the image from which the process itself was started."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import attrs

from capsend.exceptions import ImageError

if TYPE_CHECKING:
    from collections.abc import Iterable

_OWN = ("capsend_guest", "capsend_traits", "wit_world", "componentize_py", "__main__")
_modules: frozenset[str] = frozenset()


def freeze() -> None:
    """Record the modules of the image: all that are loaded when the image is made."""
    global _modules  # noqa: PLW0603 - there is one image
    _modules = frozenset(name for name, module in sys.modules.items() if name.partition(".")[0] not in _OWN and module)


def modules_inside() -> frozenset[str]:
    """Return the full names of all modules that programs can import."""
    return _modules


def _names(value: Iterable[str]) -> tuple[str, ...]:
    if tuple(value):
        raise ImageError(
            "an image cannot be chosen inside a process: its children start from its own image. "
            "Give the packages to the image of the process that the host spawns"
        )
    return ()


@attrs.frozen
class Image:
    """The image from which this process started, the only one it has."""

    packages: tuple[str, ...] = attrs.field(default=(), converter=_names)

    def knows(self, module: str) -> bool:
        """Return whether a program can import a module in the guest, by its full name."""
        return module in _modules

    @property
    def modules(self) -> frozenset[str]:
        """The full names of all modules in the image."""
        return _modules

    def template(self) -> Any:
        """Return nothing: the host has the templates of all processes."""
        return None
