"""Turn the component of an image into machine code: with a gauge, its modules merged where that can be done, and the content of its memory apart."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from capsend import engine
from capsend.engine.gauge import gauge
from capsend.image.detaching import detach
from capsend.image.merging import Unmergeable
from capsend.image.merging.merge import merge


def translate(component: bytes, content: Path) -> tuple[bytes, str]:
    """Merge the modules of a component and compile it for this machine; if they cannot be merged, compile it as it is.

    Args:
        component: the component.
        content: the file for the content of its memory; not written where the compiled form has it.

    Returns:
        (the compiled form, the reason why its modules are not merged; empty if they are).

    Raises:
        LookupError: no gauge can be put into the component, or its memory cannot be taken out.
        ValueError: the component cannot be compiled.
    """
    try:
        return compile_gauged(merge(component), content), ""
    except (Unmergeable, LookupError, ValueError) as error:
        return compile_gauged(component, content), str(error)


def compile_gauged(component: bytes, content: Path) -> bytes:
    """Compile a component with a gauge in it; *content* is as for `translate`.

    Raises:
        LookupError: no gauge can be put into the component, or its memory cannot be taken out.
        ValueError: the component cannot be compiled.
    """
    if engine.has_slots():
        component, pieces, size = detach(component)
        if pieces:
            _write(content, pieces, size)
    return engine.compile_component(gauge(component, assemble=engine.assemble))


def _write(path: Path, pieces: list[tuple[int, bytes]], size: int) -> None:
    with path.open("wb") as file:
        os.truncate(file.fileno(), size)
        for address, piece in pieces:
            file.seek(address)
            file.write(piece)


def main() -> None:
    """Translate the first file into the second and third, and print the reason why it is not merged; with a fourth argument, only compile it."""
    source, target, content, *unmerged = sys.argv[1:]
    component = Path(source).read_bytes()
    compiled, reason = (
        (compile_gauged(component, Path(content)), "") if unmerged else translate(component, Path(content))
    )
    Path(target).write_bytes(compiled)
    print(reason)  # noqa: T201 - read by the build
