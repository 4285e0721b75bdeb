"""Messages between machines: order, windows, slow readers, links, and what a loss in the middle does."""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING, Any

import pytest

from capsend import Address, Cluster, Environment, LimitExceeded, Mailbox, NodeLost, ProcessKilled
from capsend.cluster.remote import WINDOW
from capsend.mailbox import Down
from tests.eventually import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = 60


@pytest.fixture
def cluster(template) -> Iterator[Cluster]:
    """A separate cluster, whose nodes a test may end."""
    with Cluster.local(2) as made:
        yield made


def send_all(name: str, count: int, sizes: tuple[int, ...], to: Address[Any]) -> int:
    """Send numbered messages of several sizes."""
    return sum(to.send((name, number, b"x" * sizes[number % len(sizes)])) for number in range(count))


def take_all(inbox: Mailbox[Any], senders: int, each: int) -> dict[str, list[int]]:
    """Take all messages, and return their numbers by sender."""
    found: dict[str, list[int]] = {}
    for _ in range(senders * each):
        name, number, _ = inbox.receive()
        found.setdefault(name, []).append(number)
    return found


def wait(inbox: Mailbox[Any]) -> Any:
    """Wait for one message."""
    return inbox.receive()


def keep_silent(inbox: Mailbox[Any]) -> None:
    """Take messages, and answer none."""
    while True:
        inbox.receive()


def test_three_senders_on_three_machines_arrive_in_their_orders(two_nodes):
    """One receiver, with a mailbox that is always full: nothing is lost, nothing comes twice, each sender's order holds."""
    one, other = two_nodes.nodes
    each, sizes = 400, (1, 200, 40_000)
    with Environment(on=one, mailbox=5).spawn(take_all, 3, each) as receiver:
        senders = [
            Environment(on=node).spawn(send_all, name, each, sizes, receiver.address)
            for name, node in (("a", one), ("b", other), ("c", None))
        ]
        assert receiver.result(PATIENCE) == {name: list(range(each)) for name in "abc"}
        assert [p.result(PATIENCE) for p in senders] == [each] * 3


def test_sender_waits_when_the_window_is_full(two_nodes):
    """A message without room keeps its credit: a sender cannot exceed the window."""
    with Environment(on=two_nodes, mailbox=10).spawn(hold) as p:
        assert all(p.send(number, timeout=PATIENCE) for number in range(WINDOW))
        with pytest.raises(TimeoutError, match="was full, and had no room in time"):
            p.send(WINDOW, timeout=0.05)
        assert p.stats().waiting == 10


def hold(inbox: Mailbox[Any]) -> None:
    """Take nothing."""
    import time

    time.sleep(3600)


def test_message_larger_than_the_mailbox_is_refused_at_the_sender(two_nodes):
    """The size travels in the address."""
    with (
        Environment(on=two_nodes, mailbox_bytes=4096).spawn(wait) as p,
        pytest.raises(LimitExceeded, match="larger than"),
    ):
        p.send(b"x" * 5000)


def talk(inbox: Mailbox[Any], peer: Address[Any] | None, count: int) -> int:
    """Call a process *count* times, or answer it."""
    if peer is None:
        for value, reply in inbox:
            reply.send(value + 1)
    total = 0
    for number in range(count):
        total += peer.call(lambda reply, number=number: (number, reply))  # type: ignore[union-attr]
    return total


def test_processes_on_two_nodes_call_each_other(two_nodes):
    """Nodes have connections of their own, and answers come back to the caller only."""
    one, other = two_nodes.nodes
    with Environment(on=one).spawn(talk, None, 0) as server:
        clients = [Environment(on=node).spawn(talk, server.address, 50) for node in (one, other)]
        assert [p.result(PATIENCE) for p in clients] == [sum(range(1, 51))] * 2


def test_link_between_nodes_ends_the_other_process(two_nodes):
    """Whichever of the two ends; and a link that was undone does nothing."""
    one, other = two_nodes.nodes
    p, q = Environment(on=one).spawn(wait), Environment(on=other).spawn(wait)
    p.link(q)
    q.kill()
    with pytest.raises(ProcessKilled, match=f"process {q.id}, to which it was linked, ended .killed"):
        p.result(PATIENCE)
    p, q = Environment(on=one).spawn(wait), Environment(on=other).spawn(wait)
    p.link(q)
    q.unlink(p)
    q.kill()
    with pytest.raises(ProcessKilled):
        q.result(PATIENCE)
    p.send("still here")
    assert p.result(PATIENCE) == "still here"


def test_notice_of_an_end_is_behind_messages_that_wait_for_room(two_nodes):
    """A monitor hears of the end behind all that the process had sent, however slow the reader is."""
    one, _ = two_nodes.nodes
    with Mailbox[Any](messages=3) as inbox:
        p = Environment(on=one).spawn(send_all, "a", 100, (1,), inbox.address)
        inbox.monitor(p.address)
        got = [inbox.receive(timeout=PATIENCE) for _ in range(101)]
    assert [each[1] for each in got[:100]] == list(range(100))
    assert isinstance(got[100], Down)
    assert got[100].reason == "normal"


@pytest.mark.parametrize("middle", ["spawn", "call", "result", "link", "host function"])
def test_loss_in_the_middle_ends_everything(cluster, middle):
    """Every handle ends with `lost`, no wait is endless, and the next spawn works."""
    import capsend

    node, survivor = cluster.nodes
    there = Environment(on=node)
    entered = threading.Event()

    @capsend.host_function(remote=True)
    def linger() -> int:
        entered.set()
        return 1

    def kill() -> None:
        os.kill(node.pid, signal.SIGKILL)

    if middle == "spawn":
        ps = [there.spawn(wait) for _ in range(50)]
        kill()
    elif middle == "call":
        ps = [there.spawn(keep_silent)]
        threading.Timer(0.2, kill).start()
        with pytest.raises((capsend.ProcessFailed, NodeLost), match="lost"):
            ps[0].call(lambda reply: reply, timeout=PATIENCE)
    elif middle == "result":
        ps = [there.spawn(lambda: b"x" * (60 << 20)) for _ in range(3)]
        eventually(lambda: any(p._life._size for p in ps) or all(p.done() for p in ps))
        kill()
    elif middle == "link":
        ps = [there.spawn(wait) for _ in range(20)]
        others = [Environment(on=survivor).spawn(wait) for _ in range(20)]
        for p, q in zip(ps, others, strict=True):
            p.link(q)
            q.send
        ps[0]._life.stats()
        others[0]._life.stats()
        kill()
        for q in others:
            with pytest.raises(ProcessKilled, match=r"ended \(lost"):
                q.result(PATIENCE)
    else:
        ps = [there.spawn(lambda: [linger() for _ in range(1_000_000)])]
        assert entered.wait(PATIENCE)
        kill()
    for p in ps:
        assert p._life.finished.wait(PATIENCE)
        assert p.exit_reason in {"lost", "normal"} if middle == "result" else p.exit_reason == "lost"
    assert Environment(on=cluster).spawn(int).result(PATIENCE) == 0
