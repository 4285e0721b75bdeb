"""Clusters: nodes on which processes run, with one interpreter each, and the handles of both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, final

from capsend.closing import Closing
from capsend.cluster.home import Home
from capsend.cluster.members import member_of
from capsend.registry import Registry
from capsend.traits.markers import not_process_send

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from capsend.cluster.engines import Engine
    from capsend.cluster.lines import Credentials
    from capsend.cluster.members import Member
    from capsend.environment import Environment
    from capsend.process import Life

_METRICS: Final[dict[str, tuple[str, Callable[[Member], float]]]] = {
    "capsend_node_up": ("Whether the node is alive.", lambda member: int(member.is_alive)),
    "capsend_node_processes": ("Processes that run on the node.", len),
    "capsend_node_lost_processes_total": ("Processes that were lost with the node.", lambda member: member.lost),
    "capsend_node_cpu_seconds_total": ("Processor time of the node's program.", lambda member: member.cpu_seconds),
    "capsend_node_cpus": ("Processors of the node.", lambda member: member.cpus),
    "capsend_node_memory_bytes": ("Memory of the node's machine.", lambda member: member.memory),
}

HEARTBEAT: Final = 1.0
LOST_AFTER: Final = 5.0
LOCAL_LOST_AFTER: Final = 30.0


@not_process_send(
    "it belongs to the program that has the cluster; let that program spawn on the node, and pass the data of the call"
)
@final
class Node:
    """A machine, or an OS process on one, that runs processes of a cluster; `Cluster.nodes` has them, users make none.

    `Environment(on=node)` runs processes on it.
    """

    def __init__(self, home: Home, member: Member) -> None:
        self._home = home
        self._member = member

    @property
    def name(self) -> str:
        """Its name, for people."""
        return self._member.name

    @property
    def id(self) -> str:
        """Its name within the cluster, which is never used again."""
        return self._member.id

    @property
    def labels(self) -> Mapping[str, str]:
        """Labels for placement, as its engine gave them: {name: value}."""
        return self._member.started.labels

    @property
    def cpus(self) -> int:
        """The number of its processors."""
        return self._member.cpus

    @property
    def memory(self) -> int:
        """Bytes of memory of its machine."""
        return self._member.memory

    @property
    def pid(self) -> int | None:
        """The number of its OS process, for a node of this machine; None for any other."""
        pid: int | None = getattr(self._home.engine, "pid_of", lambda _id: None)(self.id)
        return pid

    @property
    def running(self) -> int:
        """The number of processes that this program has spawned on it and that have not ended."""
        return len(self._member)

    @property
    def alive(self) -> bool:
        """Whether it has not been lost; a node that was lost never comes back."""
        return self._member.is_alive

    def start(self, shipment: Any, environment: Environment) -> Life:
        """Start a process on it; `Environment(on=node).spawn(...)` calls this, users do not.

        Args:
            shipment: the packed call.
            environment: its limits.

        Raises:
            NodeLost: the node was lost before.
            CaptureError: the call has a grant that stays on this machine.
            RuntimeError: the cluster is closed, or this OS process was forked from the one that has it.
        """
        return self._home.start_on(self._member, shipment, environment)

    def __repr__(self) -> str:
        return f"<Node {self.name}: {f'{self.running} running' if self.alive else 'lost'}>"


def least_loaded(nodes: tuple[Node, ...], _environment: Environment) -> Node:
    """Return the node with the fewest processes for each of its processors; the usual placement."""
    return min(nodes, key=lambda node: node.running / max(node.cpus, 1))


@not_process_send("it belongs to the program that has it; children of a process run on the node of that process")
@final
class Cluster(Closing):
    """Nodes on which processes run as they do in this program: with the same limits, messages, links and results.

    A cluster ends with its `with` block, by `close`, or with the program. All its processes end with it.

    Ordering:
        Messages from one sender to one receiver arrive in the order in which they were sent, each at most once, and notices of ends behind
        them, wherever the two run.

    Args:
        engine: starts the nodes; `Cluster.local` has one.
        heartbeat: seconds between two signs of life.
        lost_after: seconds of silence after which a node is lost. Its processes ended with it, or end by themselves before that time is
            over.
        place: chooses the node of a process: called with the nodes that are alive and the environment.
        count: the number of nodes that the engine starts.

    Example:
        >>> import capsend
        >>> with capsend.Cluster.local(2) as cluster:
        ...     anywhere = capsend.Environment(on=cluster)
        ...     anywhere.spawn(lambda: 6 * 7).result()
        42

    Source:
        Erlang's distribution has the same promises of order; leases are those of Gray and Cheriton (1989).
    """

    def __init__(
        self,
        engine: Engine,
        *,
        heartbeat: float = HEARTBEAT,
        lost_after: float = LOST_AFTER,
        place: Callable[[tuple[Node, ...], Environment], Node] = least_loaded,
        count: int = 1,
    ) -> None:
        if not 0 < heartbeat <= lost_after / 2:
            raise ValueError(
                f"lost_after must be at least twice the heartbeat, not {lost_after:g} s and {heartbeat:g} s"
            )
        self._home = Home(engine, heartbeat=heartbeat, lost_after=lost_after, place=place, make_node=Node)
        self._registry = Registry()
        self._home.begin(count)

    @classmethod
    def local(
        cls,
        nodes: int = 2,
        *,
        heartbeat: float = HEARTBEAT,
        lost_after: float = LOCAL_LOST_AFTER,
        place: Callable[[tuple[Node, ...], Environment], Node] = least_loaded,
    ) -> Cluster:
        """Start a cluster of OS processes of this machine, each with an interpreter, and so a global lock, of its own.

        Args:
            nodes: their number.
            heartbeat: seconds between two signs of life.
            lost_after: seconds of silence after which a node is lost. One that ends is lost at once; a machine with much to do may keep one
                silent for a while.
            place: chooses the node of a process, as for `Cluster`.

        Raises:
            ValueError: the number of nodes is less than one, or `lost_after` is less than two heartbeats.
            CapsendError: a node did not start.
        """
        from capsend.cluster.engines.local import LocalEngine

        given: Any = nodes  # from callers without a type checker
        if not isinstance(given, int) or isinstance(given, bool) or nodes < 1:
            raise ValueError(f"a cluster has at least one node, not {nodes!r}")
        return cls(LocalEngine(nodes), heartbeat=heartbeat, lost_after=lost_after, place=place, count=nodes)

    @classmethod
    def ray(  # noqa: PLR0913 - all but the first by name
        cls,
        address: str | None = None,
        *,
        nodes: int | None = None,
        resources: Mapping[str, float] | None = None,
        labels: Mapping[str, str] | None = None,
        namespace: str | None = None,
        heartbeat: float = HEARTBEAT,
        lost_after: float = LOST_AFTER,
        place: Callable[[tuple[Node, ...], Environment], Node] = least_loaded,
    ) -> Cluster:
        """Start a cluster on the machines of a Ray cluster: the one that this program is connected to, or that `ray.init` finds or starts.

        Ray places the nodes and reports their loss; messages and results do not go through it. `ray.shutdown()` is the loss of all nodes.

        Args:
            address: the address for `ray.init`; None for Ray's own choice.
            nodes: their number, over the nodes of Ray in turn; None for one on each, and on each that joins later.
            resources: {name: amount} that Ray reserves for each node, such as `{"CPU": 2}`. Without, one goes to each of Ray's nodes
                that has a CPU, and nothing is reserved.
            labels: {name: value}: only nodes of Ray with these labels are used.
            namespace: the namespace for `ray.init`.
            heartbeat: seconds between two signs of life.
            lost_after: seconds of silence after which a node is lost.
            place: chooses the node of a process, as for `Cluster`. `Node.labels` are those of Ray's node.

        Raises:
            ValueError: the number of nodes is less than one, or `lost_after` is less than two heartbeats.
            ImageError: a machine has other versions.
            CapsendError: Ray or `cryptography` is not installed, Ray cannot be reached, or a node did not start.
        """
        from capsend.cluster.engines.ray import RayEngine

        if nodes is not None and nodes < 1:
            raise ValueError(f"a cluster has at least one node, not {nodes!r}")
        engine = RayEngine(address, nodes=nodes, resources=resources, labels=labels, namespace=namespace)
        try:
            return cls(engine, heartbeat=heartbeat, lost_after=lost_after, place=place, count=engine.count)
        except BaseException:
            engine.stop()
            raise

    @classmethod
    def connect(
        cls,
        peers: Sequence[str],
        *,
        credentials: Credentials,
        heartbeat: float = HEARTBEAT,
        lost_after: float = LOST_AFTER,
        place: Callable[[tuple[Node, ...], Environment], Node] = least_loaded,
    ) -> Cluster:
        """Start a cluster with a node on each of some machines, where an operator has started `capsend node`.

        The daemons and this program know each other by *credentials*. The nodes, which end with the cluster, get credentials of this run.

        Args:
            peers: host and port of each daemon, as in `["10.0.0.5:7878"]`.
            credentials: `capsend.cluster.Certificates`, or a `capsend.cluster.Token` for daemons of this machine.
            heartbeat: seconds between two signs of life.
            lost_after: seconds of silence after which a node is lost.
            place: chooses the node of a process, as for `Cluster`.

        Raises:
            ValueError: no daemon is given, one is not HOST:PORT, or a token would be sent over a network.
            ImageError: a daemon has other versions.
            CapsendError: a daemon refuses; with certificates, that the package `cryptography` is missing.
            OSError: a daemon cannot be reached.
        """
        from capsend.cluster.engines.static import StaticEngine, places

        found = places(peers, credentials)
        return cls(
            StaticEngine(found, credentials), heartbeat=heartbeat, lost_after=lost_after, place=place, count=len(found)
        )

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The nodes that are alive, in the order in which they joined."""
        return tuple(member.node for member in self._home.alive())

    @property
    def cpus(self) -> int:
        """The number of processors of its nodes; nodes of one machine count those once."""
        of_hosts: dict[str, int] = {}
        for member in self._home.alive():
            of_hosts[member.started.host] = max(member.cpus, of_hosts.get(member.started.host, 0))
        return sum(of_hosts.values()) or 1

    @property
    def registry(self) -> Registry:
        """Names for the processes of the cluster, kept in this program: as `capsend.registry`. A lost process has no name."""
        return self._registry

    def wait_for(self, nodes: int, timeout: float | None = None) -> bool:
        """Wait until the cluster has at least *nodes* nodes; return whether it has.

        Args:
            nodes: their number.
            timeout: seconds to wait; for ever when None.
        """
        return self._home.wait_for(nodes, timeout)

    def drain(self, node: Node, timeout: float | None = None) -> bool:
        """Start no more processes on a node, wait for those that it has, and end it: before its machine is taken away.

        The node is no longer among `nodes`, and no other one takes its place. A process that waits for messages for ever has to be ended
        by whoever has it.

        Args:
            node: the node.
            timeout: seconds to wait for its processes; for ever when None. Those that have not ended by then are lost with the node.

        Returns:
            Whether all of its processes had ended.
        """
        return self._home.drain(member_of(node), timeout)

    def on_change(self, tell: Callable[[Node], object]) -> None:
        """Call *tell* with each node that joins or is lost from now on, on a thread of the cluster."""
        self._home.on_change(tell)

    def start(self, shipment: Any, environment: Environment) -> Life:
        """Start a process on a node; `Environment(on=cluster).spawn(...)` calls this, users do not.

        Args:
            shipment: the packed call.
            environment: its limits.

        Raises:
            CapsendError: no node is left.
            CaptureError, RuntimeError: as `Node.start`.
        """
        return self._home.start(shipment, environment)

    def metrics(self) -> str:
        """Return the figures of the nodes, lost ones included, as text that Prometheus reads.

        Returns:
            Lines in the text format: `capsend_node_up`, `capsend_node_processes`, `capsend_node_lost_processes_total`,
            `capsend_node_cpu_seconds_total`, `capsend_node_cpus` and `capsend_node_memory_bytes`, each with the label `node`.
        """
        members = list(self._home.members.values())
        return "".join(
            f"# HELP {name} {words}\n# TYPE {name} {'counter' if name.endswith('_total') else 'gauge'}\n"
            + "".join(f'{name}{{node="{member.name}"}} {figure(member)}\n' for member in members)
            for name, (words, figure) in _METRICS.items()
        )

    def close(self) -> None:
        """End all processes and nodes of the cluster, and wait until they have ended; do nothing when that was done."""
        self._home.close()

    async def _close_async(self) -> None:
        import asyncio

        await asyncio.to_thread(self.close)

    def __repr__(self) -> str:
        state = "closed" if self._home.is_closed else f"{len(self.nodes)} nodes"
        return f"<Cluster: {state}>"
