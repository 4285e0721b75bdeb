"""Clusters and their nodes, each with its own interpreter, for processes outside this program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, final

from capsend.closing import Closing
from capsend.cluster.home import Home
from capsend.cluster.members import figures_of, member_of
from capsend.exceptions import CapsendError
from capsend.registry import Registry
from capsend.traits.markers import not_process_send

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from capsend.cluster.engines import Engine
    from capsend.cluster.lines import Credentials
    from capsend.cluster.members import Member
    from capsend.environment import Environment
    from capsend.process import Life

HEARTBEAT: Final = 1.0
LOST_AFTER: Final = 5.0
LOCAL_LOST_AFTER: Final = 30.0


@not_process_send(
    "it belongs to the program that has the cluster; let that program spawn on the node, and pass the data of the call"
)
@final
class Node:
    """A machine, or an OS process on one, that runs processes of a cluster; `Cluster.nodes` has them, users do not make any.

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
        """Its name within the cluster, which is never reused."""
        return self._member.id

    @property
    def labels(self) -> Mapping[str, str]:
        """Labels for placement, as set by the engine: {name: value}."""
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
        """The id of its OS process, for a node on this machine; None for other nodes."""
        pid: int | None = getattr(self._home.engine, "pid_of", lambda _id: None)(self.id)
        return pid

    @property
    def running(self) -> int:
        """The number of processes that this program has running on it."""
        return len(self._member)

    @property
    def alive(self) -> bool:
        """False once the node is lost; a lost node never comes back."""
        return self._member.is_alive

    def start(self, shipment: Any, environment: Environment) -> Life:
        """Start a process on the node; `Environment(on=node).spawn(...)` calls this, users do not.

        Args:
            shipment: the packed call.
            environment: the limits of the process.

        Raises:
            NodeLost: the node was lost before.
            CaptureError: the call has a grant that stays on this machine.
            RuntimeError: the cluster is closed, or this OS process was forked from the one that made the cluster.
        """
        return self._home.start_on(self._member, shipment, environment)

    def __repr__(self) -> str:
        return f"<Node {self.name}: {f'{self.running} running' if self.alive else 'lost'}>"


def _quoted(text: str) -> str:
    """Return the value of a label; a machine chooses its name."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def least_loaded(nodes: tuple[Node, ...], _environment: Environment) -> Node:
    """Return the node with the fewest processes per processor; the default placement."""
    return min(nodes, key=lambda node: node.running / max(node.cpus, 1))


@not_process_send("it belongs to the program that has it; children of a process run on the node of that process")
@final
class Cluster(Closing):
    """Nodes whose processes behave as in this program: the same limits, messages, links and results.

    A cluster ends when its `with` block is left, by `close`, or with the program. All its processes end with it.

    Ordering:
        Messages from one sender to one receiver arrive in the order in which they were sent, each at most once, and
        before the notice of the sender's end, wherever the two run.

    Args:
        engine: starts the nodes; `Cluster.local` has one.
        heartbeat: seconds between two signs of life.
        lost_after: seconds of silence after which a node is lost. By then its processes have ended, with the node or on
            their own.
        place: chooses the node of a process: called with the live nodes that have room for it, and the environment.
        memory_per_node: the bytes that all processes on one node may have together; None for no limit. Each process
            counts with its `memory` and with the `tree_memory` of its future children. A process for which no node has
            room is refused with `LimitExceeded`.
        count: the number of nodes for the engine to start.

    Example:
        >>> import capsend
        >>> with capsend.Cluster.local(2) as cluster:
        ...     anywhere = capsend.Environment(on=cluster)
        ...     anywhere.spawn(lambda: 6 * 7).result()
        42

    Source:
        Erlang's distribution gives the same guarantees of order; leases are those of Gray and Cheriton (1989).
    """

    def __init__(
        self,
        engine: Engine,
        *,
        heartbeat: float = HEARTBEAT,
        lost_after: float = LOST_AFTER,
        place: Callable[[tuple[Node, ...], Environment], Node] = least_loaded,
        memory_per_node: int | None = None,
        count: int = 1,
    ) -> None:
        if not 0 < heartbeat <= lost_after / 2:
            raise ValueError(
                f"lost_after must be at least twice the heartbeat, not {lost_after:g} s and {heartbeat:g} s"
            )
        if memory_per_node is not None and memory_per_node < 1:
            raise ValueError(f"memory_per_node must be more than 0 bytes, or None for no limit, not {memory_per_node}")
        self._home = Home(
            engine,
            heartbeat=heartbeat,
            lost_after=lost_after,
            place=place,
            make_node=Node,
            memory_per_node=memory_per_node,
        )
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
        memory_per_node: int | None = None,
    ) -> Cluster:
        """Start a cluster of OS processes on this machine, each with a separate interpreter and global lock.

        Args:
            nodes: the number of nodes.
            heartbeat: seconds between two signs of life.
            lost_after: seconds of silence after which a node is lost. A node whose OS process ends is lost at once; on
                a busy machine a node may be silent for a while.
            place: chooses the node of a process, as for `Cluster`.
            memory_per_node: bytes that the processes on one node may have together, as for `Cluster`.

        Raises:
            ValueError: the number of nodes is less than one, or `lost_after` is less than two heartbeats.
            CapsendError: a node did not start.
        """
        from capsend.cluster.engines.local import LocalEngine

        given: Any = nodes  # callers without a type checker
        if not isinstance(given, int) or isinstance(given, bool) or nodes < 1:
            raise ValueError(f"a cluster has at least one node, not {nodes!r}")
        return cls(
            LocalEngine(nodes),
            heartbeat=heartbeat,
            lost_after=lost_after,
            place=place,
            memory_per_node=memory_per_node,
            count=nodes,
        )

    @classmethod
    def ray(  # noqa: PLR0913 - all but the first are keyword-only
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
        memory_per_node: int | None = None,
    ) -> Cluster:
        """Start a cluster on the machines of a Ray cluster.

        The Ray cluster is the one that this program is connected to, or else the one that `ray.init` finds or starts.

        Ray places the nodes and reports their loss; messages and results do not pass through Ray. After
        `ray.shutdown()` all nodes are lost.

        Args:
            address: the address for `ray.init`; None for Ray's own choice.
            nodes: the number of nodes, placed on Ray's nodes in turn; None for one on each, and on each that joins
                later.
            resources: {name: amount} that Ray reserves for each node, such as `{"CPU": 2}`. Without it, each of Ray's
                nodes that has a CPU gets one, and nothing is reserved.
            labels: {name: value}: only Ray's nodes with these labels are used.
            namespace: the namespace for `ray.init`.
            heartbeat: seconds between two signs of life.
            lost_after: seconds of silence after which a node is lost.
            place: chooses the node of a process, as for `Cluster`. `Node.labels` are the labels of Ray's node.
            memory_per_node: bytes that the processes on one node may have together, as for `Cluster`.

        Raises:
            ValueError: the number of nodes is less than one, or `lost_after` is less than two heartbeats.
            ImageError: the versions on a machine differ.
            CapsendError: Ray or `cryptography` is not installed, Ray cannot be reached, or a node did not start.
        """
        from capsend.cluster.engines.ray import RayEngine

        if nodes is not None and nodes < 1:
            raise ValueError(f"a cluster has at least one node, not {nodes!r}")
        engine = RayEngine(address, nodes=nodes, resources=resources, labels=labels, namespace=namespace)
        try:
            return cls(
                engine,
                heartbeat=heartbeat,
                lost_after=lost_after,
                place=place,
                memory_per_node=memory_per_node,
                count=engine.count,
            )
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
        memory_per_node: int | None = None,
    ) -> Cluster:
        """Start a cluster with a node on each of several machines, where an operator has started `capsend node`.

        The daemons and this program authenticate each other by *credentials*. The nodes get credentials of this run,
        and end with the cluster.

        Args:
            peers: host and port of each daemon, such as `["10.0.0.5:7878"]`.
            credentials: `capsend.cluster.Certificates`, or a `capsend.cluster.Token` for daemons on this machine.
            heartbeat: seconds between two signs of life.
            lost_after: seconds of silence after which a node is lost.
            place: chooses the node of a process, as for `Cluster`.
            memory_per_node: bytes that the processes on one node may have together, as for `Cluster`.

        Raises:
            ValueError: no daemon is given, one is not HOST:PORT, or a token would be sent over a network.
            ImageError: the versions of a daemon differ.
            CapsendError: a daemon refused; or, with certificates, the package `cryptography` is missing.
            OSError: a daemon cannot be reached.
        """
        from capsend.cluster.engines.static import StaticEngine, places

        found = places(peers, credentials)
        return cls(
            StaticEngine(found, credentials),
            heartbeat=heartbeat,
            lost_after=lost_after,
            place=place,
            memory_per_node=memory_per_node,
            count=len(found),
        )

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The live nodes, in the order in which they joined."""
        return tuple(member.node for member in self._home.alive())

    @property
    def cpus(self) -> int:
        """The number of processors of its nodes; those of a machine with several nodes count once."""
        of_hosts: dict[str, int] = {}
        for member in self._home.alive():
            of_hosts[member.started.host] = max(member.cpus, of_hosts.get(member.started.host, 0))
        return sum(of_hosts.values()) or 1

    @property
    def registry(self) -> Registry:
        """Names for the processes of the cluster, kept in this program, as in `capsend.registry`. Lost processes have no names."""
        return self._registry

    def wait_for(self, nodes: int, timeout: float | None = None) -> bool:
        """Wait until the cluster has at least *nodes* nodes; return whether it has.

        Args:
            nodes: the number of nodes.
            timeout: seconds to wait; for ever when None.
        """
        return self._home.wait_for(nodes, timeout)

    def request(self, nodes: int) -> None:
        """Have Ray's autoscaler start or keep machines, so that the cluster can have *nodes* nodes.

        Returns at once; `wait_for` waits for the nodes. The request lasts until the next one of any program of the Ray
        cluster, and is withdrawn when this cluster is closed.

        Args:
            nodes: the number of nodes; 0 withdraws the request.

        Raises:
            CapsendError: the cluster is not one of `Cluster.ray`.
            ValueError: the number is negative.
        """
        ask = getattr(self._home.engine, "ask", None)
        if ask is None:
            raise CapsendError(
                "no machines were requested: only the autoscaler of a Ray cluster starts machines. Use Cluster.ray"
            )
        if nodes < 0:
            raise ValueError(f"a cluster cannot have {nodes} nodes")
        ask(nodes)

    def drain(self, node: Node, timeout: float | None = None) -> bool:
        """Start no further processes on a node, wait for its processes, and end it: for a machine that will be taken away.

        The node is removed from `nodes` and not replaced. End processes that wait for messages for ever yourself.

        Args:
            node: the node.
            timeout: seconds to wait for its processes; for ever when None. Processes that are still running then are
                lost with the node.

        Returns:
            True if all of its processes had ended.
        """
        return self._home.drain(member_of(node), timeout)

    def on_change(self, tell: Callable[[Node], object]) -> None:
        """Call *tell* with each node that joins or is lost from now on, on a thread of the cluster."""
        self._home.on_change(tell)

    def start(self, shipment: Any, environment: Environment) -> Life:
        """Start a process on a node; `Environment(on=cluster).spawn(...)` calls this, users do not.

        Args:
            shipment: the packed call.
            environment: the limits of the process.

        Raises:
            CapsendError: no node is left.
            CaptureError, RuntimeError: as `Node.start`.
        """
        return self._home.start(shipment, environment)

    def metrics(self) -> str:
        """Return the figures of the nodes, including lost ones, as text for Prometheus.

        Returns:
            Lines in the text format: `capsend_node_up`, `capsend_node_processes`, `capsend_node_lost_processes_total`,
            `capsend_node_cpu_seconds_total`, `capsend_node_cpus` and `capsend_node_memory_bytes`, each with the label `node`.
        """
        return "".join(
            f"# HELP {name} {words}\n# TYPE {name} {'counter' if name.endswith('_total') else 'gauge'}\n"
            + "".join(f'{name}{{node="{_quoted(node)}"}} {figure}\n' for node, figure in of_nodes.items())
            for name, words, of_nodes in figures_of(self._home.members.values())
        )

    def close(self) -> None:
        """End all processes and nodes of the cluster, and wait for their end; do nothing if the cluster is closed."""
        self._home.close()

    async def _close_async(self) -> None:
        import asyncio

        await asyncio.to_thread(self.close)

    def __repr__(self) -> str:
        state = "closed" if self._home.is_closed else f"{len(self.nodes)} nodes"
        return f"<Cluster: {state}>"
