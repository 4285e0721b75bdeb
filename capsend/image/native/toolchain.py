"""The toolchain for native code in images: zig's compiler, the headers of the guest's Python, and the guest's libraries.

The libraries are compressed within componentize-py. Each is found by its digest, so another release of the tool is
noticed. The headers come from a wheel that is pinned in the same way.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.metadata
import importlib.util
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import attrs

from capsend.exceptions import ImageError
from capsend.image.cache import own_folder
from capsend.image.native import driver
from capsend.image.native.place import EXTRA, LOCK, is_available, native_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEADERS: Final = "9db5908fdf249200dc01068ef956bf66cf463bd2f6893babed80bf100eea5e19"
"""The SHA-256 of the headers of CPython 3.14 with the settings of WASI, in wasmpy-build 1.1.0."""
_LIBRARIES: Final = {
    "libpython3.14.so": "0ab4ec14447dc6a9",
    "libc.so": "f1b113e24a8c7774",
    "libwasi-emulated-signal.so": "e6758eba79ff4f6d",
    "libwasi-emulated-process-clocks.so": "4d9173a2b8dbeaf1",
    "libwasi-emulated-getpid.so": "9c09b6361fcf03bf",
    "libwasi-emulated-mman.so": "2a46491aae39bac9",
    "libc++.so": "65a44e3f7ad79ff2",
    "libc++abi.so": "f93f92bc4fa31c3c",
}
"""The beginning of the SHA-256 of each library in componentize-py 0.25.1."""
_BASE: Final = (
    "libpython3.14.so",
    "libc.so",
    "libwasi-emulated-signal.so",
    "libwasi-emulated-process-clocks.so",
    "libwasi-emulated-getpid.so",
)
"""The libraries that every image contains: naming them costs nothing."""
_STANDARD_LIBRARY: Final = "2198e963c7c29aa6"
_SYSCONFIG: Final = "_sysconfigdata__wasi_wasm32-wasi.py"
_KNOWN: Final = (
    "c",
    "m",
    "dl",
    "rt",
    "util",
    "pthread",
    "stdc++",
    "c++",
    "c++abi",
    "gcc",
    "gcc_s",
    "wasi-emulated-signal",
)
"""Libraries that a build may name because the guest has them, perhaps as part of another or as an empty one."""
_FRAME: Final = b"\x28\xb5\x2f\xfd"
_VERSION: Final = 1
"""Increased when the files of a toolchain change without a change of its sources."""
_EXCEPTIONS: Final = """\
#include <stdio.h>
#include <stdlib.h>
/* The guest's libc++abi is built without exceptions: to throw one ends the process, with these words. */
static void end(void) {
    fputs("capsend: a C++ exception was thrown; native code in an image cannot catch it, so the process ends\\n", stderr);
    abort();
}
void *__cxa_allocate_exception(unsigned long size) { (void)size; end(); return 0; }
void __cxa_free_exception(void *thrown) { (void)thrown; }
void __cxa_throw(void *thrown, void *type, void *destructor) { (void)thrown; (void)type; (void)destructor; end(); }
void __cxa_rethrow(void) { end(); }
void *__cxa_begin_catch(void *thrown) { return thrown; }
void __cxa_end_catch(void) {}
"""


@attrs.frozen
class Toolchain:
    """A folder with everything that a build of a package for the guest calls or reads."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables that a build needs in addition to the host's."""
        tools = self.folder / "bin"
        return {
            "CC": str(tools / "cc"),
            "CXX": str(tools / "c++"),
            "AR": str(tools / "ar"),
            "RANLIB": str(tools / "ranlib"),
            "LDSHARED": f"{tools / 'cc'} -shared",
            "LDCXXSHARED": f"{tools / 'c++'} -shared",
            "CFLAGS": "-O2",
            "CXXFLAGS": "-O2",
            "_PYTHON_HOST_PLATFORM": "wasi-wasm32",
            "_PYTHON_SYSCONFIGDATA_NAME": _SYSCONFIG.removesuffix(".py"),
            "PYTHONPATH": str(self.folder / "sysconfig"),
            driver.SETTINGS: str(self.folder / "toolchain.json"),
            "ZIG_GLOBAL_CACHE_DIR": str(native_folder() / "zig"),
            "ZIG_LOCAL_CACHE_DIR": str(native_folder() / "zig"),
        }

    @property
    def python(self) -> Path:
        """A program for meson: the host's Python, which answers questions about the guest's."""
        return self.folder / "bin" / "python"


@functools.cache
def _digest() -> str:
    versions = [importlib.metadata.version(name) for name in ("componentize-py", "ziglang")]
    own = [hashlib.sha256(Path(str(path)).read_bytes()).hexdigest() for path in (driver.__file__, __file__)]
    told = json.dumps([_VERSION, versions, own, sys.executable, _HEADERS])
    return hashlib.sha256(told.encode()).hexdigest()[:16]


@contextlib.contextmanager
def borrowed() -> Iterator[Toolchain]:
    """Yield the toolchain of this machine, made at its first use (10 s) and used by one OS process at a time.

    Raises:
        ImageError: the extra `native` is not installed, or the tools are of unsupported versions; a download failed.
    """
    if not is_available():
        raise ImageError(
            f"packages with native code cannot be built: the tools for it are not installed. Install them: {EXTRA}"
        )
    import filelock

    store = native_folder()
    own_folder(store)
    with filelock.FileLock(store / LOCK):
        yield _obtained(store)


def _obtained(store: Path) -> Toolchain:
    folder = store / f"toolchain-{_digest()}"
    if not (folder / "toolchain.json").exists():
        workshop = Path(tempfile.mkdtemp(prefix=".toolchain-", dir=store))
        try:
            _make(workshop, folder)
            shutil.rmtree(folder, ignore_errors=True)
            workshop.rename(folder)
        finally:
            shutil.rmtree(workshop, ignore_errors=True)
        for old in store.glob("toolchain-*"):
            if old != folder:
                shutil.rmtree(old, ignore_errors=True)
    return Toolchain(folder)


def _make(workshop: Path, place: Path) -> None:
    for name in ("bin", "include", "lib", "sysconfig"):
        (workshop / name).mkdir()
    _headers(workshop)
    offers = _unpack(workshop)
    archives = _archives(workshop)
    _scripts(workshop / "bin", place)
    shutil.copyfile(str(driver.__file__), workshop / "driver.py")
    settings = {
        "zig": zig(),
        "include": str(place / "include"),
        "libraries": str(place / "lib"),
        "flags": [],
        "base": _BASE,
        "offers": offers,
        "known": _KNOWN,
        "archives": [str(place / "lib" / name) for name in archives],
    }
    (workshop / "toolchain.json").write_text(json.dumps(settings), encoding="utf-8")


def zig() -> str:
    """Return the path of the compiler."""
    return str(Path(_origin("ziglang")).parent / ("zig.exe" if os.name == "nt" else "zig"))


def _headers(workshop: Path) -> None:
    folder = Path(_origin("wasmpy_build")).parent / "include" / "cp314"
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*.h")):
        relative, content = path.relative_to(folder), path.read_bytes()
        total.update(f"{relative.as_posix()}\0{hashlib.sha256(content).hexdigest()}\0".encode())
        target = workshop / "include" / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    if total.hexdigest() != _HEADERS:
        raise ImageError(
            f"packages with native code cannot be built: wasmpy-build lacks the expected headers. Install it again: {EXTRA}"
        )


def _origin(name: str) -> str:
    spec = importlib.util.find_spec(name)
    return str(spec.origin if spec else "")


def _unpack(workshop: Path) -> dict[str, list[str]]:
    """Write the libraries and the build variables of the guest's Python; return {library: exported names}."""
    wanted = {digest: name for name, digest in _LIBRARIES.items()}
    offers: dict[str, list[str]] = {}
    has_variables = False
    for content in _frames():
        digest = hashlib.sha256(content).hexdigest()[:16]
        if name := wanted.pop(digest, ""):
            (workshop / "lib" / name).write_bytes(content)
            offers[name] = sorted(driver.exports_of(content))
        elif digest == _STANDARD_LIBRARY:
            with tarfile.open(fileobj=io.BytesIO(content)) as archive:
                file = archive.extractfile(_SYSCONFIG)
                (workshop / "sysconfig" / _SYSCONFIG).write_bytes(file.read() if file else b"")
            has_variables = True
    if wanted or not has_variables:
        version = importlib.metadata.version("componentize-py")
        names = ", ".join(sorted(wanted.values())) or "the variables of its Python"
        raise ImageError(
            f"packages with native code cannot be built: componentize-py {version} does not hold {names}, as 0.25.1 does"
        )
    return {name: offers[name] for name in _LIBRARIES}


def _frames() -> Iterator[bytes]:
    """Yield the decompressed contents of componentize-py's compressed frames."""
    import zstandard

    binary = next(Path(_origin("componentize_py")).parent.glob("componentize_py*.so")).read_bytes()
    position = binary.find(_FRAME)
    while position >= 0:
        step = len(_FRAME)
        try:
            stream = zstandard.ZstdDecompressor().decompressobj()
            content = stream.decompress(memoryview(binary)[position:])
        except zstandard.ZstdError:
            content = b""
        else:
            if stream.eof and content:
                yield content
                step = len(binary) - position - len(stream.unused_data)
        position = binary.find(_FRAME, position + step)


def _archives(workshop: Path) -> list[str]:
    """Make the static archives for libraries that need them: arithmetic of wide numbers, and the end of C++ exceptions."""
    folder = workshop / "lib"
    (folder / "empty.zig").write_text("export fn capsend_nothing() void {}\n", encoding="utf-8")
    (folder / "exceptions.c").write_text(_EXCEPTIONS, encoding="utf-8")
    target = ("-target", "wasm32-wasi", "-fPIC")
    _zig_run(folder, "build-lib", *target, "-fcompiler-rt", "-O", "ReleaseFast", "--name", "arithmetic", "empty.zig")
    _zig_run(folder, "cc", *target, "-fvisibility=hidden", "-O1", "-c", "exceptions.c", "-o", "exceptions.o")
    _zig_run(folder, "ar", "rcs", "libexceptions.a", "exceptions.o")
    return ["libarithmetic.a", "libexceptions.a"]


def _zig_run(folder: Path, *arguments: str) -> None:
    cache = str(native_folder() / "zig")
    environment = os.environ | {"ZIG_GLOBAL_CACHE_DIR": cache, "ZIG_LOCAL_CACHE_DIR": cache}
    done = subprocess.run(  # noqa: S603 - zig, with our arguments
        [zig(), *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise ImageError(f"the toolchain could not be made: zig {arguments[0]} failed: {done.stderr.strip()[-2_000:]}")


def _scripts(folder: Path, place: Path) -> None:
    for name in ("cc", "c++", "ar", "ranlib"):
        _script(folder / name, f'exec "{sys.executable}" -I -S "{place / "driver.py"}" {name} "$@"')
    _script(folder / "python", f'exec "{sys.executable}" "$@"')


def _script(path: Path, line: str) -> None:
    path.write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
    path.chmod(0o700)
