"""The host's side of a process's mail: its port, and the operations that send, receive, call, monitor and link.

Every request of a process is checked: it can name only handles in its own table, and the host keeps only a bounded
amount for it. Answers are text: empty on success, `!` and a word on refusal.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, ClassVar, Final

import attrs

from capsend.capabilities.handles import Grant, TooManyHandles
from capsend.codec.headers import Pair, Receive, Received, Record, Send, SendAfter
from capsend.codec.operations import Operation, RefusalWord
from capsend.codec.printable import printable
from capsend.codec.text import dumps
from capsend.exceptions import CapsendError
from capsend.mailbox.address import PortGrant
from capsend.mailbox.bounds import MOST_CALLS
from capsend.mailbox.byte_messages import text_of
from capsend.mailbox.ports import Envelope, Offer, Origin, Port, link, put
from capsend.runtime.dispatch import Refused, do

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from capsend.capabilities.handles import Handles
    from capsend.runtime.terms import Terms
    from capsend.runtime.transit import Transit
    from capsend.shipping.ship import Shipment

from capsend.mailbox.bounds import MOST_WARNINGS
from capsend.mailbox.timers import Timer

"""The last number of the mail's host operations."""

MOST_WATCHES: Final = 1_000
"""The most monitors, links and waiting notices of one process."""

MOST_TIMERS: Final = 1_000
"""The most timers of `send_after` of one process."""

MOST_HANDLES_IN_MESSAGE: Final = 100
_ONLY_RECEIVE: Final = Receive(urgent=False, timeout=None, held=0, held_size=0, refused=0, drops="").write()
_LONGEST_RECORD: Final = 65_536
_LONGEST_DROPS: Final = 1 << 20

_ANSWERS: Final = {
    Offer.CLOSED: RefusalWord.CLOSED,
    Offer.FULL: RefusalWord.FULL,
    Offer.REFUSED: RefusalWord.REFUSED,
    Offer.TOO_LARGE: RefusalWord.LARGE,
}
_log: Final = logging.getLogger("capsend.process")


def _ended(_: object) -> bool:
    return False


class Mail:
    """The mail of one process. `answer` runs on the process's thread; all other threads use the port.

    Args:
        number: the process's number.
        environment: the process's limits.
        handles: the process's table.
        transit: the process's segments.
        stop: ends the process, because a linked process or mailbox has ended; called with words for people.
        charge: counts bytes of output.
        record: takes a log record; see `Home.record`.
    """

    def __init__(
        self,
        number: int,
        environment: Terms,
        handles: Handles,
        *,
        transit: Transit,
        stop: Callable[[str], object],
        charge: Callable[[int], bool],
        record: Callable[[int, int, str, str], object],
    ) -> None:
        self.port: Port = Port(
            f"process {number}",
            messages=environment.mailbox,
            size=environment.mailbox_bytes,
            policy=environment.mailbox_full,
        )
        self.port.on_exit = self._linked_ended
        self.takes_messages: bool = False
        self._own_grant: PortGrant | None = None
        self._logs = environment.stderr is not None  # without a target of standard error, records are dropped too
        self.sent: int = 0
        self._number = number
        self._handles = handles
        self._transit = transit
        self._stop = stop
        self._charge = charge
        self._take_record = record
        self._guest: Any = None  # engine.Guest, or an object with the same methods
        self._traps_exits = False
        self.origin: Origin | None = None
        self._calls: dict[int, tuple[Port, int]] = {}
        self._monitors: dict[Port, int] = {}
        self._links: dict[Port, Callable[[], None]] = {}
        self._timers: dict[int, Timer] = {}

    # --- called by the Life ---

    def open(self, shipment: Shipment) -> None:
        """Set how the process names classes and functions, before any other process has its address."""
        self.takes_messages = shipment.takes_mailbox
        self._own_grant = None
        self.port.name = shipment.message_name
        self.origin = shipment

    def start(self, guest: Any) -> None:
        """Begin: the process's thread waits through *guest*, which other threads wake."""
        self._guest = guest
        self.port.listen(guest.unpark)

    def grant(self) -> PortGrant:
        """Return the grant of the process's address."""
        grant = self._own_grant
        if grant is None:
            grant = self._own_grant = PortGrant(self.port, send=self.takes_messages)
        return grant

    def close(self, reason: str, words: str) -> None:
        """End: notify every process and mailbox that monitors this process or is linked to it."""
        for timer in list(self._timers.values()):
            timer.cancel()
        self._timers.clear()
        for port, token in (*self._calls.values(), *self._monitors.items()):
            port.unwatch(token)
        self.port.close(reason, words)
        self._calls.clear()
        self._monitors.clear()
        self._links.clear()
        self._guest = self.origin = None
        # The `Life` holds the mail, but the mail no longer holds the `Life`: so the result is freed with the last
        # handle.
        self._stop = self._charge = _ended

    def _linked_ended(self, gone: Port, reason: str, words: str) -> None:
        """Handle the end of a linked port; runs on the ended process's thread."""
        self._links.pop(gone, None)
        self.port.linked.pop(gone, None)
        if self._traps_exits:
            self.port.notify(_notice("x", gone, reason, words))
        elif reason != "normal":
            self._stop(f"{gone.label}, to which it was linked, ended ({reason})")

    # --- requests of the process ---

    def answer(self, operation: int, payload: str) -> str:
        """Do one operation."""
        return do(operation, payload, owner=self, table=self._operations)

    def _send(self, payload: str) -> str:
        """Do `number timeout tag handles segments:text`; with a tag the message is a call, and one answer is admitted."""
        number, timeout, call, names, beside, text = Send.read(payload)
        target = self.target(number, "send")
        envelope = self._envelope(target, text, names, beside)
        # A call to an ended process is refused in the answer itself: notices about such calls would pile up.
        if call and target.port.reason is None:
            self.open_call(call, target.port)
        answer = put(target.port, envelope, parker=self._guest, timeout=timeout, later=self._guest.afterwards)
        if answer is Offer.ACCEPTED:
            self.sent += 1
            return ""
        if call:
            self.close_call(call)
        return _ANSWERS[answer]

    def _envelope(self, target: PortGrant, text: str, names: str, beside: str) -> Envelope:
        # Only the host may write the form that begins with k: a pickle.
        if not text.isascii() or text.startswith("k"):
            raise Refused(RefusalWord.MALFORMED)
        segments = self._segments(target.port, beside) if beside else ()
        if not names:
            return Envelope(text, tag=target.tag, origin=self.origin, segments=segments)
        grants = self._grants(names)
        refusal = next(filter(None, map(target.port.refuses, grants)), "")
        if refusal:
            raise Refused(RefusalWord.HANDLE, refusal)
        return Envelope(text, tuple(grants), tag=target.tag, origin=self.origin, segments=segments)

    def _segments(self, port: Port, names: str) -> Sequence[bytes]:
        """Return the segments of a message for a port.

        Raises:
            Refused: the port can never have room for them, or its receiver does not read segments.
        """
        if not port.reads_pickles:
            raise Refused(RefusalWord.TEXT)

        def charge(size: int) -> None:
            if size > port.size:
                raise Refused(RefusalWord.LARGE)

        return self._transit.read(names, charge=charge)

    def _grants(self, names: str) -> list[Grant]:
        """Return the grants of handles in a message; `r5` is the right to answer this process's call 5."""
        parts = names.split(",", MOST_HANDLES_IN_MESSAGE)
        if len(parts) > MOST_HANDLES_IN_MESSAGE:
            raise Refused(RefusalWord.HANDLES)
        grants: list[Grant] = []
        for part in parts:
            if part.startswith("r"):
                grants.append(PortGrant(self.port, _tag(part[1:]), monitor=False, link=False))
                continue
            grant = self._handles.get(int(part))
            if grant is None:
                raise Refused(RefusalWord.FORGED)
            grants.append(grant)
        return grants

    def target(self, number: str | int, right: str) -> PortGrant:
        """Return the grant that a message, monitor or link is for.

        Raises:
            Refused: the process holds no such handle, or the handle lacks the right.
        """
        grant = self._held(number)
        if not getattr(grant, right):
            raise Refused(RefusalWord.RIGHT, right)
        return grant

    def _held(self, number: str | int) -> PortGrant:
        """Return the grant of an address.

        Raises:
            Refused: the process holds no such handle.
        """
        grant = self._handles.get(int(number))
        if not isinstance(grant, PortGrant):
            raise Refused(RefusalWord.FORGED)
        return grant

    def open_call(self, tag: int, target: Port) -> None:
        """Admit one answer, or the notice that none can come.

        Raises:
            Refused: too many calls are open.
        """
        # Answers that were not received yet count too.
        if tag in self._calls or len(self._calls) >= MOST_CALLS or not self.port.open_call(_tag(str(tag))):
            raise Refused(RefusalWord.CALLS)

        def down(reason: str, words: str) -> None:
            self.port.notify(_notice("d", target, reason, words, tag=tag))

        self._calls[tag] = (target, -1)
        self._calls[tag] = (target, target.watch(down, owner=self.port))

    def await_end(self, tag: str, target: Port) -> None:
        """Request one notice with this tag, as for a call, for the moment when a port closes.

        Raises:
            Refused: too many calls are open, or the text is not a tag.
        """
        self.open_call(_tag(tag), target)

    def close_call(self, tag: int) -> None:
        """Stop admitting answers with this tag."""
        self.port.close_call(tag)
        call = self._calls.pop(tag, None)
        if call is not None:
            call[0].unwatch(call[1])

    def _forget(self, payload: str) -> str:
        """Do `tag`: the process no longer waits for this answer."""
        self.port.forget_answer(int(payload))
        self.close_call(int(payload))
        return ""

    def _receive(self, payload: str) -> str:
        """Do `which timeout held held_bytes refused drops`. Returns: `kind tag length handles text`, or empty when the time is over."""
        if payload == _ONLY_RECEIVE:
            urgent, seconds = False, None
            self.port.hold(0, 0)
        else:
            urgent, seconds, held, held_size, refused, drops = Receive.read(payload)
            if drops:
                self._drop(drops)
            if refused:
                self.port.dropped += min(max(refused, 0), self.port.messages)
            self.port.hold(held, held_size)
        end = None if seconds is None else time.monotonic() + seconds
        while True:
            envelope = self.port.take(urgent_only=urgent)
            if envelope is not None:
                told = self._tell(envelope)
                if told:
                    return told
                continue
            left = None if end is None else end - time.monotonic()
            if self._guest.interrupted or self._guest.disturbed or (left is not None and left <= 0):
                return ""
            self._guest.park(left)

    def _tell(self, envelope: Envelope) -> str:
        """Encode an envelope for the process; return an empty text if the process would hold too many handles."""
        if envelope.tag:
            self.close_call(envelope.tag)
        try:
            handles = dumps(self._handles.deliver(envelope.grants)) if envelope.grants else ""
        except TooManyHandles:
            self.port.dropped += 1
            if self.port.dropped <= MOST_WARNINGS:
                _log.warning("a message to process %d was dropped: it holds too many handles", self._number)
            return ""
        kind: str = "h" if envelope.trusted else envelope.kind
        text, segments = (envelope.text, envelope.segments) if envelope.data is None else text_of(envelope)
        if segments:
            kind, text = kind.upper(), f"{self._transit.hand_out(segments)}:{text}"
        return Received(kind, envelope.tag, handles, text).write()

    def _drop(self, drops: str) -> str:
        """Do `number*holds,...`: handles that the process has dropped."""
        if len(drops) > _LONGEST_DROPS:
            # Reading a part costs many times its length. A part that is cut off stays held, and the number of holds is
            # bounded.
            drops = drops[:_LONGEST_DROPS].rpartition(",")[0]
        for part in drops.split(",") if drops else ():
            number, _, holds = part.partition("*")
            self._handles.drop(int(number), int(holds))
        return ""

    def _monitor(self, payload: str) -> str:
        """Do `number`: request one notice at the end of the target, however often this is done."""
        target = self.target(payload, "monitor").port
        if target in self._monitors and target.reason is None:
            return ""
        self._monitors = {port: token for port, token in self._monitors.items() if port.reason is None}
        self.check_watches()
        own = self.port
        token = target.watch(lambda reason, words: own.notify(_notice("d", target, reason, words)), owner=own)
        if target.reason is None:
            self._monitors[target] = token
        return ""

    def _demonitor(self, payload: str) -> str:
        """Do `number`: withdraw a monitor."""
        target = self.target(payload, "monitor").port
        token = self._monitors.pop(target, None)
        if token is not None:
            target.unwatch(token)
        return ""

    def _link(self, payload: str) -> str:
        """Do `number`: link to the target, so that each of the two is notified when the other ends."""
        target = self.target(payload, "link").port
        if target is self.port or target in self._links:
            return ""
        self.check_watches()
        self.link(target)
        return ""

    def link(self, target: Port) -> None:
        """Link the process to a port; also called from the host."""
        own = self.port
        if target is own or target in self._links or target in own.linked:
            return
        undo_watches = link(own, target)

        def undo() -> None:
            self._links.pop(target, None)
            target.linked.pop(own, None)
            undo_watches()

        if target.reason is None:
            self._links[target] = target.linked[own] = undo

    def unlink(self, target: Port) -> None:
        """Undo a link, whichever side made it; also called from the host."""
        undo = self._links.get(target) or self.port.linked.get(target)
        if undo is not None:
            undo()

    def port_of(self, address: Any) -> Port:
        """Return the port of a host's address, for a link; errors as for the function `port_of`."""
        return port_of(address)

    def _unlink(self, payload: str) -> str:
        """Do `number`: undo a link."""
        self.unlink(self.target(payload, "link").port)
        return ""

    def check_watches(self) -> None:
        """Refuse one more monitor or link.

        Raises:
            Refused: monitors, links and waiting notices have reached `MOST_WATCHES`.
        """
        if len(self._monitors) + len(self._links) + self.port.notices >= MOST_WATCHES:
            raise Refused(RefusalWord.WATCHES)

    def _trap(self, payload: str) -> str:
        """Do `1` or `0`: choose whether the ends of linked processes arrive as messages."""
        self._traps_exits = payload == "1"
        return ""

    def _send_after(self, payload: str) -> str:
        """Do `number seconds handles segments:text`. Returns: a reference for `_cancel`."""
        number, delay, names, beside, text = SendAfter.read(payload)
        target = self.target(number, "send")
        envelope = self._envelope(target, text, names, beside)
        self._timers = {number: timer for number, timer in self._timers.items() if timer.size}
        size = envelope.size + sum(timer.size for timer in self._timers.values())
        if len(self._timers) >= MOST_TIMERS or size > self.port.size:
            raise Refused(RefusalWord.TIMERS)
        if delay is None:
            raise Refused(RefusalWord.MALFORMED)
        account = self.port.account
        if account is not None and account.take_mail(envelope.size, self.port, urgent=False):
            raise Refused(RefusalWord.TIMERS)
        timer = Timer(delay, target.port, envelope, account=account)
        self._timers[timer.number] = timer
        return str(timer.number)

    def _cancel(self, payload: str) -> str:
        """Do `reference`. Returns: 1 if the message had not been sent yet."""
        timer = self._timers.pop(int(payload), None)
        return "1" if timer is not None and timer.cancel() else "0"

    def _own(self, _payload: str) -> str:
        """Return the process's address, as a handle."""
        return dumps(self._handles.deliver([self.grant()]))

    def _alive(self, payload: str) -> str:
        """Do `number`. Returns: 1 while the mailbox behind the address is open, else 0."""
        return "1" if self._held(payload).port.reason is None else "0"

    def _weaken(self, payload: str) -> str:
        """Do `number right`. Returns: a handle of the same address that keeps, of its rights, only the one to send, or to monitor."""
        number, right = Pair.read(payload)
        grant = self._held(number)
        if right not in {"send", "monitor"}:
            raise Refused(RefusalWord.MALFORMED)
        send, monitor = grant.send and right == "send", grant.monitor and right == "monitor"
        return dumps(self._handles.deliver([attrs.evolve(grant, send=send, monitor=monitor, link=False)]))

    def _record(self, payload: str) -> str:
        """Do `level name:text`: forward a log record of the process to the host."""
        level, name, text = Record.read(payload[:_LONGEST_RECORD])
        if not self._charge(len(payload)):
            return ""
        number, name = min(max(level, 0), 50), printable(name[:200])
        if self._logs:
            self._take_record(self._number, number, name, printable(text))
        return ""

    _operations: ClassVar[dict[int, Callable[[Mail, str], str]]] = {
        Operation.SEND: _send,
        Operation.RECEIVE: _receive,
        Operation.FORGET: _forget,
        Operation.MONITOR: _monitor,
        Operation.DEMONITOR: _demonitor,
        Operation.LINK: _link,
        Operation.UNLINK: _unlink,
        Operation.TRAP: _trap,
        Operation.SEND_AFTER: _send_after,
        Operation.CANCEL: _cancel,
        Operation.OWN: _own,
        Operation.RECORD: _record,
        Operation.DROP: _drop,
        Operation.ALIVE: _alive,
        Operation.WEAKEN: _weaken,
    }


def port_of(address: Any) -> Port:
    """Return the port of a host's address, for a link.

    Raises:
        TypeError: *address* is not an address.
        CapsendError: the address lacks the right to link.
    """
    grant = getattr(address, "__capsend_handle__", None)
    if not isinstance(grant, PortGrant):
        raise TypeError(f"a process can be linked to a Process or an Address, not to {address!r}")
    if not grant.link:
        raise CapsendError(f"nothing can be linked to {grant.port.label} with this address: it is a weaker one")
    return grant.port


def _notice(kind: Any, port: Port, reason: str, words: str, *, tag: int = 0) -> Envelope:
    grant = PortGrant(port, send=False, link=False)
    return Envelope(dumps([reason, words[:500]]), (grant,), kind=kind, tag=tag)


def _tag(text: str) -> int:
    tag = int(text)
    if not 0 < tag < 1 << 62:
        raise Refused(RefusalWord.MALFORMED)
    return tag
