"""The switch: this program's ports that others use, the ports of others that it uses, and the peers behind them.

A `Switch` handles ports, not transport; a `Peer` is one program at the other end. Each port that is made known outside
the program gets a key, by which others send to it, watch it and link to it. Keys are not secret from other hosts, and
no guest ever sees one.
"""

from __future__ import annotations

import collections
import re
import threading
import weakref
from typing import TYPE_CHECKING, Any, Final

from capsend.cluster.early import Early
from capsend.cluster.items import Item, Malformed, joined, message_head, packed_head, split
from capsend.cluster.lines import MOST_WAITING
from capsend.cluster.names import root_of
from capsend.cluster.remote import Inlet, RemotePort
from capsend.mailbox.address import PortGrant
from capsend.mailbox.ports import Envelope, Port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from capsend.capabilities.handles import Grant
    from capsend.cluster.lines import Line
    from capsend.cluster.names import Names

HOME: Final = "home"
"""The id of the program that has the cluster."""

_ID: Final = re.compile(r"[\w.-]{1,100}", re.ASCII)
_MOST_STRANGERS: Final = 1_000
"""The most peers known only by their ids, because another peer named them before home did; items for further ones are lost."""

_MOST_UNREAD: Final = 10_000
"""The most replies to a peer that wait for room on its line; a peer that exceeds them does not read."""

_SYNCING: Final = 2.0
_MOST_ENDS: Final = 10_000
_WORTH_NO_COPY: Final = 64 << 10
_NO_SUCH: Final = ("failed", "it had ended before")
_SEND, _MONITOR, _LINK = 1, 2, 4
_PICKLES, _BRIEF = 1, 2
_TO_PORTS: Final = frozenset({"m", "watch", "unwatch", "link", "unlink"})


class Switch:
    """The ports and peers of one program; safe to use from any thread.

    Args:
        me: the id of this program.
        names: the program's data about processes.
        dial: connects to a peer of which only the id is known; called on a separate thread.
    """

    def __init__(self, me: str, names: Names, *, dial: Callable[[Peer], None] | None = None) -> None:
        self.me = me
        self.names = names
        self.fence: Callable[[], object] | None = None
        """Called before anything is sent; on a node whose lease is over it does not return."""
        self.peers: dict[str, Peer] = {}
        self.gone: dict[str, str] = {}
        """{id: words} of the lost peers. Ids are not reused: a lost peer stays lost."""
        self._dial = dial
        self._lock = threading.RLock()
        self._next = 0
        self._exports: weakref.WeakValueDictionary[int, Port] = weakref.WeakValueDictionary()
        self._keys: weakref.WeakKeyDictionary[Port, tuple[int, int]] = weakref.WeakKeyDictionary()
        self._ends: collections.OrderedDict[int, tuple[str, str]] = collections.OrderedDict()
        self._imports: weakref.WeakValueDictionary[tuple[str, int], RemotePort] = weakref.WeakValueDictionary()
        self.early: Early = Early(is_home=me == HOME)
        self._dropped: collections.deque[tuple[Peer, int]] = collections.deque()

    # --- ports of this program, used by others ---

    def export(self, port: Port, *, key: int | None = None) -> int:
        """Return the key of a port of this program.

        Args:
            port: the port.
            key: the key chosen by home; the next free one when None.
        """
        # The call of its process names classes for it.
        root, _ = root_of(getattr(port.name, "__self__", None))
        known = self._keys.get(port)
        if known is not None:
            return known[0]
        with self._lock:
            known = self._keys.get(port)
            if known is not None:
                return known[0]
            if key is None:
                self._next += 1
                key = self._next
            number: int = key
            self._exports[number] = port
            self._keys[port] = number, root
        port.watch(lambda reason, words: self._closed(number, reason, words))
        return number

    def exported(self, key: int) -> Port | None:
        """Return the port of a key; None if the port has closed, or if no port has the key."""
        return self._exports.get(key)

    def _closed(self, key: int, reason: str, words: str) -> None:
        with self._lock:
            self._ends[key] = reason, words
            if len(self._ends) > _MOST_ENDS:
                self._ends.popitem(last=False)
            self._exports.pop(key, None)
            watching = [peer for peer in self.peers.values() if key in peer.watching]
        for peer in watching:
            peer.tell_closed(key)

    def end_of(self, key: int) -> tuple[str, str]:
        """Return the reason and the words of the end of a port."""
        return self._ends.get(key, _NO_SUCH)

    def counts(self) -> tuple[int, int]:
        """Return (number of exported ports that are open, number of imported ports), for tests and figures."""
        return len(self._exports), len(self._imports)

    # --- references ---

    def refer(self, port: Port, *, tag: int = 0, rights: int = 0) -> list[Any]:
        """Return a reference to a port."""
        flags = _PICKLES * port.reads_pickles + _BRIEF * (port.is_brief or bool(tag))
        if isinstance(port, RemotePort):
            return [
                "a",
                port.peer.id,
                port.key,
                tag,
                rights,
                port.label,
                port.messages,
                port.size,
                port.root,
                flags,
                port.reason or "",
            ]
        key = self.export(port)
        root = self._keys[port][1]
        return ["a", self.me, key, tag, rights, port.label, port.messages, port.size, root, flags, port.reason or ""]

    def reference(self, grant: Grant) -> list[Any] | None:
        """Return a reference to a grant; None for a grant that must stay on this machine."""
        if isinstance(grant, PortGrant):
            rights = _SEND * grant.send + _MONITOR * grant.monitor + _LINK * grant.link
            return self.refer(grant.port, tag=grant.tag, rights=rights)
        return self.names.describe(grant)

    def grant(self, reference: list[Any]) -> Grant:
        """Return the grant of a checked reference.

        Raises:
            Malformed: the reference is to a function that was not given.
        """
        if reference[0] == "f":
            _, root, number, name, is_async = reference
            function = self.names.function(root, number, name, is_async=is_async)
            if function is None:
                raise Malformed("it refers to a function that it was not given")
            return function
        rights, tag = reference[4], reference[3]
        return PortGrant(
            self.port(reference),
            tag,
            send=bool(rights & _SEND),
            monitor=bool(rights & _MONITOR),
            link=bool(rights & _LINK),
        )

    def grants(self, references: Iterable[list[Any]]) -> tuple[Grant, ...]:
        """Return the grants of checked references; errors as for `grant`."""
        return tuple(map(self.grant, references))

    def port(self, reference: list[Any]) -> Port:
        """Return the port of a reference: of this program, or a remote one."""
        _, owner, key, _, _, label, messages, size, root, flags, reason = reference
        if owner == self.me:
            port = self._exports.get(key)
            if port is not None:
                return port
            port = Port(label)
            port.close(*self.end_of(key))
            return port
        port = self.remote(owner, key, label, messages=messages, size=size, root=root, flags=flags)
        if reason and port.reason is None:
            port.close(reason)
        return port

    def remote(  # noqa: PLR0913 - the parts of a reference, all keyword-only except three
        self, owner: str, key: int, label: str, *, messages: int, size: int, root: int, flags: int, watched: bool = True
    ) -> RemotePort:
        """Return the remote port of a key; arguments as for `RemotePort`, and whether to watch for its end."""
        watched = watched and not flags & _BRIEF
        found = self._imports.get((owner, key))
        if found is not None and (found.is_watched or not watched):
            return found
        peer = self.peer(owner)
        with self._lock:
            found = self._imports.get((owner, key))
            if found is None:
                found = self._imports[owner, key] = RemotePort(
                    peer, key, label[:200], messages=max(messages, 1), size=size, root=root
                )
                found.reads_pickles = bool(flags & _PICKLES)
                namer = self.names.namer(root)
                if namer is not None:
                    found.name = namer
            is_new, found.is_watched = watched and not found.is_watched, found.is_watched or watched
        if peer.is_lost:
            found.close("lost", self.gone.get(owner, "it is no node of this cluster"))
        elif is_new:
            peer.put("watch", (key,))
        return found

    def forget_import(self, peer: Peer, key: int) -> None:
        """Note that a remote port was dropped; called by the garbage collector, from anywhere."""
        self._dropped.append((peer, key))

    def sweep(self) -> None:
        """Report dropped ports to the peers that own them; called with each beat."""
        for _ in range(len(self._dropped)):
            peer, key = self._dropped.popleft()
            with self._lock:
                if (peer.id, key) not in self._imports:
                    peer.put("unwatch", (key,))

    # --- peers ---

    def peer(self, id_: str) -> Peer:
        """Return the peer of an id; a peer that is not connected yet is dialled."""
        with self._lock:
            peer = self.peers.get(id_)
            if peer is not None:
                return peer
            peer = Peer(self, id_)
            # Whoever names a peer may have made it up: nothing is kept of such.
            if (
                id_ in self.gone
                or self._dial is None
                or not _ID.fullmatch(id_)
                or sum(each.heard is None for each in self.peers.values()) >= _MOST_STRANGERS
            ):
                peer.is_lost = True
                return peer
            self.peers[id_] = peer
        self._dial(peer)
        return peer

    def add(self, peer: Peer) -> None:
        """Add a peer."""
        with self._lock:
            self.peers[peer.id] = peer

    def lose(self, id_: str, words: str, *, but: frozenset[int] = frozenset()) -> bool:
        """Give up a peer for good: its ports close as lost, except those of the keys in *but*; return False if it was lost before."""
        with self._lock:
            if id_ in self.gone:
                return False
            self.gone[id_] = words
            peer = self.peers.pop(id_, None)
            lost = [port for (owner, _), port in self._imports.items() if owner == id_ and port.key not in but]
        if peer is not None:
            peer.end()
        for port in lost:
            port.close("lost", words)
        return True


class Peer:
    """A program at the other end.

    Attributes:
        id: its id.
        watching: the keys of this program's ports whose end must be reported to the peer.
        incoming: the line from which its items come.
        lock: guards its inlets.

    Args:
        switch: the switch of this program.
        id_: its id.
    """

    def __init__(self, switch: Switch, id_: str) -> None:
        self.switch = switch
        self.id = id_
        self.is_lost: bool = False
        self.watching: set[int] = set()
        self.lock: threading.RLock = threading.RLock()
        self.incoming: Line | None = None
        self._line: Line | None = None
        self._before: list[tuple[tuple[bytes | memoryview, ...], bool]] | None = []  # items put before there was a line
        self._before_size = 0
        self._thirsty: list[Callable[[], None]] = []
        self._unread = 0
        self._inlets: dict[int, Inlet] = {}
        self._syncs: dict[int, threading.Event] = {}
        self._synced_with = 0

    # --- to the peer ---

    def connect(self, line: Line) -> None:
        """Set the line for items to the peer; items put earlier go first."""
        with self.lock:
            for parts, bulk in self._before or ():
                line.put(*parts, bulk=bulk)
            self._before = None
            self._line = line
            thirsty, self._thirsty = self._thirsty, []
        for tell in thirsty:
            line.when_room(tell)

    def put(
        self,
        word: str,
        fields: Sequence[Any],
        body: bytes | memoryview = b"",
        *,
        bulk: bool = False,
        first: bool = False,
    ) -> None:
        """Send an item; a node whose lease is over ends instead."""
        self._put(packed_head(word, fields, len(body)), body, bulk=bulk, first=first)

    def _put(self, head: bytes, body: bytes | memoryview, *, bulk: bool = False, first: bool = False) -> None:
        fence = self.switch.fence
        if fence is not None:
            fence()
        parts = (head, body) if len(body) > _WORTH_NO_COPY else (b"".join((head, body)),)
        line = self._line
        if line is None:
            with self.lock:
                line = self._line
                if line is None:
                    if self._before is not None:
                        self._before.append((parts, bulk))
                        self._before_size += sum(map(len, parts))
                    return
        line.put(*parts, bulk=bulk, first=first)

    def answer(self, word: str, fields: Sequence[Any]) -> None:
        """Send a reply to an item of the peer's.

        Raises:
            Malformed: the peer keeps asking without reading the answers.
        """
        if self.has_room:
            self._unread = 0
        else:
            self._unread += 1
            if self._unread > _MOST_UNREAD:
                raise Malformed("it asks, and does not read the answers")
        self.put(word, fields)

    @property
    def has_room(self) -> bool:
        """Whether the peer accepts more messages."""
        line = self._line
        return self._before_size < MOST_WAITING if line is None else line.has_room

    def when_room(self, tell: Callable[[], None]) -> None:
        """Call *tell* once when there is room, or when the peer is lost."""
        with self.lock:
            line = self._line
            if line is None and not self.is_lost:
                self._thirsty.append(tell)
                return
        if line is None:
            tell()
        else:
            line.when_room(tell)

    def send_message(self, key: int, envelope: Envelope) -> None:
        """Send an envelope to one of its ports."""
        root, is_child = root_of(envelope.origin)
        is_data = envelope.data is not None
        if envelope.data is None:
            sizes, body = joined((envelope.text,), envelope.segments)
        else:
            sizes, body = [len(envelope.data)], envelope.data
        if not envelope.grants and len(sizes) == 1:
            head = message_head(
                key, envelope.tag, sizes[0], trusted=envelope.trusted, is_data=is_data, root=root, is_child=is_child
            )
            self._put(head, body)
            return
        references = [self.switch.reference(grant) for grant in envelope.grants]
        self.put("m", (key, envelope.tag, envelope.trusted, is_data, root, is_child, references, sizes), body)

    def tell_closed(self, key: int, *, is_reply: bool = False) -> None:
        """Report to the peer that a port of this program has closed; errors as `answer` if it asked."""
        self.watching.discard(key)
        reason, words = self.switch.end_of(key)
        (self.answer if is_reply else self.put)("closed", (key, reason, words[:500]))

    def forget_import(self, key: int) -> None:
        """Note that one of the peer's ports was dropped."""
        self.switch.forget_import(self, key)

    # --- from the peer ---

    def handle(self, item: Item) -> bool:
        """Do the act of an item about ports; return False for an item of another kind.

        Raises:
            Malformed: the fields contradict each other.
        """
        act = self._acts.get(item.word)
        if act is None:
            return False
        if self.is_lost:
            return True  # from an epoch that is over
        if item.word in _TO_PORTS and self.switch.early.holds(
            item.fields[0], lambda: act(self, item), size=len(item.body)
        ):
            return True
        act(self, item)
        return True

    def _message(self, item: Item) -> None:
        key, tag, trusted, is_data, root, is_child, references, sizes = item.fields
        port = self.switch.exported(key)
        if port is None:
            if not tag:
                self.tell_closed(key, is_reply=True)
            return
        grants = self.switch.grants(references)
        # Only home writes texts that guests read without limits; home itself accepts none.
        trusted = trusted and self.id == HOME
        if is_data:
            envelope = Envelope("", grants, tag=tag, data=item.body)
        else:
            (text,), segments = split(item.body, sizes, 1)
            if not text.isascii() or (not trusted and text.startswith("k")):
                raise Malformed("a message is no text of a guest")
            envelope = Envelope(
                text,
                grants,
                tag=tag,
                origin=self.switch.names.origin(root, is_child=is_child),
                trusted=trusted,
                segments=segments,
            )
        if tag:
            self._answer(port, envelope)
            return
        with self.lock:
            if self.is_lost:
                return
            inlet = self._inlets.get(key)
            if inlet is None:
                inlet = self._inlets[key] = Inlet(self, key, port)
                port.watch(lambda _reason, _words: self._drop_inlet(key))
            inlet.offer(envelope)

    def _answer(self, port: Port, envelope: Envelope) -> None:
        """Put an answer into a port, now or once there is room."""
        from capsend.mailbox.ports import Offer

        if port.offer(envelope) is not Offer.FULL:
            return
        done: list[Any] = []

        def again() -> None:
            if port.offer(envelope, waiter) is not Offer.FULL and not done:
                done.append(True)
                port.leave(waiter)

        waiter = port.enter(again, urgent=True)
        again()

    def _drop_inlet(self, key: int) -> None:
        with self.lock:
            inlet = self._inlets.pop(key, None)
        if inlet is not None:
            inlet.drop()

    def behind_messages(self, receiver: Port, act: Callable[[], None]) -> None:
        """Do an act once all messages of this peer to a port have found room."""
        with self.lock:
            known = self.switch._keys.get(receiver)  # noqa: SLF001 - one structure
            inlet = None if known is None else self._inlets.get(known[0])
            if inlet is not None and inlet.behind(act):
                return
        act()

    def _acknowledge(self, item: Item) -> None:
        key, messages, size = item.fields
        port = self.switch._imports.get((self.id, key))  # noqa: SLF001 - one structure
        if port is not None:
            port.acknowledge(messages, size)

    def _watch(self, item: Item) -> None:
        (key,) = item.fields
        self.watching.add(key)
        if self.switch.exported(key) is None:
            self.tell_closed(key, is_reply=True)

    def _unwatch(self, item: Item) -> None:
        self.watching.discard(item.fields[0])

    def _closed(self, item: Item) -> None:
        key, reason, words = item.fields
        port = self.switch._imports.get((self.id, key))  # noqa: SLF001 - one structure
        if port is not None:
            port.close(reason, words)

    def _link(self, item: Item) -> None:
        key, reference = item.fields
        if reference[0] != "a":
            raise Malformed("only ports are linked")
        port, other = self.switch.exported(key), self.switch.port(reference)
        if port is None:
            return  # the other side watches, and is notified
        if other in port.linked or port is other:
            return
        undo_half = port.follow(other, lambda: port.linked.pop(other, None) and None)

        def undo() -> None:
            port.linked.pop(other, None)
            undo_half(False)
            if isinstance(other, RemotePort):
                other.peer.put("unlink", (other.key, self.switch.refer(port)))

        if other.reason is None:
            port.linked[other] = undo

    def _unlink(self, item: Item) -> None:
        key, reference = item.fields
        if reference[0] != "a":
            raise Malformed("only ports are linked")
        port, other = self.switch.exported(key), self.switch.port(reference)
        undo = None if port is None else (port.linked.get(other) or other.linked.get(port))
        if undo is not None:
            undo()

    def sync(self) -> None:
        """Wait until the peer has done all earlier requests, or is lost, or for some seconds. Not to be called on a line's thread."""
        done = threading.Event()
        with self.lock:
            if self.is_lost:
                return
            self._synced_with += 1
            number = self._synced_with
            self._syncs[number] = done
        self.put("sync", (number,))
        done.wait(_SYNCING)
        self._syncs.pop(number, None)

    def _sync(self, item: Item) -> None:
        self.answer("synced", item.fields)

    def _synced(self, item: Item) -> None:
        done = self._syncs.pop(item.fields[0], None)
        if done is not None:
            done.set()

    _acts: Final[Mapping[str, Callable[[Peer, Item], None]]] = {
        "m": _message,
        "ack": _acknowledge,
        "watch": _watch,
        "unwatch": _unwatch,
        "closed": _closed,
        "link": _link,
        "unlink": _unlink,
        "sync": _sync,
        "synced": _synced,
    }

    # --- its end ---

    @property
    def heard(self) -> float | None:
        """The moment at which something was last read from the peer; None before it has a line."""
        return None if self.incoming is None else self.incoming.heard

    def end(self) -> None:
        """End the line, and drop the waiting items."""
        with self.lock:
            self.is_lost = True
            self._before = None
            lines, inlets = [self._line, self.incoming], list(self._inlets.values())
            self._inlets.clear()
            self.watching.clear()
            waiting = list(self._syncs.values())
            thirsty, self._thirsty = self._thirsty, []
        for done in waiting:
            done.set()
        for tell in thirsty:
            tell()
        for line in filter(None, lines):
            line.close()
        for inlet in inlets:
            inlet.drop()
