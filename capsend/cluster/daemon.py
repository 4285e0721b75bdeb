"""The daemon `capsend node`: it listens on a machine, and starts one OS process for each home that asks for a node.

A home connects and greets with the operator's credentials. Then it sends its versions, and the setup of one node with
the home's own credentials. The daemon runs no code from the home: it starts the program of a node, reports the port,
and ends the program when the home's connection ends.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
import socket
import threading
from typing import TYPE_CHECKING, Any, Final

from capsend.cluster.engines.programs import Program
from capsend.cluster.greeting import hello
from capsend.cluster.items import Item, Malformed, pack
from capsend.cluster.lines import PATIENCE, Greetings, Line, Token, admit, is_loopback
from capsend.exceptions import CapsendError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from capsend.cluster.lines import Credentials

HOMES: Final = 4
LONGEST: Final = 3600.0
"""The most seconds of silence that a home can request."""

_ID: Final = re.compile(r"\d{1,9}\.[0-9a-f]{12,64}")
_TEXTS: Final = {"authority", "certificate", "key"}
_LONGEST_TEXT: Final = 1 << 16
_log: Final = logging.getLogger("capsend.node")


class Daemon:
    """Nodes for homes on other machines, for at most *homes* at a time.

    Args:
        credentials: the proof of the daemon's identity, and the check of a home's.
        host: the address on which it and its nodes listen. With a `Token` it must be an address of the loopback
            interface.
        port: its port; 0 for any.
        homes: the most nodes at a time; each home gets one.
        ports: the ports for nodes; any when empty.
        name: the name of its nodes; usually the machine's name.
        labels: {name: value} for placement.

    Raises:
        CapsendError: a token would be sent over a network.
        OSError: the port is taken.
    """

    def __init__(
        self,
        credentials: Credentials,
        *,
        host: str,
        port: int = 0,
        homes: int = HOMES,
        ports: Sequence[int] = (),
        name: str = "",
        labels: Mapping[str, str] | None = None,
    ) -> None:
        if isinstance(credentials, Token) and not is_loopback(host):
            raise CapsendError(
                f"a node does not listen on {host} with a token: others could read along. Give it certificates, or listen on 127.0.0.1"
            )
        self._credentials = credentials
        self._host = host
        self._homes = homes
        self._ports = set(ports)
        self._name = name or socket.gethostname()
        self._labels = dict(labels or {})
        self._lock = threading.Lock()
        self._serving: set[_Home] = set()
        self._greetings = Greetings()
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, port), family=family)

    @property
    def port(self) -> int:
        """The port on which the daemon listens."""
        return int(self._listener.getsockname()[1])

    def serve(self) -> None:
        """Admit homes until `close` is called."""
        self._greetings.accept(self._listener, self._admit, name="capsend greets")

    def _admit(self, connection: socket.socket, address: Any) -> None:
        where = f"{address[0]}, port {address[1]}"
        try:
            connection, cipher = admit(connection, self._credentials)
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the connection is not admitted
            _log.warning("refused %s: %s", where, error)
            return
        _Home(self, Line(connection, cipher, name="capsend home"), where).greet()

    # --- requests of homes ---

    def enter(self, home: _Home) -> int:
        """Admit a home, and return the port for its node; 0 for any.

        Raises:
            CapsendError: the daemon serves its maximum of homes, or has no port left.
        """
        with self._lock:
            if len(self._serving) >= self._homes:
                raise CapsendError(
                    f"it serves {len(self._serving)} homes, and no more at one time. Start it with more `--homes`, or wait"
                )
            free = self._ports - {each.port for each in self._serving}
            if self._ports and not free:
                raise CapsendError("no port is free for one more node. Start it with more `--ports`")
            home.port = min(free, default=0)
            self._serving.add(home)
            return home.port

    def leave(self, home: _Home) -> None:
        """Release a home's place and port."""
        with self._lock:
            self._serving.discard(home)

    def setup(self, item: Item, port: int) -> dict[str, Any]:
        """Return the setup of the node that a home requests.

        Raises:
            Malformed: the item is not a setup.
        """
        id_, number, heartbeat, lost_after = item.fields
        if not _ID.fullmatch(id_) or not 0 < number < 1_000_000_000:
            raise Malformed("a node has no such id")
        if heartbeat is None or lost_after is None or not 0 < heartbeat <= lost_after / 2 <= LONGEST:
            raise Malformed("no node beats so")
        told = {"id": id_, "number": number, "host": self._host, "heartbeat": heartbeat, "lost_after": lost_after}
        return {**told, "port": port, **_credentials(item.body, is_token=isinstance(self._credentials, Token))}

    def serving(self, port: int) -> bytes:
        """Return the item that reports the port of a node."""
        return pack("serving", (port, self._name, self._labels))

    def close(self) -> None:
        """End all nodes, and admit no further homes."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            homes = list(self._serving)
        for home in homes:
            home.end("the daemon of its machine was ended")


def _credentials(body: bytes, *, is_token: bool) -> dict[str, Any]:
    """Read the credentials of a node: `{"tls": {"authority", "certificate", "key"}}` in PEM, or `{"token": hex digits}`."""
    try:
        told = json.loads(body) if len(body) <= 4 * _LONGEST_TEXT else None
    except (ValueError, RecursionError):
        told = None
    if isinstance(told, dict):
        token, texts = told.get("token"), told.get("tls")
        if is_token and isinstance(token, str) and re.fullmatch("[0-9a-f]{64}", token):
            return {"token": token}
        if (
            not is_token
            and isinstance(texts, dict)
            and texts.keys() == _TEXTS
            and all(isinstance(text, str) and len(text) <= _LONGEST_TEXT for text in texts.values())
        ):
            return {"tls": texts}
    raise Malformed("a node has no such credentials")


class _Home:
    """The connection of one home, and the OS process of its node."""

    def __init__(self, daemon: Daemon, line: Line, where: str) -> None:
        self.port = 0
        self._daemon = daemon
        self._line = line
        self._where = where
        self._lock = threading.Lock()
        self._is_known = False
        self._asked = threading.Event()
        self._is_over = False
        self._program: Program | None = None

    def greet(self) -> None:
        """Serve the home; close the connection if it requests no node in time."""
        self._line.start(self._handle, self._ended)
        if not self._asked.wait(PATIENCE):
            self._line.close()

    def _handle(self, item: Item) -> None:
        if item.word == "hello" and not self._is_known:
            self._is_known = True
            self._line.put(hello("daemon"))
        elif item.word == "serve" and self._is_known and not self._asked.is_set():
            self._asked.set()
            self._serve(item)
        elif item.word == "bye":
            self._line.close()
        elif item.word != "beat":
            raise Malformed(f"{item.word!r} is a word that this peer must not send")

    def _serve(self, item: Item) -> None:
        try:
            port = self._daemon.enter(self)
        except CapsendError as error:
            self._refuse(error)
            return
        try:
            with self._lock:
                self._program = program = Program(self._daemon.setup(item, port))
            found = program.port()
        except (CapsendError, OSError) as error:
            self._refuse(error)
            self._daemon.leave(self)
            return
        except BaseException:
            self._daemon.leave(self)
            raise
        _log.warning("serves %s: node %s listens on port %d", self._where, item.fields[0], found)
        threading.Thread(target=self._wait, args=(program, item.fields[0]), name="capsend waits", daemon=True).start()
        self._line.put(self._daemon.serving(found))

    def _refuse(self, error: Exception) -> None:
        _log.warning("refused %s: %s", self._where, error)
        self._line.put(pack("refused", (str(error)[:500],)))

    def _wait(self, program: Program, id_: str) -> None:
        code = program.wait()
        self._daemon.leave(self)
        _log.warning("serves %s no longer: its node ended with code %d", self._where, code)
        self._line.put(pack("left", (id_, f"its OS process ended with code {code}")))
        self._line.close()

    def _ended(self, words: str) -> None:
        self._asked.set()
        if not self._is_known:
            _log.warning("refused %s: %s", self._where, words)
        self.end(words)

    def end(self, _words: str) -> None:
        """End the home's node."""
        with self._lock:
            program = self._program
        if program is not None:
            program.kill()
