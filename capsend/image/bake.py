"""The making of an image: stage the files, snapshot an interpreter that has imported them, compile the result, try it."""

from __future__ import annotations

import contextlib
import errno
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from capsend import versions
from capsend.codec.text import loads
from capsend.exceptions import ImageError
from capsend.image import time_zones
from capsend.image.guest_files import declaration_files, guest_files
from capsend.image.immortal import immortalize
from capsend.image.native.place import SUFFIXES
from capsend.image.record import COMPILED, COMPONENT, CONTENT, RECORD, SWITCH, Record, content_of, digest_of, is_merging

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from capsend.image.image_file import ImageFile
    from capsend.image.packages import Package

SPACE: Final = 300_000_000
"""Bytes that a build needs at its peak, temporary files included."""

FILE_SECONDS: Final = 300.0
"""The most seconds for each step with the component of a file."""

_MOST_DATA: Final = 16_000_000
_TOO_LARGE: Final = "fuel allocated for hostcalls has been exhausted"
MARK: Final = "capsend cannot import: "
"""The beginning of the line in which `guest/stdlib.py` reports packages that cannot be imported."""

_STEPS: Final = ("importing its modules", "compiling it", "trying it")
_BUILDING: Final = "building the image (once, about 15 s; longer on a busy machine)", _STEPS
_COMPILING: Final = "compiling the image of a file for this machine (once, about 5 s)", _STEPS[1:]
"""(title, steps) of a build, and of the rest of it once the component is ready."""
_SNAPSHOT: Final = "import componentize_py; componentize_py.script()"
_TRANSLATE: Final = "from capsend.image import translating; translating.main()"
_SURVEY: Final = (
    "import sys, json, pathlib; from capsend import engine; "
    "print(json.dumps(engine.survey(*[pathlib.Path(name) if name else None for name in sys.argv[1:]])))"
)
_INVENTORY: Final = (
    "import sys, pathlib; from capsend.image import bake; print(bake.inventory_of(pathlib.Path(sys.argv[1])))"
)
_UNMERGED: Final = "unmerged"


def bake(folder: Path, *, key: str, packages: Sequence[Package], rehearsal: str) -> None:
    """Fill an empty folder with a compiled image and its record.

    Args:
        folder: the folder.
        key: the digest of everything from which the image is made.
        packages: the packages in the image.
        rehearsal: the calls to make during the build; see `capsend.image.rehearsal`.

    Raises:
        ImageError: the disk is full; a package cannot be imported in the guest; a tool failed (its last output is in
            the message).
    """
    started = time.monotonic()
    with _progress(_BUILDING) as step, _explained(folder):
        _need_space(folder)
        for package in packages:
            if package.host_version:
                _say(f"the image has {package.name} {package.version}, and the host {package.host_version}")
        step(0)
        assemble_component(folder, packages, rehearsal)
        _compile(folder, lambda number: step(number + 1), key=key, packages=described(packages))
    _say(f"the image is ready ({time.monotonic() - started:.0f} s)")


def bake_file(folder: Path, *, key: str, file: ImageFile) -> None:
    """Fill an empty folder with the compiled form of a file's component, and its record.

    Raises:
        ImageError: the disk is full; the file is damaged; its component cannot be compiled, or does not run within `FILE_SECONDS`.
    """
    started = time.monotonic()
    with _progress(_COMPILING) as step, _explained(folder):
        _need_space(folder)
        file.unpack(folder / COMPONENT)
        _compile(folder, step, key=key, packages=file.packages, file=file.digest)
    _say(f"the image is ready ({time.monotonic() - started:.0f} s)")


def assemble_component(folder: Path, packages: Sequence[Package], rehearsal: str) -> Path:
    """Make the component of an image in an empty folder, and return its file.

    Raises:
        ImageError: a package cannot be imported in the guest, or a tool failed.
    """
    _stage(folder / "stage", packages, rehearsal)
    _snapshot(folder, packages)
    return folder / COMPONENT


def described(packages: Sequence[Package]) -> tuple[str, ...]:
    """Return names and versions of packages, in the form for records."""
    return tuple(f"{package.name} {package.version}".strip() for package in packages)


def _compile(folder: Path, step: Callable[[int], None], *, key: str, packages: tuple[str, ...], file: str = "") -> None:
    seconds = FILE_SECONDS if file else None
    step(0)
    unmerged = _translate(folder, seconds=seconds)
    step(1)
    try:
        inventory = _try_out(folder, seconds=seconds)
    except ImageError as error:
        if unmerged:
            raise
        unmerged = _translate(folder, unmerged=str(error), seconds=seconds)
        inventory = _try_out(folder, seconds=seconds)
    instance, written = _survey(folder, seconds=seconds)
    for leftover in ("stage", "tmp", "venv"):
        shutil.rmtree(folder / leftover, ignore_errors=True)
    (folder / COMPONENT).unlink()
    Record(
        key=key,
        python=str(inventory["python"]),
        packages=packages,
        modules=frozenset(map(str, inventory["modules"])),
        missing={str(name): str(reason) for name, reason in dict(inventory["missing"]).items()},
        digest=digest_of(folder / COMPILED),
        size=(folder / COMPILED).stat().st_size,
        built=time.time(),
        instance=instance,
        written=written,
        content=digest_of(folder / CONTENT) if content_of(folder) else "",
        unmerged=unmerged,
        file=file,
    ).save(folder / RECORD)


def _stage(stage: Path, packages: Sequence[Package], rehearsal: str) -> None:
    imports = sorted({name for package in packages for name in package.imports})
    for inside, path in (guest_files() | declaration_files(imports)).items():
        _copy(path, stage / inside)
    manifest = stage / "capsend_guest" / "manifest.py"
    held = tuple((package.name, package.imports, bool(package.native)) for package in packages)
    text = f'"""The packages that this image holds."""\n\nPACKAGES = {held!r}\nFILES = {_data_files(packages)!r}\n'
    manifest.write_text(text, encoding="utf-8")
    time_zones.write(stage / "capsend_guest" / "zones.json")
    (stage / "capsend_guest" / "rehearsal.json").write_text(rehearsal, encoding="ascii")
    for package in packages:
        for name, path in package.files:
            _copy(path, stage / name)


def _data_files(packages: Sequence[Package]) -> tuple[str, ...]:
    """Return the packages' data files to keep, the smaller ones first, up to the limit of an image."""
    found = [
        (path.stat().st_size, name)
        for package in packages
        for name, path in package.files
        if not name.endswith((".py", *SUFFIXES))
    ]
    kept, room = [], _MOST_DATA
    for size, name in sorted(found):
        room -= size
        if room < 0:
            break
        kept.append(name)
    return tuple(sorted(kept))


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _snapshot(folder: Path, packages: Sequence[Package]) -> None:
    # componentize-py adds the packages of an active virtual environment; an empty environment keeps the host's packages
    # out.
    (folder / "venv" / "lib" / "python3" / "site-packages").mkdir(parents=True)
    try:
        versions.check("componentize-py")
    except ImportError as error:
        raise ImageError(f"the image could not be built: {error}") from None
    wit = folder / "stage" / "capsend_guest" / "world.wit"
    component = folder / COMPONENT
    options = ("-d", wit, "-w", "process", "componentize", "-p", folder / "stage", "-o", component, "capsend_guest.app")
    _run(_SNAPSHOT, *options, folder=folder, packages=packages)
    immortalize(component)


def _translate(folder: Path, *, unmerged: str = "", seconds: float | None = None) -> str:
    """Compile the component, merged unless there is a reason against it; return the reason."""
    unmerged = unmerged or ("" if is_merging() else f"{SWITCH} is 0")
    options = [_UNMERGED] if unmerged else []
    files = (folder / COMPONENT, folder / COMPILED, folder / CONTENT)
    printed = _run(_TRANSLATE, *files, *options, folder=folder, seconds=seconds)
    return unmerged or printed.strip()


def _survey(folder: Path, *, seconds: float | None = None) -> tuple[int | None, tuple[tuple[int, int], ...]]:
    """Return the number of the instance with the memory, and the pages written by every process, as far as they can be found."""
    options = (folder / COMPILED, content_of(folder) or "")
    instance, written = loads(_run(_SURVEY, *options, folder=folder, seconds=seconds))
    return instance, tuple((address, length) for address, length in written)


def _run(
    code: str, *arguments: Path | str, folder: Path, packages: Sequence[Package] = (), seconds: float | None = None
) -> str:
    """Run a tool in a separate Python and return its output: the tool can be interrupted, and its memory is freed at its end."""
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    environment = os.environ | {
        "RUST_BACKTRACE": "0",  # a backtrace would push the message out of the kept output
        "RUST_LIB_BACKTRACE": "0",  # this variable takes precedence
        "PYTHONPATH": os.pathsep.join(_tool_folders()),
        "TMPDIR": str(temporary),
        "VIRTUAL_ENV": str(folder / "venv"),
    }
    command = [sys.executable, "-P", "-c", code, *map(str, arguments)]
    try:
        done = subprocess.run(  # noqa: S603 - our interpreter, our arguments
            command,
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
        )
    except subprocess.TimeoutExpired:
        raise ImageError(
            f"the image could not be built: compiling or trying it takes longer than {seconds:.0f} s. Get a file that was made by capsend"
        ) from None
    if done.returncode != 0:
        output = f"{done.stdout}\n{done.stderr}"
        if "No space left" in output or "Disk quota" in output:
            raise OSError(errno.ENOSPC, "no space left")
        raise ImageError(f"the image could not be built: {_refused(output, packages) or _last_words(output)}")
    return done.stdout


def _refused(output: str, packages: Sequence[Package]) -> str:
    """Return the packages that could not be imported, with reasons; empty if the build failed in another way."""
    if _TOO_LARGE in output:
        too_much = "with these packages it takes more than 128 MiB of memory, which is as much as the tool can copy"
        return f"{too_much}. Leave some out, or make several images"
    line = next((line for line in output.splitlines() if MARK in line), "")
    if not line:
        return ""
    refused: dict[str, list[str]] = loads(line.partition(MARK)[2])
    named = {package.name: package for package in packages}
    told = [f"{named[name].words} cannot be imported in a process: {reason}" for name, (_, reason) in refused.items()]
    return (
        "\n".join(told) + ".\nUse another package, or call this one in the host, in a function made with @host_function"
    )


def _tool_folders() -> list[str]:
    folders = []
    for name in ("capsend", "capsend_traits", "componentize_py", "wasmtime", "attrs"):
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            raise ImageError(f"the image could not be built: {name} is not installed. Reinstall capsend")
        folders.append(str(Path(spec.origin).parent.parent))
    return list(dict.fromkeys(folders))


def _last_words(output: str) -> str:
    lines = [line for line in output.splitlines() if line.strip()]
    return "\n".join(lines[-15:])[-3_000:] or "the tool gave no reason"


def _try_out(folder: Path, *, seconds: float | None = None) -> dict[str, Any]:
    """Return the self-description of a compiled image, requested in a separate OS process: an image from a file might not answer.

    Raises:
        ImageError: the image does not run.
    """
    printed = _run(_INVENTORY, folder, folder=folder, seconds=seconds)
    try:
        inventory = loads(printed)
        modules, missing = inventory["modules"], inventory["missing"]
    except (LookupError, TypeError, ValueError):
        modules = missing = None
    if type(modules) is not list or type(missing) is not dict:
        message = "the image was built but does not run: it does not name its content"
        raise ImageError(message)
    return {"python": str(inventory.get("python")), "modules": modules, "missing": missing}


def inventory_of(folder: Path) -> str:
    """Return a compiled image's list of its content.

    Raises:
        ImageError: the image does not run.
    """
    from capsend import engine

    template = engine.Template(folder / COMPILED, content=content_of(folder))
    guest = engine.Guest(template, memory=1 << 30, host=lambda _operation, _payload: "")
    try:
        return guest.run("", "inventory")
    except (engine.Trapped, ValueError) as error:
        raise ImageError(f"the image was built but does not run: {error}") from error
    finally:
        guest.close()


def _need_space(folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < SPACE:
        raise OSError(errno.ENOSPC, "no space left")


@contextlib.contextmanager
def _explained(folder: Path) -> Iterator[None]:
    """Turn a full disk, in any part of the build, into an error with the space needed."""
    try:
        yield
    except OSError as error:
        free = 0
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise ImageError(f"the image could not be built: {error}") from error
        with contextlib.suppress(OSError):
            free = shutil.disk_usage(folder).free // 1_000_000
        message = (
            f"the image could not be built: that needs {SPACE // 1_000_000} MB of free disk space in {folder.parent}, "
            f"and {free} MB are free. Make room, or set CAPSEND_CACHE_DIR to a folder on another disk"
        )
        raise ImageError(message) from error


def _say(text: str) -> None:
    if sys.stderr is not None:
        print(f"capsend: {text}", file=sys.stderr, flush=True)  # noqa: T201 - the contract wants one line of progress


@contextlib.contextmanager
def _progress(work: tuple[str, tuple[str, ...]]) -> Iterator[Callable[[int], None]]:
    """Yield a function that is called with the number of each step as the step begins; the line shows the time so far."""
    title, steps = work
    if sys.stderr is None or not sys.stderr.isatty():
        started = time.monotonic()
        _say(f"{title}...")
        yield lambda step: _say(f"{_words(steps, step)} ({time.monotonic() - started:.0f} s so far)")
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("capsend: {task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(title, total=None)
        yield lambda step: progress.update(task, description=f"{title}: {_words(steps, step)}")


def _words(steps: tuple[str, ...], step: int) -> str:
    return f"{steps[step]}, {step + 1} of {len(steps)}"
