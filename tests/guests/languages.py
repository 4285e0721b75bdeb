"""The languages that guests are written in: for each a folder beside this file, a line in `LANGUAGES`, and how it is built.

`python -m tests.guests.languages` installs the toolchains that are not installed by the way, because they are heavy.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import attrs
import filelock
import platformdirs

import capsend
from capsend import WasmModule

if TYPE_CHECKING:
    from collections.abc import Callable

HERE: Final = Path(__file__).parent
HEADERS: Final = Path(capsend.__file__).parent / "wasm" / "abi"
TOOLCHAINS: Final = Path(os.environ.get("CAPSEND_CACHE_DIR") or platformdirs.user_cache_dir("capsend")) / "toolchains"
INSTALLING: Final = 300.0
"""Seconds."""


class ToolchainMissing(Exception):
    """A compiler is not there; the text says what to do."""


def compile_c(source: Path, made: Path, *, libc: bool = False, command: bool = False) -> Path:
    """Compile one C file. Without a libc this takes no time; the first file with a libc builds it, 20 s of CPU, and zig keeps it.

    Args:
        source: the file.
        made: the module.
        libc: whether there is a libc, on top of WASI.
        command: True if it is a program with a `main` function.

    Raises:
        ToolchainMissing: there is no compiler.
    """
    if importlib.util.find_spec("ziglang") is None:
        raise ToolchainMissing("there is no C compiler: pip install '.[guests]'")
    library = ["--target=wasm32-wasi"] if libc else ["--target=wasm32-freestanding", "-nostdlib"]
    kind = [] if command else ["-mexec-model=reactor"] if libc else ["-Wl,--no-entry"]
    flags = ["-mbulk-memory", "-O2", "-s", "-Wall", "-Wextra", "-Werror", f"-I{HEADERS}"]
    _run([sys.executable, "-m", "ziglang", "cc", *library, *kind, *flags, "-o", str(made), str(source)])
    return made


def _c(source: Path, folder: Path) -> WasmModule:
    return WasmModule.from_file(compile_c(source, folder / "c.wasm"))


def _wat(source: Path, _folder: Path) -> WasmModule:
    return WasmModule.from_wat(source.read_text(encoding="utf-8"))


def _assemblyscript(source: Path, folder: Path) -> WasmModule:
    compiler = install("assemblyscript") / "node_modules" / "assemblyscript" / "bin" / "asc.js"
    made = folder / "assemblyscript.wasm"
    _run(["node", str(compiler), str(source), "-O", "--runtime", "stub", "--use", "abort=", "-o", str(made)])
    return WasmModule.from_file(made)


def _javascript(source: Path, folder: Path) -> WasmModule:
    installed = install("javascript", at_once=False)
    made = folder / "javascript.wasm"
    shutil.copy(source.parent / "build.mjs", installed)
    _run(["node", str(installed / "build.mjs"), str(source), str(made), str(HEADERS)])
    return WasmModule.from_file(made)


def install(language: str, *, at_once: bool = True) -> Path:
    """Return the folder with the packages of npm that a language's `package.json` pins.

    Args:
        language: its folder.
        at_once: True to install missing tools: for those that take seconds, not minutes.

    Raises:
        ToolchainMissing: it is not there, and cannot or should not be installed now.
    """
    if shutil.which("npm") is None:
        raise ToolchainMissing("there is no npm, which comes with node")
    wanted = (HERE / language / "package.json").read_text(encoding="utf-8")
    folder = TOOLCHAINS / language
    marker = folder / "installed.json"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with filelock.FileLock(folder / "lock"):
        if marker.is_file() and marker.read_text(encoding="utf-8") == wanted:
            return folder
        if not at_once:
            names = ", ".join(json.loads(wanted)["devDependencies"])
            raise ToolchainMissing(f"{names} is heavy, and not installed: python -m tests.guests.languages")
        (folder / "package.json").write_text(wanted, encoding="utf-8")
        try:
            # Without a network this must not take minutes.
            patience = ["--fetch-retries=1", "--fetch-timeout=30000"]
            _run(["npm", "install", "--silent", "--no-audit", "--no-fund", *patience, "--prefix", str(folder)])
        except (AssertionError, subprocess.TimeoutExpired) as error:
            raise ToolchainMissing(f"npm could not install what {language} needs: {error}") from error
        marker.write_text(wanted, encoding="utf-8")
    return folder


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALLING, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"


@attrs.frozen
class Language:
    """One of them.

    Attributes:
        name: its folder.
        source: the file in it that passes the cases.
        build: makes a module of a source, in a folder for what is made on the way.
        is_component: whether the module speaks the WIT world instead of the plain imports.
    """

    name: str
    source: str
    build: Callable[[Path, Path], WasmModule]
    is_component: bool = False

    def conformance(self, folder: Path) -> WasmModule:
        """Build the guest that passes the cases.

        Raises:
            ToolchainMissing: its compiler is not there.
        """
        return self.build(HERE / self.name / self.source, folder)


LANGUAGES: Final = (
    Language("wat", "conformance.wat", _wat),
    Language("c", "conformance.c", _c),
    Language("assemblyscript", "conformance.ts", _assemblyscript),
    Language("javascript", "conformance.js", _javascript, is_component=True),
)


if __name__ == "__main__":
    for each in ("assemblyscript", "javascript"):
        print(each, "is in", install(each))
