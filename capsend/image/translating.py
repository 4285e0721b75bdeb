"""The translation of an image's component to machine code: with a gauge, with merged modules if possible, and with the memory's content separate."""

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
    """Merge the modules of a component, if possible, and compile the component for this machine.

    Args:
        component: the component.
        content: the file for the content of its memory; not written if the compiled form contains it.

    Returns:
        (the compiled form, the reason why its modules are not merged). The reason is empty if they are merged.

    Raises:
        LookupError: the gauge cannot be added to the component, or its memory cannot be taken out.
        ValueError: the component cannot be compiled.
    """
    try:
        return compile_gauged(merge(component), content), ""
    except (Unmergeable, LookupError, ValueError) as error:
        return compile_gauged(component, content), str(error)


def compile_gauged(component: bytes, content: Path) -> bytes:
    """Compile a component with a gauge; *content* as for `translate`.

    Raises:
        LookupError: the gauge cannot be added to the component, or its memory cannot be taken out.
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
    """Translate the first file into the second and third, and print why it is not merged.

    With a fourth argument, only compile it.
    """
    source, target, content, *unmerged = sys.argv[1:]
    component = Path(source).read_bytes()
    compiled, reason = (
        (compile_gauged(component, Path(content)), "") if unmerged else translate(component, Path(content))
    )
    Path(target).write_bytes(compiled)
    print(reason)  # noqa: T201 - read by the build
