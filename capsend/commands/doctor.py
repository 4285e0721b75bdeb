"""The doctor: installed versions, the folder of images, the limits of a process, and a test of a process."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import stat
import tempfile
import time
from typing import TYPE_CHECKING, Final

from capsend import versions
from capsend.cache_place import cache_folder
from capsend.commands import showcase
from capsend.commands.display import megabytes
from capsend.commands.findings import Finding
from capsend.environment import Environment
from capsend.exceptions import CapsendError, CaptureError, TimeLimitExceeded
from capsend.image.image import Image

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_TOOLS: Final = ("capsend", "wasmtime", "componentize-py", "attrs")
_SPACE: Final = 300_000_000


def examine(file: Path | None = None) -> Iterator[Finding]:
    """Yield the findings, the quick ones first.

    Args:
        file: the image file to test, instead of the image that this machine has built.
    """
    yield Finding("python", f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    yield from (_version(tool) for tool in _TOOLS)
    yield _mypy()
    yield _folder()
    image = Image()
    if file is not None:
        try:
            image = Image.from_file(file)
        except CapsendError as error:
            yield Finding("image", "", str(error))
            return
    yield _image(image)
    yield from _limits()
    yield from _self_test(image)


def _version(tool: str) -> Finding:
    try:
        version = importlib.metadata.version(tool)
    except importlib.metadata.PackageNotFoundError:
        return Finding(tool, "", "it is not installed. Reinstall capsend")
    if tool not in versions.TESTED:
        return Finding(tool, version)
    try:
        versions.check(tool)
    except ImportError as error:
        return Finding(tool, version, str(error))
    changed = _CHANGES[tool]()
    return Finding(
        tool, version, " ".join(changed) and f"{' '.join(changed)} Install the version that capsend requires"
    )


def _changes_of_wasmtime() -> list[str]:
    from capsend.engine import unpromised

    return unpromised.changes()


def _changes_of_componentize() -> list[str]:
    from capsend.image import unpromised

    return unpromised.changes()


_CHANGES: Final = {"wasmtime": _changes_of_wasmtime, "componentize-py": _changes_of_componentize}
"""{tool: returns a sentence for each part that capsend uses and that has changed}."""


def _mypy() -> Finding:
    try:
        return Finding("mypy", importlib.metadata.version("mypy"))
    except importlib.metadata.PackageNotFoundError:
        return Finding("mypy", "not installed; only `capsend check` needs it: pip install 'capsend[mypy]'")


def _folder() -> Finding:
    folder = cache_folder()
    if not folder.exists():
        above = next(parent for parent in folder.parents if parent.exists())
        return Finding("cache", f"{folder}, made when the first image is built", _unwritable(above))
    status = folder.lstat()
    state = f"{folder}, {stat.filemode(status.st_mode)}, {megabytes(shutil.disk_usage(folder).free)} free"
    if hasattr(os, "geteuid") and status.st_uid != os.geteuid():
        problem = (
            "it belongs to another user: images are not loaded from it. Set CAPSEND_CACHE_DIR to a folder of yours"
        )
    elif status.st_mode & 0o022 and os.name == "posix":
        problem = f"other users can write to it: images are not loaded from it. chmod go-w {folder}"
    elif shutil.disk_usage(folder).free < _SPACE:
        problem = f"too little space to build an image, which needs {megabytes(_SPACE)}"
    else:
        problem = _unwritable(folder)
    return Finding("cache", state, problem)


def _unwritable(folder: Path) -> str:
    """Return the reason why a folder cannot be written to, found by trying; empty if it can."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"doctor")
    except OSError as error:
        return f"nothing can be written to {folder} ({error.strerror}). Set CAPSEND_CACHE_DIR to a folder of yours"
    return ""


def _image(image: Image) -> Finding:
    try:
        if not image.is_built:
            seconds = 15 if image.file is None else 5
            return Finding(
                "image", f"not built yet; that happens at the first spawn, once, and takes about {seconds} s"
            )
        record = image.record
    except CapsendError as error:
        return Finding("image", "", str(error))
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(record.built))
    state = f"{megabytes(record.size)}, built {when}, Python {record.python}, {len(record.modules)} modules"
    if image.file is not None:
        state += f"; of {image.file.path}, which is portable WebAssembly, digest {image.file.digest}"
    if record.unmerged:
        state += f"; processes start slower, since it is not merged into one module of WebAssembly: {record.unmerged}"
    return Finding("image", state)


def _limits() -> Iterator[Finding]:
    environment = Environment()
    timeout = "none" if environment.timeout is None else f"{environment.timeout:g} s"
    yield Finding("memory limit", _mebibytes(environment.memory))
    yield Finding("time limit", timeout)
    yield Finding("output limit", _mebibytes(environment.output))
    yield Finding("result limit", _mebibytes(environment.result))


def _mebibytes(size: int) -> str:
    return f"{size >> 20} MiB"


def _self_test(image: Image) -> Iterator[Finding]:
    program = showcase.load("selftest")
    first = _tried("self-test: run", lambda: _runs(program.introduce, image))
    yield first
    if not first.problem:
        yield _tried("self-test: refuse", lambda: _refuses(program.captures, image))
        yield _tried("self-test: limit", lambda: _limits_time(program.spin, image))


def _tried(subject: str, test: Callable[[], str]) -> Finding:
    try:
        return Finding(subject, test())
    except Exception as error:  # noqa: BLE001 - the doctor reports whatever goes wrong
        return Finding(subject, "", f"{type(error).__name__}: {error}")


def _runs(introduce: Callable[[str], tuple[str, str, int]], image: Image) -> str:
    image.ensure()
    started = time.perf_counter()
    greeting, system, variables = Environment(image=image).spawn(introduce, "doctor").result()
    taken = time.perf_counter() - started
    if (greeting, variables) != ("hello, doctor", 0):
        message = f"the process answered {greeting!r}, and sees {variables} environment variables instead of none"
        raise AssertionError(message)
    return f"a function ran in a process on {system}, and its result came back, in {taken * 1000:.0f} ms"


def _refuses(captures: Callable[[], int], image: Image) -> str:
    try:
        Environment(image=image).spawn(captures)
    except CaptureError:
        return "a captured list was refused"
    message = "a captured list was not refused; please report this"
    raise AssertionError(message)


def _limits_time(spin: Callable[[], None], image: Image) -> str:
    started = time.perf_counter()
    try:
        Environment(image=image, timeout=0.2).spawn(spin).result(timeout=30)
    except TimeLimitExceeded:
        return f"an endless loop with a timeout of 0.2 s was ended after {time.perf_counter() - started:.2f} s"
    message = "an endless loop was not ended"
    raise AssertionError(message)
