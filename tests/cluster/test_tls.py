"""Both ends of a connection show certificates of one authority, and are told once when the other's is refused."""

from __future__ import annotations

import pickle
import re
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("cryptography", reason="certificates are made with the extra `tls`")

from capsend.cluster import Certificates, Token
from capsend.cluster.authority import Authority
from capsend.cluster.lines import Refused, admit, dial

if TYPE_CHECKING:
    from collections.abc import Callable

    from capsend.cluster.lines import Credentials

NODE = "3.0123456789ab"
TRUSTED = Authority()
OTHER = Authority()


def meet(client: Credentials, server: Credentials, *, peer: str = NODE) -> tuple[Any, Any]:
    """Return the result at both ends of one connection: a cipher, or the exception."""
    got: list[Any] = []

    def listen() -> None:
        connection, _ = listener.accept()
        got.append(attempt(lambda: admit(connection, server)))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=listen)
        thread.start()
        port = listener.getsockname()[1]
        told = attempt(lambda: dial("127.0.0.1", port, client, peer=peer))
        thread.join()
    return told, got[0]


def attempt(greet: Callable[[], Any]) -> Any:
    try:
        connection, cipher = greet()
    except Exception as error:
        return error
    connection.close()
    return cipher


def test_bytes_are_encrypted_and_both_ends_are_known():
    client, server = meet(TRUSTED.issue(["home"]), TRUSTED.issue([NODE]))
    sealed = client.seal(b"a secret" * 100_000)
    assert b"a secret" not in sealed
    half = len(sealed) // 2
    assert server.open(sealed[:half]) + server.open(sealed[half:]) == b"a secret" * 100_000
    assert client.open(server.seal(b"back")) == b"back"
    assert [server.vouches("home"), server.vouches(NODE), client.vouches(NODE), client.vouches("home")] == [
        True,
        False,
        True,
        False,
    ]


def test_bytes_changed_on_the_way_end_the_connection():
    client, server = meet(TRUSTED.issue(["home"]), TRUSTED.issue([NODE]))
    sealed = bytearray(client.seal(b"a secret"))
    sealed[-1] ^= 1
    with pytest.raises(OSError, match="MAC"):
        server.open(bytes(sealed))


REFUSED: dict[str, tuple[Callable[[], Any], Callable[[], Any], str, str]] = {
    "authority": (lambda: OTHER.issue(["home"]), lambda: TRUSTED.issue([NODE]), "self-signed", "does not trust"),
    "other node": (lambda: TRUSTED.issue(["home"]), lambda: TRUSTED.issue(["4.0123456789ab"]), "not valid for", ""),
    "plain client": (lambda: Token(b"t" * 32), lambda: TRUSTED.issue([NODE]), "did not end the greeting", "no TLS"),
    "plain server": (
        lambda: TRUSTED.issue(["home"]),
        lambda: Token(b"t" * 32),
        "did not end the greeting",
        "no capsend",
    ),
    "token": (lambda: Token(b"t" * 32), lambda: Token(b"u" * 32), "another token", "closed the connection"),
    "node as home": (
        lambda: TRUSTED.issue(["home"], role="node"),
        lambda: TRUSTED.issue([NODE]),
        "unsupported certificate",
        "unsuitable certificate purpose",
    ),
    "home as node": (
        lambda: TRUSTED.issue(["home"]),
        lambda: TRUSTED.issue([NODE], role="home"),
        "unsuitable certificate purpose",
        "unsupported certificate",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_the_wrong_end_is_refused_at_once_on_both_sides(name):
    client, server, told, seen = REFUSED[name]
    start = time.monotonic()
    at_client, at_server = meet(client(), server())
    assert isinstance(at_client, Refused)
    assert isinstance(at_server, (Refused, OSError))
    assert time.monotonic() - start < 5
    assert re.search(told, str(at_client)), at_client
    assert re.search(seen, str(at_server)), at_server


def test_certificate_that_has_expired_is_refused():
    old = Authority(days=-1)
    at_client, at_server = meet(old.issue(["home"]), old.issue([NODE]))
    assert "expired" in str(at_client)
    assert "expired" in str(at_server)


@pytest.mark.parametrize("credentials", [Token(b"t" * 32), TRUSTED.issue([NODE])], ids=["token", "tls"])
@pytest.mark.parametrize("says", [b"", b"c"], ids=["nothing", "one byte"])
def test_peer_that_says_nothing_is_dropped_in_time(credentials, says, monkeypatch):
    """Neither silence nor a byte now and then keeps a thread for longer than the greeting may take."""
    monkeypatch.setattr("capsend.cluster.lines.PATIENCE", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stranger = socket.create_connection(listener.getsockname())
        connection, _ = listener.accept()
        stranger.sendall(says)
        with stranger, pytest.raises(TimeoutError):
            admit(connection, credentials)
        assert connection.fileno() == -1


def test_listener_that_says_nothing_is_given_up_in_time(monkeypatch):
    monkeypatch.setattr("capsend.cluster.lines.PATIENCE", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as listener, pytest.raises(Refused, match="did not end the greeting"):
        dial("127.0.0.1", listener.getsockname()[1], TRUSTED.issue(["home"]), peer=NODE)


def test_certificates_are_read_from_files_and_stay_in_the_program(tmp_path):
    texts = TRUSTED.issue(["home"]).texts
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    read = Certificates.load(**{name: tmp_path / name for name in texts})
    assert read.texts == texts
    assert "PRIVATE" not in repr(read)
    with pytest.raises(TypeError, match="a key is not pickled"):
        pickle.dumps(read)


def test_what_is_no_certificate_is_refused_with_the_cure():
    texts = TRUSTED.issue(["home"]).texts
    with pytest.raises(Refused, match="each as PEM"):
        Certificates(authority=texts["authority"], certificate=texts["certificate"], key="no key")
    with pytest.raises(Refused, match="key values mismatch"):
        Certificates(
            authority=texts["authority"], certificate=texts["certificate"], key=TRUSTED.issue(["x"]).texts["key"]
        )
