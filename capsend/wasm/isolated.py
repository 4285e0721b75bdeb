"""The compilation of untrusted modules in a separate OS process with limits."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

from capsend.exceptions import WasmError

if TYPE_CHECKING:
    from collections.abc import Callable

MEMORY: Final = 4 << 30
"""The most bytes of address space of the compiler."""

SECONDS: Final = 120
"""The most seconds of the compiler: of CPU time on all cores together, and of the host's wait."""

LARGEST_CODE: Final = 1 << 29
"""Bytes of the largest compiled form that is accepted."""

LAYER: Final = 6
"""Offset of the header byte that distinguishes modules from components."""

_LONGEST_MESSAGE: Final = 2_000
_REFUSED: Final = 3
_PROGRAM: Final = "from capsend.wasm.isolated import compile_here; compile_here()"


def compile_apart(data: bytes, *, name: str) -> bytes:
    """Return the compiled form of a module.

    Raises:
        WasmError: the module is refused, or the compiler has reached a limit.
    """
    import subprocess

    with tempfile.TemporaryDirectory(prefix="capsend-") as folder:
        target = Path(folder, "compiled")
        environment = os.environ | {
            "RUST_BACKTRACE": "0",
            "PYTHONPATH": os.pathsep.join(entry or os.curdir for entry in sys.path),
        }
        command = [sys.executable, "-P", "-c", _PROGRAM, str(target), name.replace("\0", ""), str(MEMORY), str(SECONDS)]
        try:
            done = subprocess.run(  # noqa: S603 - our interpreter, our arguments
                command, env=environment, input=data, capture_output=True, timeout=SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            raise WasmError(
                f"{name} was given up: compiling it takes longer than {SECONDS} s. Make it smaller"
            ) from None
        if done.returncode == _REFUSED:
            raise WasmError(done.stdout.decode("utf-8", "replace")[:_LONGEST_MESSAGE])
        if done.returncode or not target.exists() or target.stat().st_size > LARGEST_CODE:
            raise WasmError(
                f"{name} was given up: compiling it takes more than {MEMORY} bytes of memory or {SECONDS} s of CPU time. Make it smaller"
                f"{_last_line(done.stderr)}"
            )
        return target.read_bytes()


def _last_line(errors: bytes) -> str:
    lines = errors.decode("utf-8", "replace").strip().splitlines()
    text = ascii(lines[-1])[1:-1] if lines else ""
    return f" (it ended with: {text[:_LONGEST_MESSAGE]})" if text else ""


def compile_here() -> NoReturn:
    """Compile the module on standard input.

    Writes the compiled form, or the reason of a refusal, to the file in the arguments.
    """
    target, name, memory, seconds = sys.argv[1:]
    limits = {"RLIMIT_AS": int(memory), "RLIMIT_CPU": int(seconds), "RLIMIT_FSIZE": LARGEST_CODE, "RLIMIT_CORE": 0}
    for limit, most in limits.items():
        with contextlib.suppress(
            ImportError, OSError, ValueError, AttributeError
        ):  # the system has no such limit, or a lower one
            import resource

            resource.setrlimit(getattr(resource, limit), (most, most))
    data = sys.stdin.buffer.read()
    try:
        code = _compiler()(data, name)
        Path(target).write_bytes(code.serialize())
    except WasmError as error:
        sys.stdout.buffer.write(str(error).encode("utf-8", "replace"))
        sys.stdout.flush()
        os._exit(_REFUSED)
    os._exit(0)  # nothing is left to do, and the compiler's threads need not be awaited


def template_of(data: bytes) -> Any:
    """Return the class for the compiled form of *data*: the one for core modules or the one for components."""
    from capsend import engine

    return engine.WorldTemplate if data[LAYER] else engine.CoreTemplate


def _compiler() -> Callable[[bytes, str], Any]:
    from capsend import engine

    return lambda data, name: engine.compile_code(template_of(data).code, data, name)
