"""Nodes on machines set up by an operator, each of which runs `capsend node`."""

from __future__ import annotations

import concurrent.futures
import json
import logging
import os
import queue
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from capsend.cluster.authority import Authority
from capsend.cluster.engines import Started
from capsend.cluster.engines.numbers import take_numbers
from capsend.cluster.greeting import hello
from capsend.cluster.items import Item, Malformed, pack
from capsend.cluster.lines import TOKEN_BYTES, Line, Token, dial, is_loopback
from capsend.cluster.peers import HOME
from capsend.cluster.versions import check
from capsend.exceptions import CapsendError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from capsend.cluster.engines import Left, Setup
    from capsend.cluster.lines import Credentials

_STARTING: Final = 60.0
_ENDING: Final = 5.0
_SOON, _LATE = 0.5, 15.0
"""Seconds between two requests to a daemon whose node was lost: initially, and at most."""

_log: Final = logging.getLogger("capsend.cluster")


def places(peers: Sequence[str], credentials: Credentials) -> list[tuple[str, int]]:
    """Return (host, port) of each daemon.

    Raises:
        ValueError: no daemon is given, one is not HOST:PORT, or a token would be sent over a network.
    """
    found = []
    for peer in peers:
        host, _, port = peer.rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        if not host or not port.isdecimal() or not 0 < int(port) < 1 << 16:
            raise ValueError(f"{peer!r} is not the address of a daemon: write HOST:PORT, as in '10.0.0.5:7878'")
        if isinstance(credentials, Token) and not is_loopback(host):
            raise ValueError(
                f"a token is not sent to {host}: others could read along. Use `Certificates`, or a daemon of this machine"
            )
        found.append((host, int(port)))
    if not found:
        raise ValueError("a cluster has at least one node: give HOST:PORT of a daemon")
    return found


class StaticEngine:
    """Requests one node from each daemon. The nodes get credentials of this run, unknown to other homes.

    A daemon whose node was lost is asked for another one, with a new id, until it is reachable and starts one.

    Args:
        peers: (host, port) of each daemon.
        credentials: the proof of this program's identity, and the check of a daemon's: `Certificates`, or a `Token` on
            this machine.

    Raises:
        CapsendError: the package `cryptography` is missing.
    """

    def __init__(self, peers: Sequence[tuple[str, int]], credentials: Credentials) -> None:
        self._peers = list(peers)
        self._given = credentials
        self._authority: Authority | None = None
        self.credentials: Credentials
        if isinstance(credentials, Token):
            self._secret = os.urandom(TOKEN_BYTES)
            self.credentials = Token(self._secret)
        else:
            self._authority = Authority()
            self.credentials = self._authority.issue([HOME])
        self._asked: dict[str, _Asked] = {}
        self._places: dict[str, int] = {}
        self._lock = threading.Lock()
        self._setup: Setup | None = None
        self._joined: Callable[[Started], object] | None = None
        self._left: Left | None = None
        self._stopping = threading.Event()

    def start(self, setup: Setup) -> list[Started]:
        """Ask all daemons at once; return the nodes once all are listening."""
        self._setup = setup
        try:
            with concurrent.futures.ThreadPoolExecutor(len(self._peers)) as threads:
                return list(threads.map(lambda place: self._ask(place, setup.first + place), range(len(self._peers))))
        except BaseException:
            self.stop()
            raise

    def _ask(self, place: int, number: int) -> Started:
        """Ask the daemon at a place for a node with a given number."""
        assert self._setup is not None
        id_ = f"{number}.{os.urandom(6).hex()}"
        asked = _Asked(id_, *self._peers[place], credentials=self._given)
        with self._lock:
            self._asked[id_] = asked
            self._places[id_] = place
        try:
            return asked.started(number, self._setup, self._credentials_of(id_))
        except BaseException:
            self._drop(id_)
            with self._lock:
                del self._asked[id_]
            asked.close()
            raise

    def _drop(self, id_: str) -> int | None:
        """Stop requests for a node; return its place, or None if this was done before."""
        with self._lock:
            asked, place = self._asked.get(id_), self._places.pop(id_, None)
        if asked is not None:
            asked.dismiss()
        return place

    def _credentials_of(self, id_: str) -> dict[str, Any]:
        if self._authority is None:
            return {"token": self._secret.hex()}
        return {"tls": self._authority.issue([id_]).texts}

    def watch(self, joined: Callable[[Started], object], left: Left) -> None:
        """Report nodes that have ended, as reported by their daemons or because these are gone, and the nodes that replace them."""
        self._joined, self._left = joined, left
        for asked in list(self._asked.values()):
            asked.watch(left)

    def discard(self, id_: str) -> None:
        """Have a daemon kill a node's OS process, and start another one as soon as possible."""
        place = self._drop(id_)
        if place is not None and self._joined is not None and not self._stopping.is_set():
            threading.Thread(target=self._renew, args=(place, id_), name="capsend asks a daemon", daemon=True).start()

    def retire(self, id_: str) -> None:
        """Have a daemon end a node without replacing it."""
        self._drop(id_)

    def _renew(self, place: int, lost: str) -> None:
        """Ask a daemon, until it starts one, for a node that replaces a lost one."""
        assert self._joined is not None
        assert self._left is not None
        pause, said = _SOON, ""
        while not self._stopping.wait(pause):
            pause = min(2 * pause, _LATE)
            try:
                started = self._ask(place, take_numbers(1))
            except (CapsendError, OSError) as error:
                if str(error) != said:
                    _log.warning("no node takes the place of %s yet: %s", lost, said := str(error))
                continue
            with self._lock:
                old, new = self._asked.pop(lost, None), self._asked[started.id]
            if old is not None:
                old.close()
            if self._stopping.is_set():
                new.dismiss()
                return
            self._joined(started)
            new.watch(self._left)
            return

    def stop(self) -> None:
        """End all nodes, and wait for their end."""
        self._stopping.set()
        with self._lock:
            asked, there = list(self._asked.values()), [self._asked[id_] for id_ in self._places if id_ in self._asked]
        for each in asked:
            each.dismiss()
        deadline = time.monotonic() + _ENDING
        for each in there:
            each.wait(deadline)
        for each in asked:
            each.close()


class _Asked:
    """The connection to one daemon."""

    def __init__(self, id_: str, host: str, port: int, *, credentials: Credentials) -> None:
        self._id = id_
        self._host, self._port = host, port
        self._where = f"the daemon at {host}, port {port}"
        self._lock = threading.Lock()
        self._items: queue.SimpleQueue[Item | None] = queue.SimpleQueue()
        self._expected = {"hello"}
        self._words = ""
        self._over = threading.Event()
        self._left: Left | None = None
        self._has_ended = False
        self._line: Line | None = None
        connection, cipher = dial(host, port, credentials, peer=host)
        self._line = Line(connection, cipher, name=f"capsend daemon {host}")

    def started(self, number: int, setup: Setup, credentials: dict[str, Any]) -> Started:
        """Have the daemon start the node; return the node.

        Raises:
            ImageError: the daemon's versions differ.
            CapsendError: the daemon refused, or does not answer.
        """
        assert self._line is not None
        self._line.put(hello(HOME))
        self._line.start(self._handle, self._ended)
        _, versions, _, _ = self._next().fields
        check(versions, node=self._where)
        self._expected = {"serving", "refused"}
        fields = (self._id, number, setup.heartbeat, setup.lost_after)
        self._line.put(pack("serve", fields, json.dumps(credentials).encode("ascii")))
        item = self._next()
        if item.word == "refused":
            raise CapsendError(f"{self._where} starts no node: {item.fields[0]}")
        port, name, labels = item.fields
        return Started(f"node {number} on {name}", self._id, self._host, port, labels)

    def _next(self) -> Item:
        try:
            item = self._items.get(timeout=_STARTING)
        except queue.Empty:
            item = None
        if item is None:
            raise CapsendError(f"{self._where} starts no node: {self._words or 'it gave no reason'}")
        return item

    def _handle(self, item: Item) -> None:
        if item.word == "left":
            self._words, self._has_ended = item.fields[1], True
        elif item.word in self._expected:
            self._expected = set()
            self._items.put(item)
        else:
            raise Malformed(f"{item.word!r} is a word that this peer must not send")

    def _ended(self, words: str) -> None:
        with self._lock:
            self._words = self._words or f"its daemon is gone: {words}"
            self._over.set()
            left = self._left
        self._items.put(None)
        if left is not None:
            left(self._id, self._words, has_ended=self._has_ended)

    def watch(self, left: Left) -> None:
        """Call *left* once the node or its daemon has ended."""
        with self._lock:
            self._left = left
            if not self._over.is_set():
                return
        left(self._id, self._words, has_ended=self._has_ended)

    def dismiss(self) -> None:
        """Ask the daemon to end the node."""
        if self._line is not None:
            self._line.put(pack("bye", ()))

    def wait(self, deadline: float) -> None:
        """Wait for the node's end."""
        self._over.wait(max(deadline - time.monotonic(), 0.0))

    def close(self) -> None:
        """Close the connection."""
        if self._line is not None:
            self._line.close()
