"""The nodes of a cluster as objects of home, with the processes running on each."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Final

from capsend.cluster.lives import Acts
from capsend.exceptions import LimitExceeded, NodeLost
from capsend.runtime.completion import End
from capsend.runtime.tree import budget_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from capsend.cluster.engines import Started
    from capsend.cluster.lives import RemoteLife
    from capsend.cluster.peers import Peer
    from capsend.environment import Environment


_FIGURES: Final[dict[str, tuple[str, Callable[[Member], float]]]] = {
    "capsend_node_up": ("Whether the node is alive.", lambda member: int(member.is_alive)),
    "capsend_node_processes": ("Processes that run on the node.", len),
    "capsend_node_lost_processes_total": ("Processes that were lost with the node.", lambda member: member.lost),
    "capsend_node_cpu_seconds_total": ("Processor time of the node's program.", lambda member: member.cpu_seconds),
    "capsend_node_cpus": ("Processors of the node.", lambda member: member.cpus),
    "capsend_node_memory_bytes": ("Memory of the node's machine.", lambda member: member.memory),
}


def figures_of(members: Iterable[Member]) -> list[tuple[str, str, dict[str, float]]]:
    """Return the figures of nodes: [(name for Prometheus, words for people, {name of a node: figure})]."""
    nodes = list(members)
    return [
        (name, words, {member.name: figure(member) for member in nodes}) for name, (words, figure) in _FIGURES.items()
    ]


class Member:
    """A node, as an object of home.

    Attributes:
        started: its name, id and address, from the engine.
        peer: the node as a receiver of items.
        node: its public object.
        starting: held while a process is started: the node gets processes in the order of their numbers.
        cpus: the number of its processors.
        memory: bytes of its memory.
        is_alive: False once the node is lost.
        doubt: the reason why it was given up, for people; empty if it was not. It may still be running, and is lost
            once that is over.
        is_draining: True if it accepts no further processes, and ends after its present ones.
        renewed: the moment at which its lease was last renewed.
        cpu_seconds: processor time of its program, at its last beat.
        lost: the number of processes lost with it.
        records: the log records of its processes, which are handed on one after the other.
        modules, images: the digests of the modules and image files sent to it.

    Args:
        started, peer: as above.
        forget: called with each process that has ended.
        most: bytes that its processes may have together; None for no limit.
    """

    def __init__(
        self, started: Started, peer: Peer, *, forget: Callable[[RemoteLife], object], most: int | None = None
    ) -> None:
        self.started: Started = started
        self.name: str = started.name
        self.id: str = started.id
        self.peer: Peer = peer
        self.node: Any = None
        self.cpus: int = 1
        self.memory: int = 0
        self.starting: threading.RLock = threading.RLock()
        self.is_alive: bool = True
        self.doubt: str = ""
        self.is_draining: bool = False
        self.renewed: float = time.monotonic()
        self.cpu_seconds: float = 0.0
        self.lost: int = 0
        self.records: Acts = Acts(End(0))
        self.modules: set[str] = set()
        self.images: set[str] = set()
        self._forget = forget
        self._most = most
        self._reserved = 0
        self._lock = threading.Lock()
        self._lives: dict[int, RemoteLife] = {}

    @property
    def state(self) -> str:
        """Its state, for people: "alive", "drained" or "lost"."""
        return "alive" if self.is_alive else "drained" if self.is_draining and not self.lost else "lost"

    def __len__(self) -> int:
        return len(self._lives)

    def __bool__(self) -> bool:
        return True

    def life(self, number: int) -> RemoteLife | None:
        """Return the process of a number; None if it has ended."""
        return self._lives.get(number)

    def admit(self, life: RemoteLife) -> None:
        """Add a process.

        Raises:
            NodeLost: the node was lost.
            LimitExceeded: it has no memory left for the process.
        """
        with self._lock:
            if self.is_draining and self.is_alive:
                raise NodeLost(
                    f"{life.name} was not started: {self.name} is drained, and accepts no more processes. Spawn it on another node",
                    node=self.name,
                )
            if not self.is_alive or self.doubt:
                raise NodeLost(
                    f"{life.name} was not started: {self.name} is lost. Spawn it on another node", node=self.name
                )
            if not self.has_room(life.environment):
                raise self.lack(life.name, life.environment, where=self.name)
            self._reserved += _need(life.environment)
            self._lives[life.number] = life

    def has_room(self, environment: Environment) -> bool:
        """Return whether a process with these limits may be started on it."""
        return self._most is None or self._reserved + _need(environment) <= self._most

    def lack(self, name: str, environment: Environment, *, where: str) -> LimitExceeded:
        """Return the error of a process that has no room.

        Args:
            name: the name of its function.
            environment: its limits.
            where: the node, or the cluster, for people.
        """
        need, most = _need(environment), self._most or 0
        below = need - environment.memory
        of = f", {below >> 20} MiB of it for those that it may spawn" if below else ""
        cure = ", or processes=0 if it spawns none" if below else ""
        return LimitExceeded(
            f"{name} was not started: it needs {need >> 20} MiB{of}, and the processes on {where} may have {most >> 20} MiB together "
            f"(memory_per_node). Wait until others have ended, or give it less: Environment(memory=...){cure}",
            limit=most,
        )

    def forget(self, life: RemoteLife) -> None:
        """Forget a process that has ended."""
        with self._lock:
            if self._lives.pop(life.number, None) is not None:
                self._reserved -= _need(life.environment)
        self._forget(life)

    def lose(self) -> list[RemoteLife] | None:
        """Accept no further processes; return those that were running, or None if the node was lost before."""
        with self._lock:
            if not self.is_alive:
                return None
            self.is_alive = False
            return list(self._lives.values())

    def lives(self) -> list[RemoteLife]:
        """Return the running processes."""
        with self._lock:
            return list(self._lives.values())


def _need(environment: Environment) -> int:
    """Return the bytes that a process and its descendants may have together."""
    below = budget_of(environment)["memory"] if environment.processes else 0
    return environment.memory + below


def member_of(node: Any) -> Member:
    """Return the member behind a node's public object.

    Raises:
        TypeError: the object is not a node.
    """
    member = getattr(node, "_member", None)
    if not isinstance(member, Member):
        raise TypeError(f"place must return one of the nodes that it is given, not {node!r}")
    return member
