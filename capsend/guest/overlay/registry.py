"""Names for addresses, which only the host has: a guest reaches a process only by an address that it was given."""

from __future__ import annotations

from typing import NoReturn

from capsend.exceptions import CapsendError


def __getattr__(name: str) -> NoReturn:
    if name.startswith("__"):
        raise AttributeError(f"module 'capsend.registry' has no attribute {name!r}")
    raise CapsendError(
        f"capsend.registry.{name} cannot be used inside a process: a name would reach addresses that the process was not given. "
        "Look the address up in the host, and capture it or pass it"
    )
