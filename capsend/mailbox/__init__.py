"""Messages: addresses, mailboxes, and the bounded queue behind each address."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from capsend.mailbox.address import Address
    from capsend.mailbox.mailbox import Mailbox
    from capsend.mailbox.messages import Down, Exit
    from capsend.mailbox.timers import Timer

__all__ = ["Address", "Down", "Exit", "Mailbox", "Timer"]

# Programs that need only the default bounds of a mailbox do not wait for the rest.
_MODULES: Final = {
    "Address": "address",
    "Down": "messages",
    "Exit": "messages",
    "Mailbox": "mailbox",
    "Timer": "timers",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first asked for."""
    import importlib

    if name not in _MODULES:
        message = f"module 'capsend.mailbox' has no attribute {name!r}"
        raise AttributeError(message)
    value: object = getattr(importlib.import_module(f"capsend.mailbox.{_MODULES[name]}"), name)
    globals()[name] = value
    return value
