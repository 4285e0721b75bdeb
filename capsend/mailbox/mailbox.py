"""Mailboxes of the host: queues from which the host program receives messages of processes, and its own."""

from __future__ import annotations

import collections
import itertools
import logging
import threading
import time
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, TypeVar, final, overload

from capsend import codec
from capsend.closing import Closing
from capsend.codec.printable import printable
from capsend.exceptions import CapsendError, shown_at_caller
from capsend.mailbox.address import Address, PortGrant
from capsend.mailbox.bounds import MESSAGES, MOST_WARNINGS, SIZE, Policy
from capsend.mailbox.messages import message_in
from capsend.mailbox.ports import Envelope, Port
from capsend.mailbox.receiving import address_of, check_timeout, in_time, matcher
from capsend.mailbox.wakeups import Event
from capsend.waiting import Parker

if TYPE_CHECKING:
    import types
    from collections.abc import AsyncIterator, Callable, Iterator

    from capsend.mailbox.receiving import HasAddress


M = TypeVar("M")
T = TypeVar("T")
U = TypeVar("U")

_MISSING: Final = object()
_log: Final = logging.getLogger("capsend.mailbox")
_numbers = itertools.count(1)


@final
class Mailbox(Closing, Generic[M]):
    """A queue of messages for the host program; any number of threads and tasks may receive from it.

    A mailbox is bounded. It closes with its `with` block, when `close` is called, or when the last reference to it goes.

    Args:
        messages: messages that it holds.
        size: bytes that it holds; no single message can be larger.
        full: the fate of a message that does not fit: "block" lets its sender wait, "fail" raises `LimitExceeded` in the sender,
            "drop_oldest" drops the oldest message and counts it.

    Example:
        >>> import capsend
        >>> with capsend.Mailbox[str](messages=10) as inbox:
        ...     _ = inbox.address.send("hello")
        ...     inbox.receive()
        'hello'
    """

    __capsend_refusal__: ClassVar[str] = "a mailbox belongs to its receiver. Instead: send its address, mailbox.address"
    """Why it cannot be part of a message."""

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
        """The address of the mailbox."""
        return Address(PortGrant(self._port))

    @property
    def dropped(self) -> int:
        """The number of lost messages: dropped for others, refused because they could not be read, or sent after the mailbox was closed."""
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
    @shown_at_caller
    def receive(self, timeout: float | None = None, *, kind: Any = None) -> Any:
        """Take the next message out; wait until there is one.

        Ordering:
            Messages of one sender come in the order in which they were sent. With *kind*, the first match in the order of arrival is taken;
            the messages before it stay, in their order.

        Args:
            timeout: seconds to wait; for ever when None.
            kind: a class, a tuple of classes or a predicate: take the next message that is an instance of it, or for which it returns true.

        Returns:
            The message: a value, a `Down`, or an `Exit`.

        Raises:
            TimeoutError: no such message has arrived in time.
            CapsendError: the mailbox is closed.

        Source:
            Erlang's selective receive.
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
        """Receive as `receive` does, without blocking the event loop; a cancelled task takes no message."""
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
        """Return the first message that matches, or `_MISSING`; set aside the messages before it."""
        with self._lock:
            for index, (size, message) in enumerate(self._saved):
                if matches is None or matches(message):
                    del self._saved[index]
                    self._saved_size -= size
                    self._port.hold(len(self._saved), self._saved_size)
                    return message
            while (envelope := self._port.take()) is not None:
                message = self._read(envelope)
                if message is _MISSING:
                    continue
                if matches is None:
                    return message
                # Saved before the predicate sees it: a predicate that raises must not lose the message.
                self._saved.append((envelope.size, message))
                self._saved_size += envelope.size
                try:
                    found = matches(message)
                    if found:
                        self._saved.pop()
                        self._saved_size -= envelope.size
                        return message
                finally:
                    self._port.hold(len(self._saved), self._saved_size)
                self._port.tell_listeners()
        if self._port.reason is not None:
            raise CapsendError(f"{self._port.label} is closed")
        return _MISSING

    def _read(self, envelope: Envelope) -> Any:
        """Return the message in an envelope; a process may have written anything, and no text may bring the receiver down."""
        try:
            return message_in(envelope, limit=self._port.size)
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

    def monitor(self, peer: Address[Any] | HasAddress) -> None:
        """Ask for one `Down` when a process ends or a mailbox closes; it arrives at once if that has happened.

        A second monitor of the same address adds nothing while the notice has not come.

        Ordering:
            The `Down` arrives behind all messages that the ended process had sent to this mailbox.

        Raises:
            TypeError: *peer* is neither an address nor a process.
            CapsendError: the address lacks the right to monitor.

        Source:
            Monitors and their `DOWN` messages are Erlang/OTP's.
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
            own.notify(Envelope(codec.dumps([reason, words]), (grant,), kind="d"))

        self._watches = {p: token for p, token in self._watches.items() if p.reason is None}
        token = port.watch(down, owner=own)
        if port.reason is None:
            self._watches[port] = token

    def demonitor(self, peer: Address[Any] | HasAddress) -> None:
        """Withdraw the monitor of *peer*; do nothing when its notice has come."""
        address = address_of(peer, kind=Address)
        token = self._watches.pop(address.__capsend_handle__.port, None)
        if token is not None:
            address.__capsend_handle__.port.unwatch(token)

    def close(self) -> None:
        """Close the mailbox: senders and monitors are notified, and the messages left count as dropped."""
        for port, token in self._watches.items():
            port.unwatch(token)
        self._watches = {}
        self._port.close("closed")
        self._saved.clear()

    def __del__(self) -> None:
        try:
            if hasattr(self, "_watches"):
                self.close()
        except Exception:  # noqa: BLE001 - at the interpreter's exit, the names of modules go first
            return

    def __repr__(self) -> str:
        return f"<Mailbox {self._port.label.rpartition(' ')[2]}: {'closed' if self._port.reason else len(self)}>"
