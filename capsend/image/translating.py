"""Turn the component of an image into machine code: its modules merged where that can be done, and with a gauge."""

from __future__ import annotations

import sys
from pathlib import Path

from capsend import engine
from capsend.engine.gauge import gauge
from capsend.image.merging.merge import merge
from capsend.image.merging.sections import Unmergeable


def translate(component: bytes) -> tuple[bytes, str]:
    """Merge the modules of a component and compile it for this machine; compile it as it is where they cannot be merged.

    Returns: (the compiled form, why its modules are not merged; empty if they are).

    Raises:
        LookupError: no gauge can be put into it.
        ValueError: it cannot be compiled.
    """
    try:
        return compile_gauged(merge(component)), ""
    except (Unmergeable, LookupError, ValueError) as error:
        return compile_gauged(component), str(error)


def compile_gauged(component: bytes) -> bytes:
    """Compile a component with a gauge in it.

    Raises:
        LookupError: no gauge can be put into it.
        ValueError: it cannot be compiled.
    """
    return engine.compile_component(gauge(component, assemble=engine.assemble))


def main() -> None:
    """Translate the first file into the second, and print why it is not merged; only compile it if a third argument says so."""
    source, target, *unmerged = sys.argv[1:]
    component = Path(source).read_bytes()
    compiled, reason = (compile_gauged(component), "") if unmerged else translate(component)
    Path(target).write_bytes(compiled)
    print(reason)  # noqa: T201 - read by the build
