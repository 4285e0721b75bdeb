"""Links that are cut, and nodes that freeze: nothing that was declared lost does anything, and what is started again is never beside it.

Three machines and a home are network namespaces of this one, with a real network between them; where none may be made, all is skipped.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from tests.cluster.networks import Network, NoNamespaces, address, network
from tests.eventually import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

long_form = pytest.mark.skipif(os.environ.get("CAPSEND_CLUSTER") != "1", reason="`nox -s cluster` runs it")
HOME, MACHINES = 4, ("a", "b", "c")
ROOT = Path(__file__).parents[2]


@attrs.define
class World:
    """The network, the daemons by machine, and the home that does what it is told."""

    network: Network
    daemons: dict[str, subprocess.Popen[str]]
    home: subprocess.Popen[str]

    def tell(self, word: str, *given: Any) -> Any:
        """Have home do something, and return its answer."""
        assert self.home.stdin is not None
        assert self.home.stdout is not None
        self.home.stdin.write(json.dumps([word, *given]) + "\n")
        self.home.stdin.flush()
        return json.loads(self.home.stdout.readline())

    def pid(self, machine: str) -> int:
        """Return the OS process of a machine's node."""
        found: list[int] = []

        def look() -> bool:
            for task in Path(f"/proc/{self.daemons[machine].pid}/task").iterdir():
                with contextlib.suppress(OSError):  # the thread has ended
                    found.extend(map(int, (task / "children").read_text().split()))
            return bool(found)

        eventually(look)
        return found[0]


def popen(*command: str, **given: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, **given)


@pytest.fixture(scope="module")
def world(tmp_path_factory, template) -> Iterator[World]:
    pytest.importorskip("cryptography", reason="certificates are made with the extra `tls`")
    from capsend.commands.node import make_certificates

    keys = tmp_path_factory.mktemp("keys")
    make_certificates(keys, [address(number) for number, _ in enumerate(MACHINES, 1)], days=1)
    capsend = (sys.executable, "-m", "capsend")
    with contextlib.ExitStack() as stack:
        try:
            joined = stack.enter_context(network(HOME))
        except NoNamespaces as error:
            pytest.skip(f"no network namespaces can be made here: {error}")
        daemons = {}
        for number, machine in enumerate(MACHINES, 1):
            host = address(number)
            files = (
                f"--authority={keys}/authority.pem",
                f"--certificate={keys}/{host}.pem",
                f"--key={keys}/{host}.key",
            )
            options = ("--listen", f"{host}:7878", *files, "--label", f"machine={machine}")
            daemon = popen(*joined.on(number), *capsend, "node", *options, stderr=subprocess.DEVNULL)
            stack.enter_context(daemon)
            stack.callback(daemon.kill)
            daemons[machine] = daemon
        for daemon in daemons.values():
            assert daemon.stdout is not None
            assert daemon.stdout.readline().startswith("listening")
        places = ",".join(f"{address(number)}:7878" for number, _ in enumerate(MACHINES, 1))
        script = (sys.executable, "-m", "tests.cluster.home_apart", places, str(keys))
        home = popen(*joined.on(HOME), *script, stdin=subprocess.PIPE)
        stack.enter_context(home)
        stack.callback(home.kill)
        assert home.stdout is not None
        assert home.stdout.readline() == "true\n"
        yield World(joined, daemons, home)


@contextlib.contextmanager
def death_of(pid: int) -> Iterator[list[float]]:
    """Note when an OS process ends; the list has the moment, when the block has waited for it."""
    ended: list[float] = []
    descriptor = os.pidfd_open(pid)

    def wait() -> None:
        select.select([descriptor], [], [], 30)
        ended.append(time.monotonic())

    thread = threading.Thread(target=wait)
    thread.start()
    yield ended
    thread.join()
    os.close(descriptor)


CUTS = {
    "both ways": (lambda network: network.cut(1), lambda network: network.mend(1)),
    "what home says": (
        lambda network: network.cut_one_way(HOME, 1),
        lambda network: network.mend_one_way(HOME, 1),
    ),
    "what the node says": (
        lambda network: network.cut_one_way(1, HOME),
        lambda network: network.mend_one_way(1, HOME),
    ),
}


def judge(seen: dict[str, Any]) -> None:
    """Judge what a beacon did before and after it was started again.

    Each act of each start is there once, in order, without a gap; nothing of the first start is behind anything of the second.
    """
    for kind in ("call", "message", "witness", "output"):
        acts = [(start, count) for name, start, count, _ in seen["records"] if name == kind]
        numbers = [start for start, _ in acts]
        assert numbers == sorted(numbers), kind
        for start in (1, 2):
            counts = [count for number, count in acts if number == start]
            assert counts == list(range(len(counts))), (kind, start)
    assert len(seen["starts"]) == 2


@pytest.mark.parametrize(
    "cut", ["what the node says", *(pytest.param(each, marks=long_form) for each in ("both ways", "what home says"))]
)
def test_node_that_is_cut_off_ends_before_its_processes_are_started_elsewhere(world: World, cut: str) -> None:
    """Whichever way is cut; and when the link is whole again, the machine has another node, and the old one's words are not taken."""
    world.tell("begin", "a", "b", "c")
    before = world.tell("nodes")
    act, undo = CUTS[cut]
    with death_of(world.pid("a")) as ended:
        act(world.network)
        try:
            assert world.tell("seen", 2, 5)
        finally:
            undo(world.network)
    assert world.tell("wait_for", 3)
    assert world.tell("seen", 2, 30)
    seen = world.tell("end")
    judge(seen)
    again = seen["starts"][1]
    assert ended[0] <= again
    assert not [record for record in seen["records"] if record[1] == 1 and record[3] > again]
    after = world.tell("nodes")
    assert after["a"] != before["a"]
    assert (after["b"], after["c"]) == (before["b"], before["c"])


@pytest.mark.parametrize("number", [signal.SIGSTOP, pytest.param(signal.SIGKILL, marks=long_form)])
def test_node_that_freezes_or_is_killed_does_nothing_beside_its_successor(world: World, number: int) -> None:
    """A frozen node that goes on after its lease ends at once, though all that it says would still arrive.

    Home cannot have the frozen one killed: nothing that home says arrives at its machine until it has gone on.
    """
    world.tell("begin", "a", "b", "c")
    before, pid = world.tell("nodes"), world.pid("a")
    if number == signal.SIGSTOP:
        world.network.cut_one_way(HOME, 1)
    with death_of(pid) as ended:
        os.kill(pid, number)
        try:
            assert world.tell("seen", 2, 20)
            if number == signal.SIGSTOP:
                assert not ended
                os.kill(pid, signal.SIGCONT)
                eventually(lambda: ended)
        finally:
            world.network.mend_one_way(HOME, 1)
    assert world.tell("wait_for", 3)
    assert world.tell("seen", 2, 30)
    judge(world.tell("end"))
    assert world.tell("nodes")["a"] != before["a"]


@long_form
def test_link_that_is_cut_for_a_moment_loses_nothing(world: World) -> None:
    """All that was on its way arrives, once and in order, and no node is lost."""
    world.tell("begin", "a", "b", "c")
    before = world.tell("nodes")
    world.network.cut(1)
    time.sleep(0.4)
    world.network.mend(1)
    assert world.tell("seen", 1, 60)
    seen = world.tell("end")
    for kind in ("call", "message", "witness", "output"):
        counts = [count for name, _, count, _ in seen["records"] if name == kind]
        assert counts == list(range(len(counts))), kind
    assert len(seen["starts"]) == 1
    assert world.tell("nodes") == before


@long_form
def test_nodes_that_are_cut_off_from_each_other_are_lost_to_each_other_only(world: World) -> None:
    """Home, which both still reach, loses neither."""
    before = world.tell("nodes")
    world.tell("pair", "a", "b")
    world.network.cut_one_way(1, 2)
    world.network.cut_one_way(2, 1)
    try:
        reason, is_sent, seen_at_home = world.tell("down")
    finally:
        world.network.mend_one_way(1, 2)
        world.network.mend_one_way(2, 1)
    assert (reason, is_sent, seen_at_home) == ("lost", False, None)
    assert world.tell("nodes") == before
