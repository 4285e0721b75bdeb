"""Nodes on the machines of a Ray cluster. This is the only module that imports Ray.

Ray manages the machines, places an actor on each, and reports its end. The actor starts the node as a separate OS
process: no text of a guest gets into a program in which Ray unpickles, and no message passes through Ray.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import queue
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from capsend.cluster.authority import Authority
from capsend.cluster.engines import Started
from capsend.cluster.engines.numbers import take_numbers
from capsend.cluster.engines.programs import Program
from capsend.cluster.peers import HOME
from capsend.exceptions import CapsendError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from capsend.cluster.engines import Left, Setup
    from capsend.cluster.lines import Credentials

    # Programs without Ray must not need it for type checking.
    ray: Any
    GetTimeoutError: Any
    RayError: Any
    Gauge: Any
    request_resources: Any
    NodeAffinitySchedulingStrategy: Any
else:
    try:
        import ray
        from ray.autoscaler.sdk import request_resources
        from ray.exceptions import GetTimeoutError, RayError
        from ray.util.metrics import Gauge
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy
    except ImportError as error:
        raise CapsendError(
            "no cluster was started: the package ray is not installed. Install it with `pip install 'capsend[ray]'`"
        ) from error

_log: Final = logging.getLogger("capsend.cluster")
_STARTING: Final = 120.0
_ENDING: Final = 5.0
_LOOKS: Final = 0.2
"""Seconds between two checks whether Ray is still running in this program."""
_JOINS: Final = 2.0
"""Seconds between two checks of Ray's list of nodes."""
_OPTIONS: Final = {"CPU": "num_cpus", "GPU": "num_gpus", "memory": "memory"}


class NodeActor:
    """The actor that Ray runs on each of its nodes. Ray pickles only texts and numbers for it."""

    def __init__(self) -> None:
        self._program: Program | None = None

    def start(self, setup: str) -> tuple[str, int, int]:
        """Start the node.

        Returns:
            (address, port, id of the OS process).
        """
        address: str = ray.util.get_node_ip_address()
        self._program = program = Program({**json.loads(setup), "host": address})
        return address, program.port(), program.pid

    def wait(self) -> int:
        """Wait for the node's end, and return its exit code."""
        assert self._program is not None
        return self._program.wait()

    def end(self) -> None:
        """End the node at once."""
        if self._program is not None:
            self._program.kill()


class RayEngine:
    """Starts nodes on the Ray cluster that this program is, or gets, connected to.

    Args:
        address: the address for `ray.init`, if this program is not connected; None for Ray's own choice.
        nodes: the number of nodes, placed on Ray's nodes in turn; None for one on each, and on each that joins later.
        resources: {name: amount} that Ray reserves for each node; only Ray's nodes with these resources are used.
        labels: {name: value}: only Ray's nodes with these labels are used.
        namespace: the namespace for `ray.init`.

    Raises:
        CapsendError: the package `cryptography` is missing, or Ray cannot be reached.
    """

    def __init__(
        self,
        address: str | None = None,
        *,
        nodes: int | None = None,
        resources: Mapping[str, float] | None = None,
        labels: Mapping[str, str] | None = None,
        namespace: str | None = None,
    ) -> None:
        self._authority = Authority()
        self.credentials: Credentials = self._authority.issue([HOME])
        self._count = nodes
        self._resources = dict(resources or {})
        self._labels = dict(labels or {})
        self._run = os.urandom(6).hex()
        self._setup: Setup | None = None
        self._lock = threading.Lock()
        self._members: dict[str, _Member] = {}
        self._known: set[str] = set()
        self._ends: queue.SimpleQueue[tuple[str, str, bool]] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._has_asked = False
        self._gauges: dict[str, Any] = {}
        self._is_ours = not ray.is_initialized()
        if self._is_ours:
            try:
                ray.init(address=address, namespace=namespace, ignore_reinit_error=True)
            except (RayError, ConnectionError, RuntimeError, ValueError) as error:
                raise CapsendError(f"Ray was not reached: {_first_line(error)}") from error
        try:
            self._places = self._chosen()
        except BaseException:
            self.stop()
            raise

    @property
    def count(self) -> int:
        """The number of nodes for `start` to start."""
        return len(self._places)

    # --- the choice of Ray's nodes ---

    def _chosen(self) -> list[dict[str, Any]]:
        fitting = [node for node in ray.nodes() if self._fits(node)]
        self._known = {node["NodeID"] for node in fitting}
        if not fitting:
            wanted = json.dumps({**self._resources, **self._labels}) if self._resources or self._labels else "a CPU"
            raise CapsendError(
                f"no node of the Ray cluster has {wanted}. `ray status` and `ray list nodes` show the resources and labels of each node"
            )
        return fitting if self._count is None else [fitting[place % len(fitting)] for place in range(self._count)]

    def _fits(self, node: Mapping[str, Any]) -> bool:
        has, labels = node.get("Resources", {}), node.get("Labels", {})
        wanted = self._resources or {"CPU": 1}  # Ray must run nothing on a node without CPUs
        return (
            bool(node["Alive"])
            and all(has.get(name, 0) >= amount for name, amount in wanted.items())
            and all(labels.get(name) == value for name, value in self._labels.items())
        )

    def ask(self, nodes: int) -> None:
        """Have Ray's autoscaler provide machines for *nodes* nodes; see `Cluster.request`."""
        self._has_asked = bool(nodes)
        selectors = [self._labels] * nodes if self._labels else None
        request_resources(bundles=[self._resources or {"CPU": 1}] * nodes, bundle_label_selectors=selectors)

    def report(self, figures: Iterable[tuple[str, str, Mapping[str, float]]]) -> None:
        """Set Ray's own metrics, which Ray exports with the others of its cluster.

        Args:
            figures: as `capsend.cluster.members.figures_of` returns them.
        """
        if not ray.is_initialized():
            return
        for name, words, of_nodes in figures:
            gauge = self._gauges.get(name)
            if gauge is None:
                gauge = self._gauges[name] = Gauge(name, words, tag_keys=("node",))
            for node, figure in of_nodes.items():
                gauge.set(figure, {"node": node})

    # --- start ---

    def start(self, setup: Setup) -> list[Started]:
        """Start all nodes at once; return them once all are listening."""
        self._setup = setup
        try:
            members = [self._begin(place, setup.first + number) for number, place in enumerate(self._places)]
            return self._started(members)
        except BaseException:
            self.stop()
            raise

    def _started(self, members: list[_Member]) -> list[Started]:
        """Wait for all actors.

        Ray may not have noticed yet that a machine is gone: without a requested number of nodes, the others suffice.
        """
        deadline = time.monotonic() + _STARTING
        found: list[Started] = []
        failed: CapsendError | None = None
        for member in members:
            try:
                found.append(member.started(deadline))
            except CapsendError as error:
                if self._count is not None:
                    raise
                failed = error
                self._forget(member)
                _log.warning("%s", error)
        if failed is not None and not found:
            raise failed
        return found

    def _forget(self, member: _Member) -> None:
        with self._lock:
            self._members.pop(member.id, None)
        threading.Thread(target=member.kill, name="capsend discards", daemon=True).start()

    def _begin(self, place: dict[str, Any], number: int) -> _Member:
        assert self._setup is not None
        id_ = f"{number}.{self._run}"
        told = {
            "id": id_,
            "number": number,
            "heartbeat": self._setup.heartbeat,
            "lost_after": self._setup.lost_after,
            "tls": self._authority.issue([id_]).texts,
        }
        own = {option: self._resources[name] for name, option in _OPTIONS.items() if name in self._resources}
        actor = (
            ray.remote(NodeActor)
            .options(
                **{"num_cpus": 0, **own},
                resources={name: amount for name, amount in self._resources.items() if name not in _OPTIONS},
                scheduling_strategy=NodeAffinitySchedulingStrategy(place["NodeID"], soft=False),
                max_restarts=0,
                max_task_retries=0,
                max_concurrency=4,
            )
            .remote()
        )
        member = _Member(id_, f"node {number} on {place['NodeManagerHostname']}", actor, labels=place.get("Labels", {}))
        with self._lock:
            self._members[id_] = member
        member.begin(json.dumps(told))
        return member

    # --- reports of Ray ---

    def watch(self, joined: Callable[[Started], object], left: Left) -> None:
        """Report nodes whose actors are gone; unless a number was given, also start one on each of Ray's nodes that joins."""
        for member in list(self._members.values()):
            member.watch(self._ends)
        threading.Thread(target=self._look, args=(joined, left), name="capsend looks at Ray", daemon=True).start()

    def _look(self, joined: Callable[[Started], object], left: Left) -> None:
        next_look = time.monotonic() + _JOINS
        while not self._stopping.is_set():
            with contextlib.suppress(queue.Empty):
                id_, words, has_ended = self._ends.get(timeout=_LOOKS)
                left(id_, words, has_ended=has_ended)
            if not ray.is_initialized():
                for id_ in list(self._members):
                    left(id_, "Ray was shut down in this program", has_ended=False)
                return
            if self._count is None and time.monotonic() >= next_look:
                next_look = time.monotonic() + _JOINS
                self._look_for_more(joined)

    def _look_for_more(self, joined: Callable[[Started], object]) -> None:
        try:
            new = [node for node in ray.nodes() if node["NodeID"] not in self._known and self._fits(node)]
        except Exception:  # noqa: BLE001 - Ray is being shut down: the next check notices it
            return
        for place in new:
            self._known.add(place["NodeID"])
            threading.Thread(target=self._take_in, args=(place, joined), name="capsend takes in", daemon=True).start()

    def _take_in(self, place: dict[str, Any], joined: Callable[[Started], object]) -> None:
        try:
            member = self._begin(place, take_numbers(1))
        except Exception:  # noqa: BLE001 - Ray is being shut down: the next check notices it
            return
        try:
            started = member.started(time.monotonic() + _STARTING)
        except CapsendError as error:
            self._forget(member)
            _log.warning("%s", error)
            return
        joined(started)
        member.watch(self._ends)

    # --- end ---

    def discard(self, id_: str) -> None:
        """Have a node's actor kill its OS process, and Ray kill the actor."""
        member = self._members.get(id_)
        if member is not None and ray.is_initialized():
            threading.Thread(target=member.kill, name="capsend discards", daemon=True).start()

    def retire(self, id_: str) -> None:
        """End a drained node without replacing it."""
        self.discard(id_)

    def pid_of(self, id_: str) -> int | None:
        """Return the id of a node's OS process, if it is on this machine."""
        member = self._members.get(id_)
        return None if member is None or not member.is_here else member.pid

    def stop(self) -> None:
        """End all nodes, and wait for their end; shut Ray down if this engine started it."""
        self._stopping.set()
        with self._lock:
            members, self._members = list(self._members.values()), {}
        if not ray.is_initialized():
            return
        deadline = time.monotonic() + _ENDING
        for member in members:
            member.wait(deadline)
        # Each on a thread: a Ray that is partly gone may never answer.
        kills = [threading.Thread(target=member.kill, daemon=True) for member in members]
        for kill in kills:
            kill.start()
        for kill in kills:
            kill.join(_ENDING)
        if self._has_asked:
            with contextlib.suppress(RayError, RuntimeError):  # Ray is partly gone
                self.ask(0)
        if self._is_ours:
            ray.shutdown()


class _Member:
    """One actor, and its answers."""

    def __init__(self, id_: str, name: str, actor: Any, *, labels: Mapping[str, Any]) -> None:
        self.pid: int | None = None
        self.is_here = False
        self.id = id_
        self._name = name
        self._actor = actor
        self._labels = {str(key): str(value) for key, value in labels.items()}
        self._starting: Any = None
        self._over = threading.Event()

    def begin(self, setup: str) -> None:
        """Have the actor start the node."""
        self._starting = self._actor.start.remote(setup)

    def started(self, deadline: float) -> Started:
        """Return the node once it is listening.

        Raises:
            CapsendError: Ray did not place the actor in time, or the actor did not start the node.
        """
        try:
            address, port, self.pid = ray.get(self._starting, timeout=max(deadline - time.monotonic(), 0.0))
        except GetTimeoutError:
            raise CapsendError(
                f"{self._name} was not started within {_STARTING:g} s: Ray has not placed its actor. "
                "`ray list actors` shows the resources that it waits for"
            ) from None
        except RayError as error:
            raise CapsendError(
                f"{self._name} was not started: {_first_line(error)}. capsend, with the extra `ray`, has to be installed on that machine"
            ) from error
        self.is_here = address == ray.util.get_node_ip_address()
        return Started(self._name, self.id, address, port, self._labels)

    def watch(self, ends: queue.SimpleQueue[tuple[str, str, bool]]) -> None:
        """Put (id, words, True if its OS process is known to have ended) into *ends* once the node or its actor has ended."""

        def told(future: Any) -> None:
            self._over.set()
            error = future.exception()
            words = f"its OS process ended with code {future.result()}" if error is None else _first_line(error)
            # No more than this: Ray runs it on a thread for answers, which must not make requests.
            ends.put((self.id, words if error is None else f"Ray says: {words}", error is None))

        self._actor.wait.remote().future().add_done_callback(told)

    def wait(self, deadline: float) -> None:
        """Wait for the actor's end."""
        self._over.wait(max(deadline - time.monotonic(), 0.0))

    def kill(self) -> None:
        """End the node and the actor; returns at once."""
        with contextlib.suppress(Exception):  # Ray is being shut down, and the actor too
            if not self._over.is_set():
                self._actor.end.remote()  # it arrives before the kill; otherwise the node ends with its standard input
            ray.kill(self._actor)


def _first_line(error: BaseException) -> str:
    cause = getattr(error, "cause", None)
    text = str(cause if isinstance(cause, BaseException) else error).strip()
    return (text.splitlines() or [type(error).__name__])[0].rstrip(".:")[:300]
