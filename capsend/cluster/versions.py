"""What two machines have to agree on before one of them runs processes for the other."""

from __future__ import annotations

import functools
import importlib.metadata
from typing import Final

from capsend.exceptions import ImageError

FORMAT: Final = 2
"""Raised with every change of what peers say to each other."""

_NAMES: Final = ("peers", "capsend", "wasmtime")


@functools.cache
def versions() -> list[str]:
    """Return the versions of this machine."""
    return [str(FORMAT), *(importlib.metadata.version(name) for name in _NAMES[1:])]


def check(told: list[str], *, node: str) -> None:
    """Refuse a node of other versions.

    Raises:
        ImageError: they differ; it names both.
    """
    differing = [
        f"{name} is {own} here and {other} there"
        for name, own, other in zip(_NAMES, versions(), told, strict=False)
        if own != other
    ]
    if differing or len(told) != len(_NAMES):
        raise ImageError(
            f"{node} cannot run processes of this program: {'; '.join(differing)}. Install the same on both"
        )
