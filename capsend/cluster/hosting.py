"""The part of a cluster on a node: it runs the processes of its home, and forwards their results, output and calls.

A node reads nothing that a guest wrote, and rebuilds nothing: it forwards texts between guests and home, and between
guests.
"""

from __future__ import annotations

import functools
import logging
import os
import threading
import time
from typing import TYPE_CHECKING, Any, ClassVar, Final, NoReturn

import attrs

from capsend.cluster.greeting import hello
from capsend.cluster.hosted import Answer, HostedNames, HostedShipment, Raised
from capsend.cluster.images import Images, check
from capsend.cluster.items import PART, Item, Malformed, in_parts, pack, split
from capsend.cluster.lease import Lease
from capsend.cluster.lines import PATIENCE, Greetings, Line, admit, dial
from capsend.cluster.modules import Modules
from capsend.cluster.names import root_of
from capsend.cluster.peers import HOME, Peer, Switch
from capsend.cluster.questions import HomeCalls, Questions, numbered
from capsend.cluster.terms import environment_of
from capsend.exceptions import ProcessKilled
from capsend.image.image import Image
from capsend.runtime import running
from capsend.runtime.operations import OPERATIONS
from capsend.shipping.outcomes import Outcome, outcome_of
from capsend.shipping.reuse import Reuses

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping, Sequence

    from capsend.capabilities.handles import Grant
    from capsend.cluster.lines import Credentials
    from capsend.runtime.life import Life
    from capsend.wasm.module import WasmShipment

_MOST_TOLD: Final = 1_000
_UNPACED: Final = 500
"""The most pieces of output and log records of one process in transit."""

_log: Final = logging.getLogger("capsend.node")


class _Target:
    """A target of output at home."""

    def __init__(self, host: Host, number: int, stream: int) -> None:
        self._host = host
        self._number = number
        self._stream = stream
        self._is_dirty = False

    def __call__(self, text: str) -> None:
        self._host.pace()
        self._host.home.put("out", (self._number, self._stream, False), text.encode("utf-8", "surrogatepass"))
        self._is_dirty = True  # only now: another thread that flushes then writes after this text

    def flush(self) -> None:
        """Have home flush its stream, if text was written since the last time: every process flushes when it ends."""
        if self._is_dirty:
            self._is_dirty = False
            self._host.home.put("out", (self._number, self._stream, True))


class Host:
    """A node: the processes that it runs, its home, and the other nodes.

    Args:
        id_: its id.
        credentials: the proof of the node's identity, and the check of its home's and of other nodes'.
        heartbeat: seconds between two beats.
        lost_after: seconds of silence after which another node is lost; after a part of it without home, this node
            ends.
    """

    def __init__(self, id_: str, credentials: Credentials, *, heartbeat: float, lost_after: float) -> None:
        self.switch: Switch = Switch(id_, HostedNames(), dial=self._dial)
        self.home: Peer = Peer(self.switch, HOME)
        self.lives: dict[int, Life] = {}
        self.log_level: int = 30
        self.lease: Lease = Lease(lost_after)
        self.switch.fence = self._fence
        self._ending = threading.Lock()
        self._paced = threading.local()
        self._images = Images()
        self._reuses = Reuses()
        self._modules = Modules(self.switch, start=self._start_module, fail=self._fail)
        self._credentials = credentials
        self._heartbeat = heartbeat
        self._lost_after = lost_after
        self._questions = Questions(self.home, self.switch)
        self._places: dict[str, tuple[str, int]] = {}
        self._undialled: dict[str, Peer] = {}
        self._lock = threading.Lock()
        self._greetings = Greetings()

    # --- connections ---

    def listen(self, listener: socket.socket) -> None:
        """Take connections in, on a thread of its own."""
        accept = functools.partial(self._greetings.accept, listener, self._admit, name="capsend node greets")
        threading.Thread(target=accept, name="capsend node", daemon=True).start()
        threading.Thread(target=self._beat, name="capsend node beats", daemon=True).start()

    def _admit(self, connection: socket.socket, _address: object) -> None:
        before = time.monotonic()
        try:
            connection, cipher = admit(connection, self._credentials)
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the connection is not admitted
            _log.warning("a node refused a connection: %s", error)
            return
        line = Line(connection, cipher, name="capsend node")
        peers: list[Peer] = []
        greeted = threading.Event()

        def handle(item: Item) -> None:
            if peers:
                self._handle(peers[0], item)
                return
            if item.word != "hello":
                raise Malformed("it sends no greeting with its id")
            if not cipher.vouches(item.fields[0]):
                raise Malformed("its id is not the one in its certificate")
            peers.append(self._greet(line, item, before))
            greeted.set()

        def ended(words: str) -> None:
            greeted.set()
            for peer in peers:
                if peer is self.home:
                    self.end()
                self.switch.lose(peer.id, words)

        line.start(handle, ended)
        if not greeted.wait(PATIENCE):
            line.close()

    def _greet(self, line: Line, item: Item, before: float) -> Peer:
        id_ = item.fields[0]
        if id_ != HOME:
            peer = self.switch.peer(id_)
            if peer.is_lost:
                raise Malformed("it was lost, and no node that was lost comes back")
            with peer.lock:
                if peer.incoming is not None:
                    raise Malformed("it is connected already")
                peer.incoming = line
            return peer
        if self.home.incoming is not None:
            raise Malformed("there is a home already")
        self.home.incoming = line
        self.lease.begin(before)
        self.switch.add(self.home)
        line.put(hello(self.switch.me))
        self.home.connect(line)
        return self.home

    def _dial(self, peer: Peer) -> None:
        with self._lock:
            place = self._places.get(peer.id)
            if place is None:
                self._undialled[peer.id] = peer
                return
        threading.Thread(target=self._connect, args=(peer, *place), name="capsend node dials", daemon=True).start()

    def _connect(self, peer: Peer, host: str, port: int) -> None:
        try:
            connection, cipher = dial(host, port, self._credentials, peer=peer.id)
        except Exception as error:  # noqa: BLE001 - the other node cannot be reached, for whatever reason
            self.switch.lose(peer.id, f"it cannot be reached: {error}")
            return
        line = Line(connection, cipher, name=f"capsend node to {peer.id}")
        line.put(hello(self.switch.me))
        line.start(lambda _item: None, lambda words: self.switch.lose(peer.id, words))
        peer.connect(line)

    def _join(self, item: Item) -> None:
        id_, host, port = item.fields
        with self._lock:
            self._places[id_] = host, port
            peer = self._undialled.pop(id_, None)
        if peer is not None:
            self._dial(peer)

    def _left(self, item: Item) -> None:
        self.switch.lose(*item.fields)

    def _beat(self) -> None:
        beat = time.monotonic()
        while True:
            time.sleep(max(min(beat + self._heartbeat, self.lease.until) - time.monotonic(), 0.0))
            self._fence()
            now = time.monotonic()
            if now < beat + self._heartbeat:
                continue
            beat = now
            self.home.put("beat", (time.process_time(), self.lease.sign()), first=True)
            for life in list(self.lives.values())[:_MOST_TOLD]:
                self.home.put("figures", (life.number, 0, figures_of(life)))
            for peer in list(self.switch.peers.values()):
                if peer is not self.home:
                    peer.put("beat", (0, 0), first=True)
                    if peer.heard is not None and now - peer.heard > self._lost_after:
                        self.switch.lose(peer.id, f"it was silent for {self._lost_after:g} s")
            self.switch.sweep()

    def _fence(self) -> None:
        """End if the lease is over: from then on home may consider this node lost and start its processes on other nodes."""
        if self.lease.is_over:
            self.end()

    def end(self) -> NoReturn:
        """End this OS process at once, after a report to home, if it is reachable, that nothing on this node continues."""
        self.lease.end()  # no other thread sends anything from now on
        if self._ending.acquire(blocking=False) and self.home.incoming is not None:
            self.home.incoming.put(pack("bye", ()), first=True)
        self._images.close()
        os._exit(0)

    def _handle(self, peer: Peer, item: Item) -> None:
        if peer.handle(item):
            return
        if item.word == "beat":
            if peer is self.home:
                self.lease.renew(item.fields[1])
            return
        act = self._acts.get(item.word)
        if act is None or peer is not self.home:
            raise Malformed(f"{item.word!r} is a word that this peer must not send")
        act(self, item)

    # --- processes ---

    def _spawn(self, item: Item) -> None:
        (
            number,
            name,
            takes_mailbox,
            repeated,
            limits,
            full,
            variables,
            packages,
            wanted,
            digest,
            content,
            out,
            err,
            level,
            references,
            sizes,
        ) = item.fields
        self.log_level = level
        try:
            (program, call), segments = split(item.body, sizes, 2)
            environment = attrs.evolve(
                environment_of(limits, full, variables),
                image=self._images.image(digest) if digest else Image(tuple(packages)),
                stdout=_Target(self, number, 1) if out else None,
                stderr=_Target(self, number, 2) if err else None,
            )
            shipment = HostedShipment(
                program,
                call,
                name,
                [],
                frozenset(),
                self.switch.grants(references),
                takes_mailbox=takes_mailbox,
                segments=tuple(segments),
                reuse=self._reuses.of(repeated, len(program)) if repeated else None,
                number=number,
            )
            life = running.start(
                shipment,
                environment,
                functools.partial(_template, environment.image, content, wanted),
                operations=OPERATIONS,
                number=number,
                home=self,
                before=self._begin,
            )
        except Malformed:
            raise
        except Exception as error:  # noqa: BLE001 - reported to home, as any end
            self._fail(item, error)
            return
        finally:
            self.switch.early.announce(
                number
            )  # only now: requests of others for its port have waited while its image was loaded
            self.switch.early.settle(-number)
        life.add_callback(functools.partial(self._ended, life))

    def _fail(self, item: Item, error: Exception) -> None:
        number = item.fields[0]
        self._tell_end(number, outcome_of(error, number=number, reason="failed"), "failed", str(error), [0] * 7)

    def _run(self, item: Item) -> None:
        number = item.fields[0]
        has_begun = self._modules.call(item)
        self.switch.early.announce(number)
        if has_begun:
            self.switch.early.settle(-number)

    def _start_module(self, item: Item, shipment: WasmShipment) -> None:
        number, _, _, _, _, limits, full, variables, out, err, _, _ = item.fields
        try:
            life = running.start(
                shipment,
                attrs.evolve(
                    environment_of(limits, full, variables),
                    stdout=_Target(self, number, 1) if out else None,
                    stderr=_Target(self, number, 2) if err else None,
                ),
                shipment.template,
                kind=shipment.kind,
                operations=OPERATIONS,
                number=number,
                home=self,
                before=self._begin,
            )
        except Exception as error:  # noqa: BLE001 - reported to home, as any end
            self._fail(item, error)
            return
        life.add_callback(functools.partial(self._ended, life))

    def _begin(self, life: Life) -> None:
        self.lives[life.number] = life
        self.switch.export(life.mail.port, key=-life.number)

    def _ended(self, life: Life) -> None:
        self.lives.pop(life.number, None)
        reason, words = str(life.reason), life.mail.port.words
        answer: Answer | Outcome
        try:
            value = life.outcome()
            answer = value if isinstance(value, Answer) else Answer("b", "", {}, (value,))  # the answer of a module
        except Raised as raised:
            answer = raised.answer
        except BaseException as error:  # noqa: BLE001 - every end is reported to home
            answer = outcome_of(error, number=life.number, reason=reason)
        life.forget_result()
        self._tell_end(life.number, answer, reason, words, figures_of(life))

    def _tell_end(self, number: int, answer: Answer | Outcome, reason: str, words: str, figures: list[float]) -> None:
        grants: Mapping[int, Grant] = answer.grants if isinstance(answer, Answer) else {}
        references = numbered(self.switch, grants)
        pieces = [answer.text.encode("utf-8", "surrogatepass")]
        pieces += answer.segments if isinstance(answer, Answer) else ()
        fields = (number, answer.kind, reason, words[:500], figures, references, [len(piece) for piece in pieces])
        *before, body = in_parts(pieces)
        for part in before:
            self.home.put("part", (number,), part, bulk=True)
        self.home.put("result", fields, body, bulk=bool(before))

    def pace(self) -> None:
        """Wait, from time to time, until home has read the output of the process on this thread: otherwise it would delay the signs of life."""
        sent = getattr(self._paced, "sent", 0) + 1
        if sent >= _UNPACED:
            sent = 0
            self.home.sync()
        self._paced.sent = sent

    def _kill(self, item: Item) -> None:
        number, why = item.fields
        life = self.lives.get(number)
        if life is not None:
            life.stop(ProcessKilled(f"process {number} was killed" + (f": {why}" if why else "")))
        else:
            self.switch.early.holds(-number, lambda: self._kill(item))

    def _stats(self, item: Item) -> None:
        number, question = item.fields
        life = self.lives.get(number)
        if life is not None:
            self.home.put("figures", (number, question, figures_of(life)))

    # --- requests of processes to home; see `capsend.runtime.home.Home` ---

    def calls_of(self, life: Life) -> HomeCalls:
        """Return the object that makes the calls of a process."""
        return HomeCalls(self._questions, self.switch, life)

    def warn(self, life: Life, payload: str) -> str:
        """Have home show a warning."""
        root, _ = root_of(life.shipment)
        body = payload[:PART].encode("utf-8", "replace")
        reply = self._questions.ask("warn", life.guest, (root, life.number), body=body)
        return "" if reply is None else reply.text

    def record(self, number: int, level: int, name: str, text: str) -> None:
        """Have home take a log record."""
        self.pace()
        self.home.put("log", (number, level, name), text.encode("utf-8", "replace"))

    _acts: ClassVar[dict[str, Callable[[Host, Item], None]]] = {
        "join": _join,
        "left": _left,
        "spawn": _spawn,
        "image": lambda host, item: host._images.take(item),  # noqa: SLF001 - its own module
        "module": lambda host, item: host._modules.take(item),  # noqa: SLF001 - its own module
        "run": _run,
        "kill": _kill,
        "stats": _stats,
        "answer": lambda host, item: host._questions.answer(item),  # noqa: SLF001 - its own module
        "bye": lambda host, _item: host.end(),
    }


def figures_of(life: Life) -> list[float]:
    """Return the figures of a process."""
    return list(attrs.astuple(life.stats()))


def _template(image: Image, content: str, wanted: Sequence[str]) -> Any:
    """Return the template of an image, if the image equals home's; errors as for `check`."""
    check(image, content, wanted)
    return image.template()
