"""The guest's host functions, under the host's name."""

from __future__ import annotations

import functools
from typing import Any

from capsend_guest import inbox
from capsend_guest.host_functions import HostFunction

from capsend.exceptions import CapsendError

__all__ = ["HostFunction", "host_function"]


def host_function(function: Any = None, /, *, remote: bool = False) -> Any:
    """Refuse: host functions are made on the host.

    In a class statement that was sent, the host's function is set later.
    """
    if function is None:
        return functools.partial(host_function, remote=remote)
    program = inbox.program()
    if program is not None and not program.is_running:
        return None
    name = getattr(function, "__qualname__", type(function).__name__)
    raise CapsendError(
        f"{name} runs in a process and cannot become a host function. Decorate it in the host, and capture it"
    )
