"""The versions that two machines must share before one runs processes for the other."""

from __future__ import annotations

import functools
import importlib.metadata
from typing import Final

from capsend.exceptions import ImageError

FORMAT: Final = 2
"""The version of the items' format, increased with every change."""

_NAMES: Final = ("peers", "capsend", "wasmtime")


@functools.cache
def versions() -> list[str]:
    """Return the versions of this machine."""
    return [str(FORMAT), *(importlib.metadata.version(name) for name in _NAMES[1:])]


def check(told: list[str], *, node: str) -> None:
    """Refuse a node whose versions differ.

    Raises:
        ImageError: versions differ; the message names both.
    """
    differing = [
        f"{name} is {own} in this program and {other} on the node"
        for name, own, other in zip(_NAMES, versions(), told, strict=False)
        if own != other
    ]
    if differing or len(told) != len(_NAMES):
        raise ImageError(
            f"{node} cannot run processes of this program: {'; '.join(differing)}. Install the same on both"
        )
