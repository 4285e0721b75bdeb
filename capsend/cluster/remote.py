"""Ports of other machines as senders, monitors and links of this program see them, and messages that wait for room."""

from __future__ import annotations

import collections
from typing import TYPE_CHECKING, Any, Final, Protocol

from capsend.cluster.items import LARGEST_BODY, Malformed
from capsend.mailbox.ports import Envelope, Offer, Port, Waiter

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence

    from capsend.capabilities.handles import Grant

WINDOW: Final = 256
"""The most messages in transit from this program to one port of another."""

WINDOW_BYTES: Final = 1 << 20
"""Bytes in transit after which no further messages are sent; a single message may be larger."""

_FEW_MESSAGES: Final = 64
_FEW_BYTES: Final = 256 << 10


class Router(Protocol):
    """The references to this program's ports; `capsend.cluster.peers.Switch`."""

    def refer(self, port: Port) -> list[Any]:
        """Return a reference to a port."""


class Peer(Protocol):
    """The program that owns a port; `capsend.cluster.peers.Peer`."""

    lock: threading.RLock

    @property
    def id(self) -> str:
        """Its id."""

    @property
    def switch(self) -> Router:
        """The ports of this program."""

    @property
    def has_room(self) -> bool:
        """True if more messages should be put."""

    def when_room(self, tell: Callable[[], None]) -> None:
        """Call *tell* once when there is room."""

    def put(
        self,
        word: str,
        fields: Sequence[Any],
        body: bytes | memoryview = b"",
        *,
        bulk: bool = False,
        first: bool = False,
    ) -> None:
        """Send an item."""

    def send_message(self, key: int, envelope: Envelope) -> None:
        """Send an envelope to one of its ports."""

    def sync(self) -> None:
        """Wait until the peer has done all earlier requests."""

    def behind_messages(self, receiver: Port, act: Callable[[], None]) -> None:
        """Do an act once all messages of this peer to a port have found room."""

    def forget_import(self, key: int) -> None:
        """Note that one of the peer's ports was dropped."""


def _unknown(_thing: object) -> None:
    """Return None: this program has no names for the receiver's classes."""


class RemotePort(Port):
    """A port of another machine.

    A message is accepted if the window has room for it. Monitors and links are notified of its end as for a local port,
    after all messages that were sent before it.

    Args:
        peer: the machine.
        key: its number in the program that owns it.
        label: the port's name for people.
        messages, size: the limits of its queue.
        root: the number of the process at the root of the receiver's tree; 0 for a mailbox of a host program.
    """

    __slots__ = ("_bytes", "_count", "is_watched", "key", "peer", "root")

    def __init__(self, peer: Peer, key: int, label: str, *, messages: int, size: int, root: int) -> None:
        super().__init__(label, messages=messages, size=min(size, LARGEST_BODY))
        self.peer: Peer = peer
        self.key: int = key
        self.root: int = root
        self.is_watched: bool = False
        self.dropped: int = 0
        self.name: Callable[[Any], object] | None = _unknown
        self._count = 0
        self._bytes = 0

    def offer(
        self,
        envelope: Envelope,
        waiter: Waiter | None = None,
        *,
        later: list[Callable[[], object]] | None = None,  # noqa: ARG002 - no thread of this program waits for the message
    ) -> Offer:
        """Send an envelope if the window has room; never wait."""
        peer = self.peer
        with self._lock:
            if self.reason is not None:
                self.dropped += 1
                return Offer.CLOSED
            if envelope.size > self.size:
                return Offer.TOO_LARGE
            if not envelope.tag:  # an answer is always expected
                waiters = self._waiters[0]
                if waiters and waiters[0] is not waiter:
                    return Offer.FULL
                if self._count >= WINDOW or self._bytes >= WINDOW_BYTES:
                    return Offer.FULL
                if not peer.has_room:
                    peer.when_room(self.tell_next)
                    return Offer.FULL
                self._count += 1
                self._bytes += envelope.size
            peer.send_message(self.key, envelope)
        return Offer.ACCEPTED

    def acknowledge(self, messages: int, size: int) -> None:
        """Free room in the window: *messages* messages have found room in the port."""
        with self._lock:
            self._count = max(self._count - messages, 0)
            self._bytes = max(self._bytes - size, 0)
        self.tell_next()

    def refuses(self, grant: Grant) -> str:
        """Return the reason why a grant cannot be part of a message to another machine; empty when it can."""
        return grant.refusal or grant.stays

    def watch(self, tell: Callable[[str, str], None], *, owner: Port | None = None) -> int:
        """Call *tell* when the port closes, behind the messages to *owner* that wait for room; see `Port.watch`."""
        if owner is None or isinstance(owner, RemotePort):
            return super().watch(tell)
        peer, receiver = self.peer, owner
        return super().watch(lambda reason, words: peer.behind_messages(receiver, lambda: tell(reason, words)))

    def follow(self, gone: Port, end: Callable[[], None]) -> Callable[[bool], None]:  # noqa: ARG002 - its machine calls it
        """Have the port's machine act on the end of *gone*: see `Port.follow`."""
        self.peer.put("link", (self.key, self.peer.switch.refer(gone)))

        def undo(is_over: bool) -> None:
            if not is_over:
                self.peer.put("unlink", (self.key, self.peer.switch.refer(gone)))

        return undo

    def __del__(self) -> None:
        peer: Any = getattr(self, "peer", None)
        if peer is not None and self.reason is None:
            peer.forget_import(self.key)


class Inlet:
    """One peer's messages to one port that wait for room, and the notices after them; a waiting message keeps its place in the window.

    Args:
        peer: the peer.
        key: the port's number.
        port: the port.
    """

    def __init__(self, peer: Peer, key: int, port: Port) -> None:
        self._peer = peer
        self._key = key
        self._port = port
        self._waiting: collections.deque[Envelope | Callable[[], None]] = collections.deque()
        self._waiter: Waiter | None = None
        self._waiting_messages = 0
        self._waiting_bytes = 0
        self._count = 0
        self._bytes = 0

    def offer(self, envelope: Envelope) -> None:
        """Put a message into the port, now or once there is room; called by the peer, with its lock held.

        Raises:
            Malformed: more wait than a peer that keeps to its window has on their way.
        """
        if self._waiting or not self._placed(envelope):
            if self._waiting_messages >= WINDOW or self._waiting_bytes >= WINDOW_BYTES:
                raise Malformed("it sends more messages than have room on their way")
            self._waiting_messages += 1
            self._waiting_bytes += envelope.size
            self._waiting.append(envelope)
            if self._waiter is None:
                self._waiter = self._port.enter(self.pour)
                self.pour()

    def behind(self, act: Callable[[], None]) -> bool:
        """Do an act once all earlier messages have found room; return False if none waits, and the caller can do it."""
        if not self._waiting:
            return False
        self._waiting.append(act)
        return True

    def pour(self) -> None:
        """Put the messages that now have room into the port."""
        acts: list[Callable[[], None]] = []
        with self._peer.lock:
            while self._waiting:
                first = self._waiting[0]
                if not isinstance(first, Envelope):
                    acts.append(first)
                elif not self._placed(first):
                    break
                else:
                    self._waiting_messages -= 1
                    self._waiting_bytes -= first.size
                self._waiting.popleft()
            waiter = None
            if not self._waiting:
                waiter, self._waiter = self._waiter, None
        for act in acts:
            act()
        if waiter is not None:
            self._port.leave(waiter)

    def _placed(self, envelope: Envelope) -> bool:
        if self._port.offer(envelope, self._waiter) is Offer.FULL:
            return False
        # Accepted, or dropped and counted: either way its place in the window is free.
        self._count += 1
        self._bytes += envelope.size
        if self._count >= _FEW_MESSAGES or self._bytes >= _FEW_BYTES:
            self._peer.put("ack", (self._key, self._count, self._bytes))
            self._count = self._bytes = 0
        return True

    def drop(self) -> None:
        """Drop the waiting messages, as the peer is lost, but deliver notices."""
        with self._peer.lock:
            acts = [each for each in self._waiting if not isinstance(each, Envelope)]
            self._waiting.clear()
            waiter, self._waiter = self._waiter, None
        if waiter is not None:
            self._port.leave(waiter)
        for act in acts:
            act()
