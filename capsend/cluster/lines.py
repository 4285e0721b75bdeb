"""Lines: connections between home and nodes. A line carries items in both directions, in order, and reports its end.

A line carries uninterpreted bytes. Identity and encryption are provided by `Credentials`: `Token` is for connections
within one machine.
"""

from __future__ import annotations

import collections
import contextlib
import hashlib
import hmac
import io
import ipaddress
import os
import socket
import threading
import time
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

from capsend.cluster.items import LENGTHS, Item, Malformed, lengths, unpack
from capsend.exceptions import CapsendError

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_WAITING: Final = 16 << 20
"""The most bytes waiting to be written to one line before senders wait too."""

GREETING: Final = b"capsend\1"
TOKEN_BYTES: Final = 32
PATIENCE: Final = 10.0
"""The most seconds for both ends of a connection to authenticate each other."""

GREETINGS: Final = 64
"""Connections that may be in their greeting at one time; one more ends the one that has been in it longest."""

_AFTER_ERROR: Final = 0.05
_AT_ONCE: Final = 128 << 10
_BUFFER: Final = 256 << 10


Data: TypeAlias = bytes | memoryview


class Refused(CapsendError):
    """The other end of a connection does not have the required identity."""


class Cipher(Protocol):
    """The encryption of one connection. Different threads may call `seal` and `open` at the same time, but only one each."""

    def seal(self, data: bytes) -> bytes:
        """Return the bytes to write for *data*."""

    def open(self, data: bytes) -> bytes:
        """Return the received bytes contained in *data*; empty if more must be read first."""

    def vouches(self, id_: str) -> bool:
        """Return whether the other end has proven to be the peer of that id, as far as this cipher can show it."""


class Credentials(Protocol):
    """The proof of the identities of both ends of a connection. Both methods run with a timeout on the socket.

    Raises:
        Refused: the other end does not have the required identity.
        OSError: the connection broke, or took too long.
    """

    def client(self, connection: socket.socket, peer: str) -> Cipher:
        """Greet the listening end, which must be the peer of that id."""

    def server(self, connection: socket.socket) -> Cipher:
        """Greet the end that has connected."""


class Plain:
    """No encryption."""

    def seal(self, data: bytes) -> bytes:
        """Return the same bytes."""
        return data

    def open(self, data: bytes) -> bytes:
        """Return the same bytes."""
        return data

    def vouches(self, id_: str) -> bool:  # noqa: ARG002 - as in the protocol
        """Return True: a peer with the token is trusted about its id."""
        return True


class Token:
    """A secret shared by both ends, each of which proves that it has the secret. Items are not encrypted.

    Source:
        Challenge and response with HMAC (RFC 2104); the role is signed too, so that an answer cannot be sent back to
        its author.

    Args:
        secret: 32 random bytes.
    """

    def __init__(self, secret: bytes) -> None:
        if len(secret) != TOKEN_BYTES:
            raise ValueError(f"a token has {TOKEN_BYTES} bytes, not {len(secret)}")
        self._secret = secret

    def client(self, connection: socket.socket, peer: str) -> Cipher:  # noqa: ARG002 - as in the protocol
        """Greet the listening end of a *connection*; a token does not show which *peer* it is."""
        own = os.urandom(TOKEN_BYTES)
        connection.sendall(GREETING + own)
        told = read_exactly(connection, 2 * TOKEN_BYTES)
        other, proof = told[:TOKEN_BYTES], told[TOKEN_BYTES:]
        if not hmac.compare_digest(proof, self._proof(b"server", own, other)):
            raise Refused("the node has another token")
        connection.sendall(self._proof(b"client", own, other))
        return Plain()

    def server(self, connection: socket.socket) -> Cipher:
        """Greet the end that has made a *connection*."""
        told = read_exactly(connection, len(GREETING) + TOKEN_BYTES)
        if not told.startswith(GREETING):
            raise Refused("the other end is no capsend of this version")
        other, own = told[len(GREETING) :], os.urandom(TOKEN_BYTES)
        connection.sendall(own + self._proof(b"server", other, own))
        if not hmac.compare_digest(read_exactly(connection, TOKEN_BYTES), self._proof(b"client", other, own)):
            raise Refused("the other end has another token")
        return Plain()

    def _proof(self, role: bytes, client: bytes, server: bytes) -> bytes:
        return hmac.digest(self._secret, role + client + server, hashlib.sha256)


def read_exactly(connection: socket.socket, size: int) -> bytes:
    """Read *size* bytes, all of them within the socket's timeout for one read.

    Raises:
        ConnectionError: the connection ended too early.
        TimeoutError: the time is over.
    """
    found = b""
    patience = connection.gettimeout()
    deadline = None if patience is None else time.monotonic() + patience
    while len(found) < size:
        if deadline is not None:
            connection.settimeout(max(deadline - time.monotonic(), 0.001))
        part = connection.recv(size - len(found))
        if not part:
            raise ConnectionResetError("the other end closed the connection")
        found += part
    connection.settimeout(patience)
    return found


def is_loopback(host: str) -> bool:
    """Return whether an address is of the loopback interface."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def dial(host: str, port: int, credentials: Credentials, *, peer: str) -> tuple[socket.socket, Cipher]:
    """Connect to a node.

    Args:
        host: the machine's name or address.
        port: the port on which it listens.
        credentials: the proof of this end's identity, and the check of the other's.
        peer: the required id.

    Returns:
        (connection, cipher): the greeted connection, and its encryption.

    Raises:
        Refused: the other end is not the peer, or does not complete the greeting in time.
        OSError: the address cannot be reached.
    """
    connection = socket.create_connection((host, port), timeout=PATIENCE)
    try:
        return _greeted(connection, lambda connection: credentials.client(connection, peer))
    except OSError as error:
        raise Refused(
            f"the program at {host}, port {port}, did not end the greeting: {error}. It may have other credentials, or none"
        ) from error


def admit(connection: socket.socket, credentials: Credentials) -> tuple[socket.socket, Cipher]:
    """Greet the other end of an accepted connection; arguments and errors as for `dial`."""
    connection.settimeout(PATIENCE)
    return _greeted(connection, credentials.server)


class Greetings:
    """The connections whose greeting is not finished; connections that stay silent cannot block others."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._begun: dict[socket.socket, None] = {}

    def accept(self, listener: socket.socket, greet: Callable[[socket.socket, Any], object], *, name: str) -> None:
        """Accept connections until the listener is closed. An error of one connection, or a lack of descriptors or threads, does not end the loop.

        Args:
            listener: the socket that accepts the connections.
            greet: called with each connection and its address, on a separate thread; may last until the other end is known.
            name: the name of the threads.
        """
        while listener.fileno() != -1:
            try:
                connection, address = listener.accept()
            except OSError:
                time.sleep(_AFTER_ERROR)
                continue
            self._begin(connection)
            try:
                threading.Thread(target=self._greet, args=(greet, connection, address), name=name, daemon=True).start()
            except RuntimeError:  # no thread is left
                self._end(connection)
                connection.close()

    def _greet(self, greet: Callable[[socket.socket, Any], object], connection: socket.socket, address: Any) -> None:
        try:
            greet(connection, address)
        finally:
            self._end(connection)

    def _begin(self, connection: socket.socket) -> None:
        with self._lock:
            self._begun[connection] = None
            oldest = next(iter(self._begun)) if len(self._begun) > GREETINGS else None
            if oldest is not None:
                del self._begun[oldest]
        if oldest is not None:
            with contextlib.suppress(OSError):
                oldest.shutdown(socket.SHUT_RDWR)  # its thread closes it

    def _end(self, connection: socket.socket) -> None:
        with self._lock:
            self._begun.pop(connection, None)


def _greeted(connection: socket.socket, greet: Callable[[socket.socket], Cipher]) -> tuple[socket.socket, Cipher]:
    try:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        cipher = greet(connection)
        connection.settimeout(None)
    except BaseException:
        connection.close()
        raise
    return connection, cipher


class _Source(io.RawIOBase):
    """The bytes received on a connection."""

    def __init__(self, line: Line, connection: socket.socket, cipher: Cipher) -> None:
        super().__init__()
        self._line = line
        self._connection = connection
        self._cipher = cipher
        self._left = b""

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read some bytes; 0 is the end."""
        if type(self._cipher) is Plain:
            size = self._connection.recv_into(buffer)
            self._line.heard = time.monotonic()
            return size
        while not self._left:
            data = self._connection.recv(_BUFFER)
            if not data:
                return 0
            self._line.heard = time.monotonic()
            self._left = self._cipher.open(data)
        size = min(len(buffer), len(self._left))
        buffer[:size] = self._left[:size]
        self._left = self._left[size:]
        return size


class Line:
    """A connection that carries items.

    `put` never waits: the calling thread writes as much as the system accepts at once, and the line's thread writes the
    rest. Items put as *bulk* go when no others wait; items put as *first* go before all waiting items.

    Ordering:
        Items that are neither bulk nor first arrive in the order in which they were put. So do bulk items among
        themselves.

    Attributes:
        heard: the moment at which something was last read.

    Args:
        connection: the greeted connection.
        cipher: its cipher.
        name: the name of its threads.
    """

    def __init__(self, connection: socket.socket, cipher: Cipher, *, name: str) -> None:
        self.heard: float = time.monotonic()
        self._connection = connection
        self._cipher = cipher
        self._name = name
        self._owner = os.getpid()
        # Reentrant: an object that is collected while this thread holds the lock may put an item.
        self._lock = threading.RLock()
        self._items: collections.deque[tuple[Data, ...]] = collections.deque()
        self._bulk: collections.deque[tuple[Data, ...]] = collections.deque()
        # the rest of an item whose first bytes have been written
        self._begun: collections.deque[Data] = collections.deque()
        self._size = 0
        self._rest: Data = b""
        self._is_writing = False
        self._is_over = False
        self._work = threading.Semaphore(0)
        self._thirsty: list[Callable[[], None]] = []

    def start(self, handle: Callable[[Item], object], ended: Callable[[str], object]) -> None:
        """Begin to read, and to write the items put so far.

        Args:
            handle: called with each item, on the line's thread; `Malformed` ends the line.
            ended: called once, with words for people, when the line has ended.
        """
        threading.Thread(target=self._read, args=(handle, ended), name=f"{self._name} in", daemon=True).start()
        threading.Thread(target=self._write_rest, name=f"{self._name} out", daemon=True).start()

    @property
    def has_room(self) -> bool:
        """True if more should be put; an item that cannot wait can be put all the same."""
        return self._size < MOST_WAITING

    def when_room(self, tell: Callable[[], None]) -> None:
        """Call *tell* once when there is room."""
        with self._lock:
            if self._size >= MOST_WAITING:
                self._thirsty.append(tell)
                return
        tell()

    def put(self, data: Data, *rest: Data, bulk: bool = False, first: bool = False) -> None:
        """Write the bytes of an item, now or later; do nothing if the line has ended, or in a forked child.

        Args:
            data: its bytes, or the first of them.
            rest: the other bytes, if they are too many to copy.
            bulk: True if other items may go first.
            first: True if it goes before all waiting items.
        """
        if os.getpid() != self._owner:
            return
        with self._lock:
            if self._is_over:
                return
            self._size += len(data)
            if rest:
                self._size += sum(map(len, rest))
            if self._is_writing:
                if first:
                    self._items.appendleft((data, *rest))
                else:
                    (self._bulk if bulk else self._items).append((data, *rest))
                return
            self._is_writing = True  # so nothing waits, and this goes at once
            self._begun.extend(rest)
        self._write(data)

    def _sealed(self, data: Data) -> Data:
        return data if type(self._cipher) is Plain else self._cipher.seal(bytes(data))

    def _next(self) -> Data:
        """Return the bytes to write next; empty when nothing waits: then the writing is over."""
        with self._lock:
            if self._begun:
                return self._begun.popleft()
            if self._is_over or not (self._items or self._bulk):
                self._is_writing = False
                return b""
            size, parts = 0, list[Data]()
            if not self._items:
                parts += self._bulk.popleft()
            while self._items and size < _AT_ONCE:
                parts += self._items.popleft()
                size += len(parts[-1])
            if len(parts) > 1 and len(parts[-1]) >= _AT_ONCE:  # not worth a copy
                self._begun.append(parts.pop())
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _written(self, size: int) -> None:
        thirsty: list[Callable[[], None]] = []
        with self._lock:
            before, self._size = self._size, self._size - size
            if self._thirsty and self._size < MOST_WAITING <= before:
                thirsty, self._thirsty = self._thirsty, []
        for tell in thirsty:
            tell()

    def _write(self, data: Data) -> None:
        """Write data and everything that waits, as far as the system accepts it at once; leave the rest to the line's thread."""
        while data:
            sealed = self._sealed(data)
            try:
                sent = self._connection.send(sealed, socket.MSG_DONTWAIT)
            except BlockingIOError:
                sent = 0
            except OSError:
                self.close()
                return
            self._written(len(data))
            if sent < len(sealed):
                self._rest = memoryview(sealed)[sent:]
                self._work.release()
                return
            data = self._next()

    def _write_rest(self) -> None:
        while True:
            self._work.acquire()
            try:
                if self._is_over:
                    return
                self._connection.sendall(self._rest)
                self._rest = b""
                while data := self._next():
                    self._connection.sendall(self._sealed(data))
                    self._written(len(data))
            except OSError:
                self.close()
                return

    def _read(self, handle: Callable[[Item], object], ended: Callable[[str], object]) -> None:
        words = "its connection ended"
        try:
            with io.BufferedReader(_Source(self, self._connection, self._cipher), _BUFFER) as source:
                while len(prefix := source.read(LENGTHS.size)) == LENGTHS.size:
                    head_size, body_size = lengths(prefix)
                    head, body = source.read(head_size), source.read(body_size) if body_size else b""
                    if len(head) < head_size or len(body) < body_size:
                        break
                    handle(unpack(head, body))
                    del head, body
        except Malformed as error:
            words = f"it sent bytes that no node sends: {error}"
        except OSError as error:
            words = f"its connection broke: {error.strerror or error}"
        except ValueError:  # this program closed the connection
            pass
        finally:
            self.close()
            self._connection.close()
            ended(words)

    def close(self) -> None:
        """End the line; returns at once."""
        with self._lock:
            if self._is_over:
                return
            self._is_over = True
            self._items.clear()
            self._bulk.clear()
            self._begun.clear()
            thirsty, self._thirsty = self._thirsty, []
        self._work.release()
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        for tell in thirsty:
            tell()
