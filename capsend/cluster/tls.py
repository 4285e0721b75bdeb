"""TLS 1.3 between home and nodes, by the standard library, with certificates of one authority at both ends."""

from __future__ import annotations

import contextlib
import ssl
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, final

from capsend.cluster.lines import Refused

if TYPE_CHECKING:
    import os
    import socket
    from collections.abc import Iterable

    from capsend.cluster.lines import Cipher

_BUFFER: Final = 256 << 10
_WELCOME: Final = b"capsend\1"
"""The first bytes of the listening end, sent once it has checked the other's certificate: in TLS 1.3 the other end is ready before that."""


@final
class Certificates:
    """A certificate and its key, for one end of a connection, and the authority whose certificates it accepts.

    Both ends check each other. The connecting end refuses a certificate that does not name the required node or host.

    Args:
        authority: the authority's certificate, as PEM.
        certificate: the own certificate, as PEM, followed by those between it and the authority.
        key: its key, as PEM, not encrypted.

    Raises:
        Refused: a text is not PEM, or the key does not belong to the certificate.

    Source:
        RFC 8446 (TLS 1.3) and RFC 9525 (names in certificates).
    """

    def __init__(self, *, authority: str, certificate: str, key: str) -> None:
        self._texts = {"authority": authority, "certificate": certificate, "key": key}
        self._client = self._context(ssl.PROTOCOL_TLS_CLIENT)
        self._server = self._context(ssl.PROTOCOL_TLS_SERVER)
        self._server.num_tickets = 0  # no connection is resumed

    @classmethod
    def load(
        cls, *, authority: str | os.PathLike[str], certificate: str | os.PathLike[str], key: str | os.PathLike[str]
    ) -> Certificates:
        """Read the three parameters from files, as provided by an operator.

        Args:
            authority: path of the authority's certificate.
            certificate: path of the own certificate.
            key: path of its key.

        Raises:
            OSError: a file cannot be read.
            Refused: as for `Certificates`.
        """
        return cls(
            authority=Path(authority).read_text("ascii"),
            certificate=Path(certificate).read_text("ascii"),
            key=Path(key).read_text("ascii"),
        )

    @property
    def texts(self) -> dict[str, str]:
        """The parameters from which it was made, for the OS process of a node: {parameter: PEM}."""
        return dict(self._texts)

    def _context(self, role: int) -> ssl.SSLContext:
        context = ssl.SSLContext(role)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.verify_mode = ssl.CERT_REQUIRED
        try:
            context.load_verify_locations(cadata=self._texts["authority"])
            # Keys are read only from files: this file belongs to the user alone, and is deleted at once.
            with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
                file.write(f"{self._texts['certificate']}\n{self._texts['key']}")
                file.flush()
                context.load_cert_chain(file.name, password=_no_password)
        except (ssl.SSLError, ValueError) as error:
            raise Refused(
                f"these certificates cannot be used: {error}. "
                "Give the authority's certificate, a certificate of that authority, and its key, each as PEM"
            ) from error
        return context

    def client(self, connection: socket.socket, peer: str) -> Cipher:
        """Greet the listening end of a *connection*; its certificate must name *peer*.

        Raises:
            Refused: one end refuses the other's certificate, or the listening end does not speak TLS 1.3.
            OSError: the connection broke, or took too long.
        """
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = self._client.wrap_bio(incoming, outgoing, server_hostname=peer)
        stream = _Greeting(connection, tls, incoming, outgoing)
        stream.shake_hands()
        if stream.read(len(_WELCOME)) != _WELCOME:
            raise Refused("the program at that address is no capsend of this version")
        return _Tls(tls, incoming, outgoing)

    def server(self, connection: socket.socket) -> Cipher:
        """Greet the end that has made a *connection*; errors as for `client`."""
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = self._server.wrap_bio(incoming, outgoing, server_side=True)
        stream = _Greeting(connection, tls, incoming, outgoing)
        stream.shake_hands()
        tls.write(_WELCOME)
        stream.flush()
        return _Tls(tls, incoming, outgoing)

    def __repr__(self) -> str:
        return "<Certificates>"

    def __reduce__(self) -> str:
        raise TypeError("a key is not pickled: make the certificates where they are used")


def _no_password() -> str:
    raise ValueError("the key is encrypted, and there is nobody to ask for its password")


class _Greeting:
    """A TLS connection until both ends have authenticated each other, within the timeout of its socket."""

    def __init__(
        self, connection: socket.socket, tls: ssl.SSLObject, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO
    ) -> None:
        self._connection = connection
        self._tls = tls
        self._incoming = incoming
        self._outgoing = outgoing
        self._deadline = time.monotonic() + (connection.gettimeout() or 0.0)

    def shake_hands(self) -> None:
        """Have both ends check each other's certificate."""
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self.flush()
                self._fill()
            except ssl.SSLError as error:
                self._refuse(error)
            else:
                self.flush()
                return

    def read(self, size: int) -> bytes:
        """Read *size* bytes."""
        found = b""
        while len(found) < size:
            try:
                found += self._tls.read(size - len(found))
            except ssl.SSLWantReadError:
                self._fill()
            except ssl.SSLError as error:
                self._refuse(error)
        return found

    def flush(self) -> None:
        """Write the waiting bytes."""
        if self._outgoing.pending:
            self._connection.settimeout(self._left())
            self._connection.sendall(self._outgoing.read())

    def _fill(self) -> None:
        self._connection.settimeout(self._left())
        data = self._connection.recv(_BUFFER)
        if not data:
            raise ConnectionResetError("the other end closed the connection")
        self._incoming.write(data)

    def _left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        return left

    def _refuse(self, error: ssl.SSLError) -> None:
        """Send the other end the reason, as far as TLS permits, and raise."""
        with contextlib.suppress(OSError):
            self.flush()
        raise Refused(_words(error)) from error


_ALERTS: Final = {
    "ALERT_UNKNOWN_CA": "the other end does not trust the authority of this end's certificate",
    "ALERT_CERTIFICATE_EXPIRED": "this end's certificate has expired",
    "CERTIFICATE_REQUIRED": "the other end requires a certificate",
    "WRONG_VERSION_NUMBER": "the other end speaks no TLS",
    "HTTP_REQUEST": "the other end speaks no TLS",
    "ALERT_BAD_CERTIFICATE": "the other end refuses this end's certificate",
    "UNSUPPORTED_PROTOCOL": "the other end has no TLS 1.3",
}


def _words(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate of the other end is refused: {error.verify_message}"
    reason = error.reason or str(error)
    known = next((words for name, words in _ALERTS.items() if name in reason), None)
    return known or f"no connection with TLS 1.3 was made: {reason.lower().replace('_', ' ')}"


class _Tls:
    """The encryption of one connection."""

    def __init__(self, tls: ssl.SSLObject, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO) -> None:
        self._tls = tls
        self._incoming = incoming
        self._outgoing = outgoing
        self._lock = threading.Lock()  # one TLS connection is used by one thread at a time
        self._names = frozenset(_names(tls.getpeercert() or {}))

    def seal(self, data: bytes) -> bytes:
        """Return the bytes as encrypted TLS records."""
        with self._lock:
            self._tls.write(data)
            return self._outgoing.read()

    def open(self, data: bytes) -> bytes:
        """Return the complete records in the received bytes, decrypted.

        Raises:
            ssl.SSLError: the bytes were not written by the other end.
        """
        found = []
        with self._lock:
            self._incoming.write(data)
            try:
                while part := self._tls.read(_BUFFER):
                    found.append(part)
            except (ssl.SSLWantReadError, ssl.SSLZeroReturnError):
                pass
        return b"".join(found)

    def vouches(self, id_: str) -> bool:
        """Return whether the certificate of the other end names that peer."""
        return id_.lower() in self._names


def _names(certificate: object) -> Iterable[str]:
    entries = certificate.get("subjectAltName", ()) if isinstance(certificate, dict) else ()
    return (str(value).lower() for kind, value in entries if kind == "DNS")
