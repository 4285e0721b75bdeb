"""Functions of the host as a process sees them, under the name that they have outside."""

from __future__ import annotations

from typing import Any

from capsend_guest import mailbox
from capsend_guest.host_functions import HostFunction

from capsend.exceptions import CapsendError

__all__ = ["HostFunction", "host_function"]


def host_function(function: Any, /) -> Any:
    """Say that functions of the host are made there; in a class statement that came with the program, what it made there is set later."""
    program = mailbox.program()
    if program is not None and not program.is_running:
        return None
    name = getattr(function, "__qualname__", type(function).__name__)
    raise CapsendError(
        f"{name} runs inside and cannot become a function of the host. Decorate it there, and capture it"
    )
