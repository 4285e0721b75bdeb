"""Ports: the bounded queues behind mailboxes, which depend neither on processes nor on the values in the envelopes.

A port is a queue with one receiver, and rights to send that can be handed on.

Source:
    Mach ports.
"""

from __future__ import annotations

import collections
import enum
import itertools
import threading
import time
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from capsend.capabilities.handles import Grant

from capsend.codec.segments import size_of
from capsend.mailbox.bounds import MESSAGES, MOST_CALLS, OVERHEAD, SIZE, Policy

Kind: TypeAlias = Literal["m", "d", "x"]

_Watch: TypeAlias = "Callable[[str, str], None]"

_numbers = itertools.count(1)


class Offer(enum.Enum):
    """The outcome of offering a message to a port."""

    ACCEPTED = "it is in the queue"
    FULL = "there is no room now, and the sender is to wait"
    REFUSED = "there is no room, and the sender is not to wait"
    TOO_LARGE = "the port never has room for it"
    CLOSED = "nobody receives from that mailbox any more"


class Origin(Protocol):
    """The sender of a message, which resolves the names of objects in the message's text."""

    def resolve(self, reference: Any) -> object:
        """Return the host's object of a name in the text.

        Raises:
            LookupError: the name is that of nothing that the sender may name.
        """


class Envelope:
    """One message on its way; not changed once it is made.

    Attributes:
        text: the message as codec text; a notice's `reason` and words as JSON; empty where `data` is set.
        data: the message as bytes; see `capsend.mailbox.byte_messages`.
        grants: the grants behind its handles.
        kind: "m" a message, "d" the notice of a monitor, "x" the notice of a link.
        tag: the call that the message answers; 0 for none.
        origin: resolves the names in the text; None if the text has none, or if its sender has ended.
        trusted: True if the host wrote the message.
        segments: the bytes that travel next to the text.
        size: the bytes that it is charged.
    """

    # Not an attrs class: every message makes one, and making a frozen one takes three times as long.
    __slots__ = ("data", "grants", "kind", "origin", "segments", "size", "tag", "text", "trusted")

    def __init__(  # noqa: PLR0913 - one for each attribute
        self,
        text: str,
        grants: tuple[Grant, ...] = (),
        *,
        kind: Kind = "m",
        tag: int = 0,
        origin: Origin | None = None,
        trusted: bool = False,
        data: bytes | None = None,
        segments: Sequence[bytes] = (),
    ) -> None:
        self.text: str = text
        self.data: bytes | None = data
        self.grants: tuple[Grant, ...] = grants
        self.kind = kind
        self.tag: int = tag
        self.origin: Origin | None = origin
        self.trusted: bool = trusted
        self.segments: Sequence[bytes] = segments
        self.size: int = (len(text) if data is None else len(data)) + OVERHEAD * (1 + len(grants))
        if segments:
            self.size += size_of(segments)


class Account(Protocol):
    """An account charged for the messages in a port, in addition to the port's bounds; called with or without the port's lock."""

    def take_mail(self, amount: int, port: Port, *, urgent: bool) -> int:
        """Charge a message, or return the missing bytes; the account calls the port's `tell_next` when it may have room."""

    def give_mail(self, amount: int, *, urgent: bool) -> None:
        """Refund the charge of a message."""

    def tell_waiting(self) -> None:
        """Wake the ports that had no room; called without any lock."""


class Waiter:
    """One sender that waits for room, in the order of arrival."""

    __slots__ = ("urgent", "wake")

    def __init__(self, wake: Callable[[], None], *, urgent: bool) -> None:
        self.wake: Callable[[], None] = wake
        self.urgent: bool = urgent


class Port:
    """A queue of envelopes with one receiver and any number of senders.

    Answers to calls and the notices that belong to calls have a separate queue, so that no flood of messages keeps them
    out. Ordinary notices wait among the messages. Safe to use from any thread.

    Ordering:
        Envelopes leave in the order of their arrival, urgent ones (replies, and notices of calls) first; a notice is behind all messages
        that its process had sent before.

    Args:
        label: the port's name for people: "process 3".
        messages: messages that it holds.
        size: bytes that it holds.
        policy: the fate of a message that does not fit.
    """

    __slots__ = (
        "__weakref__",
        "_calls",
        "_envelopes",
        "_held",
        "_listeners",
        "_lock",
        "_size",
        "_urgent",
        "_urgent_size",
        "_waiters",
        "_wakes",
        "_watches",
        "account",
        "dropped",
        "is_brief",
        "label",
        "linked",
        "messages",
        "name",
        "notices",
        "on_exit",
        "policy",
        "reads_pickles",
        "reason",
        "received",
        "size",
        "words",
    )

    def __init__(self, label: str, *, messages: int = MESSAGES, size: int = SIZE, policy: Policy = "block") -> None:
        self.label: str = label
        self.messages: int = messages
        self.size: int = size
        self.policy: Policy = policy
        self.reason: str | None = None
        self.words: str = ""
        self.dropped: int = 0
        self.received: int = 0
        self.notices: int = 0
        self.name: Callable[[Any], object] | None = None
        """Returns the receiver's name of a class or function; None where the receiver can be given the object itself."""
        self.reads_pickles: bool = True
        """True if the receiver reads pickled messages of the host, and segments."""
        self.is_brief: bool = False
        """True if the port closes after the one answer of a call: its liveness is never asked for."""
        self.on_exit: Callable[[Port, str, str], None] | None = None
        self.linked: dict[Port, Callable[[], None]] = {}
        """{port: undo} of the links that others made to this port."""
        self.account: Account | None = None
        """The account of the process tree, also charged for messages; set before anybody has an address."""
        # Reentrant: a mailbox that is collected while this thread holds the lock closes its port.
        self._lock = threading.RLock()
        self._envelopes: collections.deque[Envelope] = collections.deque()
        self._urgent: collections.deque[Envelope] = collections.deque()
        self._size = 0
        self._urgent_size = 0
        self._held = (0, 0)
        self._calls: set[int] = set()
        self._waiters: tuple[list[Waiter], list[Waiter]] = ([], [])
        self._listeners: dict[int, Callable[[], None]] = {}
        self._wakes: tuple[Callable[[], None], ...] = ()
        self._watches: dict[int, _Watch] = {}

    def __len__(self) -> int:
        return len(self._envelopes) + self._held[0]

    # --- senders ---

    def offer(
        self,
        envelope: Envelope,
        waiter: Waiter | None = None,
        *,
        later: list[Callable[[], object]] | None = None,
    ) -> Offer:
        """Put an envelope into the queue if it fits; never wait.

        Args:
            envelope: the envelope.
            waiter: the waiter of `enter`, when the sender has been waiting: earlier waiters go first.
            later: a list for the functions that wake the receivers, which the caller calls soon; None calls them at once.
        """
        with self._lock:
            if self.reason is not None or (envelope.tag and envelope.tag not in self._calls):
                self.dropped += 1
                return Offer.CLOSED
            if envelope.size > self.size:
                return Offer.TOO_LARGE
            waiters = self._waiters[bool(envelope.tag)]
            if waiters and waiters[0] is not waiter:
                return Offer.FULL
            answer = self._place_urgent(envelope) if envelope.tag else self._place(envelope)
        if answer is Offer.ACCEPTED:
            if later is None:
                self.tell_listeners()
            else:
                later += self._wakes
        return answer

    def _place_urgent(self, envelope: Envelope) -> Offer:
        if self._urgent and self._urgent_size + envelope.size > self.size:
            return Offer.FULL
        if self.account is not None and self.account.take_mail(envelope.size, self, urgent=True):
            return Offer.FULL
        self._calls.discard(envelope.tag)
        self._urgent.append(envelope)
        self._urgent_size += envelope.size
        return Offer.ACCEPTED

    def _place(self, envelope: Envelope) -> Offer:
        while (missing := self._charge(envelope.size)) != 0:
            if self.policy == "block":
                return Offer.FULL
            if self.policy == "fail":
                self.dropped += 1
                return Offer.REFUSED
            oldest = next((index for index, each in enumerate(self._envelopes) if each.kind == "m"), None)
            self.dropped += 1
            if missing > self._size:
                return (
                    Offer.REFUSED
                )  # others have taken the room, and dropping all messages of this port does not make enough
            if oldest is None:
                return Offer.REFUSED  # all messages that could be dropped were taken out and set aside
            size = self._envelopes[oldest].size
            self._size -= size
            del self._envelopes[oldest]
            if self.account is not None:
                self.account.give_mail(size, urgent=False)
        self._envelopes.append(envelope)
        self._size += envelope.size
        return Offer.ACCEPTED

    def _fits(self, size: int) -> bool:
        held, held_size = self._held
        return len(self._envelopes) + held < self.messages and self._size + held_size + size <= self.size

    def _charge(self, size: int) -> int:
        """Charge a message to the account.

        Returns:
            0 if the message was charged, else the missing bytes; 1 if the queue itself is full.
        """
        if not self._fits(size):
            return 1
        return 0 if self.account is None else self.account.take_mail(size, self, urgent=False)

    def enter(self, wake: Callable[[], None], *, urgent: bool = False) -> Waiter:
        """Join the line for room; `wake` is called, from any thread, whenever it may be this sender's turn."""
        waiter = Waiter(wake, urgent=urgent)
        with self._lock:
            self._waiters[urgent].append(waiter)
        return waiter

    def leave(self, waiter: Waiter) -> None:
        """Leave the line, with or without having got room; the next waiter is woken."""
        with self._lock:
            line = self._waiters[waiter.urgent]
            if waiter in line:
                line.remove(waiter)
        self.tell_next()

    def notify(self, envelope: Envelope) -> None:
        """Put a notice into the queue, which has room for every requested notice."""
        with self._lock:
            if self.reason is not None or (envelope.tag and envelope.tag not in self._calls):
                return
            if envelope.tag:
                self._calls.discard(envelope.tag)
                self._urgent.append(envelope)
                self._urgent_size += envelope.size
            else:
                self._envelopes.append(envelope)
                self._size += envelope.size
                self.notices += 1
        self.tell_listeners()

    # --- the receiver ---

    def take(self, *, urgent_only: bool = False) -> Envelope | None:
        """Take the next envelope out, answers to calls first; return None when the queue is empty."""
        with self._lock:
            if self._urgent:
                envelope = self._urgent.popleft()
                self._urgent_size -= envelope.size
            elif self._envelopes and not urgent_only:
                envelope = self._envelopes.popleft()
                self._size -= envelope.size
                self.received += envelope.kind == "m"
                self.notices -= envelope.kind != "m"
            else:
                return None
        self._give_back(envelope)
        self.tell_next()
        return envelope

    def _give_back(self, envelope: Envelope) -> None:
        """Refund an envelope that left the queue; notices are not charged."""
        account = self.account
        if account is not None and envelope.kind == "m":
            account.give_mail(envelope.size, urgent=bool(envelope.tag))
            account.tell_waiting()

    def hold(self, messages: int, size: int) -> None:
        """Charge for messages that the receiver took out of turn and set aside."""
        if (messages, size) == self._held:
            return
        self._held = (
            min(max(messages, 0), self.messages),
            min(max(size, 0), self.size),
        )  # as the process reports, and no more than fits
        self.tell_next()

    def listen(self, wake: Callable[[], None]) -> int:
        """Call `wake`, from any thread, whenever the queue may have an envelope; return a token for `ignore`."""
        token = next(_numbers)
        with self._lock:
            self._listeners[token] = wake
            self._wakes = tuple(self._listeners.values())
        return token

    def ignore(self, token: int) -> None:
        """Stop calling the listener."""
        with self._lock:
            self._listeners.pop(token, None)
            self._wakes = tuple(self._listeners.values())

    def open_call(self, tag: int) -> bool:
        """Admit one answer with this tag; return False when too many calls are open."""
        with self._lock:
            if len(self._calls) >= MOST_CALLS or self.reason is not None:
                return False
            self._calls.add(tag)
            return True

    def close_call(self, tag: int) -> None:
        """Stop admitting the answer with this tag."""
        with self._lock:
            self._calls.discard(tag)

    def forget_answer(self, tag: int) -> None:
        """Drop the answer with this tag, if it is in the queue."""
        with self._lock:
            if tag in self._calls:
                return
            envelope = next((each for each in self._urgent if each.tag == tag), None)
            if envelope is None:
                return
            self._urgent.remove(envelope)
            self._urgent_size -= envelope.size
        self._give_back(envelope)
        self.tell_next()

    def refuses(self, grant: Grant) -> str:
        """Return the reason why a grant cannot be part of a message to this port; empty when it can."""
        return grant.refusal

    # --- its end ---

    def follow(self, gone: Port, end: Callable[[], None]) -> Callable[[bool], None]:
        """Call this port's `on_exit` when *gone* closes, which is half of a link.

        Args:
            gone: the other port.
            end: called before `on_exit`: the link is over.

        Returns:
            A function that undoes this half; its argument is whether one of the two ports has closed.
        """

        def closed(reason: str, words: str) -> None:
            end()
            if self.on_exit is not None:
                self.on_exit(gone, reason, words)

        token = gone.watch(closed, owner=self)

        def undo(_is_over: bool) -> None:
            gone.unwatch(token)

        return undo

    def watch(self, tell: _Watch, *, owner: Port | None = None) -> int:  # noqa: ARG002 - see `owner`
        """Call *tell* once when the port closes, or at once if it has; return a token for `unwatch`.

        Args:
            tell: called with the reason and words for people.
            owner: the port that *tell* notifies, if any. All messages that the closed port's process sent to it are in
                it by then. (Those of a process on another machine may still wait for room; the port that stands for
                that machine handles this.)
        """
        token = next(_numbers)
        with self._lock:
            if self.reason is None:
                self._watches[token] = tell
                return token
        tell(self.reason, self.words)
        return token

    def unwatch(self, token: int) -> bool:
        """Forget a watch; return whether its call was still to come."""
        with self._lock:
            return self._watches.pop(token, None) is not None

    def close(self, reason: str, words: str = "") -> None:
        """Close the port: call all watches, waiters and listeners; the messages left count as dropped."""
        with self._lock:
            if self.reason is not None:
                return
            self.reason, self.words = reason, words
            self.dropped += sum(envelope.kind == "m" for envelope in self._envelopes) + self._held[0]
            lost = [*self._envelopes, *self._urgent]
            self._envelopes.clear()
            self._urgent.clear()
            self._calls.clear()
            self._size = self._urgent_size = 0
            self._held = (0, 0)
            self.name = self.on_exit = None
            self.linked = {}
            watches, self._watches = list(self._watches.values()), {}
            waiters = [*self._waiters[0], *self._waiters[1]]
        for envelope in lost:
            self._give_back(envelope)
        if self.account is not None:
            self.account.tell_waiting()
            self.account = None
        for tell in watches:
            tell(reason, words)
        for waiter in waiters:
            waiter.wake()
        self.tell_listeners()
        # Addresses may keep the port alive, and the port must then keep nothing else alive.
        with self._lock:
            self._listeners.clear()
            self._wakes = ()

    def tell_next(self) -> None:
        """Wake the first sender that waits for room."""
        if not self._waiters[0] and not self._waiters[1]:
            return
        for line in self._waiters:
            if line:
                with self._lock:
                    first = line[0] if line else None
                if first is not None:
                    first.wake()

    def tell_listeners(self) -> None:
        """Wake all receivers that wait."""
        for wake in self._wakes:
            wake()


def put(
    port: Port,
    envelope: Envelope,
    *,
    parker: Any,
    timeout: float | None = None,
    later: list[Callable[[], object]] | None = None,
) -> Offer:
    """Put an envelope into a port, waiting for room where that is the port's policy.

    Args:
        port: the port.
        envelope: the envelope.
        parker: the means by which this thread waits: a `Parker`, or the guest of the process.
        timeout: seconds to wait; for ever when None.
        later: as for `Port.offer`, for an envelope that needs no wait.

    Returns:
        The port's answer; `FULL` when the time is over, or when the guest of the waiting thread was killed.
    """
    answer = port.offer(envelope, later=later)
    if answer is not Offer.FULL or (timeout is not None and timeout <= 0):
        return answer
    end = None if timeout is None else time.monotonic() + timeout
    waiter = port.enter(parker.unpark, urgent=bool(envelope.tag))
    try:
        while True:
            answer = port.offer(envelope, waiter)
            if answer is not Offer.FULL or parker.interrupted:
                return answer
            left = None if end is None else end - time.monotonic()
            if left is not None and left <= 0:
                return answer
            parker.park(left)
    finally:
        port.leave(waiter)


def link(one: Port, other: Port) -> Callable[[], None]:
    """Link two ports: when one closes, the other's `on_exit` is called with the reason.

    Returns:
        A function that undoes the link.
    """
    halves: list[Callable[[bool], None]] = []

    def end() -> None:
        for undo in halves:
            undo(True)

    def unlink() -> None:
        for undo in halves:
            undo(False)

    halves.append(other.follow(one, end))
    halves.append(one.follow(other, end))
    if one.reason is not None or other.reason is not None:
        end()
    return unlink
