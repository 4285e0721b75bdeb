"""The search for the instance that has an image's memory, done once when the image is made."""

from __future__ import annotations

import os
import resource
from typing import TYPE_CHECKING, Final

from capsend.engine.interpreter import Guest, Template

if TYPE_CHECKING:
    from pathlib import Path

_MOST_INSTANCES: Final = 24
_LIKELY: Final = 2
"""The number of the instance in merged images; the search begins with it."""

_MARK: Final = "the place of the memory"
_TEXT: Final = 256


def instance_of(path: Path) -> int | None:
    """Return the number of the instance that has the memory of a compiled image; None where none of the likely ones has it.

    wasmtime ends the whole OS process at a number that is none, so each is tried in a fork: the caller must not have an engine yet.
    """
    numbers = (_LIKELY, *(number for number in range(_MOST_INSTANCES) if number != _LIKELY))
    return next((number for number in numbers if _is_right(number, path)), None)


def _is_right(number: int, path: Path) -> bool:
    child = os.fork()
    if child == 0:
        status = 1
        try:
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            template = Template(path, instance=number)
            guest = Guest(template, memory=1 << 30, host=lambda _operation, _payload: "")
            address = int(guest.run(_MARK, "place"))
            status = 0 if guest.place is not None and _MARK.encode() in guest.place.read(address, _TEXT) else 1
        finally:
            os._exit(status)
    return os.waitpid(child, 0)[1] == 0
