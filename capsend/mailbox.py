"""Mailboxes and addresses on the host's side: how this program exchanges messages with processes, and with itself."""

from __future__ import annotations

import collections
import contextlib
import itertools
import logging
import math
import threading
import time
import types
from typing import TYPE_CHECKING, Any, Final, Generic, NoReturn, TypeVar, final, overload

import attrs

from capsend import wire
from capsend.byteforms import frame_of, value_of
from capsend.exceptions import CapsendError, LimitExceeded, ProcessFailed, ProcessKilled, SerializationError
from capsend.guest import codec
from capsend.guest.receiving import address_of, check_timeout, in_time, matcher
from capsend.handles import grant_of
from capsend.judge import declared_refusal
from capsend.mail import MOST_WARNINGS, Timer
from capsend.output import printable
from capsend.ports import MESSAGES, SIZE, Frame, Offer, Parker, Policy, Port, PortGrant, put

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from types import TracebackType

    from capsend.process import Process

__all__ = ["Address", "Down", "Exit", "Mailbox", "Timer"]

M = TypeVar("M")
T = TypeVar("T")
U = TypeVar("U")
M_contra = TypeVar("M_contra", contravariant=True)

_MISSING: Final = object()
_log: Final = logging.getLogger("capsend.mailbox")
_numbers = itertools.count(1)


@final
class Address(Generic[M_contra]):
    """Where messages of a type can be sent to; can itself be captured, passed and sent.

    An address keeps nothing alive: neither the process nor the mailbox that it belongs to. Messages from one sender to one address arrive in
    the order in which they were sent, each at most once.

    Example:
        >>> import capsend
        >>> with capsend.Mailbox[int]() as inbox:
        ...     answers = inbox.address
        ...     p = capsend.spawn(lambda: answers.send(42))
        ...     inbox.receive(timeout=10)
        42
    """

    __slots__ = ("_grant",)

    def __init__(self, grant: PortGrant) -> None:
        """Made by `Mailbox.address` and `Process.address`; not to be called."""
        self._grant = grant

    @property
    def __capsend_handle__(self) -> PortGrant:
        """What it stands for in a process."""
        return self._grant

    @property
    def alive(self) -> bool:
        """Whether somebody can receive there, or the process still runs."""
        return self._grant.port.reason is None

    def send(self, value: M_contra, *, timeout: float | None = None) -> bool:
        """Send a copy of a value; return whether it was put into the mailbox.

        It is not when the receiver has ended or closed its mailbox; that is no error here, and is counted there. A message that was put into
        the mailbox is lost only when the receiver ends before it takes it, or the mailbox was told to drop the oldest; both are counted.

        Args:
            value: what to send; it must be `Serializable`, and made of classes that the receiver knows.
            timeout: seconds to wait where the mailbox is full and lets senders wait; for ever when None.

        Raises:
            SerializationError: the value cannot be sent.
            LimitExceeded: the message is larger than the mailbox, or the mailbox is full and lets no sender wait.
            TimeoutError: there was no room in time; nothing was sent.
        """
        frame, port = self._frame(value), self._grant.port
        answer = port.offer(frame)
        if answer is Offer.FULL:
            answer = put(port, frame, parker=Parker(), timeout=timeout)
        return self._sent(answer, frame)

    async def send_async(self, value: M_contra, *, timeout: float | None = None) -> bool:
        """Send as `send` does, waiting for room without blocking the event loop."""
        frame, port = self._frame(value), self._grant.port
        answer = port.offer(frame)
        if answer is Offer.FULL:
            words = f"the mailbox of {port.label} was full, and had no room"
            answer = await in_time(self._put_async(frame), timeout=timeout, words=words)
        return self._sent(answer, frame)

    async def _put_async(self, frame: Frame) -> Offer:
        port, room = self._grant.port, Event()
        waiter = port.enter(room.set, urgent=bool(frame.tag))
        try:
            while (answer := port.offer(frame, waiter)) is Offer.FULL:
                await room.wait()
        finally:
            port.leave(waiter)
        return answer

    def call(self, make: Callable[[Address[T]], M_contra], *, timeout: float | None = None) -> T:
        """Send a message that contains an address for the answer, and return the answer.

        Args:
            make: makes the message from the address that the answer is to be sent to; often just the class of the message.
            timeout: seconds to wait; for ever when None.

        Raises:
            TimeoutError: there was no answer in time; one that comes later is dropped.
            ProcessKilled: the receiver was killed before it answered.
            ProcessFailed: it ended in any other way before it answered.
            SerializationError, LimitExceeded: as `send`.

        Example:
            >>> import capsend
            >>> def doubler(inbox: "capsend.Mailbox[tuple[int, capsend.Address[int]]]") -> None:
            ...     for number, reply in inbox:
            ...         reply.send(2 * number)
            >>> with capsend.spawn(doubler) as p:
            ...     p.address.call(lambda reply: (21, reply), timeout=10)
            42
        """
        end = None if timeout is None else time.monotonic() + timeout
        call: _Call[T] = _Call(self._grant.port)
        parker = Parker()
        call.port.listen(parker.unpark)
        try:
            frame = self._frame(make(call.address))
            call.check(self._sent(put(self._grant.port, frame, parker=Parker(), timeout=timeout), frame))
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

    def send_after(self, seconds: float, value: M_contra) -> Timer:
        """Send a value after so many seconds, unless the returned timer's `cancel` is called before.

        Nobody waits then: if the mailbox has no room, the message is dropped and counted.
        """
        given: Any = seconds  # from callers without a type checker
        if not isinstance(given, int | float) or math.isnan(given):
            raise TypeError(f"send_after takes seconds, a number, and then the value, not {seconds!r}")
        return Timer(seconds, self._grant.port, self._frame(value))

    def send_only(self) -> Address[M_contra]:
        """Return a weaker address, which cannot be monitored or linked to."""
        return Address(attrs.evolve(self._grant, monitor=False, link=False))

    def monitor_only(self) -> Address[M_contra]:
        """Return a weaker address, to which nothing can be sent, and nobody can link."""
        return Address(attrs.evolve(self._grant, send=False, link=False))

    def _frame(self, value: object) -> Frame:
        grant = self._grant
        if not grant.send:
            raise CapsendError(
                f"nothing can be sent to {grant.port.label} with this address: it is for monitoring only"
            )
        return encode(value, grant)

    def _sent(self, answer: Offer, frame: Frame) -> bool:
        label = self._grant.port.label
        if answer is Offer.FULL:
            raise TimeoutError(f"the mailbox of {label} was full, and had no room in time")
        if answer is Offer.REFUSED:
            limit = self._grant.port.messages
            raise LimitExceeded(f"the mailbox of {label} is full. Send less, or allow more: mailbox=...", limit=limit)
        if answer is Offer.TOO_LARGE:
            limit = self._grant.port.size
            message = f"a message of {frame.size} bytes is larger than the mailbox of {label} ({limit} bytes)"
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


@attrs.frozen
class Down:
    """The message that a monitor leaves in a mailbox, once, when what it watched has ended.

    Attributes:
        address: of what has ended; equal to what `Mailbox.monitor` was given, weakened to `monitor_only`.
        reason: "normal", "failed", "killed", "limit" or "trap" for a process, "closed" for a mailbox.
        message: words for people.
    """

    address: Address[Any]
    reason: str
    message: str = ""


@attrs.frozen
class Exit:
    """The message that comes instead of an end when something ends to which the process is linked, and it traps exits; as `Down`."""

    address: Address[Any]
    reason: str
    message: str = ""


@final
class Mailbox(Generic[M]):
    """A queue of messages that this program receives from; any number of threads and tasks may.

    A mailbox is bounded. It closes with its `with` block, when `close` is called, or when nobody holds it any more.

    Args:
        messages: how many messages it holds.
        size: how many bytes; no single message can be larger.
        full: what happens to a message for which there is no room: "block" lets its sender wait, "fail" raises `LimitExceeded` there,
            "drop_oldest" drops the oldest message and counts it.

    Example:
        >>> import capsend
        >>> with capsend.Mailbox[str](messages=10) as inbox:
        ...     _ = inbox.address.send("hello")
        ...     inbox.receive()
        'hello'
    """

    __slots__ = ("__weakref__", "_lock", "_port", "_saved", "_saved_size", "_watches")

    def __init__(self, *, messages: int = MESSAGES, size: int = SIZE, full: Policy = "block") -> None:
        if not messages >= 1 or not size >= 1024:
            raise ValueError("a mailbox holds at least one message and 1024 bytes")
        if full not in {"block", "fail", "drop_oldest"}:
            raise ValueError(f"full must be 'block', 'fail' or 'drop_oldest', not {full!r}")
        self._port = Port(f"mailbox {next(_numbers)}", messages=messages, size=size, policy=full)
        self._lock = threading.Lock()
        self._saved: collections.deque[tuple[int, Any]] = collections.deque()
        self._saved_size = 0
        self._watches: dict[Port, int] = {}

    @property
    def address(self) -> Address[M]:
        """Where to send to."""
        return Address(PortGrant(self._port))

    @property
    def dropped(self) -> int:
        """How many messages were lost: dropped for others, refused because they could not be read, or sent after it was closed."""
        return self._port.dropped

    def __len__(self) -> int:
        return len(self._port)

    @overload
    def receive(self, timeout: float | None = None) -> M: ...
    @overload
    def receive(self, timeout: float | None = None, *, kind: tuple[type[T], type[U]]) -> T | U: ...
    @overload
    def receive(self, timeout: float | None = None, *, kind: type[T] | tuple[type[T], ...]) -> T: ...
    @overload
    def receive(self, timeout: float | None = None, *, kind: Callable[[M], bool] | types.UnionType) -> M: ...
    def receive(self, timeout: float | None = None, *, kind: Any = None) -> Any:
        """Take the next message out, waiting for it.

        Args:
            timeout: seconds to wait; for ever when None.
            kind: take the next message that is an instance of this class, or of one of these, or for which this function returns true;
                the others stay, in their order.

        Raises:
            TimeoutError: there was none in time.
            CapsendError: the mailbox is closed.
        """
        check_timeout(timeout)
        end = None if timeout is None else time.monotonic() + timeout
        matches = matcher(kind)
        parker = Parker()
        token = self._port.listen(parker.unpark)
        try:
            while (message := self._pick(matches)) is _MISSING:
                left = None if end is None else end - time.monotonic()
                if left is not None and left <= 0:
                    raise TimeoutError(f"no message within {timeout:g} s")
                parker.park(left)
        finally:
            self._port.ignore(token)
        return message

    @overload
    async def receive_async(self, timeout: float | None = None) -> M: ...
    @overload
    async def receive_async(self, timeout: float | None = None, *, kind: tuple[type[T], type[U]]) -> T | U: ...
    @overload
    async def receive_async(self, timeout: float | None = None, *, kind: type[T] | tuple[type[T], ...]) -> T: ...
    @overload
    async def receive_async(
        self, timeout: float | None = None, *, kind: Callable[[M], bool] | types.UnionType
    ) -> M: ...
    async def receive_async(self, timeout: float | None = None, *, kind: Any = None) -> Any:
        """Receive as `receive` does, without blocking the event loop; a task that is cancelled takes no message."""
        check_timeout(timeout)
        return await in_time(self._received(matcher(kind)), timeout=timeout, words="no message")

    async def _received(self, matches: Callable[[Any], bool] | None) -> Any:
        arrived = Event()
        token = self._port.listen(arrived.set)
        try:
            while (message := self._pick(matches)) is _MISSING:
                await arrived.wait()
        finally:
            self._port.ignore(token)
        return message

    def _pick(self, matches: Callable[[Any], bool] | None) -> Any:
        """The first message that matches, or `_MISSING`; the ones before it are put by."""
        with self._lock:
            for index, (size, message) in enumerate(self._saved):
                if matches is None or matches(message):
                    del self._saved[index]
                    self._saved_size -= size
                    self._port.hold(len(self._saved), self._saved_size)
                    return message
            while (frame := self._port.take()) is not None:
                message = self._read(frame)
                if message is _MISSING:
                    continue
                if matches is None:
                    return message
                # Before it is looked at: a function that raises must not take the message with it.
                self._saved.append((frame.size, message))
                self._saved_size += frame.size
                try:
                    found = matches(message)
                    if found:
                        self._saved.pop()
                        self._saved_size -= frame.size
                        return message
                finally:
                    self._port.hold(len(self._saved), self._saved_size)
                self._port.tell_listeners()
        if self._port.reason is not None:
            raise CapsendError(f"{self._port.label} is closed")
        return _MISSING

    def _read(self, frame: Frame) -> Any:
        """What a frame says; a process may have written anything, and nobody is to be brought down by that."""
        try:
            return decode(frame, limit=self._port.size)
        except CapsendError as error:
            self._port.dropped += 1
            if self._port.dropped <= MOST_WARNINGS:
                _log.warning("a message to %s was refused: %s", self._port.label, printable(str(error)))
            return _MISSING

    def __iter__(self) -> Iterator[M]:
        """Yield messages until the mailbox is closed."""
        while True:
            try:
                message = self.receive()
            except CapsendError:
                return
            yield message

    async def __aiter__(self) -> AsyncIterator[M]:
        """Yield messages until the mailbox is closed, without blocking the event loop."""
        while True:
            try:
                message = await self.receive_async()
            except CapsendError:
                return
            yield message

    def monitor(self, peer: Address[Any] | Process[Any]) -> None:
        """Let one `Down` come when a process ends, or a mailbox closes; at once if that has happened.

        Monitoring the same again does nothing while the notice has not come.
        """
        address = address_of(peer, kind=Address)
        port = address.__capsend_handle__.port
        if not address.__capsend_handle__.monitor:
            raise CapsendError(f"{port.label} cannot be monitored with this address: it is for sending only")
        if port in self._watches:
            return
        own = self._port

        def down(reason: str, words: str) -> None:
            grant = PortGrant(port, send=False, link=False)
            own.notify(Frame(codec.dumps([reason, words]), (grant,), kind="d"))

        self._watches = {p: token for p, token in self._watches.items() if p.reason is None}
        token = port.watch(down)
        if port.reason is None:
            self._watches[port] = token

    def demonitor(self, peer: Address[Any] | Process[Any]) -> None:
        """Want no notice about that any more; does nothing when it has come."""
        address = address_of(peer, kind=Address)
        token = self._watches.pop(address.__capsend_handle__.port, None)
        if token is not None:
            address.__capsend_handle__.port.unwatch(token)

    def close(self) -> None:
        """Receive nothing any more: senders and monitors are told, what is still there counts as dropped."""
        for port, token in self._watches.items():
            port.unwatch(token)
        self._watches = {}
        self._port.close("closed")
        self._saved.clear()

    def __enter__(self) -> Mailbox[M]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Mailbox[M]:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        try:
            if hasattr(self, "_watches"):
                self.close()
        except Exception:  # noqa: BLE001 - when the interpreter goes, the names of modules go first
            return

    def __repr__(self) -> str:
        return f"<Mailbox {self._port.label.rpartition(' ')[2]}: {'closed' if self._port.reason else len(self)}>"


class Event:
    """An asyncio event that other threads may set; each wait uses it up."""

    def __init__(self) -> None:
        import asyncio

        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()

    def set(self) -> None:
        """Set it, from any thread."""
        with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile: nobody waits any more
            self._loop.call_soon_threadsafe(self._event.set)

    async def wait(self) -> None:
        """Wait until it is set, and reset it."""
        await self._event.wait()
        self._event.clear()


class _Call(Generic[T]):
    """One call from the host: a port for one answer, and a watch over the one who is to give it."""

    def __init__(self, target: Port) -> None:
        self.port = Port(f"a call to {target.label}", messages=1)
        self.address: Address[T] = Address(PortGrant(self.port, monitor=False, link=False))
        self._target = target
        self._watch = target.watch(lambda _reason, _words: self.port.tell_listeners())

    def answer(self) -> Any:
        """The answer, or `_MISSING`; raises when none can come any more."""
        ended = self._target.reason
        frame = self.port.take()
        if frame is not None:
            return decode(frame, limit=self.port.size)
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
    """What a call raises whose receiver has ended."""
    how = f" ({port.words})" if port.words else ""
    if port.reason == "killed":
        return ProcessKilled(f"{port.label} was killed before it answered")
    message = f"{port.label} ended before it answered: {port.reason}{how}"
    return ProcessFailed(message, type_name=str(port.reason), guest_message=port.words)


def encode(value: object, target: PortGrant) -> Frame:
    """Write a message of the host's down.

    Raises:
        SerializationError: a part of it cannot be sent, or is of a class that the receiver does not know.
    """
    port, name = target.port, "message"
    frame = frame_of(value)
    if frame is not None:
        frame.tag = target.tag
        return frame
    grants: list[Any] = []
    things: list[object] = []
    refused: list[str] = []

    def refuse(thing: object, why: str) -> NoReturn:
        refused.append(why)
        raise codec.NotEncodable(thing, why)  # the encoder knows where it stands

    def external(thing: object) -> object:
        grant = grant_of(thing)
        if grant is not None:
            if grant.refusal:
                refuse(thing, grant.refusal)
            grants.append(grant)
            return {"h": len(grants) - 1}
        if refusal := declared_refusal(thing):
            refuse(thing, f"{refusal[0]}. Instead: {refusal[1]}")
        if isinstance(thing, Mailbox):
            refuse(
                thing, "a mailbox belongs to the one who receives from it. Instead: send its address, mailbox.address"
            )
        if port.name is not None:
            return port.name(thing)
        if isinstance(thing, type | types.FunctionType | types.BuiltinFunctionType):
            things.append(thing)
            return {"o": len(things) - 1}
        return None

    try:
        text = wire.encode_value(value, externals=external, name=name, pickled=port.reads_pickles)
    except SerializationError as error:
        if not refused:
            raise
        raise SerializationError(f"{error.path} cannot be sent: {refused[-1]}", path=error.path) from None

    def resolve(reference: Any) -> object:
        return things[reference["o"]]

    return Frame(text, tuple(grants), tag=target.tag, resolve=resolve, trusted=True)


def decode(frame: Frame, *, limit: int) -> Any:
    """What a frame says to the host.

    Raises:
        ProcessFailed: it is no message, or names what its sender was not given.
    """
    grants = frame.grants
    if frame.data is not None:
        return value_of(frame)
    if frame.kind != "m":
        reason, words = codec.loads(frame.text)
        return (Down if frame.kind == "d" else Exit)(grants[0].handle(), reason, words)  # type: ignore[arg-type]  # the grant of an address

    def resolve(reference: Any) -> object:
        if type(reference) is not dict:
            raise LookupError("a reference is an object")
        number = reference.get("h")
        if type(number) is int and 0 <= number < len(grants):
            return grants[number].handle()
        if frame.resolve is None:
            raise LookupError("its sender has ended")
        return frame.resolve(reference)

    if frame.trusted:
        return codec.decode(frame.text, resolve=resolve)
    limits = wire.LIMITS if limit >= wire.LIMITS.max_chars else wire.LIMITS._replace(max_chars=limit)
    return wire.decode_value(frame.text, resolve=resolve, limits=limits)
