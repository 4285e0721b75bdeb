"""Facts about an image's memory, found once when the image is made: the instance that has it, and the pages written by every process."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from capsend.engine.interpreter import Guest, Template
from capsend.engine.pictures import stretches, written
from capsend.engine.prefault import MOST

if TYPE_CHECKING:
    from pathlib import Path

_MOST_INSTANCES: Final = 24
_LIKELY: Final = 2
"""The number of that instance in merged images; the search begins with it."""

_MARK: Final = "the place of the memory"
_TEXT: Final = 256
_LOOKS: Final = 3


def survey(path: Path, content: Path | None) -> tuple[int | None, list[tuple[int, int]]]:
    """Find the memory of a compiled image, and the pages of it to which every process writes.

    Args:
        path: the compiled image.
        content: the file with the initial content of its memory, if separate.

    wasmtime ends the whole OS process at a number that names no instance. So each number is tried in a fork, and the
    caller must not have an engine yet.

    Returns:
        (the number of the instance with the memory, [(address, bytes)]). (None, []) if no likely instance has it, or if
        the system cannot fork; no pages if the system does not report them.
    """
    if not hasattr(os, "fork"):
        return None, []
    numbers = (_LIKELY, *(number for number in range(_MOST_INSTANCES) if number != _LIKELY))
    instance = next((number for number in numbers if _is_right(number, path, content)), None)
    return instance, [] if instance is None else _written(Template(path, content=content, instance=instance))


def _written(template: Template) -> list[tuple[int, int]]:
    """Return the pages of the image that every instance writes while it is made ready."""
    found: list[bytearray] = []
    for _ in range(_LOOKS):
        guest = Guest(template, memory=1 << 30, host=_answer_nothing)
        assert guest.place is not None
        size = guest.place.size
        guest.run("", "ready")
        try:
            found.append(written(guest.place.base, size))
        except OSError:  # no such file: the system is not Linux
            return []
        finally:
            guest.close()
            if template.slots is not None:
                template.slots.close_idle()  # the next guest gets fresh pages
    pages = bytearray(map(min, zip(*found, strict=True)))
    return list(stretches(pages))[:MOST]


def _is_right(number: int, path: Path, content: Path | None) -> bool:
    import resource

    child = os.fork()
    if child == 0:
        status = 1
        try:
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            template = Template(path, content=content, instance=number)
            guest = Guest(template, memory=1 << 30, host=_answer_nothing)
            address = int(guest.run(_MARK, "place"))
            status = 0 if guest.place is not None and _MARK.encode() in guest.place.read(address, _TEXT) else 1
        finally:
            os._exit(status)
    return os.waitpid(child, 0)[1] == 0


def _answer_nothing(_operation: int, _payload: str) -> str:
    return ""
