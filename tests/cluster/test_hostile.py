"""Peers, strangers and guests that mean harm: whatever they send, nothing at the other end grows without bound, hangs, or ends for others."""

from __future__ import annotations

import contextlib
import logging
import resource
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest

from capsend import CapsendError, Environment, Mailbox, SerializationError, host_function, spawn
from capsend.cluster import items
from capsend.cluster.early import Early
from capsend.cluster.greeting import hello
from capsend.cluster.hosting import Host
from capsend.cluster.items import Item, Malformed
from capsend.cluster.lines import GREETINGS, Greetings, Line, Plain, Token, admit, dial
from capsend.cluster.output import Output
from capsend.cluster.peers import HOME, Peer, Switch
from capsend.cluster.remote import WINDOW
from capsend.mailbox.ports import Port
from tests.cluster.test_items import Quiet
from tests.eventually import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = 30
NODE = "3.0123456789ab"
SECRET = Token(b"t" * 32)


def echo(inbox: Mailbox[Any]) -> None:
    """Answer each message with itself."""
    for value, reply in inbox:
        reply.send(value)


# --- a user whose call is more than crosses ---


def test_variables_cross_however_long_they_are_and_too_many_of_them_end_no_node(two_nodes) -> None:
    """The other end would treat an oversized item as malformed and give the sender up: so it is refused before it is sent."""
    there = Environment(on=two_nodes, env={"LONG": "x" * 100_000})
    assert there.spawn(lambda: len(__import__("os").environ["LONG"])).result(PATIENCE) == 100_000
    with pytest.raises(CapsendError, match="more than crosses at once"):
        there.replace(env={"LONGER": "x" * (5 << 20)}).spawn(pow, 2, 3)
    assert there.spawn(pow, 2, 3).result(PATIENCE) == 8
    assert len(two_nodes.nodes) == 2


def test_result_of_a_function_of_home_that_is_too_large_is_an_error_in_the_process(two_nodes, monkeypatch) -> None:
    """The process would wait for an answer that is never sent."""

    @host_function(remote=True)
    def large() -> bytes:
        return bytes(2 << 20)

    monkeypatch.setattr(items, "LARGEST_BODY", 1 << 20)
    with pytest.raises(SerializationError, match="larger than crosses at once"):
        Environment(on=two_nodes).spawn(lambda: len(large())).result(PATIENCE)


# --- a peer that lies ---


def test_peer_that_sends_more_than_its_window_is_lost() -> None:
    """Messages without room in a mailbox wait for it, and are at most as many as a peer may have in transit."""
    switch, port = Switch("1.a", Quiet()), Port("p", messages=1)
    key, peer = switch.export(port), Peer(switch, "2.b")
    message = Item("m", [key, 0, False, True, 0, False, [], [5]], b"12345")
    for _ in range(1 + WINDOW):
        peer.handle(message)
    with pytest.raises(Malformed, match="more messages"):
        peer.handle(message)


@pytest.mark.parametrize("me", [HOME, "1.a"])
def test_nothing_is_kept_of_nodes_that_a_peer_has_made_up(me: str) -> None:
    """A node knows others by name before it knows their addresses, a thousand of them; home knows all."""
    switch = Switch(me, Quiet(), dial=None if me == HOME else lambda _peer: None)
    for number in range(3_000):
        for owner in (f"{number}.made.up", f"{number} {'x' * 1_000}"):
            port = switch.port(["a", owner, 1, 0, 1, "p", 9, 99, 0, 0, ""])
            assert me != HOME or port.reason == "lost"
    assert len(switch.peers) <= 1_000
    assert not switch.gone


def test_items_for_processes_that_home_never_starts_do_not_add_up() -> None:
    """They wait, since another node may hear of a process first; a peer that goes on with it is lost."""
    early = Early(is_home=False)
    for number in range(10_000):
        assert early.holds(-number - 1, lambda: None)
    with pytest.raises(Malformed, match="not started"):
        early.holds(-1, lambda: None)
    large = Early(is_home=False)
    assert large.holds(-1, lambda: None, size=64 << 20)
    with pytest.raises(Malformed, match="not started"):
        large.holds(-1, lambda: None)
    done: list[int] = []
    early = Early(is_home=False)
    early.holds(-5, lambda: done.append(5), size=64 << 20)
    early.settle(-5)
    assert done == [5]
    assert early.holds(-6, lambda: None)


def test_peer_that_asks_and_does_not_read_is_lost(monkeypatch) -> None:
    """Its answers would wait for it for ever."""
    monkeypatch.setattr("capsend.cluster.lines.MOST_WAITING", 1_000)
    ours, theirs = socket.socketpair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
    line, peer = Line(ours, Plain(), name="ours"), Peer(Switch(HOME, Quiet()), NODE)
    line.start(lambda _item: None, lambda _words: None)
    peer.connect(line)

    def ask() -> None:
        for number in range(50_000):
            peer.handle(Item("sync", [number], b""))

    with theirs, pytest.raises(Malformed, match="does not read"):
        ask()
    line.close()


def test_output_that_waits_is_as_large_as_its_text() -> None:
    """Of a guest that flushes each character, while the target is slow; what is more than it may write is its node's lie."""
    output = Output(100_000)
    blocks = sum(output.add(1 + number % 2, "x", flush=True) for number in range(90_000))
    assert blocks <= 100
    found = [output.take() for _ in range(blocks)]
    assert sum(len(text) for _, text, _ in found) == 90_000
    assert all(flush for _, _, flush in found)
    assert output.add(1, "first", flush=False)
    assert not output.add(1, ", then this", flush=True)
    assert output.take() == (1, "first, then this", True)
    with pytest.raises(Malformed, match="more than it may"):
        output.add(1, "x" * (2 << 20), flush=False)


def test_process_asks_for_one_call_at_a_time(two_nodes) -> None:
    """A node that asks for more would have home start a thread for each."""
    home, told = two_nodes._home, threading.Event()

    @host_function(remote=True)
    def slow() -> None:
        told.wait(PATIENCE)

    with Environment(on=two_nodes).spawn(lambda: slow()) as p:
        member, life = p.node._member, p._life
        eventually(lambda: life.calls)
        again = Item("call", [p.id, p.id, 1 << 40, 0, {}, [1]], b"p")
        with pytest.raises(Malformed, match="while it waits"):
            home._handle(member, again)
        for number in range(1 << 40, (1 << 40) + life.environment.processes):
            life.calls_of(number)
        with pytest.raises(Malformed, match="more processes call"):
            life.calls_of(1 << 50)
        told.set()
        p.result(PATIENCE)


# --- strangers ---


@pytest.fixture
def listening() -> Iterator[tuple[int, list[socket.socket]]]:
    """A port behind which connections are greeted: (its number, the connections that were let in)."""
    greetings, let_in = Greetings(), list[socket.socket]()
    listener = socket.create_server(("127.0.0.1", 0), backlog=2 * GREETINGS)
    accept = threading.Thread(
        target=greetings.accept,
        args=(listener, lambda connection, _: let_in.append(admit(connection, SECRET)[0])),
        kwargs={"name": "greets"},
    )
    accept.start()
    yield listener.getsockname()[1], let_in
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    accept.join()
    for connection in let_in:
        connection.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_strangers_that_say_nothing_keep_nobody_out(listening) -> None:
    """The one that has been silent for longest makes room, and neither waits for the end of its time."""
    port, let_in = listening
    with contextlib.ExitStack() as strangers:
        silent = [strangers.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(2 * GREETINGS)]
        mine, _ = dial("127.0.0.1", port, SECRET, peer=NODE)
        mine.close()
        silent[0].settimeout(PATIENCE)
        assert silent[0].recv(1) == b""
    eventually(lambda: let_in)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_lack_of_descriptors_ends_no_listener(listening) -> None:
    """It listens again when there are some."""
    port, let_in = listening
    connection = socket.socket()
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (connection.fileno() + 1, before[1]))
        connection.connect(("127.0.0.1", port))
        connection.settimeout(0.2)
        with pytest.raises(TimeoutError):
            connection.recv(1)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        connection.close()
    mine, _ = dial("127.0.0.1", port, SECRET, peer=NODE)
    mine.close()
    eventually(lambda: let_in)


def test_node_that_was_lost_is_not_let_in_again_and_none_twice() -> None:
    """Home reports each loss to all others, which from then on refuse the certificate of that node: there is no other list."""
    host = Host("1.0123456789ab", SECRET, heartbeat=1.0, lost_after=60.0)
    listener = socket.create_server(("127.0.0.1", 0))
    host.listen(listener)
    ends: list[str] = []

    def join() -> Line:
        line = Line(*dial(*listener.getsockname(), SECRET, peer=host.switch.me), name="other")
        line.put(hello(NODE))
        line.start(lambda _item: None, ends.append)
        return line

    first = join()
    eventually(lambda: NODE in host.switch.peers and host.switch.peers[NODE].incoming)
    join()
    eventually(lambda: len(ends) == 1)
    host.switch.lose(NODE, "home says so")
    eventually(lambda: len(ends) == 2)
    join()
    eventually(lambda: len(ends) == 3)
    first.close()
    listener.close()


# --- guests ---


def write_flushed(count: int) -> None:
    """Write characters, and flush each."""
    for _ in range(count):
        print("x", end="", flush=True)


def test_guest_that_flushes_each_character_holds_nobody_up(two_nodes) -> None:
    """Its target at home is slow, and its node and home go on; all arrives, in a few pieces."""
    node, free, pieces = two_nodes.nodes[0], threading.Event(), list[str]()

    def slow(text: str) -> None:
        free.wait(PATIENCE)
        pieces.append(text)

    with Environment(on=node).spawn(echo) as other, Environment(on=node, stdout=slow).spawn(write_flushed, 3_000) as p:
        eventually(lambda: p.stats().output_bytes == 3_000)
        assert other.call(lambda reply: (1, reply), timeout=PATIENCE) == 1
        free.set()
        p.result(PATIENCE)
    assert "".join(pieces) == "x" * 3_000
    assert len(pieces) < 10


class Slow(logging.Handler):
    """A handler that takes its time."""

    def __init__(self) -> None:
        super().__init__()
        self.free = threading.Event()
        self.records: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Wait."""
        self.free.wait(PATIENCE)
        self.records.append(record.getMessage())


def log_often(count: int) -> None:
    """Log many records."""
    for number in range(count):
        logging.getLogger("often").error("%d", number)


def test_handler_of_log_records_that_takes_long_holds_nobody_up(two_nodes) -> None:
    """Signs of life and messages pass the records, which are handled in their order."""
    node, handler, logger = two_nodes.nodes[0], Slow(), logging.getLogger("capsend.process")
    logger.addHandler(handler)
    try:
        with Environment(on=node).spawn(echo) as other, Environment(on=node).spawn(log_often, 30) as p:
            p.result(PATIENCE)
            assert other.call(lambda reply: (1, reply), timeout=PATIENCE) == 1
            handler.free.set()
            eventually(lambda: len(handler.records) == 30)
    finally:
        handler.free.set()
        logger.removeHandler(handler)
    assert [text.split()[-1] for text in handler.records] == [str(number) for number in range(30)]


@host_function(remote=True)
def at_home(number: int) -> int:
    """Return the next number."""
    return number + 1


def call_from_children(inbox: Mailbox[Any], count: int) -> None:
    """Have children call a function of home, one after the other."""
    total = sum(spawn(lambda: at_home(1)).result() for _ in range(count))
    for _, reply in inbox:
        reply.send(total)


def test_children_that_have_called_home_leave_nothing_there(two_nodes) -> None:
    """Home keeps a thread for each process that calls, for as long as that process lives."""
    with Environment(on=two_nodes).spawn(call_from_children, 5) as p:
        assert p.call(lambda reply: (1, reply), timeout=PATIENCE) == 10
        eventually(lambda: not p._life.calls)
