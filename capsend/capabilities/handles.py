"""Grants and the table of handles: what a process may name, by small numbers that mean nothing anywhere else."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING, Any, ClassVar, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MOST_HANDLES: Final = 10_000
"""How many different things one process can hold handles of at a time."""

ATTRIBUTE: Final = "__capsend_handle__"
"""The attribute of a host object that a program or a message can carry as a handle; it gives the grant."""


class Grant(abc.ABC):
    """One thing of the host and what may be done with it; equal grants share one handle in each table."""

    kind: ClassVar[str]
    """What the process makes of it; a key of `capsend.guest.handles.KINDS`."""

    refusal: ClassVar[str] = ""
    """Why it cannot be part of a message to a running process; empty when it can."""

    @abc.abstractmethod
    def describe(self) -> object:
        """Return what the process is told of it, as JSON."""

    @abc.abstractmethod
    def handle(self) -> object:
        """Return what the host's code is given when a process sends it."""

    def let_go(self) -> None:  # noqa: B027 - most things do not care
        """A process that held it does so no more; called on that process's thread, once per table."""


def grant_of(thing: object) -> Grant | None:
    """Return the grant of a host object that travels as a handle, else None."""
    if not hasattr(type(thing), ATTRIBUTE):
        return None
    grant = getattr(thing, ATTRIBUTE)
    return grant if isinstance(grant, Grant) else None


class TooManyHandles(Exception):
    """A process would hold more handles than it may."""


class Handles:
    """The handles of one process; used on that process's thread only.

    A number is never used again. Each time that a handle is delivered counts as one hold; the process says how many of them it has let go.
    """

    __slots__ = ("_entries", "_next", "_numbers")

    def __init__(self) -> None:
        self._entries: dict[int, tuple[Grant, int]] = {}
        self._numbers: dict[Grant, int] = {}
        self._next = 0

    def __len__(self) -> int:
        return len(self._entries)

    def deliver(self, grants: Sequence[Grant]) -> list[list[Any]]:
        """Enter grants, in order, and return `[number, kind, description]` of each.

        Raises:
            TooManyHandles: there is no room; nothing has been entered then.
        """
        if len(self._entries) + sum(grant not in self._numbers for grant in grants) > MOST_HANDLES:
            raise TooManyHandles
        return [[self.hold(grant), grant.kind, grant.describe()] for grant in grants]

    def hold(self, grant: Grant) -> int:
        """Count one more hold of a grant and return its number."""
        number = self._numbers.get(grant)
        if number is None:
            number = self._numbers[grant] = self._next
            self._next += 1
            self._entries[number] = (grant, 1)
        else:
            self._entries[number] = (grant, self._entries[number][1] + 1)
        return number

    def get(self, number: int) -> Grant | None:
        """Return what a number stands for; None for one that the process does not hold."""
        entry = self._entries.get(number)
        return None if entry is None else entry[0]

    def all_of(self, numbers: Iterable[int]) -> list[Grant] | None:
        """Return what these numbers stand for; None when one of them stands for nothing."""
        grants = [self.get(number) for number in numbers]
        return None if None in grants else [grant for grant in grants if grant is not None]

    def drop(self, number: int, holds: int) -> None:
        """Take back so many holds; what is no longer held is forgotten."""
        entry = self._entries.get(number)
        if entry is None or holds <= 0:
            return
        grant, held = entry
        if holds < held:
            self._entries[number] = (grant, held - holds)
        else:
            del self._entries[number], self._numbers[grant]
            grant.let_go()

    def close(self) -> None:
        """Forget all of them."""
        entries = list(self._entries.values())
        self._entries.clear()
        self._numbers.clear()
        for grant, _ in entries:
            grant.let_go()
