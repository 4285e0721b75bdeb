"""The operations for guests in any language, on values: the words of `docs/abi.md`, version 1, one method each.

Guests are hostile: every number from a guest is checked, and the host keeps only a bounded amount for it. An operation
that cannot be done raises a `Refusal` with a code. `capsend.wasm.core_abi` and `capsend.wasm.component_abi` translate
words to these operations.
"""

from __future__ import annotations

import codecs
import enum
import itertools
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Final, Protocol

import attrs

from capsend.capabilities.handles import MOST_HANDLES
from capsend.codec.operations import Operation, RefusalWord, read_refusal
from capsend.mailbox.address import PortGrant
from capsend.mailbox.byte_messages import BYTES, DOWN, EXIT, Message, message_of
from capsend.mailbox.ports import Envelope, Offer, put
from capsend.runtime.dispatch import Refused
from capsend.runtime.mail_operations import MOST_HANDLES_IN_MESSAGE, MOST_WATCHES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from capsend.capabilities.handles import Grant, Handles
    from capsend.mailbox.ports import Port
    from capsend.runtime.mail_operations import Mail
    from capsend.runtime.terms import Terms

LONGEST_PREFIX: Final = 4_096
LONGEST_NAME: Final = 1_000
LINK: Final = 1
MONITOR: Final = 2
"""The flags of `spawn`."""

_LONGEST_WORDS: Final = 4_096
_SECONDS: Final = 366 * 86_400.0


class Code(enum.IntEnum):
    """The reasons of a refusal."""

    MALFORMED = -1
    FORGED = -2
    DENIED = -3
    CLOSED = -4
    FULL = -5
    REFUSED = -6
    LARGE = -7
    TIMEOUT = -8
    MANY = -9
    UNSENDABLE = -10
    MISSING = -11
    LIMIT = -12
    RAISED = -13


_OFFERS: Final = {
    Offer.CLOSED: Code.CLOSED,
    Offer.FULL: Code.FULL,
    Offer.REFUSED: Code.REFUSED,
    Offer.TOO_LARGE: Code.LARGE,
}
_WORDS: Final = {
    RefusalWord.FORGED: Code.FORGED,
    RefusalWord.RIGHT: Code.DENIED,
    RefusalWord.CALLS: Code.MANY,
    RefusalWord.WATCHES: Code.MANY,
    RefusalWord.HANDLES: Code.MANY,
    RefusalWord.MALFORMED: Code.MALFORMED,
}


class Refusal(Exception):
    """An operation was refused; `code` is the reason."""

    def __init__(self, code: Code) -> None:
        super().__init__(code)
        self.code = code


def refusal_of(refused: Refused) -> Refusal:
    """Return the refusal of a mail operation as a refusal with a code."""
    return Refusal(_WORDS.get(refused.word, Code.MALFORMED))


class GuestLife(Protocol):
    """The life of the process, as far as the operations use it."""

    @property
    def core(self) -> Any:
        """The instance, whose memory the words read and write."""

    @property
    def environment(self) -> Terms:
        """The limits of the process."""

    @property
    def handles(self) -> Handles:
        """The handles of the process."""

    @property
    def mail(self) -> Mail:
        """The messages of the process."""

    @property
    def room(self) -> int:
        """The bytes of output that the process may still write."""

    def write(self, stream: int, text: str) -> None:
        """Write to standard output, 1, or standard error, 2."""

    def check_result(self, size: int) -> None:
        """Refuse a result that is too large."""

    def invoke(self, grant: Grant, data: bytes, number: int) -> tuple[bool, Message]:
        """Call a host function.

        Returns:
            (True if it raised, its result or the text of its exception).
        """

    def spawn(
        self, module: int | None, entry: str, *, data: bytes, grants: tuple[Grant, ...], linked: bool = False
    ) -> int:
        """Start a child, and return a handle of its address."""

    def kill_child(self, grant: Grant) -> None:
        """End a child of this process."""


class Operations:
    """The operations of one process; used only on its thread. Times are in milliseconds; a negative time means for ever.

    Args:
        life: the life of the process.
        start: the call of the process.
    """

    __slots__ = (
        "_decoders", "_life", "_saved", "_saved_size", "_tags", "_watched", "start", "value",
    )  # fmt: skip

    def __init__(self, life: GuestLife, start: Message) -> None:
        self.start: Message = start
        self.value: bytes = b""
        self._life = life
        self._saved: deque[Message] = deque()
        self._saved_size = 0
        self._tags = itertools.count(1)
        self._decoders: dict[int, Any] = {}
        self._watched: dict[Port, int] = {}  # {monitored or linked port: the handle that the guest used}

    # --- the end ---

    def close(self) -> None:
        """Drop the messages and watches that the process can no longer use: its handle may be kept for long."""
        self.start = Message(BYTES, b"")
        self._saved.clear()
        self._watched.clear()

    def check_result(self, size: int) -> None:
        """End the process if its result would be too large."""
        self._life.check_result(size)

    # --- messages ---

    def receive(self, wanted: bytes, timeout: int) -> Message:
        """Take the next message that begins with *wanted* out; the others stay, in their order.

        Ordering:
            Messages from one sender come in the order in which they were sent.

        Raises:
            Refusal: no such message has arrived in time.
        """
        found = self._take_saved(wanted) or self._wait_for(wanted, end_of(timeout))
        if found is None:
            raise Refusal(Code.TIMEOUT)
        if found.kind in {DOWN, EXIT}:
            found = attrs.evolve(found, grants=tuple(self._known(grant) for grant in found.grants))
        return found

    def _take_saved(self, wanted: bytes) -> Message | None:
        for index, message in enumerate(self._saved):
            if _matches(message, wanted):
                del self._saved[index]
                self._put_by(-message.size)
                return message
        return None

    def _put_by(self, size: int) -> None:
        self._saved_size += size
        self._life.mail.port.hold(len(self._saved), self._saved_size)

    def _wait_for(self, wanted: bytes, end: float | None) -> Message | None:
        life = self._life
        core, port = life.core, life.mail.port
        while True:
            envelope = port.take()
            if envelope is not None:
                if envelope.tag:
                    life.mail.close_call(envelope.tag)
                    continue  # the answer to a call that has been given up
                message = message_of(envelope)
                if _matches(message, wanted):
                    return message
                self._saved.append(message)
                self._put_by(message.size)
                continue
            left = None if end is None else end - time.monotonic()
            if core.interrupted or (left is not None and left <= 0):
                return None
            core.park(left)

    def _known(self, gone: Any) -> Grant:
        """Return the grant through which the guest watches *gone*; *gone* itself if the guest has dropped that handle."""
        number = self._watched.pop(gone.port, None)
        grant = None if number is None else self._life.handles.get(number)
        return grant if isinstance(grant, PortGrant) and grant.port is gone.port else gone

    def hold(self, grants: Sequence[Grant]) -> list[int]:
        """Give the guest handles of *grants*, and return their numbers.

        Raises:
            Refusal: the guest would hold too many handles.
        """
        table = self._life.handles
        if len(table) + len(grants) > MOST_HANDLES:
            raise Refusal(Code.MANY)
        return [table.hold(grant) for grant in grants]

    def target(self, number: int, size: int) -> PortGrant:
        """Return the grant for sending a message of *size* bytes.

        Raises:
            Refusal: the guest holds no such handle, the handle lacks the right to send, or the message is larger than the mailbox.
        """
        if not isinstance(self.grant(number), PortGrant):
            raise Refusal(Code.DENIED)
        try:
            target = self._life.mail.target(number, "send")
        except Refused as refused:
            raise refusal_of(refused) from None
        if size > target.port.size:
            raise Refusal(Code.LARGE)
        return target

    def send(self, to: int, data: bytes, *, handles: Sequence[int], timeout: int) -> None:
        """Send bytes and handles.

        Raises:
            Refusal: the mailbox did not take the message.
        """
        target = self.target(to, len(data))
        self._put(target, Envelope("", self._sendable(target.port, handles), tag=target.tag, data=data), timeout)

    def say(self, to: int, text: bytes, *, handles: Sequence[int], timeout: int) -> None:
        """Send a Python value as codec text; the receiver decodes the text under limits.

        Raises:
            Refusal: the mailbox did not take the message.
        """
        target = self.target(to, len(text))
        grants = self._sendable(target.port, handles)
        # Only the host may write the form that begins with k: a pickle.
        if not text or not text.isascii() or text.startswith(b"k"):
            raise Refusal(Code.MALFORMED)
        self._put(
            target, Envelope(text.decode("ascii"), grants, tag=target.tag, origin=self._life.mail.origin), timeout
        )

    def _sendable(self, port: Port, handles: Sequence[int]) -> tuple[Grant, ...]:
        if len(handles) > MOST_HANDLES_IN_MESSAGE:
            raise Refusal(Code.MANY)
        grants = tuple(self.grant(number) for number in handles)
        if any(port.refuses(grant) for grant in grants):
            raise Refusal(Code.UNSENDABLE)
        return grants

    def grant(self, number: int) -> Grant:
        """Return the grant of a handle.

        Raises:
            Refusal: the guest does not hold the handle.
        """
        grant = self._life.handles.get(number)
        if grant is None:
            raise Refusal(Code.FORGED)
        return grant

    def _put(self, target: PortGrant, envelope: Envelope, timeout: int) -> None:
        seconds = None if timeout < 0 else min(timeout / 1000, _SECONDS)
        answer = put(target.port, envelope, parker=self._life.core, timeout=seconds)
        if answer is not Offer.ACCEPTED:
            raise Refusal(_OFFERS[answer])
        self._life.mail.sent += 1

    def call(self, to: int, data: bytes, *, handles: Sequence[int], timeout: int) -> Message:
        """Send, with an address for the answer as the first handle, and return the answer.

        Raises:
            Refusal: the message was not sent or not answered in time, or the receiver has ended.
        """
        mail = self._life.mail
        target = self.target(to, len(data))
        grants = self._sendable(target.port, handles)
        if target.port.reason is not None:
            raise Refusal(Code.CLOSED)
        tag, end = next(self._tags), end_of(timeout)
        answer_to = PortGrant(mail.port, tag, monitor=False)
        try:
            mail.open_call(tag, target.port)
        except Refused as refused:
            raise refusal_of(refused) from None
        try:
            self._put(target, Envelope("", (answer_to, *grants), tag=target.tag, data=data), timeout)
            envelope = self._answer_to(tag, end)
        finally:
            mail.close_call(tag)
        if envelope is None:
            raise Refusal(Code.TIMEOUT)
        if envelope.kind != "m":
            raise Refusal(Code.CLOSED)
        return message_of(envelope)

    def _answer_to(self, tag: int, end: float | None) -> Envelope | None:
        core, port = self._life.core, self._life.mail.port
        while True:
            envelope = port.take(urgent_only=True)
            if envelope is not None:
                if envelope.tag == tag:
                    return envelope
                continue
            left = None if end is None else end - time.monotonic()
            if core.interrupted or (left is not None and left <= 0):
                return None
            core.park(left)

    # --- other processes ---

    def own(self) -> int:
        """Return a handle of the process's address."""
        return self.hold((self._life.mail.grant(),))[0]

    def drop(self, handle: int) -> None:
        """Drop one hold of a handle."""
        self.grant(handle)
        self._life.handles.drop(handle, 1)

    def monitor(self, handle: int) -> None:
        """Request one notice for the end of the process or mailbox behind *handle*."""
        self._watch(Operation.MONITOR, handle)

    def unmonitor(self, handle: int) -> None:
        """Withdraw a monitor."""
        self._watch(Operation.DEMONITOR, handle)

    def link(self, handle: int) -> None:
        """Link this process to another: each is notified when the other ends."""
        self._watch(Operation.LINK, handle)

    def unlink(self, handle: int) -> None:
        """Undo a link."""
        self._watch(Operation.UNLINK, handle)

    def _watch(self, operation: int, handle: int) -> None:
        if len(self._watched) > 2 * MOST_WATCHES:
            self._watched = {port: number for port, number in self._watched.items() if port.reason is None}
        grant = self.grant(handle)
        if not isinstance(grant, PortGrant):
            raise Refusal(Code.DENIED)
        self._watched[grant.port] = handle
        answer = self._life.mail.answer(operation, str(handle))
        if answer.startswith("!"):
            raise refusal_of(Refused(*read_refusal(answer)))

    def _check_watches(self) -> None:
        try:
            self._life.mail.check_watches()
        except Refused as refused:
            raise refusal_of(refused) from None

    def trap(self, on: bool) -> None:
        """Choose whether the ends of linked processes arrive as messages."""
        self._life.mail.answer(Operation.TRAP, "1" if on else "0")

    def check_start(self, name_size: int, size: int, *, handles: int) -> None:
        """Refuse a start that is too large, before it is copied.

        Raises:
            Refusal: the name, the argument or the number of handles exceeds its limit.
        """
        if handles > MOST_HANDLES_IN_MESSAGE:
            raise Refusal(Code.MANY)
        if name_size > LONGEST_NAME or size > self._life.environment.mailbox_bytes:
            raise Refusal(Code.LARGE)

    def spawn(self, module: int | None, name: bytes, *, data: bytes, handles: Iterable[int], flags: int) -> int:
        """Start a process that ends with this one, if not earlier; return a handle of its address.

        Args:
            module: a handle of the module; None for the module of this process.
            name: the name of the function.
            data: the function's argument.
            handles: handles of the capabilities that it can use.
            flags: the bits `LINK` and `MONITOR`.

        Raises:
            Refusal: the child was not started.
        """
        try:
            entry = name.decode()
        except UnicodeDecodeError:
            raise Refusal(Code.MISSING) from None
        grants = tuple(self.grant(number) for number in handles)
        if flags:
            self._check_watches()
        child = self._life.spawn(module, entry, data=data, grants=grants, linked=bool(flags & LINK))
        grant = self.grant(child)
        if flags & LINK and isinstance(grant, PortGrant):
            self._watched[grant.port] = child
        if flags & MONITOR:
            self.monitor(child)
        return child

    def kill(self, handle: int) -> None:
        """End a child of this process.

        Raises:
            Refusal: the process is not a child of this one.
        """
        self._life.kill_child(self.grant(handle))

    # --- the host ---

    def check_call(self, size: int) -> None:
        """Refuse an argument that is too large for a host function, before it is copied.

        Raises:
            Refusal: the argument is too large.
        """
        if size > self._life.environment.mailbox_bytes:
            raise Refusal(Code.LARGE)

    def invoke(self, function: int, data: bytes) -> tuple[bool, Message]:
        """Call a host function.

        Returns:
            (True if it raised, its result or the text of its exception).

        Raises:
            Refusal: the handle is not a function's.
        """
        self.check_call(len(data))
        return self._life.invoke(self.grant(function), data, function)

    def describe(self, handle: int) -> bytes:
        """Return words about a handle, or the path of a folder."""
        described = self.grant(handle).describe()
        return str(described[0] if isinstance(described, list) else described).encode(errors="replace")[:_LONGEST_WORDS]

    @property
    def room(self) -> int:
        """The bytes of output that may still be written."""
        return self._life.room

    def write(self, stream: int, data: bytes) -> None:
        """Write to standard output, 1, or standard error, 2."""
        decoder = self._decoders.get(stream)
        if decoder is None:
            decoder = self._decoders[stream] = codecs.getincrementaldecoder("utf-8")("replace")
        self._life.write(stream, decoder.decode(data))

    def sleep(self, milliseconds: int) -> None:
        """Wait for *milliseconds*."""
        end = end_of(milliseconds)
        self._life.core.sleep(_SECONDS if end is None else end - time.monotonic())


def _matches(message: Message, wanted: bytes) -> bool:
    return not wanted or (message.kind == BYTES and message.data.startswith(wanted))


def end_of(timeout: int) -> float | None:
    """Return the moment at which *timeout* milliseconds are over; None if that is never."""
    return None if timeout < 0 else time.monotonic() + min(timeout / 1000, _SECONDS)
