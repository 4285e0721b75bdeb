"""Grants and the table of handles: the capabilities of a process, under small numbers that mean nothing to any other process."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING, Any, ClassVar, Final

from capsend.codec.instances import defines

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MOST_HANDLES: Final = 10_000
"""The most grants of which one process can hold handles at a time."""

ATTRIBUTE: Final = "__capsend_handle__"
"""The attribute of a host object that a program or a message can carry as a handle; its value is the grant."""


class Grant(abc.ABC):
    """A capability: one host object, and the rights to it. Equal grants share one handle in each table.

    Source:
        Object capabilities (Dennis and Van Horn 1966).
    """

    kind: ClassVar[str]
    """The guest's class for the object; a key of `capsend.guest.handles.KINDS`."""

    refusal: ClassVar[str] = ""
    """The reason why the grant cannot be part of a message to a running process; empty when it can."""

    @property
    def stays(self) -> str:
        """The reason why the grant cannot be given to a process on another machine; empty when it can."""
        return self.refusal

    @abc.abstractmethod
    def describe(self) -> object:
        """Return the description that the guest gets, as JSON."""

    @abc.abstractmethod
    def handle(self) -> object:
        """Return the object that the host's code gets when a process sends the handle."""

    def let_go(self) -> None:  # noqa: B027 - most grants have nothing to release
        """Note that a process has given up the grant; called on that process's thread, once per table."""


def grant_of(thing: object) -> Grant | None:
    """Return the grant of a host object that travels as a handle, else None."""
    if not defines(type(thing), ATTRIBUTE):
        return None
    grant = getattr(thing, ATTRIBUTE)
    return grant if isinstance(grant, Grant) else None


class TooManyHandles(Exception):
    """A process would hold more than `MOST_HANDLES` handles."""


class Handles:
    """The handles of one process, used only on the process's thread.

    A number is never used again. Each delivery of a handle counts as one hold; the process reports how many of them it has dropped.

    Args:
        first: the first number that it gives out.
    """

    __slots__ = ("_entries", "_next", "_numbers")

    def __init__(self, first: int = 0) -> None:
        self._entries: dict[int, tuple[Grant, int]] = {}
        self._numbers: dict[Grant, int] = {}
        self._next = first

    @property
    def next_number(self) -> int:
        """The number of the next grant; it and all higher numbers are unused so far."""
        return self._next

    def __len__(self) -> int:
        return len(self._entries)

    def deliver(self, grants: Sequence[Grant]) -> list[list[Any]]:
        """Enter grants, in order, and return their descriptions for the guest.

        Returns:
            `[[number, kind, description], ...]`, one for each grant.

        Raises:
            TooManyHandles: the table has no room; nothing has been entered then.
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
        """Return the grant of a number; None for a number that the process does not hold."""
        entry = self._entries.get(number)
        return None if entry is None else entry[0]

    def all_of(self, numbers: Iterable[int]) -> list[Grant] | None:
        """Return the grants of these numbers; None when the process does not hold all of them."""
        grants = [self.get(number) for number in numbers]
        return None if None in grants else [grant for grant in grants if grant is not None]

    def drop(self, number: int, holds: int) -> None:
        """Take back *holds* holds; a grant without holds is forgotten."""
        entry = self._entries.get(number)
        if entry is None or holds <= 0:
            return
        grant, held = entry
        if holds < held:
            self._entries[number] = (grant, held - holds)
        else:
            del self._entries[number], self._numbers[grant]
            grant.let_go()

    def copy(self) -> Handles:
        """Return a table with the same numbers, but without the handles of processes, which belong to the process that spawned them."""
        other = Handles(self._next)
        kept = {number: entry for number, entry in self._entries.items() if entry[0].kind != "process"}
        other._entries = kept
        other._numbers = {entry[0]: number for number, entry in kept.items()}
        return other

    def close(self) -> None:
        """Forget all handles."""
        entries = list(self._entries.values())
        self._entries.clear()
        self._numbers.clear()
        for grant, _ in entries:
            grant.let_go()
