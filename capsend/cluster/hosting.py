"""The side of a node: it runs the processes of its home, and forwards all that they say.

A node reads nothing that a guest wrote, and rebuilds nothing: texts go from guests to home, from home to guests, and from guest to guest.
"""

from __future__ import annotations

import functools
import itertools
import logging
import os
import re
import threading
import time
from typing import TYPE_CHECKING, Any, ClassVar, Final

import attrs

from capsend.capabilities.handles import Grant, TooManyHandles
from capsend.cluster.items import PART, Item, Malformed, joined, pack, split
from capsend.cluster.lines import GREETINGS, PATIENCE, Line, admit, dial
from capsend.cluster.peers import HOME, Peer, Switch, root_of
from capsend.cluster.versions import versions
from capsend.codec.headers import Call
from capsend.codec.text import dumps
from capsend.environment import Environment
from capsend.exceptions import ImageError, LimitExceeded, ProcessKilled
from capsend.image.image import Image
from capsend.runtime import running
from capsend.runtime.call_operations import check_size, raised_text
from capsend.runtime.operations import OPERATIONS
from capsend.shipping import failure
from capsend.shipping.outcomes import ChildRaised, Outcome, outcome_of
from capsend.shipping.ship import Shipment

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping, Sequence

    from capsend.capabilities.handles import Handles
    from capsend.cluster.lines import Credentials
    from capsend.mailbox.ports import Origin
    from capsend.runtime.life import Life

LEASE: Final = 0.6
"""The part of `lost_after` for which a node goes on without a word from home."""

_NAMED: Final = re.compile(r'h\\*":(\d{1,9})')
"""A handle in a text, however deep in texts within it. A text that only looks like one names nothing that its process does not hold."""

_MOST_TOLD: Final = 1_000
_log: Final = logging.getLogger("capsend.node")


@attrs.frozen
class HomeFunction(Grant):
    """The right to call a function of home."""

    kind: ClassVar[str] = "function"
    refusal: ClassVar[str] = (
        "which functions of the host a process may call is settled when it starts. Capture the function, or pass it to spawn"
    )

    root: int
    number: int
    name: str
    is_async: bool

    @property
    def stays(self) -> str:
        """Return nothing: it is elsewhere anyway."""
        return ""

    def describe(self) -> object:
        """Return the function's name, and whether it is awaited."""
        return [self.name, self.is_async]

    def handle(self) -> object:
        """Refuse: no object here represents it."""
        raise LookupError(self.refusal)

    def __str__(self) -> str:
        return f"the function {self.name} of home"


@attrs.frozen
class Answer:
    """The answer of a process, not read.

    Attributes:
        kind: "v", "u" or "e", as for `Outcome`.
        text: its text.
        grants: {the process's number of a handle in it: its grant}.
        segments: the bytes beside the text.
    """

    kind: str
    text: str
    grants: Mapping[int, Grant]
    segments: Sequence[bytes] = ()


class Raised(ChildRaised):
    """A process answered with an exception, or with a value without an encoding, which home will read."""

    def __init__(self, answer: Answer, words: str) -> None:
        super().__init__(Outcome(answer.kind, answer.text), words)  # type: ignore[arg-type]  # "u" or "e"
        self.answer = answer


@attrs.frozen
class HostedShipment(Shipment):
    """A call that home packed. Its texts are opaque here.

    Attributes:
        number: the number of the process that runs it.
    """

    number: int = attrs.field(kw_only=True)

    def receive(
        self,
        text: str,
        process_id: int,  # noqa: ARG002 - nothing is said about it
        *,
        handles: Handles | None = None,
        is_unwanted: Callable[[], bool] | None = None,  # noqa: ARG002 - nothing is read
        segments: Sequence[bytes] = (),
    ) -> Answer:
        """Return the answer of the process, for home.

        Raises:
            Raised: it is no value.
        """
        assert handles is not None
        kind, rest = text[:1], text[1:]
        answer = Answer(kind, rest, named_in(rest, handles), tuple(segments))
        if kind == "v":
            return answer
        if kind == "u":
            raise Raised(answer, "SerializationError: its result cannot be sent")
        raise Raised(Answer("e", rest, answer.grants), failure.summary(rest))

    def files(self) -> frozenset[str]:
        """Return nothing: home knows which files it has sent."""
        return frozenset()

    def resolve(self, _reference: Any) -> object:
        """Refuse: nothing is read here.

        Raises:
            LookupError: always.
        """
        raise LookupError("only home knows what was sent")

    def message_name(self, _thing: object) -> object:
        """Return None: no message is written here."""
        return None


def named_in(text: str, handles: Handles) -> dict[int, Grant]:
    """Return the grants of the handles that a text names: {number: grant}."""
    if not len(handles):
        return {}
    numbers = {int(number) for number in _NAMED.findall(text)}
    found = {number: handles.get(number) for number in numbers}
    return {number: grant for number, grant in found.items() if grant is not None}


class _Target:
    """A target of output: home's."""

    def __init__(self, host: Host, number: int, stream: int) -> None:
        self._host = host
        self._number = number
        self._stream = stream

    def __call__(self, text: str) -> None:
        self._host.home.put("out", (self._number, self._stream, False), text.encode("utf-8", "surrogatepass"))

    def flush(self) -> None:
        """Have home flush its stream."""
        self._host.home.put("out", (self._number, self._stream, True))


class _Question:
    """A question to home, and its answer."""

    def __init__(self, wake: Callable[[], object]) -> None:
        self.answer: tuple[str, str, tuple[Grant, ...], list[bytes]] | None = None
        self._wake = wake

    def tell(self, answer: tuple[str, str, tuple[Grant, ...], list[bytes]]) -> None:
        """Answer it."""
        self.answer = answer
        self._wake()


class _Calls:
    """The calls of home's functions by one process here; see `capsend.runtime.home.Calls`."""

    def __init__(self, host: Host, life: Life) -> None:
        self._host = host
        self._life = life

    def answer(self, guest: Any, payload: str) -> str:
        """Do `number segments:arguments`; see `HostCalls.answer`."""
        life = self._life
        name, beside, text = Call.read(payload)
        grant = life.handles.get(int(name)) if name.isdecimal() and len(name) < 10 else None
        if not isinstance(grant, HomeFunction):
            return raised_text(PermissionError("this process holds no such function of the host"), None)
        try:
            segments = life.transit.read(beside, charge=check_size)
            check_size(len(text))
        except LimitExceeded as refusal:
            return raised_text(refusal, None)
        except ValueError:
            return raised_text(TypeError(f"the arguments of {grant.name} are no arguments"), None)
        if not text.isascii() or text.startswith("k"):
            return raised_text(TypeError(f"the arguments of {grant.name} are no arguments"), None)
        sizes, body = joined((text,), segments)
        numbered = self._host.numbered(named_in(text, life.handles))
        fields = (grant.root, life.number), (grant.number, numbered, sizes)
        told = self._host.ask("call", guest, *fields, body=body)
        if told is None:
            return ""
        kind, answer, grants, beside_it = told
        if kind != "v":
            return f"e{answer}"
        try:
            handles = dumps(life.handles.deliver(grants))
        except TooManyHandles:
            return raised_text(LimitExceeded("the result holds more handles than this process can have"), None)
        if beside_it:
            return f"V{len(handles):x}:{handles}{life.transit.hand_out(beside_it)}:{answer}"
        return f"v{len(handles):x}:{handles}{answer}"

    def close(self) -> None:
        """Do nothing: home ends its calls with the process."""


class Host:
    """A node: the processes that it runs, its home, and the other nodes.

    Args:
        id_: its id.
        credentials: how it knows its home and other nodes.
        heartbeat: seconds between two beats.
        lost_after: seconds of silence after which another node is lost; of that of home it waits for a part.
    """

    def __init__(self, id_: str, credentials: Credentials, *, heartbeat: float, lost_after: float) -> None:
        self.switch: Switch = Switch(id_, self, dial=self._dial)
        self.home: Peer = Peer(self.switch, HOME)
        self.lives: dict[int, Life] = {}
        self.log_level: int = 30
        self._credentials = credentials
        self._heartbeat = heartbeat
        self._lost_after = lost_after
        self._questions: dict[int, _Question] = {}
        self._numbers = itertools.count(1)
        self._places: dict[str, tuple[str, int]] = {}
        self._undialled: dict[str, Peer] = {}
        self._lock = threading.Lock()
        self._greetings = threading.BoundedSemaphore(GREETINGS)

    # --- connections ---

    def listen(self, listener: socket.socket) -> None:
        """Take connections in, on a thread of its own."""
        threading.Thread(target=self._accept, args=(listener,), name="capsend node", daemon=True).start()
        threading.Thread(target=self._beat, name="capsend node beats", daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            connection, _ = listener.accept()
            if not self._greetings.acquire(blocking=False):
                connection.close()  # more strangers at once than it has threads for
                continue
            threading.Thread(target=self._admit, args=(connection,), name="capsend node greets", daemon=True).start()

    def _admit(self, connection: socket.socket) -> None:
        try:
            connection, cipher = admit(connection, self._credentials)
        except Exception as error:  # noqa: BLE001 - whoever that was, it is not let in
            _log.warning("a node refused a connection: %s", error)
            return
        finally:
            self._greetings.release()
        line = Line(connection, cipher, name="capsend node")
        peers: list[Peer] = []
        greeted = threading.Event()

        def handle(item: Item) -> None:
            if peers:
                self._handle(peers[0], item)
                return
            if item.word != "hello":
                raise Malformed("it does not say who it is")
            if not cipher.vouches(item.fields[0]):
                raise Malformed("it says that it is another than its certificate does")
            peers.append(self._greet(line, item))
            greeted.set()

        def ended(words: str) -> None:
            greeted.set()
            for peer in peers:
                if peer is self.home:
                    end()
                self.switch.lose(peer.id, words)

        line.start(handle, ended)
        if not greeted.wait(PATIENCE):
            line.close()

    def _greet(self, line: Line, item: Item) -> Peer:
        id_ = item.fields[0]
        if id_ != HOME:
            peer = self.switch.peer(id_)
            peer.incoming = line
            return peer
        if self.home.incoming is not None:
            raise Malformed("there is a home already")
        self.home.incoming = line
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
        last = time.monotonic()
        while True:
            time.sleep(self._heartbeat)
            now, before = time.monotonic(), last
            last = now
            home = self.home.heard
            if now - before > self._heartbeat + LEASE * self._lost_after or (
                home is not None and now - home > LEASE * self._lost_after
            ):
                end()  # by now home may take this node for lost, and start its processes elsewhere
            self.home.put("beat", (time.process_time(),))
            for life in list(self.lives.values())[:_MOST_TOLD]:
                self.home.put("figures", (life.number, 0, figures_of(life)))
            for peer in list(self.switch.peers.values()):
                if peer is not self.home:
                    peer.put("beat", (0,))
                    if peer.heard is not None and now - peer.heard > self._lost_after:
                        self.switch.lose(peer.id, f"nothing was heard of it for {self._lost_after:g} s")
            self.switch.sweep()

    def _handle(self, peer: Peer, item: Item) -> None:
        if peer.handle(item) or item.word == "beat":
            return
        act = self._acts.get(item.word)
        if act is None or peer is not self.home:
            raise Malformed(f"{item.word!r} is not for it to say")
        act(self, item)

    # --- processes ---

    def _spawn(self, item: Item) -> None:
        number, name, takes_mailbox, limits, full, variables, packages, content, out, err, level, references, sizes = (
            item.fields
        )
        self.log_level = level
        try:
            (program, call), segments = split(item.body, sizes, 2)
            environment = attrs.evolve(
                _environment(tuple(limits), full, tuple(variables.items()), tuple(packages)),
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
                number=number,
            )
            life = running.start(
                shipment,
                environment,
                functools.partial(_template, environment.image, content),
                operations=OPERATIONS,
                number=number,
                home=self,
                before=self._begin,
            )
        except Malformed:
            raise
        except Exception as error:  # noqa: BLE001 - home hears of it, as of any end
            self._tell_end(number, outcome_of(error, number=number, reason="failed"), "failed", str(error), [0] * 7)
            return
        finally:
            self.switch.announce(number)  # only now: what others asked of it while its image was loaded has waited
            self.switch.settle(-number)
        life.add_callback(functools.partial(self._ended, life))

    def _begin(self, life: Life) -> None:
        self.lives[life.number] = life
        self.switch.export(life.mail.port, key=-life.number)

    def _ended(self, life: Life) -> None:
        self.lives.pop(life.number, None)
        reason, words = str(life.reason), life.mail.port.words
        answer: Answer | Outcome
        try:
            answer = life.outcome()
        except Raised as raised:
            answer = raised.answer
        except BaseException as error:  # noqa: BLE001 - whatever it ended by is told
            answer = outcome_of(error, number=life.number, reason=reason)
        life.forget_result()
        self._tell_end(life.number, answer, reason, words, figures_of(life))

    def _tell_end(self, number: int, answer: Answer | Outcome, reason: str, words: str, figures: list[float]) -> None:
        grants: Mapping[int, Grant] = answer.grants if isinstance(answer, Answer) else {}
        sizes, body = joined((answer.text,), answer.segments if isinstance(answer, Answer) else ())
        is_large = len(body) > PART
        if is_large:
            view = memoryview(body)
            last = (len(body) - 1) // PART * PART
            for start in range(0, last, PART):
                self.home.put("part", (number,), view[start : start + PART], bulk=True)
            body = bytes(view[last:])
        fields = (number, answer.kind, reason, words[:500], figures, self.numbered(grants), sizes)
        self.home.put("result", fields, body, bulk=is_large)

    def numbered(self, grants: Mapping[int, Grant]) -> dict[str, list[Any]]:
        """Return references to the grants that can leave this machine: {number: reference}."""
        told = {str(number): self.switch.reference(grant) for number, grant in grants.items()}
        return {number: reference for number, reference in told.items() if reference is not None}

    def _kill(self, item: Item) -> None:
        number, why = item.fields
        life = self.lives.get(number)
        if life is not None:
            life.stop(ProcessKilled(f"process {number} was killed" + (f": {why}" if why else "")))

    def _stats(self, item: Item) -> None:
        number, question = item.fields
        life = self.lives.get(number)
        if life is not None:
            self.home.put("figures", (number, question, figures_of(life)))

    # --- what processes ask of home; see `capsend.runtime.home.Home` ---

    def ask(
        self,
        word: str,
        guest: Any,
        before: Sequence[Any],
        after: Sequence[Any] = (),
        *,
        body: bytes = b"",
    ) -> tuple[str, str, tuple[Grant, ...], list[bytes]] | None:
        """Ask home, and wait for its answer; called on the thread of a process.

        Args:
            word: the word of the question.
            guest: the instance of the process, through which its thread waits.
            before: the fields before the number of the question.
            after: the fields behind it.
            body: the body.

        Returns:
            (kind, text, grants, segments); None when the process is stopped meanwhile.
        """
        number, question = next(self._numbers), _Question(guest.unpark)
        self._questions[number] = question
        try:
            self.home.put(word, (*before, number, *after), body)
            while question.answer is None:
                if guest.interrupted:
                    self.home.put("forget", before)
                    return None
                guest.park(None)
            return question.answer
        finally:
            del self._questions[number]

    def _answer(self, item: Item) -> None:
        number, kind, references, sizes = item.fields
        question = self._questions.get(number)
        if question is not None:
            (text,), segments = split(item.body, sizes, 1)
            question.tell((kind, text, self.switch.grants(references), segments))

    def calls_of(self, life: Life) -> _Calls:
        """Return the maker of the calls of a process."""
        return _Calls(self, life)

    def warn(self, life: Life, payload: str) -> str:
        """Have home show a warning."""
        root, _ = root_of(life.shipment)
        told = self.ask("warn", life.guest, (root, life.number), body=payload[:PART].encode("utf-8", "replace"))
        return "" if told is None else told[1]

    def record(self, number: int, level: int, name: str, text: str) -> None:
        """Have home take a log record."""
        self.home.put("log", (number, level, name), text.encode("utf-8", "replace"))

    # --- what it knows of processes; see `capsend.cluster.peers.Names` ---

    def origin(self, root: int, *, is_child: bool) -> Origin | None:  # noqa: ARG002 - as the protocol has it
        """Return None: nothing is read here."""
        return None

    def namer(self, root: int) -> Callable[[Any], object] | None:  # noqa: ARG002 - as the protocol has it
        """Return None: nothing is written here."""
        return None

    def function(self, root: int, number: int, name: str, *, is_async: bool) -> Grant | None:
        """Return the grant of a function of home."""
        return HomeFunction(root, number, name, is_async)

    def describe(self, grant: Grant) -> list[Any] | None:
        """Return a reference to a function of home."""
        return ["f", grant.root, grant.number, grant.name, grant.is_async] if isinstance(grant, HomeFunction) else None

    _acts: ClassVar[dict[str, Callable[[Host, Item], None]]] = {
        "join": _join,
        "left": _left,
        "spawn": _spawn,
        "kill": _kill,
        "stats": _stats,
        "answer": _answer,
        "bye": lambda _host, _item: end(),
    }


def figures_of(life: Life) -> list[float]:
    """Return the figures of a process."""
    return list(attrs.astuple(life.stats()))


@functools.lru_cache(maxsize=256)
def _environment(
    limits: tuple[Any, ...], full: Any, variables: tuple[tuple[str, str], ...], packages: tuple[str, ...]
) -> Environment:
    memory, timeout, cpu, output, result, mailbox, mailbox_bytes, processes, *tree = limits
    return Environment(
        memory=memory,
        timeout=timeout,
        cpu=cpu,
        output=output,
        result=result,
        mailbox=mailbox,
        mailbox_bytes=mailbox_bytes,
        processes=processes,
        tree_memory=tree[0] if tree else None,
        mailbox_full=full,
        env=dict(variables),
        image=Image(packages=packages),
    )


def _template(image: Image, content: str) -> Any:
    """Return the template of an image, if it is the one that home means.

    Raises:
        ImageError: its content is another.
    """
    if image.content_key != content:
        names = ", ".join(image.packages) or "the standard library"
        raise ImageError(
            f"the image of {names} has other content on this node than at home: versions of packages or of capsend differ. "
            "Install the same on both"
        )
    return image.template()


def hello(id_: str) -> bytes:
    """Return the first item of each connection."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 0
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return pack("hello", (id_, versions(), cpus, memory))


def end() -> None:
    """End this OS process at once: nothing in it is of use to anybody any more."""
    os._exit(0)
