"""The compiler and linker for build scripts: clang and wasm-ld of zig, with the options for a library of an image.

It runs as a separate script (`python driver.py cc ARGUMENTS`), in any folder and without capsend, so it imports only
the standard library. It drops arguments meant for the host (its headers, libraries and processor), adds target and
headers of the guest, and links every program as a library: a build may test whether a program links, but none is run.
The imports of a library are compared with the symbols of the image's libraries, so that a missing symbol is reported
when the library is linked, not when the image is made.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

SETTINGS: Final = "CAPSEND_TOOLCHAIN"
"""The environment variable with the path of `toolchain.json`; see `toolchain.Toolchain`."""
FAILURES: Final = "CAPSEND_TOOLCHAIN_FAILURES"
"""The environment variable with the path of a file to which undefined symbols are appended, one line per library."""

TARGET: Final = (
    "-target",
    "wasm32-wasi",
    "-fPIC",
    "-fvisibility=hidden",
    "-fno-sanitize=all",
    "-Wno-unused-command-line-argument",
)
_DEFINES: Final = (
    "-D_WASI_EMULATED_SIGNAL",
    "-D_WASI_EMULATED_GETPID",
    "-D_WASI_EMULATED_PROCESS_CLOCKS",
    "-D_WASI_EMULATED_MMAN",
)
_CXX_ABI: Final = ("-D_LIBCPP_ABI_VERSION=2", "-D_LIBCPP_ABI_NAMESPACE=__2")
_LANGUAGES: Final = (".c", ".cc", ".cpp", ".cxx", ".C", ".S", ".s", ".m")
_QUESTIONS: Final = frozenset({"--version", "-v", "-dumpversion", "-dumpmachine"})
_OBJECTS: Final = (".o", ".obj", ".a", ".lo")
_SKIPPED: Final = (
    "-march=",
    "-mtune=",
    "-mcpu=",
    "-fstack-protector",
    "-fcf-protection",
    "-fstack-clash-protection",
    "-specs=",
    "--target=",
)
_SKIPPED_WHOLE: Final = frozenset(
    {"-pthread", "-g", "-m64", "-m32", "-shared", "-pipe", "-fno-plt", "-rdynamic", "-s", "-fPIE", "-pie", "-no-pie"}
)
_LINK: Final = (
    "--experimental-pic",
    "-shared",
    "--no-entry",
    "--unresolved-symbols=import-dynamic",
    "--strip-debug",
    "--no-shlib-sigcheck",
)
_ENTRY: Final = ("--export-if-defined=main", "--export-if-defined=__main_argc_argv", "--export-if-defined=__main_void")
"""Options that keep the code of a program, and its references: if it were dropped, tests for functions would always succeed."""
_GIVEN: Final = frozenset(
    {"memory", "__indirect_function_table", "__stack_pointer", "__memory_base", "__table_base", "__heap_base", "__heap_end", "__stack_high",
     "__stack_low"}
)  # fmt: skip


def imports_of(wasm: bytes) -> set[str]:
    """Return the names that a library imports."""
    kinds = {0: 1, 4: 2}  # function: a type; tag: an attribute and a type
    names: set[str] = set()
    position = 8
    while position < len(wasm):
        section = wasm[position]
        size, start = number(wasm, position + 1)
        position = start + size
        if section != 2:
            continue
        count, start = number(wasm, start)
        for _ in range(count):
            module, start = text(wasm, start)
            name, start = text(wasm, start)
            kind = wasm[start]
            start += 1
            if kind in {1, 2}:
                start += kind == 1
                limits = wasm[start]
                start += 1
                for _ in range(1 + (limits & 1)):
                    _, start = number(wasm, start)
            elif kind == 3:
                start += 2
            else:
                for _ in range(kinds[kind]):
                    _, start = number(wasm, start)
            if module == "env" or module.startswith("GOT."):
                names.add(name)
    return names


def exports_of(wasm: bytes) -> set[str]:
    """Return the names that a library exports."""
    names: set[str] = set()
    position = 8
    while position < len(wasm):
        section = wasm[position]
        size, start = number(wasm, position + 1)
        position = start + size
        if section == 7:
            count, start = number(wasm, start)
            for _ in range(count):
                name, start = text(wasm, start)
                names.add(name)
                _, start = number(wasm, start + 1)
    return names


def number(wasm: bytes, position: int) -> tuple[int, int]:
    """Read an unsigned number; return (number, position after it)."""
    value = shift = 0
    while True:
        byte = wasm[position]
        position += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, position


def text(wasm: bytes, position: int) -> tuple[str, int]:
    """Read a name; return (name, position after it)."""
    length, position = number(wasm, position)
    return wasm[position : position + length].decode("utf-8", "replace"), position + length


def _expanded(arguments: list[str]) -> list[str]:
    """Replace response files by their content."""
    import shlex

    out: list[str] = []
    for argument in arguments:
        if argument.startswith("@") and Path(argument[1:]).is_file():
            out += _expanded(shlex.split(Path(argument[1:]).read_text(encoding="utf-8")))
        else:
            out.append(argument)
    return out


class Driver:
    """One call of the compiler."""

    def __init__(self, settings: dict[str, Any], *, cxx: bool, arguments: list[str]) -> None:
        self.settings = settings
        self.cxx = cxx
        self.flags: list[str] = []
        self.inputs: list[str] = []
        self.names: list[str] = []
        self.folders: list[str] = []
        self.output: str = ""
        self.is_compiling: bool = False
        self.is_plain: bool = not arguments
        self.is_shared: bool = "-shared" in arguments
        self._sort(_expanded(arguments))

    def _sort(self, arguments: list[str]) -> None:
        waiting = iter(arguments)
        for argument in waiting:
            if argument == "-o":
                self.output = next(waiting, "")
            elif argument in {"-c", "-E", "-S", "-M", "-MM", "-fsyntax-only"}:
                self.is_compiling = True
                self.flags.append(argument)
            elif argument in _QUESTIONS or argument.startswith("-print-"):
                self.is_plain = True
                self.flags.append(argument)
            elif argument in {
                "-I",
                "-isystem",
                "-idirafter",
                "-include",
                "-D",
                "-U",
                "-MF",
                "-MT",
                "-MQ",
                "-x",
                "-iquote",
                "-Xclang",
            }:
                value = next(waiting, "")
                if not (argument.startswith("-i") or argument == "-I") or not self._is_hosts(value):
                    self.flags += [argument, value]
            elif argument in {
                "-target",
                "-arch",
                "-isysroot",
                "--sysroot",
                "-z",
                "-soname",
                "-rpath",
                "-Xlinker",
                "-framework",
            }:
                next(waiting, "")
            elif argument.startswith("-I"):
                self.flags += [] if self._is_hosts(argument[2:]) else [argument]
            elif argument == "-L":
                self.folders.append(next(waiting, ""))
            elif argument.startswith("-L"):
                self.folders.append(argument[2:])
            elif argument.startswith("-l"):
                self.names.append(argument[2:])
                self.inputs.append(argument)
            elif argument.startswith("-Wl,"):
                kept = [part for part in argument[4:].split(",") if part in {"--whole-archive", "--no-whole-archive"}]
                self.is_plain = self.is_plain or "--version" in argument
                self.inputs += kept
                self.flags += ["--version"] if "--version" in argument else []
            elif (
                argument in _SKIPPED_WHOLE
                or argument.startswith(_SKIPPED)
                or (argument.startswith("-g") and argument[2:3] in "0123d")
            ):
                continue
            elif argument == "-" or (not argument.startswith("-")):
                self.inputs.append(argument)
            else:
                self.flags.append(argument)

    def _is_hosts(self, folder: str) -> bool:
        """Return whether a folder has headers of the host: of its Python, or of the system."""
        path = os.path.realpath(folder or ".")
        return path.startswith(("/usr/include", "/usr/local/include")) or os.path.exists(os.path.join(path, "Python.h"))

    def run(self) -> int:
        """Run the compiler as the arguments require; return the exit code."""
        if self.is_plain and any(flag == "--version" for flag in self.flags) and not self.inputs:
            linker = "-Wl" in " ".join(sys.argv[2:])
            return self._call([*self._zig, "wasm-ld" if linker else "cc", "--version"])
        if self.is_compiling or self.is_plain:
            output = ["-o", self.output] if self.output else []
            return self._compile([*self.flags, *self.inputs, *output])
        return self._link()

    @property
    def _zig(self) -> list[str]:
        return [self.settings["zig"]]

    def _compile(self, arguments: list[str]) -> int:
        defines = [*_DEFINES, *(_CXX_ABI if self.cxx else ())]
        # After all others: a package may have headers named like Python's, and means its own.
        headers = ["-idirafter", self.settings["include"]]
        command = [
            *self._zig,
            "c++" if self.cxx else "cc",
            *TARGET,
            *self.settings["flags"],
            *defines,
            *arguments,
            *headers,
        ]
        return self._call([*command, "-fno-exceptions"] if self.cxx and self.settings.get("no_exceptions") else command)

    def _link(self) -> int:
        with tempfile.TemporaryDirectory(prefix="capsend-link-") as temporary:
            objects: list[str] = []
            for number, item in enumerate(self.inputs):
                if item == "-" or item.endswith(_LANGUAGES):
                    made = str(Path(temporary) / f"{number}.o")
                    code = self._compile([*self.flags, "-c", item, "-o", made])
                    if code:
                        return code
                    objects.append(made)
                elif item.startswith("-l"):
                    found = self._archive(item[2:])
                    if found is None and item[2:] not in self.settings["known"]:
                        sys.stderr.write(f"capsend: the library {item[2:]!r} does not exist for a process\n")
                        return 1
                    objects += [found] if found else []
                elif item.endswith(_OBJECTS) or item.startswith("--"):
                    objects.append(item)
            return self._joined(objects)

    def _archive(self, name: str) -> str | None:
        return next(
            (path for folder in self.folders if os.path.exists(path := os.path.join(folder, f"lib{name}.a"))), None
        )

    def _joined(self, objects: list[str]) -> int:
        output = self.output or "a.out"
        offers: dict[str, list[str]] = self.settings["offers"]
        base: list[str] = self.settings["base"]
        libraries = list(base)
        while True:
            paths = [str(Path(self.settings["libraries"]) / name) for name in libraries]
            entry = () if self.is_shared else _ENTRY
            command = [
                *self._zig,
                "wasm-ld",
                *_LINK,
                *entry,
                "-o",
                output,
                *objects,
                *paths,
                *self.settings["archives"],
            ]
            code = self._call(command)
            if code:
                return code
            made = Path(output).read_bytes()
            # Symbols that others may replace are imported even if the library has them itself.
            wanted = imports_of(made) - exports_of(made) - _GIVEN
            wanted -= {symbol for name in libraries for symbol in offers[name]}
            more = [name for name, symbols in offers.items() if name not in libraries and wanted & set(symbols)]
            if not wanted:
                return 0
            if not more:
                return self._undefined(output, sorted(wanted))
            libraries += more

    def _undefined(self, output: str, symbols: list[str]) -> int:
        os.unlink(output)
        line = f"{os.path.basename(output)}: {' '.join(symbols)}"
        if path := os.environ.get(FAILURES):
            with open(path, "a", encoding="utf-8") as file:
                file.write(f"{line}\n")
        sys.stderr.write(f"capsend: undefined symbols, which no library of the image has, in {line}\n")
        return 1

    @staticmethod
    def _call(command: list[str]) -> int:
        return subprocess.call(command)  # noqa: S603 - zig, with arguments from the build


def main() -> None:
    """Run a tool: the first argument is its name, `cc`, `c++`, `ar` or `ranlib`."""
    settings = json.loads(Path(os.environ[SETTINGS]).read_text(encoding="utf-8"))
    tool, *arguments = sys.argv[1:]
    if tool in {"ar", "ranlib"}:
        raise SystemExit(subprocess.call([settings["zig"], tool, *arguments]))  # noqa: S603 - as above
    raise SystemExit(Driver(settings, cxx=tool == "c++", arguments=arguments).run())


if __name__ == "__main__":
    main()
