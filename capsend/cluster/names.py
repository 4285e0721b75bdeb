"""The names of processes between programs: whose classes and functions a text, a port or a call means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from capsend.shipping.child_shipment import ChildShipment

if TYPE_CHECKING:
    from collections.abc import Callable

    from capsend.capabilities.handles import Grant
    from capsend.mailbox.ports import Origin


class Names(Protocol):
    """A program's data about processes: the calls that resolve names in their messages, and their host functions."""

    def origin(self, root: int, *, is_child: bool) -> Origin | None:
        """Return the resolver of the names in messages of processes below *root*; None if it has ended, or if this program reads no messages."""

    def namer(self, root: int) -> Callable[[Any], object] | None:
        """Return the function that names classes for the processes below *root*; None if this program sends them no messages."""

    def function(self, root: int, number: int, name: str, *, is_async: bool) -> Grant | None:
        """Return the grant of the host function of that number given to *root*; None if there is none."""

    def describe(self, grant: Grant) -> list[Any] | None:
        """Return a reference to a grant that is not an address; None if it cannot be given to another machine."""


def root_of(origin: Any) -> tuple[int, bool]:
    """Return (the number of the process at the root of a sender's tree, whether the sender is a child); 0 for a host program."""
    if isinstance(origin, ChildShipment):
        return getattr(origin.root, "number", 0), True
    return getattr(origin, "number", 0), False
