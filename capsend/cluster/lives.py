"""The lives of processes on nodes, as objects of home."""

from __future__ import annotations

import collections
import threading
from typing import TYPE_CHECKING, Any, Final, Protocol

import attrs

from capsend.cluster.calling import DistantCalls, Numbered
from capsend.cluster.items import Malformed, split
from capsend.cluster.output import Output
from capsend.cluster.remote import RemotePort
from capsend.engine import THREAD_STACK
from capsend.exceptions import NodeLost, OutputLimitExceeded, ProcessFailed
from capsend.mailbox.address import PortGrant
from capsend.mailbox.ports import Port, link
from capsend.process import Stats
from capsend.runtime import running, workers
from capsend.runtime.call_limits import Turns
from capsend.runtime.completion import Completion
from capsend.runtime.endings import reason_of, translated, words_of
from capsend.runtime.mail_operations import port_of
from capsend.runtime.output import to_stderr, to_stdout
from capsend.shipping.outcomes import error_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from capsend.capabilities.handles import Grant
    from capsend.cluster.peers import Peer
    from capsend.environment import Environment
    from capsend.process import ExitReason
    from capsend.runtime.completion import End

_QUICK: Final = 4_096
"""The most characters of a result that is read at once, on the connection's thread; it must contain no names."""

_SLACK: Final = 1 << 20
_ASKING: Final = 2.0
_NONE: Final = Stats(0.0, 0, 0, 0, 0, 0, 0)


class Place(Protocol):
    """The node of a process."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def node(self) -> Any:
        """The public object of the node."""

    @property
    def peer(self) -> Peer:
        """The node as a receiver of items."""

    def forget(self, life: RemoteLife) -> None:
        """Forget a process that has ended."""


class RemoteMail:
    """The messages and links of a process on a node.

    Args:
        port: its port.
        takes_messages: True if it has a mailbox.
    """

    def __init__(self, port: RemotePort, *, takes_messages: bool) -> None:
        self.port: Port = port
        self.takes_messages = takes_messages

    def grant(self) -> PortGrant:
        """Return the grant of the process's address."""
        return PortGrant(self.port, send=self.takes_messages)

    def port_of(self, address: Any) -> Port:
        """Return the port of an address, for a link; errors as for `capsend.runtime.mail_operations.port_of`."""
        return port_of(address)

    def link(self, target: Port) -> None:
        """Link the process to a port."""
        own = self.port
        if target is own or target in own.linked:
            return
        undo_halves = link(own, target)

        def undo() -> None:
            own.linked.pop(target, None)
            target.linked.pop(own, None)
            undo_halves()

        if target.reason is None and own.reason is None:
            own.linked[target] = target.linked[own] = undo

    def unlink(self, target: Port) -> None:
        """Undo a link, whichever side made it; afterwards neither is notified of the other's end."""
        undo = self.port.linked.get(target) or target.linked.get(self.port)
        if undo is not None:
            undo()
        else:  # the two may have made the link themselves
            self.port.follow(target, lambda: None)(False)
        # The next item to one node must have no effect on another node before that one has undone the link.
        for peer in {port.peer for port in (self.port, target) if isinstance(port, RemotePort)}:
            peer.sync()


class Acts:
    """Acts that are done one after the other, on a thread that exists while acts wait."""

    def __init__(self, end: End) -> None:
        self._end = end
        self._lock = threading.Lock()
        self._waiting: collections.deque[Callable[[], None]] = collections.deque()
        self._is_busy = False

    @property
    def is_idle(self) -> bool:
        """True if no act is in progress or waiting."""
        return not self._is_busy

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, act: Callable[[], None]) -> None:
        """Do an act after all earlier ones."""
        with self._lock:
            self._waiting.append(act)
            if self._is_busy:
                return
            self._is_busy = True
        workers.run(self._work, stack=THREAD_STACK)

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._is_busy = False
                    self._end.thread = 0
                    return
                act = self._waiting.popleft()
            self._end.thread = threading.get_ident()
            act()
            del act


class RemoteLife(Completion):
    """A process on a node, as its handle sees it; safe to use from any thread.

    Attributes:
        number, name: of the process on the node.
        node: the node's public object.
        shipment: the call of the process; it reads the answer.
        environment: its limits, and the targets of its output.

    Args:
        number: its number.
        shipment, environment: as above.
        member: the node.
        port: its port.
    """

    value: Any

    def __init__(
        self, number: int, shipment: Any, environment: Environment, *, member: Place, port: RemotePort
    ) -> None:
        super().__init__(number)
        self.name: str = shipment.name
        self.member: Place = member
        self.node: Any = member.node
        self.shipment: Any = shipment
        self.environment: Environment = environment
        self.mail: RemoteMail = RemoteMail(port, takes_messages=shipment.takes_mailbox)
        self.turns: Turns = Turns()
        self.calls: dict[int, DistantCalls] = {}
        """{number of a process of its tree: the object that makes its calls of host functions}."""
        self._asking: set[int] = set()  # processes of its tree that wait for an answer of home
        self._failed: BaseException | None = None  # the error of a target of its output
        self._acts = Acts(self.finished)
        self._output = Output(environment.output)
        self._parts: list[bytes] = []
        self._size = 0
        self._is_over = False
        self._stats = _NONE
        self._asked = threading.Condition(threading.Lock())
        self._answered = 0
        self._questions = 0

    # --- called from the handle ---

    def kill(self) -> None:
        """End the process at the request of a holder of its handle."""
        self._kill("")

    def abandon(self) -> None:
        """End the process because no handle of it is left."""
        self._kill("its last handle was dropped")

    def stop(self, error: BaseException) -> None:
        """End the process with an error; see `capsend.runtime.life.Life.stop`."""
        self._kill(str(error).partition(": ")[2])

    def _kill(self, why: str) -> None:
        if self.reason is None:
            self.member.peer.put("kill", (self.number, why))

    def last_stats(self) -> Stats:
        """Return the last reported figures; `dropped` includes the messages that this program has refused since the end."""
        return attrs.evolve(self._stats, dropped=self._stats.dropped + self.mail.port.dropped)

    def stats(self) -> Stats:
        """Return the present figures of the process; the last reported ones if its node does not answer at once."""
        if self.reason is None and self.finished.thread != threading.get_ident():
            with self._asked:
                self._questions += 1
                question = self._questions
            self.member.peer.put("stats", (self.number, question))
            with self._asked:
                self._asked.wait_for(lambda: self._answered >= question or self.reason is not None, timeout=_ASKING)
        return self.last_stats()

    # --- called by the node ---

    def tell_figures(self, question: int, figures: Sequence[Any]) -> None:
        """Record figures."""
        self._stats = stats_of(figures)
        with self._asked:
            self._answered = max(self._answered, question)
            self._asked.notify_all()

    def write(self, stream: int, text: str, *, flush: bool) -> None:
        """Forward output; errors as `Output.add`."""
        target = self.environment.stdout if stream == 1 else self.environment.stderr
        if target is not None and not self._is_over and self._output.add(stream, text, flush=flush):
            self._acts.add(self._write)

    def _write(self) -> None:
        stream, text, flush = self._output.take()
        target = self.environment.stdout if stream == 1 else self.environment.stderr
        if self._failed is not None or target is None:
            return
        try:
            if text:
                target(text)
            if flush and target in {to_stdout, to_stderr}:
                flush_of(target)
        except BaseException as error:  # noqa: BLE001 - the error of a target of output is for the waiter for the result
            self._failed = error
            self.kill()

    def begin_answer(self, number: int) -> None:
        """Note that home looks for the answer to a question of a process of its tree.

        Raises:
            Malformed: the process asks while it waits for an answer, or the tree has more processes than it may.
        """
        if number in self._asking or len(self._asking) > self.environment.processes:
            raise Malformed("a process asks while it waits for an answer")
        self._asking.add(number)

    def end_answer(self, number: int) -> None:
        """Note that the answer goes to the process."""
        self._asking.discard(number)

    def calls_of(self, number: int) -> DistantCalls:
        """Return the maker of the calls of a process of its tree.

        Raises:
            Malformed: more processes of the tree call than it can have.
        """
        calls = self.calls.get(number)
        if calls is None:
            if len(self.calls) > self.environment.processes:
                raise Malformed("more processes call than a process may have below it")
            calls = self.calls[number] = DistantCalls(number, self.shipment, turns=self.turns)
        return calls

    def forget_calls(self, number: int) -> None:
        """End the calls of a process of its tree, which has ended."""
        calls = self.calls.pop(number, None)
        if calls is not None:
            calls.close()

    def take_part(self, part: bytes) -> None:
        """Keep a part of a result, unless the result becomes too large: the node counts characters, and a guest chooses them."""
        self._size += len(part)
        if self._size <= self.environment.result + _SLACK:
            self._parts.append(part)
        else:
            self._parts.clear()

    def end(
        self,
        kind: str,
        reason: ExitReason,
        words: str,
        *,
        figures: Sequence[Any],
        grants: Mapping[int, Grant],
        sizes: list[int],
        body: bytes,
    ) -> None:
        """End, as reported by the node; arguments are the fields of an item `result`."""
        if self._is_over:
            return
        self._is_over = True
        self._stats = stats_of(figures)
        if self._size + len(body) > self.environment.result + _SLACK:
            limit = self.environment.result
            message = (
                f"process {self.number} ended with a result of more than the {limit} bytes in transit that its environment "
                "allows. Return less, or allow more: Environment(result=...)"
            )
            error = OutputLimitExceeded(message, limit=limit)
            self._acts.add(lambda: self._finish(error, "limit", words_of(error)))
            return
        before, self._parts = self._parts, []
        (text,), segments = split(body, sizes, 1, before=before)
        before.clear()

        def read() -> None:
            self._read(kind, text, segments, grants=grants, reason=reason, words=words)

        is_quick = kind == "b" or (kind == "v" and len(text) < _QUICK and text[:1] in {"p", "s"} and not segments)
        with self._lock:
            is_quick = is_quick and not self._callbacks and self._acts.is_idle
        if is_quick:
            read()
        else:
            self._acts.add(read)

    def _read(
        self,
        kind: str,
        text: str,
        segments: Sequence[bytes],
        *,
        grants: Mapping[int, Grant],
        reason: ExitReason,
        words: str,
    ) -> None:
        """Read the answer, and end; on the connection's thread only if that is quick."""
        error: BaseException | None = None
        try:
            if kind == "x":
                error, _ = error_of(text)
            elif kind == "b":
                (self.value,) = segments
            else:
                self.value = self.shipment.receive(
                    kind + text, self.number, handles=Numbered(grants), segments=segments
                )
        except ValueError as failure:
            error = (
                failure
                if kind != "x"
                else ProcessFailed(
                    f"process {self.number} ended in a way that its node did not report", type_name="malformed"
                )
            )
        except BaseException as raised:  # noqa: BLE001 - the error is for the waiter for the result
            error = raised
        if error is not None and kind != "x":
            error.__traceback__ = None
            error = translated(error, number=self.number, limit=self.environment.memory)
            # The node has not read the text that it forwards.
            reason = reason_of(error, stop=None)
            words = "" if reason == "normal" else words or words_of(error)
        if self._failed is not None:
            error, reason, words = self._failed, "failed", words_of(self._failed)
        self._finish(error, reason, words)

    def interrupt_calls(self) -> None:
        """Make no call of a host function that has not begun yet: the node is lost."""
        for calls in list(self.calls.values()):
            calls.end()

    def lose(self, words: str) -> None:
        """End because the node is lost."""
        if self._is_over:
            return
        self._is_over = True
        self._parts.clear()
        name = self.member.name
        error = NodeLost(
            f"process {self.number} was lost with {name}: {words}. Whether its function has run, in part or to its end, is not known",
            node=name,
        )
        self._acts.add(lambda: self._finish(error, "lost", f"{name} was lost: {words}"))

    def _finish(self, error: BaseException | None, reason: ExitReason, words: str) -> None:
        if error is not None:
            self.value = None
        self._error = error
        self.member.forget(self)
        running.strike(self)
        for calls in list(self.calls.values()):
            calls.close()
        self.calls.clear()
        self.shipment = None
        self._complete(reason, lambda: self._notify(reason, words))

    def _notify(self, reason: ExitReason, words: str) -> None:
        with self._asked:
            self._asked.notify_all()
        self.mail.port.close(reason, words)


def stats_of(figures: Sequence[Any]) -> Stats:
    """Return the figures of a process.

    Raises:
        Malformed: the figures are not seven numbers.
    """
    if len(figures) != 7 or None in figures:
        raise Malformed("figures are seven numbers")
    return Stats(float(figures[0]), *map(int, figures[1:]))


def flush_of(target: Callable[[str], object]) -> None:
    """Flush the present stream behind a default target."""
    import sys

    stream = sys.stdout if target is to_stdout else sys.stderr
    if stream is not None:
        stream.flush()
