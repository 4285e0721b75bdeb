"""Home: the program that has a cluster. It starts processes on nodes, and receives their results, output and calls."""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any, Final

from capsend.capabilities.host_functions import FunctionGrant
from capsend.cluster.engines import Setup
from capsend.cluster.engines.numbers import take_numbers
from capsend.cluster.greeting import hello
from capsend.cluster.home_names import HomeNames, given_function
from capsend.cluster.items import LARGEST_BODY, LARGEST_HEAD, Item, Malformed, joined, split
from capsend.cluster.lines import Line, Refused, dial
from capsend.cluster.lives import RemoteLife
from capsend.cluster.members import Member, figures_of, member_of
from capsend.cluster.peers import HOME, Peer, Switch
from capsend.cluster.sending import send_call, send_module
from capsend.cluster.versions import check
from capsend.engine import FORKED, THREAD_STACK
from capsend.exceptions import CapsendError, CaptureError, LimitExceeded, NodeLost, SerializationError
from capsend.runtime import preloading, process_warnings, running, workers
from capsend.runtime.call_operations import MOST_ARGUMENTS, raised_text
from capsend.runtime.home import THIS_PROGRAM
from capsend.runtime.life import next_number
from capsend.runtime.shipments import Runnable

if TYPE_CHECKING:
    from collections.abc import Callable

    from capsend.capabilities.handles import Grant
    from capsend.cluster.engines import Engine, Started
    from capsend.environment import Environment

_GREETING: Final = 10.0
_CLOSING: Final = 2.0
_MOST_CPUS: Final = 4_096
"""Processors of a node that are believed: executors start as many processes at once."""

_log: Final = logging.getLogger("capsend.cluster")


_homes: Final[weakref.WeakSet[Home]] = weakref.WeakSet()


def nodes() -> list[Member]:
    """Return the nodes of all open clusters of this program, including lost ones."""
    return [member for home in list(_homes) if not home.is_closed for member in list(home.members.values())]


class Home:
    """The part of a cluster in the home program: nodes, processes, and the handling of items from nodes.

    Args:
        engine: starts the nodes.
        heartbeat: seconds between two signs of life.
        lost_after: seconds of silence after which a node is lost.
        place: chooses the node of a process among the live ones.
        make_node: returns the public object of a node, from this home and its member.
        memory_per_node: bytes that the processes on one node may have together; None for no limit.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        heartbeat: float,
        lost_after: float,
        place: Callable[[tuple[Any, ...], Environment], Any],
        make_node: Callable[[Home, Member], Any],
        memory_per_node: int | None = None,
    ) -> None:
        self.engine: Engine = engine
        self.members: dict[str, Member] = {}
        self.is_closed: bool = False
        self._heartbeat = heartbeat
        self._lost_after = lost_after
        self._place = place
        self._make_node = make_node
        self._memory_per_node = memory_per_node
        self._owner = os.getpid()
        self._changed = threading.Condition(threading.RLock())
        self._lives: dict[int, RemoteLife] = {}
        self.switch: Switch = Switch(HOME, HomeNames(self._lives))
        self._listeners: list[Callable[[Any], object]] = []
        self._closing = threading.Event()

    def begin(self, count: int) -> None:
        """Start *count* nodes, and watch them; errors as for `Engine.start`."""
        try:
            first = take_numbers(count)
            for started in self.engine.start(Setup(first, self._heartbeat, self._lost_after)):
                self._join(started)
            self._tell_places()
            self.engine.watch(self._joined_later, self._left)
        except BaseException:
            self.close()
            raise
        _homes.add(self)
        threading.Thread(target=self._beat, name="capsend cluster beats", daemon=True).start()
        running.register_exit()
        atexit.register(self.close)

    # --- nodes ---

    def alive(self) -> tuple[Member, ...]:
        """Return the nodes that accept processes, in the order in which they joined."""
        return tuple(member for member in self._not_lost() if not member.doubt and not member.is_draining)

    def _not_lost(self) -> list[Member]:
        return [member for member in list(self.members.values()) if member.is_alive]

    def wait_for(self, nodes: int, timeout: float | None = None) -> bool:
        """Wait until the cluster has at least *nodes* nodes; return whether it has.

        Args:
            nodes: the number of nodes.
            timeout: seconds to wait; for ever when None.
        """
        with self._changed:
            return (
                self._changed.wait_for(lambda: len(self.alive()) >= nodes or self.is_closed, timeout)
                and not self.is_closed
            )

    def on_change(self, tell: Callable[[Any], object]) -> None:
        """Call *tell* with each node that joins or is lost from now on, on a thread of the cluster."""
        self._listeners.append(tell)

    def _join(self, started: Started) -> Member:
        connection, cipher = dial(started.host, started.port, self.engine.credentials, peer=started.id)
        line = Line(connection, cipher, name=f"capsend {started.name}")
        peer = Peer(self.switch, started.id)
        peer.incoming = line
        node = Member(started, peer, forget=self._forget, most=self._memory_per_node)
        node.node = self._make_node(self, node)
        greeted = threading.Event()
        told: list[Item] = []

        def handle(item: Item) -> None:
            if not told:
                if item.word != "hello" or item.fields[0] != started.id:
                    raise Malformed("it sends no greeting with its id")
                told.append(item)
                greeted.set()
                return
            self._handle(node, item)

        def ended(words: str) -> None:
            greeted.set()
            self._doubt(started.id, words)

        self.switch.add(peer)
        line.put(hello(HOME))
        line.start(handle, ended)
        if not greeted.wait(_GREETING) or not told:
            line.close()
            raise Refused(f"{started.name} was not reached: it does not answer at {started.host}, port {started.port}")
        _, versions, cpus, memory = told[0].fields
        check(versions, node=started.name)
        node.cpus, node.memory = min(max(cpus, 1), _MOST_CPUS), max(memory, 0)
        peer.connect(line)
        with self._changed:
            self.members[started.id] = node
            self._changed.notify_all()
        sys.audit("capsend.node", started.name, "joined")
        return node

    def _joined_later(self, started: Started) -> None:
        try:
            node = self._join(started)
        except (CapsendError, OSError) as error:
            _log.warning("%s was not taken in: %s", started.name, error)
            self.engine.discard(started.id)
            return
        self._tell_places()
        self._tell(node)

    def _tell_places(self) -> None:
        """Send each node the addresses of all others."""
        for node in self.alive():
            for other in self.alive():
                if other is not node:
                    node.peer.put("join", (other.id, other.started.host, other.started.port))

    def _tell(self, node: Member) -> None:
        for tell in list(self._listeners):
            try:
                tell(node.node)
            except Exception:  # noqa: BLE001 - no caller could handle the exception
                _log.exception("a function given to Cluster.on_change raised an exception")

    def _left(self, id_: str, words: str, *, has_ended: bool) -> None:
        """Take the engine's report of a node that is gone."""
        if has_ended:
            node = self.members.get(id_)
            self._lose(id_, words if node is None else node.doubt or words)
        else:
            self._doubt(id_, words)

    def _doubt(self, id_: str, words: str) -> None:
        """Give up a node that may still be running: it is lost once its end is reported or its lease is certainly over."""
        node = self.members.get(id_)
        if node is None:
            self.switch.lose(id_, words)
        elif node.is_alive and not node.doubt:
            node.doubt = words
            node.peer.put("bye", ())
            self.engine.discard(id_)

    def _lose(self, id_: str, words: str) -> None:
        """Give up a node for good: from now on it has no effects."""
        node = self.members.get(id_)
        if node is None:
            self.switch.lose(id_, words)
            return
        lost = node.lose()
        if lost is None:
            return
        # Before any notification: a process that is restarted on another node must start when that node no longer
        # accepts anything from this one.
        for other in self._not_lost():
            other.peer.put("left", (id_, words[:500]))
        for life in lost:
            life.interrupt_calls()
        self.switch.lose(id_, words, but=frozenset(-life.number for life in lost))
        for life in lost:
            life.lose(words)
        node.lost = len(lost)
        if not self.is_closed:
            if node.state == "drained":
                _log.info("%s was drained", node.name)
            else:
                _log.warning("%s was lost: %s", node.name, words)
            self.engine.discard(id_)
        sys.audit("capsend.node", node.name, "lost")
        with self._changed:
            self._changed.notify_all()
        self._tell(node)

    def drain(self, node: Member, timeout: float | None) -> bool:
        """Start nothing more on a node, and end it after its processes; see `Cluster.drain`."""
        node.is_draining = True
        end = None if timeout is None else time.monotonic() + timeout
        for life in node.lives():
            if not life.finished.wait(None if end is None else max(end - time.monotonic(), 0.0)):
                break
        has_ended = not node.lives()
        if node.is_alive and not node.doubt:
            node.doubt = "it was drained"
            node.peer.put("bye", ())
            self.engine.retire(node.id)
        with self._changed:
            self._changed.wait_for(lambda: not node.is_alive, 2 * self._lost_after)
        return has_ended

    def _beat(self) -> None:
        report = getattr(self.engine, "report", None)
        while not self._closing.wait(self._heartbeat):
            now = time.monotonic()
            for node in self._not_lost():
                if node.doubt and now - node.renewed > self._lost_after:
                    self._lose(node.id, node.doubt)
                elif node.peer.heard is not None and now - node.peer.heard > self._lost_after:
                    self._lose(node.id, node.doubt or f"it was silent for {self._lost_after:g} s")
            self.switch.sweep()
            if report is not None:
                try:
                    report(figures_of(self.members.values()))
                except Exception:  # noqa: BLE001 - no figure is worth a cluster
                    _log.exception("the figures of the nodes were not reported, and are not from now on")
                    report = None

    # --- processes ---

    def start(self, shipment: Any, environment: Environment) -> RemoteLife:
        """Start a process on a node; `Environment(on=cluster).spawn(...)` calls this, users do not.

        Raises:
            CapsendError: no node is left.
            LimitExceeded: no node has memory left for the process.
            CaptureError, RuntimeError: as `Node.start`.
        """
        while True:
            self._check_open()
            nodes = self.alive()
            if not nodes:
                raise CapsendError(
                    f"{shipment.name} was not started: the cluster has no node left. Start another cluster"
                )
            with_room = tuple(member.node for member in nodes if member.has_room(environment))
            if not with_room:
                raise nodes[0].lack(shipment.name, environment, where="any node")
            node = member_of(self._place(with_room, environment))
            try:
                return self.start_on(node, shipment, environment)
            except NodeLost:
                continue  # lost meanwhile, before it started anything
            except LimitExceeded:
                if node.has_room(environment):
                    raise  # a limit of something else
                continue  # other threads have used its room meanwhile

    def _check_open(self) -> None:
        if os.getpid() != self._owner:
            raise RuntimeError(FORKED)
        if self.is_closed:
            raise RuntimeError("no process can be spawned: the cluster is closed")

    def start_on(self, node: Member, shipment: Any, environment: Environment) -> RemoteLife:
        """Start a process on a node; see `Node.start`."""
        self._check_open()
        for grant in shipment.grants:
            if grant.stays:
                raise CaptureError(
                    f"cannot spawn {shipment.name} on {node.name}: {grant} cannot be sent: {grant.stays}"
                )
        if not isinstance(shipment, Runnable):
            preloading.load()
            preloading.load_named_by(shipment.entities)
        with node.starting:  # the node gets processes in the order of their numbers
            return self._started(node, shipment, environment)

    def _started(self, node: Member, shipment: Any, environment: Environment) -> RemoteLife:
        number = next_number()
        references = [self._reference(grant, number, place) for place, grant in enumerate(shipment.grants)]
        is_module = isinstance(shipment, Runnable)
        largest = shipment.template.largest if is_module else None
        port = self.switch.remote(
            node.id,
            -number,
            f"process {number}",
            messages=environment.mailbox,
            size=environment.mailbox_bytes if largest is None else min(environment.mailbox_bytes, largest),
            root=number,
            flags=0 if is_module else 1,
            watched=False,
        )
        port.name = shipment.message_name
        life = RemoteLife(number, shipment, environment, member=node, port=port)
        sys.audit("capsend.spawn", number, shipment.name)
        for grant in shipment.grants:
            sys.audit("capsend.grant", number, grant.kind, str(grant))
        sys.audit("capsend.remote", number, node.name)
        self._lives[number] = life
        try:
            node.admit(life)
            running.enlist(life)
            (send_module if is_module else send_call)(node, life, references)
        except BaseException as error:
            node.forget(life)
            running.strike(life)
            port.close("failed", "it was not started")
            if isinstance(error, Malformed):
                raise CapsendError(
                    f"cannot spawn {shipment.name} on {node.name}: its call and its environment are more than crosses at once, "
                    f"{LARGEST_BODY >> 20} MiB of data and {LARGEST_HEAD >> 20} MiB of variables and handles. Pass less, or send it in messages"
                ) from None
            raise
        return life

    def _reference(self, grant: Grant, number: int, place: int) -> list[Any]:
        if isinstance(grant, FunctionGrant):
            return ["f", number, place, grant.function.name, grant.function.is_async]
        reference = self.switch.reference(grant)
        if reference is None:
            raise CaptureError(f"{grant} cannot go to another machine")
        return reference

    def _forget(self, life: RemoteLife) -> None:
        self._lives.pop(life.number, None)

    # --- items of nodes ---

    def _handle(self, node: Member, item: Item) -> None:
        if not node.is_alive:
            return  # from an epoch that is over
        if item.word == "sync" and not node.records.is_idle:
            node.records.add(lambda: node.peer.put("synced", item.fields))
            return
        if node.peer.handle(item):
            return
        act = _ACTS.get(item.word)
        if act is None:
            raise Malformed(f"{item.word!r} is a word that this peer must not send")
        act(self, node, item)

    def _sign_of_life(self, node: Member, item: Item) -> None:
        seconds, number = item.fields
        node.cpu_seconds = float(seconds or 0)
        if not node.doubt:
            node.renewed = time.monotonic()
            node.peer.put("beat", (0, number), first=True)

    def _bye(self, node: Member, _item: Item) -> None:
        self._lose(node.id, node.doubt or "it has ended")

    def _out(self, node: Member, item: Item) -> None:
        number, stream, flush = item.fields
        life = node.life(number)
        if life is not None:
            life.write(stream, item.body.decode("utf-8", "replace"), flush=flush)

    def _log(self, node: Member, item: Item) -> None:
        number, level, name = item.fields
        text = item.body.decode("utf-8", "replace")
        # Not on the thread of the connection: a handler that takes long must not hold up signs of life.
        node.records.add(lambda: _record(number, min(max(level, 0), 50), name, text))

    def _part(self, node: Member, item: Item) -> None:
        life = node.life(item.fields[0])
        if life is not None:
            life.take_part(item.body)

    def _result(self, node: Member, item: Item) -> None:
        number, kind, reason, words, figures, numbered, sizes = item.fields
        life = node.life(number)
        if life is None:
            return
        kinds = {"b", "x"} if isinstance(life.shipment, Runnable) else {"v", "u", "e", "x"}
        if kind not in kinds or reason not in {"normal", "failed", "killed", "limit", "trap"}:
            raise Malformed("a process ends in another way")
        grants = {int(name): self.switch.grant(reference) for name, reference in numbered.items() if name.isdecimal()}
        life.end(kind, reason, words, figures=figures, grants=grants, sizes=sizes, body=item.body)

    def _figures(self, node: Member, item: Item) -> None:
        number, question, figures = item.fields
        life = node.life(number)
        if life is not None:
            life.tell_figures(question, figures)

    def _call(self, node: Member, item: Item) -> None:
        root, number, call, function, numbered, sizes = item.fields
        life = node.life(root)
        shipment = None if life is None else life.shipment
        if life is None or shipment is None:
            return
        grant = given_function(shipment, function)
        if grant is None or grant.stays:
            raise Malformed("a process called a function that it was not given")
        (text,), segments = split(item.body, sizes, 1)
        if not text.isascii() or text.startswith("k"):
            raise Malformed("the arguments of a call are no text of a guest")
        if len(item.body) > 2 * MOST_ARGUMENTS:
            raise Malformed("the arguments of a call are larger than they can be")
        grants = {int(name): self.switch.grant(reference) for name, reference in numbered.items() if name.isdecimal()}
        calls = life.calls_of(number)
        life.begin_answer(number)

        def make() -> None:
            try:
                made = calls.make_distant(grant, text, segments=segments, grants=grants) if node.is_alive else None
            finally:
                life.end_answer(number)
            if made is None:
                return
            kind, answer, given, beside = made
            references = [self.switch.reference(each) for each in given]
            told, body = joined((answer,), beside)
            try:
                node.peer.put("answer", (call, kind, references, told), body)
            except Malformed:
                refusal = SerializationError(
                    f"the result of {grant} is larger than crosses at once. Return less", path="result"
                )
                told, body = joined((raised_text(refusal, None)[1:],))
                node.peer.put("answer", (call, "e", [], told), body)

        workers.run(make, stack=THREAD_STACK)

    def _forget_call(self, node: Member, item: Item) -> None:
        root, number = item.fields
        life = node.life(root)
        calls = None if life is None else life.calls.get(number)
        if calls is not None:
            calls.interrupt()

    def _done(self, node: Member, item: Item) -> None:
        root, number = item.fields
        life = node.life(root)
        if life is not None:
            life.forget_calls(number)

    def _warn(self, node: Member, item: Item) -> None:
        root, number, call = item.fields
        life = node.life(root)
        shipment = None if life is None else life.shipment
        if life is None or shipment is None:
            return
        payload = item.body.decode("utf-8", "replace")
        life.begin_answer(number)

        def warn() -> None:
            try:
                answer = process_warnings.warn(payload, number=number, files=shipment.files())
            finally:
                life.end_answer(number)
            told, body = joined((answer,))
            node.peer.put("answer", (call, "v", [], told), body)

        workers.run(warn, stack=THREAD_STACK)

    # --- its end ---

    def close(self) -> None:
        """End all processes and nodes of the cluster, and wait for their end; do nothing if this was done."""
        if os.getpid() != self._owner:
            return
        with self._changed:
            if self.is_closed:
                return
            self.is_closed = True
            self._changed.notify_all()
        self._closing.set()
        atexit.unregister(self.close)
        deadline = time.monotonic() + _CLOSING
        for node in self._not_lost():
            lives = node.lives()
            for life in lives:
                life.kill()
            for life in lives:
                life.finished.wait(max(deadline - time.monotonic(), 0.0))
        for node in self._not_lost():
            node.peer.put("bye", ())
        self.engine.stop()
        for node in self._not_lost():
            self._lose(node.id, "its cluster was closed")


def _record(number: int, level: int, name: str, text: str) -> None:
    try:
        THIS_PROGRAM.record(number, level, name, text)
    except Exception:  # noqa: BLE001 - a filter of the program raised it, and no process is to blame
        _log.exception("a log record of process %d was not taken", number)


_ACTS: Final[dict[str, Callable[[Home, Member, Item], None]]] = {
    "beat": Home._sign_of_life,  # noqa: SLF001 - its own module
    "bye": Home._bye,  # noqa: SLF001 - as above
    "out": Home._out,  # noqa: SLF001 - its own module
    "log": Home._log,  # noqa: SLF001 - as above
    "part": Home._part,  # noqa: SLF001 - as above
    "result": Home._result,  # noqa: SLF001 - as above
    "figures": Home._figures,  # noqa: SLF001 - as above
    "call": Home._call,  # noqa: SLF001 - as above
    "forget": Home._forget_call,  # noqa: SLF001 - as above
    "done": Home._done,  # noqa: SLF001 - as above
    "warn": Home._warn,  # noqa: SLF001 - as above
}
