"""The image as a process sees it: the one that it runs in itself, from which all that it spawns starts as well."""

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
    """Take note of the modules that the image holds: all that are loaded when it is made."""
    global _modules  # noqa: PLW0603 - there is one image
    _modules = frozenset(name for name, module in sys.modules.items() if name.partition(".")[0] not in _OWN and module)


def modules_inside() -> frozenset[str]:
    """Return the full names of all modules that programs can import."""
    return _modules


def _names(value: Iterable[str]) -> tuple[str, ...]:
    if tuple(value):
        raise ImageError(
            "an image cannot be chosen inside a process: what it spawns starts from its own image. "
            "Give the packages to the image of the process that the host spawns"
        )
    return ()


@attrs.frozen
class Image:
    """What this process started from; it cannot be another one."""

    packages: tuple[str, ...] = attrs.field(default=(), converter=_names)

    def knows(self, module: str) -> bool:
        """Whether a program can import a module inside, by its full name."""
        return module in _modules

    @property
    def modules(self) -> frozenset[str]:
        """The full names of all modules inside."""
        return _modules

    def template(self) -> Any:
        """Return nothing: the host knows what a process is made from."""
        return None
