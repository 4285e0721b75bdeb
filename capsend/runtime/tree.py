"""Trees of processes: parents and children, and the resources that a process shares with its descendants.

A `Branch` is the place of one process in its tree. The resources that a process uses are charged to its branch and to
all branches above it. So no number of descendants gets more than the process at the root was given. All branches of a
tree share one lock.
"""
# ruff: noqa: SLF001 - the branches of a tree are one structure

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from capsend.runtime.terms import Terms

Resource: TypeAlias = Literal["processes", "memory", "mail", "answers", "results", "output"]
"""The counted resources of a tree.

"processes" counts live processes; "memory" the bytes of memory that they may have; "mail" the bytes of messages, and
"answers" those of answers to calls, waiting for them; "results" the bytes of results waiting to be taken; "output" the
bytes of output.
"""

MAIL_FACTOR: Final = 4
"""The messages that may wait for all descendants of a process, as a multiple of one full mailbox."""

MEMORY_FACTOR: Final = 8
"""The memory of a process's descendants together, as a multiple of its own memory, unless the environment sets a limit."""

HUSK: Final = 16 << 10
"""Bytes of memory that an ended process is charged until its parent drops the handle."""

_NO_CHILDREN: Final = "process {owner} must not spawn: its environment allows no processes below it. Allow some: Environment(processes=...)"
_WORDS: Final[dict[Resource, str]] = {
    "processes": "process {owner} would have more than {most} processes below it. Allow more: Environment(processes=...)",
    "memory": "the children of process {owner} would have more than {most} bytes of memory. "
    "Give each less: Environment(memory=...), or allow more: Environment(tree_memory=...)",
    "mail": "more than {most} bytes of messages would wait below process {owner}. Allow more: Environment(mailbox_bytes=...)",
    "answers": "more than {most} bytes of answers would wait below process {owner}. Allow more: Environment(mailbox_bytes=...)",
    "results": "more than {most} bytes of results would wait for process {owner} and those below. Allow more: Environment(result=...)",
    "output": "process {owner} and those below would write more than {most} bytes. Allow more: Environment(output=...)",
}


class Member(Protocol):
    """A process, as its branch sees it."""

    number: int

    @property
    def is_ending(self) -> bool:
        """True once the process is being stopped or has ended."""

    def cpu_seconds(self) -> float:
        """Processor time of its thread."""

    def stop_alone(self, error: BaseException) -> None:
        """End the process with this error, without its descendants; return at once."""


class Waiting(Protocol):
    """A sender or port that waits for room in a mailbox."""

    def tell_next(self) -> None:
        """Look again: the mailbox may have room now."""


class NoRoom(Exception):
    """A process and its descendants would exceed a budget; the text is for people."""

    def __init__(self, branch: Branch, resource: Resource, most: int) -> None:
        words = _NO_CHILDREN if resource == "processes" and most == 0 else _WORDS[resource]
        super().__init__(words.format(most=most, owner=branch.number))
        self.branch = branch


def budget_of(environment: Terms) -> dict[Resource, int]:
    """Return the resources that the descendants of a process may use together; "output" includes the process's own."""
    memory = environment.tree_memory
    mail = MAIL_FACTOR * environment.mailbox_bytes
    return {
        "processes": environment.processes,
        "memory": MEMORY_FACTOR * environment.memory if memory is None else memory,
        "mail": mail,
        "answers": mail,
        "results": environment.result,
        "output": environment.output,
    }


class Branch:
    """The place of one process in its tree; safe to use from any thread.

    Args:
        member: the process.
        budget: {resource: amount} that its descendants may use together.
        parent: the branch of the process that spawned it, which has reserved `memory` bytes for it; None for a process
            spawned by the host program.
        memory: bytes that were reserved.
    """

    __slots__ = (
        "_abandoned",
        "_children",
        "_ended_cpu",
        "_holder",
        "_lock",
        "_member",
        "_memory",
        "_most",
        "_result",
        "_used",
        "_waiting",
        "number",
        "parent",
    )

    def __init__(
        self, member: Member, budget: Mapping[Resource, int], *, parent: Branch | None = None, memory: int = 0
    ) -> None:
        # Reentrant: an object that is collected while this thread holds the lock may end another process of the tree.
        self._lock: threading.RLock = threading.RLock() if parent is None else parent._lock
        self._most = dict(budget)
        self._used: dict[Resource, int] = dict.fromkeys(budget, 0)
        self._member: Member | None = member
        self._memory = memory
        self._children: dict[int, Branch] = {}
        self._holder = parent  # the branch that lists this one as a child: its parent, or, once that has ended, the next branch above
        self._ended_cpu = 0.0
        self._result = 0
        self._abandoned = False
        self._waiting: set[Waiting] = set()
        self.number: int = member.number
        self.parent: Branch | None = parent
        if parent is not None:
            with self._lock:
                parent._children[self.number] = self

    # --- charges ---

    def take(self, resource: Resource, amount: int) -> None:
        """Charge this branch and all branches above it, or none of them.

        Raises:
            NoRoom: the budget of one of them has less than *amount* left.
        """
        with self._lock:
            for branch in self._upwards():
                if branch._used[resource] + amount > branch._most[resource]:
                    raise NoRoom(branch, resource, branch._most[resource])
            self.charge(resource, amount)

    def charge(self, resource: Resource, amount: int) -> None:
        """Charge this branch and all branches above it, whatever their budgets; a negative amount is a refund."""
        with self._lock:
            for branch in self._upwards():
                branch._used[resource] += amount

    def take_most(self, resource: Resource, amount: int) -> int:
        """Charge an amount whatever the budgets; return the part of it within every budget."""
        with self._lock:
            room = min(branch._most[resource] - branch._used[resource] for branch in self._upwards())
            self.charge(resource, amount)
        return min(max(room, 0), amount)

    def used(self, resource: Resource) -> int:
        """Return the amount charged to this branch."""
        return self._used[resource]

    def _upwards(self) -> Iterator[Branch]:
        branch: Branch | None = self
        while branch is not None:
            yield branch
            branch = branch.parent

    # --- mail, charged by the ports ---

    def take_mail(self, amount: int, port: Waiting, *, urgent: bool) -> int:
        """Charge a message for a child of this process, or return the missing bytes; the port's `tell_next` is called when there may be room."""
        resource: Resource = "answers" if urgent else "mail"
        with self._lock:
            missing = {branch: branch._used[resource] + amount - branch._most[resource] for branch in self._upwards()}
            most = max(missing.values())
            if most <= 0:
                self.charge(resource, amount)
                return 0
            for branch, lack in missing.items():
                if lack > 0:
                    branch._waiting.add(port)
        return most

    def give_mail(self, amount: int, *, urgent: bool) -> None:
        """Refund the charge of a message; the caller calls `tell_waiting` once it holds no lock."""
        self.charge("answers" if urgent else "mail", -amount)

    def tell_waiting(self) -> None:
        """Wake the ports that had no room for a message."""
        for branch in self._upwards():
            if branch._waiting:
                with self._lock:
                    waiting, branch._waiting = branch._waiting, set()
                for port in waiting:
                    port.tell_next()

    # --- the cost of a child ---

    def reserve(self, memory: int) -> None:
        """Charge for another child.

        Raises:
            NoRoom: the tree has too many processes, or its processes would have too much memory.
        """
        with self._lock:
            self.take("processes", 1)
            try:
                self.take("memory", memory)
            except NoRoom:
                self.charge("processes", -1)
                raise

    def release(self, memory: int) -> None:
        """Refund the charge of `reserve`."""
        with self._lock:
            self.charge("processes", -1)
            self.charge("memory", -memory)

    def hold_result(self, size: int) -> None:
        """Charge the present size of this process's result until the result is taken.

        A result that the host takes is not charged.

        Raises:
            NoRoom: the waiting results would be too large, or the handle that could take this one was dropped.
        """
        if self.parent is None:
            return
        with self._lock:
            if self._abandoned:
                raise NoRoom(self.parent, "results", 0)
            self.parent.take("results", size - self._result)
            self._result = size

    def drop_result(self, *, abandon: bool = False) -> None:
        """Refund the charge of the result; with `abandon`, the result can no longer be taken."""
        if self.parent is None:
            return
        with self._lock:
            if abandon and not self._abandoned:
                self._abandoned = True
                if self._member is None:
                    self.parent.charge("memory", -min(HUSK, self._memory))
            self.parent.charge("results", -self._result)
            self._result = 0

    def end(self) -> None:
        """End together with the process: its charges are refunded, and its running children count for its parent.

        Its time and output stay charged, as does a little memory until its parent drops the handle.
        """
        with self._lock:
            member, self._member = self._member, None
            if member is None:
                return
            holder = self._holder
            for child in self._children.values():
                child._holder = holder
            if holder is not None:
                del holder._children[self.number]
                holder._children.update(self._children)
            self._children.clear()
            if self.parent is not None:
                self.parent.release(self._memory if self._abandoned else max(self._memory - HUSK, 0))
                seconds = member.cpu_seconds()
                for branch in self.parent._upwards():
                    branch._ended_cpu += seconds

    # --- the tree ---

    def descendants(self) -> list[Member]:
        """Return the running processes below this one.

        Takes no lock, as processes are stopped from anywhere.
        """
        found: list[Member] = []
        branches = [self]
        while branches:
            for branch in list(branches.pop()._children.values()):
                branches.append(branch)
                member = branch._member
                if member is not None:
                    found.append(member)
        return found

    def has_ending(self) -> bool:
        """Return whether a process below this one is about to refund its charges."""
        return any(member.is_ending for member in self.descendants())

    def cpu_seconds(self) -> float:
        """Return the processor time of this process and all its descendants, including ended ones."""
        with self._lock:
            own = 0.0 if self._member is None else self._member.cpu_seconds()
            return own + self._ended_cpu + sum(member.cpu_seconds() for member in self.descendants())
