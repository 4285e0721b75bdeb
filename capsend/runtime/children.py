"""Children: the limits of each, its start, and its parent's hold on it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, ClassVar, Final

import attrs

from capsend import codec
from capsend.capabilities.handles import Grant
from capsend.exceptions import LimitExceeded
from capsend.runtime.life import Life
from capsend.runtime.running import start
from capsend.runtime.shipments import Runnable
from capsend.runtime.terms import LIMITS
from capsend.runtime.tree import NoRoom, budget_of
from capsend.shipping.outcomes import Outcome, outcome_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from capsend.runtime.terms import Terms
    from capsend.shipping.ship import Shipment

CHILD_MEMORY: Final = 128 << 20
"""Bytes of memory of a child for which its parent sets no limit."""

PART: Final = 8 << 20
"""The most characters of a result that are handed over in one operation."""

_FREE: Final = ("mailbox_full", "env")
_PATIENCE: Final = 1.0
_PAUSE: Final = 0.001


def narrow(parent: Terms, limits: Mapping[str, Any]) -> Terms:
    """Return the environment of a child: the parent's, with limits up to the parent's, and only the given variables.

    Raises:
        LimitExceeded: a limit is above the parent's.
        TypeError, ValueError: a limit is not valid, or not possible for a child.
    """
    unknown = limits.keys() - {*LIMITS, *_FREE}
    if unknown:
        raise ValueError(f"a child's environment has no {min(unknown)}: it has its parent's")
    tree_memory = budget_of(parent)["memory"]
    most = {**{name: getattr(parent, name) for name in LIMITS}, "tree_memory": tree_memory}
    given = {name: most[name] if value is None and name in most else value for name, value in limits.items()}
    child = parent.replace(
        **{"memory": min(parent.memory, CHILD_MEMORY), "env": {}, "tree_memory": tree_memory, **given}
    )
    for name in given.keys() & most.keys():
        if most[name] is not None and getattr(child, name) > most[name]:
            raise LimitExceeded(
                f"{name}={given[name]} is more than the {most[name]} of the process that spawns. A child's limits are at most its parent's"
            )
    return child


@attrs.define(eq=False)
class Child:
    """A child, as its parent holds it. Used only on the parent's thread.

    Attributes:
        life: the process.
    """

    life: Life
    _taken: bool = False
    _text: str = ""
    _position: int = 0

    def outcome(self) -> Outcome | None:
        """Return the outcome of the child; None if it was taken before."""
        life = self.life
        assert life.reason is not None
        if self._taken:
            return None
        try:
            outcome: Outcome | bytes = life.outcome()
        except BaseException as error:  # noqa: BLE001 - every error that ended the child is reported
            return outcome_of(error, number=life.number, reason=life.reason)
        return Outcome("v", codec.encode(outcome)) if isinstance(outcome, bytes) else outcome

    def take(self, outcome: Outcome) -> str:
        """Return the first part of an outcome's text; `more` returns the rest."""
        self._taken = True
        self._text = outcome.text
        self.life.forget_result()
        return self.more()

    def more(self) -> str:
        """Return the next part of the text; empty when all parts were returned."""
        part = self._text[self._position : self._position + PART]
        self._position += len(part)
        if self._position >= len(self._text):
            self._text = ""
            self._position = 0
            self.life.branch.drop_result()
        return part

    def let_go(self) -> None:
        """End the child and drop its outcome: the parent has dropped the handle."""
        self._taken = True
        self._text = ""
        self.life.branch.drop_result(abandon=True)
        if self.life.reason is None:
            self.life.abandon()
        else:
            self.life.forget_result()


@attrs.frozen(eq=False)
class ProcessGrant(Grant):
    """The right to a process as a whole: to wait for it, take its result, and end it. Only the parent has this right."""

    kind: ClassVar[str] = "process"
    refusal: ClassVar[str] = "a process belongs to its parent, and ends with it. Send its address"

    child: Child

    def describe(self) -> object:
        """Return the process's number, its name, and whether it takes messages."""
        life = self.child.life
        return [life.number, life.name, life.mail.takes_messages]

    def handle(self) -> object:
        """Refuse: the host has no object for a child."""
        raise LookupError(self.refusal)

    def let_go(self) -> None:
        """End the child."""
        self.child.let_go()

    def __str__(self) -> str:
        return f"process {self.child.life.number}"


def spawn(
    parent: Life, shipment: Shipment | Runnable, environment: Terms, *, size: int = 0, linked: bool = False
) -> Child:
    """Start a child, from its parent's image or a module; called on the parent's thread, within one of its host operations.

    The child ends with its parent, and when its parent drops the handle. Its resources are charged to all of its
    ancestors.

    Args:
        parent: the spawning process.
        shipment: the child's call; its grants are among the parent's.
        environment: the child's limits, made by `narrow`.
        size: bytes of host memory that the shipment takes.
        linked: True to link parent and child from the beginning.

    Raises:
        NoRoom: the budget of an ancestor of the child is used up.
        RuntimeError: no thread is left, or the interpreter is shutting down; also any exception of an audit hook.
    """
    guest = parent.guest
    assert guest is not None
    template: Any = parent.template
    kind = Life
    if isinstance(shipment, Runnable):
        template, kind = shipment.template, shipment.kind
    cost = environment.memory + size
    _reserve(parent, cost)
    life = start(shipment, environment, template, kind=kind, operations=parent.operations, parent=parent, reserved=cost)
    # The child's end wakes its waiters; a parent that waits for something else checks again.
    life.add_callback(guest.unpark)
    if linked:
        parent.mail.link(life.mail.port)
    if parent.is_ending:  # the thread that stops the parent may have collected the children before this one existed
        life.abandon()
    return Child(life)


def _reserve(parent: Life, memory: int) -> None:
    """Charge for another child; if the budget is used up, first wait for ending children."""
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            return parent.branch.reserve(memory)
        except NoRoom as lack:
            guest = parent.guest
            if guest is None or guest.interrupted or time.monotonic() >= end or not lack.branch.has_ending():
                raise
        guest.park(_PAUSE)
