"""Compiled modules: kept in memory while they are used, and in a folder of the user's cache beside the images."""

from __future__ import annotations

import hashlib
import threading
import weakref
from typing import TYPE_CHECKING, Final

from capsend.exceptions import WasmError

if TYPE_CHECKING:
    from capsend.engine import CoreTemplate

LARGEST: Final = 64 << 20
"""Bytes of the largest module that is compiled."""

_lock = threading.Lock()
_loaded: weakref.WeakValueDictionary[tuple[bytes, str], CoreTemplate] = weakref.WeakValueDictionary()


def from_text(text: str, *, name: str) -> bytes:
    """Return the binary form of a module in the text format.

    Raises:
        WasmError: the text is wrong.
    """
    from capsend import engine

    try:
        return engine.assemble(text)
    except ValueError as error:
        raise WasmError(f"{name} is not in the text format of WebAssembly: {error}") from None


def obtain(data: bytes, *, name: str) -> CoreTemplate:
    """Return a module, compiled and checked; compiled once, whoever asks.

    Raises:
        WasmError: it is not valid, needs what processes do not have, or does not fit the interface.
    """
    if not isinstance(data, bytes):
        raise TypeError(f"a module is loaded from bytes, not {type(data).__name__}")
    if len(data) > LARGEST:
        raise WasmError(
            f"{name} has {len(data)} bytes, and {LARGEST} are the most that is compiled. Strip what it does not need"
        )
    key = hashlib.sha256(data).digest(), name
    found = _loaded.get(key)
    if found is None:
        with _lock:
            found = _loaded.get(key)
            if found is None:
                found = _loaded[key] = _compile(data, name)
    return found


def _compile(data: bytes, name: str) -> CoreTemplate:
    from capsend import engine

    return engine.CoreTemplate(engine.compile_core(data, name), name)
