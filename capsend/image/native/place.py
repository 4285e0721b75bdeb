"""The folder of guest wheels, and the file names of native code. Every program imports this module, so it has nothing else."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Final

from capsend.cache_place import cache_folder

if TYPE_CHECKING:
    from pathlib import Path

SUFFIX: Final = ".cpython-314-wasm32-wasi.so"
"""The suffix of native modules of the guest."""
SUFFIXES: Final = (SUFFIX, ".abi3.so")
TAG: Final = "cp314-cp314-wasi_wasm32"
"""The tag of a guest wheel."""
LOCK: Final = ".lock"
"""The name of the file that a build locks, so that only one runs at a time."""
EXTRA: Final = "pip install 'capsend[native]'"
"""The command that installs the tools."""

_TOOLS: Final = ("ziglang", "wasmpy_build", "unearth", "zstandard", "setuptools")


def native_folder() -> Path:
    """Return the folder of the store and the toolchain: a sibling of the folder of images."""
    return cache_folder().with_name("native")


def is_available() -> bool:
    """Return whether the tools of the extra `native` are installed."""
    return all(importlib.util.find_spec(name) for name in _TOOLS)
