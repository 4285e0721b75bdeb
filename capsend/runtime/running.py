"""The running processes: the start and the figures of each, and the end of all at the interpreter's exit."""

from __future__ import annotations

import atexit
import functools
import os
import sys
import time
from typing import TYPE_CHECKING, Any, Final, Protocol

import attrs

from capsend.exceptions import ProcessKilled
from capsend.runtime import admission
from capsend.runtime.home import THIS_PROGRAM
from capsend.runtime.life import Life

if TYPE_CHECKING:
    from collections.abc import Callable

    from capsend.mailbox.address import Address
    from capsend.process import ExitReason, Finished, Node, Stats
    from capsend.runtime.home import Home
    from capsend.runtime.life import Operations
    from capsend.runtime.terms import Terms


_EXIT_PATIENCE: Final = 5.0

_live: set[Life] = set()
_distant: set[DistantLife] = set()
_watchers: list[Callable[[Life | DistantLife], object]] = []
_closers: list[Callable[[], None]] = []
_exiting = False
_registered_by = 0


@attrs.frozen
class Running:
    """One process that has not ended.

    Attributes:
        id: its number.
        name: the qualified name of its function.
        stats: the resources that it has used so far.
        address: an address for monitors.
        parent: the number of the process that spawned it; None for a process of the host program.
        node: the node of a cluster on which it runs; None for this program.
    """

    id: int
    name: str
    stats: Stats
    address: Address[Any]
    parent: int | None
    node: Node | None = None


class DistantLife(Protocol):
    """The life of a process on another machine, as `processes` lists it."""

    @property
    def number(self) -> int:
        """The number of the process."""

    @property
    def name(self) -> str:
        """The qualified name of its function."""

    @property
    def node(self) -> Node:
        """The node on which the process runs."""

    @property
    def reason(self) -> ExitReason | None:
        """The reason of the end; None while the process runs."""

    @property
    def mail(self) -> Any:
        """The messages and links of the process."""

    @property
    def finished(self) -> Finished:
        """The end, to wait for."""

    def kill(self) -> None:
        """End the process."""

    def last_stats(self) -> Stats:
        """Return the most recent figures."""


def processes() -> tuple[Running, ...]:
    """Return the figures of every running process of the host program, including those on nodes of its clusters.

    Returns:
        A tuple of `Running`, in the order of the spawns. Figures of processes on nodes are at most one heartbeat old.
    """
    from capsend.mailbox.address import Address

    here = [
        Running(life.number, life.name, life.stats(), Address(life.mail.grant()), life.parent)
        for life in _live.copy()
        if life.reason is None
    ]
    there = [
        Running(life.number, life.name, life.last_stats(), Address(life.mail.grant()), None, life.node)
        for life in _distant.copy()
        if life.reason is None
    ]
    return tuple(sorted((*here, *there), key=lambda running: running.id))


def enlist(life: DistantLife) -> None:
    """List a process on another machine among the processes of this program, until `strike`."""
    _distant.add(life)
    for tell in _watchers:
        tell(life)


def strike(life: DistantLife) -> None:
    """Stop listing a process."""
    _distant.discard(life)


def start(  # noqa: PLR0913 - the parts of a life, all keyword-only except three
    shipment: Any,
    environment: Terms,
    template: Any,
    *,
    operations: Operations,
    kind: type[Life] = Life,
    parent: Life | None = None,
    reserved: int = 0,
    number: int | None = None,
    home: Home = THIS_PROGRAM,
    before: Callable[[Life], object] | None = None,
) -> Life:
    """Start a process on its own thread.

    Args:
        shipment: the call that the process runs.
        environment: the process's limits.
        template: the template of its guest, or a function that returns it, called on the process's thread.
        operations: the host operations that it can request, in addition to those of every life.
        kind: the class of its life, according to the kind of guest.
        parent: the spawning process, if any.
        reserved: bytes that the parent's branch has reserved for it; refunded when it ends, or when this function
            raises.
        number: its number; the next number of this program when None.
        home: the program it belongs to, for a process with a given number; a child has its parent's home.
        before: called with the life before the thread starts.

    Raises:
        RuntimeError: the interpreter is shutting down, the system has no thread left, or this OS process was forked
            from one that had used capsend.
    """
    from capsend import engine
    from capsend.runtime import preloading

    preloading.load()
    if parent is None:
        preloading.load_for(shipment)
    engine.engine()  # before any lock is taken: in a forked child the lock may be held for ever by a thread that was not forked
    register_exit()
    given: dict[str, Any] = {} if number is None else {"number": number, "home": home}
    life = kind(shipment, environment, operations=operations, parent=parent, reserved=reserved, **given)
    _live.add(life)
    try:
        # Checked once the life is listed for the exit: either the exit sees the life, or this thread sees the exit.
        if _exiting:
            message = "no process can be spawned: the interpreter is shutting down"
            raise RuntimeError(message)  # noqa: TRY301 - undone like any other failed start
        sys.audit("capsend.spawn", life.number, shipment.name)
        if parent is not None:
            sys.audit("capsend.child", life.number, parent.number)
        for grant in shipment.grants:
            sys.audit("capsend.grant", life.number, grant.kind, str(grant))
        if before is not None:
            before(life)
        admission.begin(life, functools.partial(_live_through, life, template))
    except BaseException:
        _live.discard(life)
        life.forget()
        life.mail.close("failed", "its thread could not be started")
        raise
    for tell in _watchers:
        tell(life)
    return life


def watch(tell: Callable[[Life | DistantLife], object]) -> Callable[[], None]:
    """Call *tell* with every life started from now on, on the starting thread.

    Returns:
        A function that ends these calls.
    """
    _watchers.append(tell)
    return lambda: _watchers.remove(tell)


def _live_through(life: Life, template: Any) -> None:
    try:
        life.live(template)
    finally:
        _live.discard(life)
        admission.leave(life)


def register_exit() -> None:
    """Register the end of all processes at the interpreter's exit; functions registered later run earlier."""
    global _registered_by  # noqa: PLW0603 - once per OS process
    if _registered_by != os.getpid():
        _registered_by = os.getpid()
        _live.clear()  # in a forked child these belong to threads that were not forked
        atexit.register(_kill_all)


def close_at_exit(close: Callable[[], None]) -> None:
    """Call *close* at the interpreter's exit, after all processes have ended: for guests that are not processes."""
    _closers.append(close)


def _kill_all() -> None:
    """End every process before the interpreter's exit: wasmtime must not outlive the interpreter."""
    global _exiting  # noqa: PLW0603 - there is one interpreter
    if _registered_by != os.getpid():
        return
    _exiting = True
    deadline = time.monotonic() + _EXIT_PATIENCE
    for life in list(_live):
        life.stop(ProcessKilled(f"process {life.number} was killed: the interpreter is shutting down"))
    while _live and time.monotonic() < deadline:
        time.sleep(0.001)
    if "capsend.runtime.pool" in sys.modules:
        from capsend.runtime import pool

        pool.close()
    for close in _closers:
        close()
