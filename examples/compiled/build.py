"""Compile C to a module, with the compiler of `pip install ziglang` and the header of capsend."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import capsend

FLAGS = ["--target=wasm32-freestanding", "-nostdlib", "-mbulk-memory", "-O2", "-s", "-Wl,--no-entry"]
INCLUDE = Path(capsend.__file__).parent / "wasm" / "abi"  # the output of `capsend include`


def compiled(source: Path, folder: Path) -> Path:
    """Compile a file into a folder, and return the module."""
    made = folder / source.with_suffix(".wasm").name
    subprocess.run(  # noqa: S603 - fixed arguments
        [sys.executable, "-m", "ziglang", "cc", *FLAGS, f"-I{INCLUDE}", "-o", str(made), str(source)], check=True
    )
    return made
