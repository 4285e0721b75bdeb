"""Very many messages and tasks over three nodes: counts are exact, orders hold, and no OS process grows. `nox -s cluster` runs the long forms."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from capsend import Address, Cluster, Environment, Executor, Mailbox, WasmModule

if TYPE_CHECKING:
    from collections.abc import Iterator

IS_LONG = os.environ.get("CAPSEND_CLUSTER") == "1"
TASKS = int(os.environ.get("CAPSEND_CLUSTER_TASKS", "100000")) if IS_LONG else 400
MIB = 1 << 20
pytestmark = pytest.mark.timeout(3600)
PATIENCE = 3600 if IS_LONG else 60

SQUARES = """
(module
  (import "capsend" "argument" (func $argument (param i32) (result i32)))
  (import "capsend" "read" (func $read (param i32 i32) (result i32)))
  (import "capsend" "result" (func $result (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "capsend_abi_1"))
  (func (export "square") (local $n i64)
    (drop (call $argument (i32.const 0)))
    (drop (call $read (i32.const 16) (i32.const 0)))
    (local.set $n (i64.load (i32.const 16)))
    (i64.store (i32.const 16) (i64.mul (local.get $n) (local.get $n)))
    (drop (call $result (i32.const 16) (i32.const 8)))))
"""


@pytest.fixture(scope="module")
def nodes(template, request) -> Iterator[Cluster]:
    """Three nodes for the long forms; those that all tests share for the short ones."""
    if not IS_LONG:
        yield request.getfixturevalue("shared_cluster")
        return
    with Cluster.local(3, lost_after=120.0) as cluster:
        yield cluster


class Sizes:
    """The memory of this program and of the nodes."""

    def __init__(self, cluster: Cluster) -> None:
        self._pids = [os.getpid(), *(node.pid or 0 for node in cluster.nodes)]
        self._first: list[int] = []

    def look(self) -> list[int]:
        """Return the bytes that each has in memory."""
        return [int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 for pid in self._pids]

    def begin(self) -> None:
        """Take down what each has, when all that is made once has been made."""
        self._first = self.look()

    def growth(self) -> int:
        """Return the largest growth, in bytes."""
        return max(now - before for now, before in zip(self.look(), self._first, strict=True))


def number(n: int) -> bytes:
    return n.to_bytes(8, "little")


def test_many_tasks_of_a_stand_in_guest_have_exact_results_and_leave_nothing(nodes, capsys) -> None:
    """The guest is a module that squares a number, so that what is measured is the cluster."""
    square = WasmModule.from_wat(SQUARES, name="squares").function("square")
    # As many results at a time in every form: what a hundred thousand of them leave in the heap is no growth of the cluster's.
    sizes, step = Sizes(nodes), min(TASKS // 10, 5_000)
    with Executor(environment=Environment(on=nodes)) as executor:
        for start in range(0, TASKS, step):
            numbers = range(start, start + step)
            assert list(executor.map(square, map(number, numbers))) == [number(n * n) for n in numbers]
            if start == 2 * TASKS // 10:
                sizes.begin()
    growth = sizes.growth()
    report(capsys, f"{TASKS} tasks of a stand-in guest: grown by {growth / MIB:.1f} MiB")
    assert growth < 24 * MIB
    assert not any(node.running for node in nodes.nodes)


def small(n: int) -> int:
    return n * n


@pytest.mark.skipif(not IS_LONG, reason="`nox -s cluster` runs it")
def test_many_tasks_of_python_have_exact_results_and_leave_nothing(nodes, capsys) -> None:
    sizes = Sizes(nodes)
    with Executor(environment=Environment(on=nodes)) as executor:
        for start in range(0, 5_000, 1_000):
            numbers = range(start, start + 1_000)
            assert list(executor.map(small, numbers)) == [n * n for n in numbers]
            if start == 1_000:
                sizes.begin()
    growth = sizes.growth()
    report(capsys, f"5000 tasks of Python: grown by {growth / MIB:.1f} MiB")
    assert growth < 48 * MIB


def send_all(name: str, count: int, to: Address[Any]) -> int:
    """Send numbered messages of several sizes."""
    sizes = (1, 200, 4_000, *(1,) * 500, 60_000)
    return sum(to.send((name, number, b"x" * sizes[number % len(sizes)])) for number in range(count))


def take_all(inbox: Mailbox[Any], senders: int, each: int) -> dict[str, int]:
    """Take all messages, and return how many came of each sender, each with the number that was next."""
    found: dict[str, int] = {}
    for _ in range(senders * each):
        name, number, _ = inbox.receive()
        if number != found.get(name, 0):
            raise ValueError(f"{number} of {name} came for {found.get(name, 0)}")
        found[name] = number + 1
    return found


@pytest.mark.skipif(not IS_LONG, reason="`nox -s cluster` runs it; `test_mail_between_nodes` has the short form")
def test_many_messages_of_three_senders_arrive_in_their_orders(nodes, capsys) -> None:
    """To one receiver whose mailbox is always full: nothing is lost, nothing comes twice, and what waits does not grow."""
    sizes, each = Sizes(nodes), 10_000
    one = nodes.nodes[0]
    with Environment(on=one, mailbox=50, timeout=None).spawn(take_all, 3, each) as receiver:
        sizes.begin()
        senders = [
            Environment(on=node, timeout=None).spawn(send_all, name, each, receiver.address)
            for name, node in zip("abc", nodes.nodes, strict=True)
        ]
        assert receiver.result(PATIENCE) == dict.fromkeys("abc", each)
        assert [p.result(PATIENCE) for p in senders] == [each] * 3
    growth = sizes.growth()
    report(capsys, f"10000 messages from each of three senders: grown by {growth / MIB:.1f} MiB")
    assert growth < 64 * MIB


def report(capsys: pytest.CaptureFixture[str], text: str) -> None:
    """Show a figure of a long form."""
    if IS_LONG:
        with capsys.disabled():
            print(f"\n{text}")
