"""The full names that the plugin knows: capsend's own, and the modules whose contents every process has."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mypy.nodes import TypeInfo

PROCESS_SEND: Final = "capsend.traits.ProcessSend"
SERIALIZABLE: Final = "capsend.traits.Serializable"
MARKERS: Final = (PROCESS_SEND, SERIALIZABLE)
PER_PROCESS: Final = "capsend.traits.PerProcess"
SPAWNABLE: Final = "capsend.process.Spawnable"
PROCESS: Final = "capsend.process.Process"

METADATA: Final = "capsend"
IMPL_CURE: Final = "keep it in this process, and send what the process needs from it"

IMAGE: Final = sys.stdlib_module_names | {"attr", "attrs", "capsend", "capsend_traits", "mypy_extensions", "typing_extensions", "_typeshed"}


def top(module: str) -> str:
    """Return the top-level package of a module or of anything in it."""
    return module.partition(".")[0]


def is_known(module: str) -> bool:
    """Return whether a module is part of every image, so that what it defines travels by name."""
    return top(module) in IMAGE


def is_local(info: TypeInfo) -> bool:
    """Return whether a class is defined inside a function: mypy gives such a class a full name with a line in it."""
    return "@" in info.fullname
