"""Turn the component of an image into machine code: with a gauge, and its modules merged where that can be done."""

from __future__ import annotations

import sys
from pathlib import Path

from capsend import engine
from capsend.engine.gauge import gauge
from capsend.image.merging import Unmergeable
from capsend.image.merging.merge import merge


def translate(component: bytes) -> tuple[bytes, str]:
    """Merge the modules of a component and compile it for this machine; if they cannot be merged, compile it as it is.

    Returns:
        (the compiled form, the reason why its modules are not merged; empty if they are).

    Raises:
        LookupError: no gauge can be put into the component.
        ValueError: the component cannot be compiled.
    """
    try:
        return compile_gauged(merge(component)), ""
    except (Unmergeable, LookupError, ValueError) as error:
        return compile_gauged(component), str(error)


def compile_gauged(component: bytes) -> bytes:
    """Compile a component with a gauge in it.

    Raises:
        LookupError: no gauge can be put into the component.
        ValueError: the component cannot be compiled.
    """
    return engine.compile_component(gauge(component, assemble=engine.assemble))


def main() -> None:
    """Translate the first file into the second, and print the reason why it is not merged; with a third argument, only compile it."""
    source, target, *unmerged = sys.argv[1:]
    component = Path(source).read_bytes()
    compiled, reason = (compile_gauged(component), "") if unmerged else translate(component)
    Path(target).write_bytes(compiled)
    print(reason)  # noqa: T201 - read by the build
