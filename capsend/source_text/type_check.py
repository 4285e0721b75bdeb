"""The type check of source text before it runs: mypy checks the text against the types of its inputs."""

from __future__ import annotations

import collections.abc
import inspect
import json
import keyword
import os
import subprocess
import sys
import tempfile
import types
import typing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs

from capsend.capabilities.folders import Dir
from capsend.capabilities.host_functions import HostFunction
from capsend.exceptions import CapsendError

if TYPE_CHECKING:
    from collections.abc import Mapping

_TIMEOUT: Final = 300.0
MEMORY: Final = 4 << 30
"""The most bytes of address space of mypy."""

_LIMITED: Final = """
import contextlib, runpy, sys
with contextlib.suppress(ImportError, OSError, ValueError):  # a system without it, or with a lower limit
    import resource
    resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[1]),) * 2)
sys.argv[:2] = ["mypy"]
runpy.run_module("mypy", run_name="__main__", alter_sys=True)
"""
"""A program that runs mypy with limited address space: untrusted text can make mypy ask for any amount of memory."""

_INPUTS: Final = "capsend_inputs"
_TEXT: Final = "capsend_text"
_OPTIONS: Final = (
    "--no-error-summary", "--show-column-numbers", "--output=json", "--check-untyped-defs", "--disable-error-code=top-level-await",
)  # fmt: skip
_CONFIGURATION: Final = "[mypy]\nplugins = capsend_mypy\n"


@attrs.frozen
class Problem:
    """One error that mypy finds in a text.

    Attributes:
        name: the name of the text.
        line: the line of the error, counted from 1.
        column: the column of the error, counted from 1.
        message: mypy's message.
        code: mypy's code for this kind of error, such as `arg-type`.
    """

    name: str
    line: int
    column: int
    message: str
    code: str

    def __str__(self) -> str:
        return f"{self.name}:{self.line}:{self.column}: error: {self.message}  [{self.code}]"


def problems(text: str, name: str, inputs: Mapping[str, Any], *, declared: str = "") -> tuple[Problem, ...]:
    """Return the type errors of a text.

    Args:
        text: the text.
        name: its name.
        inputs: {global: a type, a host function, or a value of the type}.
        declared: further globals, as lines of a stub file: `prices: list[int]`.

    Returns:
        A tuple of `Problem`, in the order of the lines.

    Raises:
        CapsendError: mypy is not installed, or failed.
    """
    stub, names = _stub(inputs, declared)
    first = f"from {_INPUTS} import {', '.join(names)}" if names else "pass"
    with tempfile.TemporaryDirectory(prefix="capsend-check-") as place:
        folder = Path(place)
        (folder / f"{_INPUTS}.pyi").write_text(stub, encoding="utf-8")
        (folder / f"{_TEXT}.py").write_text(f"{first}\n{text}", encoding="utf-8", errors="replace")
        (folder / "mypy.ini").write_text(_CONFIGURATION, encoding="ascii")
        lines = _mypy(folder)
    found = [json.loads(line) for line in lines if line.startswith("{")]
    if any(each["code"] == "syntax" for each in found):
        version = ".".join(map(str, sys.version_info[:2]))
        message = f"mypy cannot read {name} with this program's Python {version}: {found[0]['message']}"
        raise CapsendError(message)
    return tuple(
        Problem(name, each["line"] - 1, each["column"] + 1, each["message"], each["code"] or "misc")
        for each in found
        if each["severity"] == "error" and Path(each["file"]).stem == _TEXT
    )


def _mypy(folder: Path) -> list[str]:
    from capsend.cache_place import cache_folder

    # Without the current folder on its path: a process may have been granted write access to that folder.
    command = [sys.executable, "-P", "-c", _LIMITED, str(MEMORY), *_OPTIONS, f"--config-file={folder / 'mypy.ini'}"]
    command += [f"--cache-dir={cache_folder().parent / 'mypy'}", str(folder / f"{_TEXT}.py")]
    path = os.pathsep.join([str(folder), *filter(None, [os.environ.get("MYPYPATH")]), str(Path.cwd())])
    try:
        # Untrusted text is parsed by mypy in a separate OS process, not in the host program.
        done = subprocess.run(  # noqa: S603 - our interpreter, our paths
            command, capture_output=True, text=True, timeout=_TIMEOUT, check=False, env={**os.environ, "MYPYPATH": path}
        )
    except subprocess.TimeoutExpired:
        message = f"mypy took more than {_TIMEOUT:g} s for the text"
        raise CapsendError(message) from None
    if "No module named mypy" in done.stderr:
        message = "source.check() needs mypy, which is not installed. Install it: pip install 'capsend[mypy]'"
        raise CapsendError(message)
    if done.returncode and not done.stdout.startswith("{"):
        message = f"mypy could not check the text: {(done.stderr or done.stdout).strip()[-1_000:]}"
        raise CapsendError(message)
    return done.stdout.splitlines()


def _stub(inputs: Mapping[str, Any], declared: str) -> tuple[str, list[str]]:
    """Return a stub file that declares globals, and their names: `(text, [name, ...])`."""
    modules: set[str] = {"typing"}
    lines = [_declaration(name, given, modules) for name, given in inputs.items()]
    names = list(inputs)
    for line in filter(None, map(str.strip, declared.splitlines())):
        name, _, kind = (part.strip() for part in line.partition(":"))
        if not name.isidentifier() or keyword.iskeyword(name) or not kind:
            message = f"{line!r} declares no global: write NAME: TYPE, such as 'prices: list[int]'"
            raise ValueError(message)
        names.append(name)
        lines.append(line)
    imports = [f"import {module}\n" for module in sorted(modules)]
    return "".join(imports) + "".join(f"{line}\n" for line in lines), names


def _declaration(name: str, given: Any, modules: set[str]) -> str:
    if isinstance(given, HostFunction):
        return _function(name, given, modules)
    is_type = isinstance(given, type) or typing.get_origin(given) is not None or given in {None, Any}
    return f"{name}: {_written(given if is_type else type(given), modules)}"


def _function(name: str, function: HostFunction[Any, Any], modules: set[str]) -> str:
    wrapped = function.__wrapped__
    try:
        hints = typing.get_type_hints(wrapped)
    except Exception:  # noqa: BLE001 - the user's annotations may name missing objects
        hints = {}
    signature = inspect.signature(wrapped)
    parameters = [
        parameter.replace(
            annotation=_Shown(_written(hints.get(name, Any), modules)),
            default=parameter.empty if parameter.default is parameter.empty else ...,
        )
        for name, parameter in signature.parameters.items()
    ]
    returned = _Shown(_written(hints.get("return", Any), modules))
    shown = str(signature.replace(parameters=parameters, return_annotation=returned)).replace("Ellipsis", "...")
    return f"{'async ' if function.is_async else ''}def {name}{shown}: ..."


class _Shown:
    """An annotation that a signature shows unchanged."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def _written(given: Any, modules: set[str]) -> str:
    """Return a type in the form for a stub; `Any` if a stub cannot name it."""
    origin, args = typing.get_origin(given), typing.get_args(given)
    if given is None or given is type(None):
        return "None"
    if origin is typing.Annotated:
        return _written(args[0], modules)
    if origin in {typing.Union, types.UnionType}:
        return " | ".join(_written(each, modules) for each in args)
    if origin is typing.Literal:
        return f"typing.Literal[{', '.join(map(repr, args))}]"
    if origin is collections.abc.Callable:
        return f"typing.Callable[{_written_parameters(args[0], modules)}, {_written(args[1], modules)}]"
    if origin is not None:
        inner = ", ".join("..." if each is ... else _written(each, modules) for each in args)
        return f"{_written(origin, modules)}[{inner or '()'}]"
    if isinstance(given, type):
        return _name(given, modules)
    return "typing.Any"


def _written_parameters(given: Any, modules: set[str]) -> str:
    return f"[{', '.join(_written(each, modules) for each in given)}]" if isinstance(given, list) else "..."


def _name(cls: type, modules: set[str]) -> str:
    if issubclass(cls, Dir):
        cls = Path  # a Dir is a Path in the guest
    module, name = cls.__module__, cls.__qualname__
    if module == "builtins":
        return name
    if module == "__main__" or "<locals>" in name or not all(part.isidentifier() for part in module.split(".")):
        return "typing.Any"
    module = "pathlib" if module.startswith("pathlib.") else module
    modules.add(module)
    return f"{module}.{name}"
