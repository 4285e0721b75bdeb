"""Addresses: the right to send to a mailbox, and calls, whose answers have their own address."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, final

import attrs

from capsend.capabilities.handles import Grant
from capsend.exceptions import CapsendError, LimitExceeded, ProcessFailed, ProcessKilled, shown_at_caller
from capsend.mailbox.envelopes import decode, encode
from capsend.mailbox.ports import Envelope, Offer, Port, put
from capsend.mailbox.receiving import in_time
from capsend.mailbox.timers import Timer
from capsend.mailbox.wakeups import Event
from capsend.waiting import Parker

if TYPE_CHECKING:
    from collections.abc import Callable


T = TypeVar("T")
M_contra = TypeVar("M_contra", contravariant=True)

_MISSING: Final = object()


@attrs.frozen
class PortGrant(Grant):
    """The capability behind an address: a port, and the rights of the address's holder.

    Attributes:
        port: the port.
        tag: the call that messages to it answer; 0 for ordinary messages.
        send, monitor, link: the rights.

    Source:
        Ports and send rights are Mach's.
    """

    kind = "address"

    port: Port
    tag: int = 0
    send: bool = True
    monitor: bool = True
    link: bool = True

    def describe(self) -> object:
        """Return a label for people, and the rights that a program can see."""
        return [self.port.label, self.send, self.monitor]

    def handle(self) -> object:
        """Return the address."""
        return Address(self)

    def __str__(self) -> str:
        rights = " and ".join(["send to it"] * self.send + ["monitor it"] * self.monitor + ["link to it"] * self.link)
        return f"the address of {self.port.label} (may {rights or 'name it'})"


@final
class Address(Generic[M_contra]):
    """The right to send messages of one type to a mailbox. An address can be captured, passed and sent.

    An address keeps neither its process nor its mailbox alive. Each message arrives at most once.

    Ordering:
        Messages from one sender, a thread of the host or a process, to one address arrive in the order in which they were sent. Nothing is
        promised about messages of different senders.

    Example:
        >>> import capsend
        >>> with capsend.Mailbox[int]() as inbox:
        ...     answers = inbox.address
        ...     p = capsend.spawn(lambda: answers.send(42))
        ...     inbox.receive(timeout=10)
        42

    Source:
        Erlang's signal order between a pair of processes; the rights are those of Mach ports.
    """

    __slots__ = ("_grant",)

    def __init__(self, grant: PortGrant) -> None:
        """Wrap a grant; `Mailbox.address` and `Process.address` call this, users do not."""
        self._grant = grant

    @property
    def __capsend_handle__(self) -> PortGrant:
        """The grant that a process gets for this address."""
        return self._grant

    @property
    def alive(self) -> bool:
        """True while the mailbox is open, or, if the process has no mailbox, while the process runs."""
        return self._grant.port.reason is None

    @shown_at_caller
    def send(self, value: M_contra, *, timeout: float | None = None) -> bool:
        """Send a copy of a value; return whether the copy was put into the mailbox.

        The message is not put into the mailbox of a receiver that has ended or closed it; that raises no error, and is counted in the
        receiver's `dropped`. A message in the mailbox is lost only when the receiver ends before it takes the message, or when the mailbox
        drops its oldest; both are counted.

        Ordering:
            Messages from one sender to one address arrive in the order in which they were sent, also when some of them waited for room.

        Args:
            value: the message; it must be `Serializable`, and made of classes that the receiver knows.
            timeout: seconds to wait where the mailbox is full and lets senders wait; for ever when None.

        Returns:
            True if the mailbox took the message, False if its receiver has ended or closed it.

        Raises:
            SerializationError: the value cannot be sent.
            LimitExceeded: the message is larger than the mailbox, or the mailbox is full and lets no sender wait.
            TimeoutError: the mailbox had no room in time; nothing was sent.
            CapsendError: the address is for monitoring only.
        """
        envelope, port = self._envelope(value), self._grant.port
        answer = port.offer(envelope)
        if answer is Offer.FULL:
            answer = put(port, envelope, parker=Parker(), timeout=timeout)
        return self._sent(answer, envelope)

    async def send_async(self, value: M_contra, *, timeout: float | None = None) -> bool:
        """Send a value as `send` does, waiting for room without blocking the event loop."""
        envelope, port = self._envelope(value), self._grant.port
        answer = port.offer(envelope)
        if answer is Offer.FULL:
            words = f"the mailbox of {port.label} was full, and had no room"
            answer = await in_time(self._put_async(envelope), timeout=timeout, words=words)
        return self._sent(answer, envelope)

    async def _put_async(self, envelope: Envelope) -> Offer:
        port, room = self._grant.port, Event()
        waiter = port.enter(room.set, urgent=bool(envelope.tag))
        try:
            while (answer := port.offer(envelope, waiter)) is Offer.FULL:
                await room.wait()
        finally:
            port.leave(waiter)
        return answer

    @shown_at_caller
    def call(self, make: Callable[[Address[T]], M_contra], *, timeout: float | None = None) -> T:
        """Send a message that contains an address for the answer, and return the answer.

        Ordering:
            The message is queued as by `send`: behind earlier messages of the same sender.

        Args:
            make: builds the message from the address for the answer; often just the class of the message.
            timeout: seconds to wait; for ever when None.

        Returns:
            The first value sent to the address for the answer.

        Raises:
            TimeoutError: the receiver has not answered in time; a later answer is dropped.
            ProcessKilled: the receiver was killed before it answered.
            ProcessFailed: the receiver ended in any other way before it answered.
            SerializationError, LimitExceeded: as `send`.

        Example:
            >>> import capsend
            >>> def doubler(inbox: "capsend.Mailbox[tuple[int, capsend.Address[int]]]") -> None:
            ...     for number, reply in inbox:
            ...         reply.send(2 * number)
            >>> with capsend.spawn(doubler) as p:
            ...     p.address.call(lambda reply: (21, reply), timeout=10)
            42

        Source:
            `gen_server:call` of Erlang/OTP: a monitor for the time of the call, and a reply that arrives at most once.
        """
        end = None if timeout is None else time.monotonic() + timeout
        call: _Call[T] = _Call(self._grant.port)
        parker = Parker()
        call.port.listen(parker.unpark)
        try:
            envelope = self._envelope(make(call.address))
            call.check(self._sent(put(self._grant.port, envelope, parker=Parker(), timeout=timeout), envelope))
            answer: Any
            while (answer := call.answer()) is _MISSING:
                left = None if end is None else end - time.monotonic()
                if left is not None and left <= 0:
                    raise TimeoutError(f"{self._grant.port.label} has not answered within {timeout:g} s")
                parker.park(left)
            found: T = answer
        finally:
            call.close()
        return found

    async def call_async(self, make: Callable[[Address[T]], M_contra], *, timeout: float | None = None) -> T:
        """Call as `call` does, without blocking the event loop; when the waiting task is cancelled, the answer is dropped."""
        words = f"{self._grant.port.label} has not answered"
        return await in_time(self._answered(make), timeout=timeout, words=words)

    async def _answered(self, make: Callable[[Address[T]], M_contra]) -> T:
        call: _Call[T] = _Call(self._grant.port)
        arrived = Event()
        call.port.listen(arrived.set)
        try:
            call.check(await self.send_async(make(call.address)))
            while (answer := call.answer()) is _MISSING:
                await arrived.wait()
            found: T = answer
        finally:
            call.close()
        return found

    @shown_at_caller
    def send_after(self, seconds: float, value: M_contra) -> Timer:
        """Send a value *seconds* later, unless the returned timer's `cancel` is called before.

        No sender waits then: if the mailbox has no room, the message is dropped and counted.
        """
        given: Any = seconds  # from callers without a type checker
        if not isinstance(given, int | float) or math.isnan(given):
            raise TypeError(f"send_after takes seconds, a number, and then the value, not {seconds!r}")
        return Timer(seconds, self._grant.port, self._envelope(value))

    def send_only(self) -> Address[M_contra]:
        """Return a weaker address, which cannot be used to monitor or link."""
        return Address(attrs.evolve(self._grant, monitor=False, link=False))

    def monitor_only(self) -> Address[M_contra]:
        """Return a weaker address, which can only be used to monitor."""
        return Address(attrs.evolve(self._grant, send=False, link=False))

    def _envelope(self, value: object) -> Envelope:
        grant = self._grant
        if not grant.send:
            raise CapsendError(
                f"nothing can be sent to {grant.port.label} with this address: it is for monitoring only"
            )
        return encode(value, grant.port, tag=grant.tag)

    def _sent(self, answer: Offer, envelope: Envelope) -> bool:
        label = self._grant.port.label
        if answer is Offer.FULL:
            raise TimeoutError(f"the mailbox of {label} was full, and had no room in time")
        if answer is Offer.REFUSED:
            limit = self._grant.port.messages
            raise LimitExceeded(f"the mailbox of {label} is full. Send less, or allow more: mailbox=...", limit=limit)
        if answer is Offer.TOO_LARGE:
            limit = self._grant.port.size
            message = f"a message of {envelope.size} bytes is larger than the mailbox of {label} ({limit} bytes)"
            raise LimitExceeded(f"{message}. Send less at a time", limit=limit)
        return answer is Offer.ACCEPTED

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Address) and self._grant == other._grant

    def __hash__(self) -> int:
        return hash(self._grant)

    def __reduce__(self) -> Any:
        raise TypeError("an Address cannot be pickled: only capsend can send it")

    def __repr__(self) -> str:
        return f"<Address of {self._grant.port.label}>"


class _Call(Generic[T]):
    """One call from the host: a port for the answer, and a watch over the receiver."""

    def __init__(self, target: Port) -> None:
        self.port = Port(f"a call to {target.label}", messages=1)
        self.port.is_brief = True
        self.address: Address[T] = Address(PortGrant(self.port, monitor=False, link=False))
        self._target = target
        self._watch = target.watch(lambda _reason, _words: self.port.tell_listeners())

    def answer(self) -> Any:
        """Return the answer, or `_MISSING` while it may still come; raise the receiver's end once no answer can come."""
        ended = self._target.reason
        envelope = self.port.take()
        if envelope is not None:
            return decode(envelope, limit=self.port.size)
        if ended is not None:
            raise ended_error(self._target)
        return _MISSING

    def check(self, was_sent: bool) -> None:
        if not was_sent:
            raise ended_error(self._target)

    def close(self) -> None:
        self._target.unwatch(self._watch)
        self.port.close("closed")


def ended_error(port: Port) -> CapsendError:
    """Return the error of a call whose receiver has ended."""
    how = f" ({port.words})" if port.words else ""
    if port.reason == "killed":
        return ProcessKilled(f"{port.label} was killed before it answered")
    message = f"{port.label} ended before it answered: {port.reason}{how}"
    return ProcessFailed(message, type_name=str(port.reason), guest_message=port.words)
