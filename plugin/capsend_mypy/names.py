"""The full names with a meaning for the plugin: capsend's own, and modules whose contents every process has."""

from __future__ import annotations

import functools
import os
import re
import sys
from typing import TYPE_CHECKING, Final

from capsend_traits.absent import ABSENT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy.nodes import MypyFile, TypeInfo

PROCESS_SEND: Final = "capsend.traits.markers.ProcessSend"
SERIALIZABLE: Final = "capsend.traits.markers.Serializable"
MARKERS: Final = (PROCESS_SEND, SERIALIZABLE)
TRAITS: Final = PROCESS_SEND.rpartition(".")[0]
"""The module that defines the markers."""
PER_PROCESS: Final = "capsend.traits.markers.PerProcess"
SPAWNABLE: Final = "capsend.spawning.Spawnable"
HOST_FUNCTION: Final = "capsend.capabilities.host_functions.HostFunction"
WASM_FUNCTION: Final = "capsend.wasm.module.WasmFunction"
PROCESS: Final = "capsend.process.Process"
MAILBOX: Final = "capsend.mailbox.mailbox.Mailbox"
ADDRESS: Final = "capsend.mailbox.address.Address"
DIR: Final = "capsend.capabilities.folders.Dir"
SETTLED: Final = {
    DIR: "which folders a process may use",
    HOST_FUNCTION: "which functions of the host a process may call",
}
"""{capability that can be captured and passed, but not sent in messages: what is fixed when a process starts}."""
SENT: Final = frozenset(
    {
        SPAWNABLE,
        "capsend.spawning._Spawn",
        "capsend.mailbox.messages.Down",
        "capsend.mailbox.messages.Exit",
        "capsend.source_text.source.Source",
        "capsend.source_text.source.SourceFunction",
    }
)
"""capsend's own classes whose instances a process has, or can be sent, without a declaration."""

RECORD: Final = "capsend.shipping.records.Record"
"""The class of capsend that is judged by its fields, like user classes."""

METADATA: Final = "capsend"
INSTALLED: Final = re.compile(r"[\\/](site|dist)-packages[\\/]")

IMAGE: Final = sys.stdlib_module_names | {
    "attr",
    "attrs",
    "capsend",
    "capsend_traits",
    "mypy_extensions",
    "typing_extensions",
    "_typeshed",
}


def top(module: str) -> str:
    """Return the top-level package of a full name."""
    return module.partition(".")[0]


_shadowing: set[str] = set()
"""The top-level modules of the user that have the name of a module of the standard library.

An interpreter has one build at a time, but questions about a name come without the build, so the names are kept per
interpreter.
"""


def note_shadowing(modules: Mapping[str, MypyFile]) -> None:
    """Note the modules of a build that shadow modules of the standard library."""
    # The library's own modules come from typeshed, as stubs.
    found = {name for name in modules.keys() & sys.stdlib_module_names if not modules[name].is_stub}
    if found != _shadowing:
        _shadowing.clear()
        _shadowing.update(found)
        is_known.cache_clear()


def shadows_library(module: str) -> bool:
    """Return whether a name is, or belongs to, a module of the user that shadows one of the standard library."""
    return bool(_shadowing) and top(module) in _shadowing


@functools.lru_cache(maxsize=65536)
def is_known(module: str) -> bool:
    """Return whether a module is part of every image, so that its definitions are sent by name."""
    return top(module) in IMAGE and not shadows_library(module)


def is_installed(path: str) -> bool:
    """Return whether a file belongs to an installed package, whose function bodies mypy discards."""
    return INSTALLED.search(path) is not None


def source_beside(path: str, module: str) -> str:
    """Return the `.py` next to a stub of the user, which runs in place of the stub; empty if the file is not such a stub."""
    if not path.endswith(".pyi") or is_known(module) or is_installed(path):
        return ""
    return path[:-1] if os.path.exists(path[:-1]) else ""


def is_absent(name: str) -> bool:
    """Return whether a module of the standard library, or an object in it, does not exist in processes.

    An object of a private module, such as `_hashlib.openssl_sha256`, is used by its public name, `hashlib.sha256`: the
    public module has it from another source.
    """
    module = top(name)
    if shadows_library(module):
        return False
    # typeshed defines much of a public module in a private one, and mypy's full names are those of the definition.
    public = module.lstrip("_")
    has_public = public != module and public in sys.stdlib_module_names and public not in ABSENT
    return module in ABSENT and (name == module or not has_public)


def absent_name(module: str) -> str:
    """Return the public name of an absent module: `ctypes` for `_ctypes`, where mypy finds the definitions."""
    name = top(module)
    return name.lstrip("_") if name.lstrip("_") in ABSENT else name


def is_local(info: TypeInfo) -> bool:
    """Return whether a class is defined in a function: mypy gives such a class a full name with a line number."""
    # mypy writes `module.Name@12` for a class of a function, as two functions may have classes of one name.
    return "@" in info.fullname
