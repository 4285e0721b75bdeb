"""Compiled modules, kept in memory while they are used, and in a folder of the user's cache next to the images."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import logging
import os
import platform
import stat
import sys
import tempfile
import threading
import weakref
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from capsend.cache_place import module_folder
from capsend.codec.text import dumps
from capsend.exceptions import ImageError, WasmError
from capsend.image.cache import check_owner, check_way, cpu, own_folder
from capsend.wasm.isolated import LAYER, compile_apart, template_of
from capsend.wasm.vectors import refuse_vectors

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from capsend.engine import CoreTemplate, WorldTemplate

    Compiled: TypeAlias = "CoreTemplate | WorldTemplate"

LARGEST: Final = 64 << 20
"""Bytes of the largest module that is compiled."""

MOST_KEPT: Final = 64
"""Compiled modules that stay in the cache."""

MOST_BYTES: Final = 1 << 30
"""The most bytes of all compiled modules in the cache together."""

FORMAT: Final = 1
"""Increased when a change of the engine's settings makes compiled modules useless."""

_MAGIC: Final = b"\0asm"
_DIGEST: Final = 32
_log: Final = logging.getLogger("capsend.wasm")

_lock = threading.Lock()
_turns: dict[tuple[bytes, str], threading.Lock] = {}
_loaded: weakref.WeakValueDictionary[tuple[bytes, str], Compiled] = weakref.WeakValueDictionary()
_sources: weakref.WeakKeyDictionary[Compiled, bytes] = weakref.WeakKeyDictionary()


def source_of(module: Compiled) -> bytes:
    """Return the binary form from which a module of this program was compiled, for machines with other CPUs."""
    return _sources[module]


def from_text(text: str, *, name: str) -> bytes:
    """Return the binary form of a module in the text format.

    Raises:
        WasmError: the text is not valid.
    """
    from capsend import engine

    try:
        return engine.assemble(text)
    except ValueError as error:
        raise WasmError(f"{name or 'the text'} is not in the text format of WebAssembly: {error}") from None


def obtain(data: bytes, *, name: str, isolated: bool = False) -> Compiled:
    """Return a compiled and checked module; each module is compiled once for all callers.

    Args:
        data: its binary form.
        name: its name in messages.
        isolated: True to compile the module in a separate OS process.

    Raises:
        WasmError: the module is not valid, needs something that processes do not have, or does not fit the interface.
    """
    if not isinstance(data, bytes):
        raise TypeError(f"a module is loaded from bytes, not {type(data).__name__}")
    name = name or f"module {hashlib.sha256(data).hexdigest()[:8]}"
    if not data.startswith(_MAGIC) or len(data) <= LAYER:
        raise WasmError(
            f"{name} is not WebAssembly: it does not begin with \\0asm. Build one, or load text with WasmModule.from_wat"
        )
    if len(data) > LARGEST:
        raise WasmError(
            f"{name} has {len(data)} bytes, and {LARGEST} are the most that is compiled. Strip debug information and unused code"
        )
    key = hashlib.sha256(data).digest(), name
    found = _loaded.get(key)
    if found is not None:
        return found
    with _lock:
        turn = _turns.setdefault(key, threading.Lock())
    try:
        with turn:  # a module that takes long to compile does not delay others
            found = _loaded.get(key)
            if found is None:
                found = _loaded[key] = _compile(data, name, isolated=isolated)
                _sources[found] = data
    finally:
        with _lock:
            _turns.pop(key, None)
    return found


def _compile(data: bytes, name: str, *, isolated: bool) -> Compiled:
    from capsend import engine

    template = template_of(data)
    path = module_folder() / _key(data)
    load = functools.partial(engine.load_code, template.code)
    code = _load(path, load)
    if code is None and isolated:
        compiled = compile_apart(data, name=name)
        code = load(compiled)
        _keep(path, compiled)
    elif code is None:
        code = engine.compile_code(template.code, data, name)
        _keep(path, bytes(code.serialize()))
    if not data[LAYER]:
        refuse_vectors(data, name=name)
    made: Compiled = template(code, name)
    return made


def _key(data: bytes) -> str:
    """Return a digest of everything on which the compiled form depends."""
    from capsend.engine import REFUSED_FEATURES  # loading a compiled form does not check them again

    parts = [
        FORMAT,
        REFUSED_FEATURES,
        _wasmtime_version(),
        sys.platform,
        platform.machine(),
        cpu(),
        hashlib.sha256(data).hexdigest(),
    ]
    return hashlib.sha256(dumps(parts).encode()).hexdigest()[:32]


@functools.cache
def _wasmtime_version() -> str:
    import importlib.metadata

    return importlib.metadata.version("wasmtime")


def _load(path: Path, load: Callable[[bytes], Any]) -> Any:
    """Load a compiled module; return None if the file is missing, or may have been written by other users."""
    try:
        check_way(path.parent)
        check_owner(path.parent, stat.S_ISDIR)
        check_owner(path, stat.S_ISREG)
        kept = path.read_bytes()
        if hashlib.sha256(kept[_DIGEST:]).digest() != kept[:_DIGEST]:
            raise ValueError(f"{path} is not the file that was written")  # noqa: TRY301 - handled like a file that cannot be loaded
        module = load(kept[_DIGEST:])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, ImageError) as error:
        _log.warning("a compiled module is not loaded from the cache: %s", error)
        return None
    with contextlib.suppress(OSError):
        os.utime(path)  # keeps modules in use from being removed
    return module


def _keep(path: Path, compiled: bytes) -> None:
    """Write a compiled module to the cache, whole or not at all."""
    try:
        own_folder(path.parent)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")  # only this user may read or write it
        try:
            with open(descriptor, "wb") as file:
                file.write(hashlib.sha256(compiled).digest())
                file.write(compiled)
            os.replace(name, path)
        except BaseException:
            os.unlink(name)
            raise
        _forget_old(path.parent)
    except (OSError, ImageError) as error:
        _log.warning("a compiled module is not kept: %s", error)


def clear() -> int:
    """Remove all compiled modules from the cache; return the number of bytes that became free."""
    freed = 0
    with contextlib.suppress(FileNotFoundError):
        for path in module_folder().iterdir():
            freed += path.stat().st_size
            path.unlink(missing_ok=True)
    return freed


def _forget_old(folder: Path) -> None:
    """Remove the least recently used modules until few enough are left."""
    kept, size = 0, 0
    for status, path in sorted(((path.stat(), path) for path in folder.iterdir()), key=lambda each: -each[0].st_mtime):
        kept, size = kept + 1, size + status.st_size
        if kept > MOST_KEPT or size > MOST_BYTES:
            path.unlink(missing_ok=True)
