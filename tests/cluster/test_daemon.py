"""`capsend node` on this machine, as an operator starts it: OS processes, real certificates, real refusals."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from capsend import Address, CapsendError, Cluster, Environment, ImageError, Mailbox, NodeLost
from capsend.cluster import Certificates, Token
from capsend.cluster.daemon import Daemon
from capsend.cluster.greeting import hello
from capsend.cluster.items import pack
from capsend.cluster.lines import Refused, dial
from tests.eventually import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from capsend.cluster.lines import Credentials

PATIENCE = 60
HOST = "127.0.0.1"


@attrs.define
class Started:
    """A daemon that runs: its place for `Cluster.connect`, its OS process, and what it has written."""

    process: subprocess.Popen[str]
    port: int
    said: list[str]

    @property
    def place(self) -> str:
        return f"{HOST}:{self.port}"

    def children(self) -> list[int]:
        """Return the OS processes that it has started."""
        found = []
        for task in Path(f"/proc/{self.process.pid}/task").iterdir():
            with contextlib.suppress(OSError):  # the thread has ended
                found += [int(pid) for pid in (task / "children").read_text().split()]
        return found

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(PATIENCE)


def start(*options: str, path: str = "") -> Started:
    """Start `capsend node` and wait until it listens."""
    process = subprocess.Popen(
        [sys.executable, "-m", "capsend", "node", "--listen", f"{HOST}:0", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | ({"PYTHONPATH": path} if path else {}),
    )
    assert process.stdout is not None
    assert process.stderr is not None
    line = process.stdout.readline()
    process.stdout.close()
    found = re.fullmatch(r"listening on .*, port (\d+)\n", line)
    assert found, process.stderr.read()
    said: list[str] = []
    stderr = process.stderr

    def read() -> None:
        with stderr:
            said.extend(iter(stderr.readline, ""))

    threading.Thread(target=read, daemon=True).start()
    return Started(process, int(found[1]), said)


@pytest.fixture(scope="module")
def keys(tmp_path_factory) -> Path:
    """The files of `capsend certificates`."""
    pytest.importorskip("cryptography", reason="certificates are made with the extra `tls`")
    folder: Path = tmp_path_factory.mktemp("keys") / "new"
    subprocess.run([sys.executable, "-m", "capsend", "certificates", str(folder), HOST, "10.9.9.9"], check=True)
    return folder


def of(keys: Path, name: str) -> Certificates:
    return Certificates.load(
        authority=keys / "authority.pem", certificate=keys / f"{name}.pem", key=keys / f"{name}.key"
    )


def options(keys: Path) -> tuple[str, ...]:
    return (
        "--authority",
        str(keys / "authority.pem"),
        "--certificate",
        str(keys / f"{HOST}.pem"),
        "--key",
        str(keys / f"{HOST}.key"),
    )


@pytest.fixture(scope="module")
def daemons(keys, template) -> Iterator[list[Started]]:
    """Two daemons with certificates, each serving one home at a time."""
    made = [start(*options(keys), "--homes", "1", "--name", name, "--label", f"rack={name}") for name in ("a", "b")]
    yield made
    for each in made:
        each.close()


def connect(daemons: list[Started], credentials: Credentials, **given: Any) -> Cluster:
    return Cluster.connect([each.place for each in daemons], credentials=credentials, **given)


def echo(inbox: Mailbox[Any]) -> None:
    for value, reply in inbox:
        reply.send(value)


def ask(peer: Address[Any], value: int) -> int:
    return int(peer.call(lambda reply: (value, reply)))


def test_processes_run_on_daemons_and_talk_to_each_other(daemons, keys):
    with connect(daemons, of(keys, "home")) as cluster:
        one, two = cluster.nodes
        assert [one.labels, two.labels] == [{"rack": "a"}, {"rack": "b"}]
        assert [one.name.partition(" on ")[2], two.name.partition(" on ")[2]] == ["a", "b"]
        server = Environment(on=one).spawn(echo)
        client = Environment(on=two).spawn(ask, server.address, 42)
        assert client.result(PATIENCE) == 42
        assert (server.node, client.node) == (one, two)
        server.kill()
        assert [len(each.children()) for each in daemons] == [1, 1]
    eventually(lambda: not any(each.children() for each in daemons))


def test_daemon_refuses_more_homes_than_it_may_serve_and_says_so(daemons, keys):
    home = of(keys, "home")
    with connect(daemons[:1], home), pytest.raises(CapsendError, match=r"it serves 1 homes.*--homes"):
        connect(daemons[:1], home)
    eventually(lambda: not daemons[0].children())
    with connect(daemons[:1], home) as cluster:
        assert Environment(on=cluster).spawn(lambda: 1).result(PATIENCE) == 1


@pytest.mark.parametrize("case", ["authority", "host as home", "other host", "plain"])
def test_wrong_credentials_are_refused_once_and_nothing_hangs(daemons, keys, tmp_path, case):
    del daemons[0].said[:]
    if case == "plain":
        with socket.create_connection((HOST, daemons[0].port), timeout=PATIENCE) as stranger:
            stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
            while stranger.recv(100):
                pass
    elif case == "other host":  # it shows a certificate, but not one of the host that was asked for
        with pytest.raises(Refused, match="not valid for"):
            dial(HOST, daemons[0].port, of(keys, "home"), peer="10.9.9.9")
    else:
        name = HOST if case == "host as home" else "home"
        folder = keys
        if case == "authority":
            from capsend.commands.node import make_certificates

            make_certificates(folder := tmp_path / "keys", [HOST], days=1)
        with pytest.raises(Refused):
            connect(daemons[:1], of(folder, name))
    eventually(lambda: len([line for line in daemons[0].said if "refused" in line]) >= 1)
    assert len([line for line in daemons[0].said if f"refused {HOST}" in line]) == 1
    assert daemons[0].process.poll() is None


def test_home_that_asks_for_nonsense_starts_nothing(daemons, keys):
    """Ids with paths, seconds that never end, credentials that are none: the line ends, and no OS process starts."""
    home = of(keys, "home")
    good = ("3.0123456789ab", 3, 1.0, 5.0)
    tls = b'{"tls": {"authority": "", "certificate": "", "key": 1}}'
    for fields, body in [
        (("../../x", 3, 1.0, 5.0), tls),
        (("3.0123456789ab", -3, 1.0, 5.0), tls),
        (("3.0123456789ab", 3, 1.0, 1e9), tls),
        (good, tls),
        (good, b"[" * 100_000),
        (good, b'{"token": "' + b"0" * 64 + b'"}'),
    ]:
        connection, cipher = dial(HOST, daemons[0].port, home, peer=HOST)
        connection.settimeout(PATIENCE)
        connection.sendall(cipher.seal(hello("home") + pack("serve", fields, body)))
        with connection, contextlib.suppress(ConnectionError):
            while connection.recv(1 << 16):
                pass
    assert daemons[0].children() == []
    eventually(lambda: not daemons[0].children())


def test_kill_of_a_daemon_is_the_loss_of_its_node(keys, template):
    daemon = start(*options(keys))
    with connect([daemon], of(keys, "home")) as cluster:
        running = Environment(on=cluster).spawn(echo)
        eventually(daemon.children)
        (pid,) = daemon.children()
        daemon.process.send_signal(signal.SIGKILL)
        with pytest.raises(NodeLost):
            running.result(PATIENCE)
        eventually(lambda: not Path(f"/proc/{pid}").exists())
    daemon.process.wait()


@pytest.fixture(scope="module")
def token(tmp_path_factory) -> Path:
    path: Path = tmp_path_factory.mktemp("token") / "token"
    path.write_text("ab" * 32)
    return path


def test_daemon_with_a_token_takes_only_those_that_have_it_and_unpickles_nothing(token, tmp_path, template):
    """The OS process of the node has a hook that writes down each class that anything unpickles."""
    seen = tmp_path / "seen"
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        f"write = lambda text: open({str(seen)!r}, 'a').write(text)\n"
        "write('armed\\n')\n"
        "sys.addaudithook(lambda event, args: write(f'{args}\\n') if event == 'pickle.find_class' else None)\n"
    )
    daemon = start("--token", str(token), path=str(tmp_path))
    with pytest.raises(Refused, match="another token"):
        connect([daemon], Token(b"x" * 32))
    with connect([daemon], Token(bytes.fromhex("ab" * 32))) as cluster:
        anywhere = Environment(on=cluster)
        server = anywhere.spawn(echo)
        assert anywhere.spawn(ask, server.address, 7).result(PATIENCE) == 7
        with pytest.raises(ValueError, match="of a process"):
            anywhere.spawn(lambda: int("of a process")).result(PATIENCE)
        server.kill()
    daemon.close()
    assert set(seen.read_text().split("\n")) == {"armed", ""}


def test_daemon_of_another_version_is_refused_by_the_name_of_both(token, tmp_path):
    other = tmp_path / "wasmtime-1.2.3.dist-info"
    other.mkdir()
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: wasmtime\nVersion: 1.2.3\n")
    daemon = start("--token", str(token), path=str(tmp_path))
    with pytest.raises(ImageError, match=r"wasmtime is \S+ in this program and 1\.2\.3 on the node"):
        connect([daemon], Token(bytes.fromhex("ab" * 32)))
    daemon.close()


def test_stranger_that_says_nothing_is_dropped_while_others_are_served(token, monkeypatch):
    monkeypatch.setattr("capsend.cluster.lines.PATIENCE", 0.2)
    daemon = Daemon(Token(bytes.fromhex("ab" * 32)), host=HOST)
    thread = threading.Thread(target=daemon.serve)
    thread.start()
    strangers = [socket.create_connection((HOST, daemon.port), timeout=PATIENCE) for _ in range(70)]
    for stranger in strangers:
        with stranger, contextlib.suppress(ConnectionError):
            while stranger.recv(100):
                pass
    connection, _ = dial(HOST, daemon.port, Token(bytes.fromhex("ab" * 32)), peer=HOST)
    connection.close()
    daemon.close()
    thread.join(PATIENCE)
    assert not thread.is_alive()


def test_token_is_not_sent_over_a_network():
    token = Token(b"t" * 32)
    with pytest.raises(CapsendError, match="others could read along"):
        Daemon(token, host="0.0.0.0")
    with pytest.raises(ValueError, match="others could read along"):
        Cluster.connect(["10.0.0.1:7878"], credentials=token)


@pytest.mark.parametrize("peers", [[], ["nowhere"], ["host:0"], ["host:99999"], [":1"]])
def test_what_is_no_place_is_refused(peers):
    with pytest.raises(ValueError, match="HOST:PORT"):
        Cluster.connect(peers, credentials=Token(b"t" * 32))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([], "a node needs credentials"),
        (["--token", os.devnull], "holds no token"),
        (["--listen", "x"], "not an address"),
    ],
)
def test_command_says_what_is_missing(given, words):
    ended = subprocess.run(
        [sys.executable, "-m", "capsend", "node", *given], check=False, capture_output=True, text=True
    )
    assert (ended.returncode, words in ended.stderr) == (2, True), ended.stderr
