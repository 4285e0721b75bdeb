"""Nodes are OS processes: processes on them end as in this program, and losses are reported."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

import capsend
from capsend import (
    CapsendError,
    CaptureError,
    Cluster,
    Dir,
    Environment,
    LimitExceeded,
    Mailbox,
    NodeLost,
    ProcessKilled,
    Supervisor,
    host_function,
)
from capsend.mailbox import Down
from tests.eventually import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = 30


def echo(inbox: Mailbox[Any]) -> None:
    """Answer each message with itself."""
    for value, reply in inbox:
        reply.send(value)


def spin() -> None:
    """Compute for ever."""
    while True:
        pass


def pid_of(node: Any) -> int:
    """Return the number of a node's OS process."""
    assert node.pid is not None
    return int(node.pid)


class Counting(io.StringIO):
    """A stream that counts how often it is flushed."""

    flushed: int = 0

    def flush(self) -> None:
        """Count."""
        self.flushed += 1


@pytest.fixture
def cluster(template, request) -> Iterator[Cluster]:
    """A separate cluster, whose nodes a test may end; silence is a loss only in tests about silence."""
    lost_after = getattr(request, "param", 60.0)
    with Cluster.local(2, heartbeat=0.2, lost_after=lost_after) as made:
        yield made


def test_process_on_a_node_is_like_one_here(two_nodes, capsys):
    """Its value, its output, its errors with the user's own lines, and its limits are those of a process of this program."""
    anywhere = Environment(on=two_nodes, memory=256 << 20)

    def work(n: int) -> dict[str, int]:
        print("working")
        return {"n": n}

    def fail() -> None:
        raise KeyError("nothing")

    p = anywhere.spawn(work, 3)
    assert (p.result(PATIENCE), p.exit_reason, capsys.readouterr().out) == ({"n": 3}, "normal", "working\n")
    assert p.node in two_nodes.nodes
    q = anywhere.spawn(fail)
    with pytest.raises(KeyError, match="nothing") as caught:
        q.result(PATIENCE)
    assert f"in process {q.id}, {os.path.basename(__file__)}" in str(caught.value.__cause__)
    assert 'raise KeyError("nothing")' in caught.value.__cause__.text
    late = anywhere.replace(timeout=0.3).spawn(spin)
    with pytest.raises(capsend.TimeLimitExceeded, match=f"process {late.id} ran longer") as limit:
        late.result(PATIENCE)
    assert (limit.value.limit, late.exit_reason) == (0.3, "limit")


def test_large_results_and_arguments_arrive_whole(two_nodes):
    """A result that goes in parts, and its bytes beside the text, are put together again."""
    p = Environment(on=two_nodes).spawn(lambda data: [data, len(data), data[::-1]], bytes(range(256)) * 8192)
    data, size, back = p.result(PATIENCE)
    assert (size, data[:256], back[-256:]) == (2 << 20, bytes(range(256)), bytes(reversed(range(256))))


def test_killed_and_dropped_processes_end(two_nodes):
    """`kill`, and dropping the last handle, end a process on a node."""
    anywhere = Environment(on=two_nodes)
    p = anywhere.spawn(spin)
    p.kill()
    with pytest.raises(ProcessKilled, match=f"process {p.id} was killed$"):
        p.result(PATIENCE)
    q = anywhere.spawn(spin)
    life, node = q._life, q.node
    del q
    assert life.finished.wait(PATIENCE)
    assert life.reason == "killed"
    eventually(lambda: node.running == 0)


def test_node_that_is_killed_is_lost_and_what_ran_there_says_so(cluster):
    """Handles, monitors and senders hear of it, and the next spawn runs on another node."""
    anywhere = Environment(on=cluster)
    with Mailbox[Any]() as inbox:
        actors = [anywhere.spawn(echo) for _ in range(4)]
        assert actors[0].call(lambda reply: (7, reply), timeout=PATIENCE) == 7
        gone = [each for each in actors if each.node is actors[0].node]
        for each in gone:
            inbox.monitor(each.address)
        os.kill(pid_of(actors[0].node), signal.SIGKILL)
        downs = [inbox.receive(timeout=PATIENCE, kind=Down) for _ in gone]
        assert {down.reason for down in downs} == {"lost"}
        with pytest.raises(NodeLost, match="Whether its function has run") as caught:
            gone[0].result(PATIENCE)
        assert (caught.value.node, gone[0].exit_reason) == (gone[0].node.name, "lost")
        assert gone[0].send((1, inbox.address)) is False
        assert [node.alive for node in (gone[0].node, *cluster.nodes)] == [False, True]
        assert anywhere.spawn(lambda: 42).result(PATIENCE) == 42


def test_loss_leaves_nothing_at_home(cluster):
    """No thread, port, handle or descriptor of a lost node stays behind."""
    anywhere = Environment(on=cluster)
    warm = anywhere.spawn(echo)
    warm.call(lambda reply: (1, reply), timeout=PATIENCE)
    victim = warm.node
    others = [node for node in cluster.nodes if node is not victim]
    Environment(on=others[0]).spawn(int).result(PATIENCE)
    ps = [Environment(on=victim).spawn(echo) for _ in range(20)]
    with Mailbox[Any]() as inbox:
        for p in ps:
            inbox.monitor(p.address)
        os.kill(pid_of(victim), signal.SIGKILL)
        for p in (*ps, warm):
            assert p._life.finished.wait(PATIENCE)
    del ps, p, warm
    eventually(lambda: not [t for t in threading.enumerate() if t.name.startswith(f"capsend {victim.name}")])
    eventually(lambda: cluster._home.switch.counts()[1] == 0)
    assert (cluster._home._lives, victim.running, [life.node for life in capsend.runtime.running._distant]) == (
        {},
        0,
        [],
    )


@pytest.mark.parametrize("cluster", [6.0], indirect=True)
def test_frozen_node_is_lost_and_does_nothing_afterwards(cluster, tmp_path):
    """A node that is silent for too long is lost; when it continues, nothing from its processes gets through."""
    seen: list[str] = []
    node = cluster.nodes[0]

    def tick() -> None:
        import time

        while True:
            print("tick")
            time.sleep(0.01)

    p = Environment(on=node, stdout=seen.append).spawn(tick)
    eventually(lambda: bool(seen))
    pid = pid_of(node)
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(NodeLost, match="it was silent for 6 s"):
        p.result(PATIENCE)
    heard = len(seen)
    with contextlib.suppress(ProcessLookupError):  # home has ended it
        os.kill(pid, signal.SIGCONT)
    eventually(lambda: not is_alive(pid))
    assert len(seen) == heard


def test_node_that_is_silent_for_a_moment_goes_on(cluster):
    """Less than `lost_after` is no loss."""
    node = cluster.nodes[0]
    p = Environment(on=node).spawn(echo)
    assert p.call(lambda reply: (1, reply), timeout=PATIENCE) == 1
    os.kill(pid_of(node), signal.SIGSTOP)
    time.sleep(0.2)
    os.kill(pid_of(node), signal.SIGCONT)
    assert p.call(lambda reply: (2, reply), timeout=PATIENCE) == 2
    assert node.alive


def test_supervisor_starts_the_child_of_a_lost_node_elsewhere(cluster):
    """The child runs again, on a node that is alive."""
    started: list[Any] = []
    with Supervisor(environment=Environment(on=cluster)) as supervisor:
        supervisor.add(lambda: started.append(Environment(on=cluster).spawn(spin)) or started[-1])
        os.kill(pid_of(started[0].node), signal.SIGKILL)
        eventually(lambda: len(started) == 2)
        assert started[1].node is not started[0].node
        assert started[0].exit_reason == "lost"


def test_nodes_end_with_the_program(template, tmp_path):
    """A program that is killed leaves no node behind."""
    script = tmp_path / "program.py"
    script.write_text(
        "import sys\nfrom capsend import Cluster\n"
        "if __name__ == '__main__':\n"
        "    cluster = Cluster.local(2)\n"
        "    print(*[node.pid for node in cluster.nodes], flush=True)\n"
        "    sys.stdin.read()\n"
    )
    program = subprocess.Popen([sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert program.stdout is not None
    assert program.stdin is not None
    pids = list(map(int, program.stdout.readline().split()))
    program.kill()
    program.wait()
    program.stdout.close()
    program.stdin.close()
    eventually(lambda: not any(is_alive(pid) for pid in pids))


def is_alive(pid: int) -> bool:
    """Return whether an OS process is there and no zombie."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):  # it ended before the opening, or before the reading
        return False


def test_folder_and_function_of_this_machine_are_refused_with_the_reason(two_nodes, tmp_path):
    """Nothing is started, and the error says what to do instead."""
    anywhere, folder = Environment(on=two_nodes), Dir(tmp_path)

    @host_function
    def secret() -> int:
        return 1

    with pytest.raises(CaptureError, match=r"it is a folder of this machine\. Instead: pass its content"):
        anywhere.spawn(lambda: list(folder.iterdir()))
    with pytest.raises(CaptureError, match=r"Instead: make it with host_function\(remote=True\)"):
        anywhere.spawn(lambda: secret())
    assert not any(node.running for node in two_nodes.nodes)


def test_remote_host_function_runs_at_home(two_nodes):
    """Its arguments are judged, its calls counted and its errors raised as for a process of this program."""
    calls: list[tuple[int, Any]] = []

    @host_function(remote=True)
    def note(item: list[int]) -> dict[str, int]:
        calls.append((os.getpid(), item))
        if not item:
            raise ValueError("empty")
        return {"total": sum(item)}

    limited = note.limited(calls=3)

    def work() -> list[Any]:
        told: list[Any] = [limited([1, 2])]
        for bad in ([], "text"):
            try:
                limited(bad)  # type: ignore[arg-type]
            except (ValueError, TypeError) as error:
                told.append(type(error).__name__)
        try:
            limited([4])
        except Exception as error:
            told.append(type(error).__name__)
        return told

    p = Environment(on=two_nodes).spawn(work)
    assert p.result(PATIENCE) == [{"total": 3}, "ValueError", "TypeError", "LimitExceeded"]
    assert calls == [(os.getpid(), [1, 2]), (os.getpid(), [])]


def test_forked_child_is_told_what_local_spawns_tell(two_nodes):
    """A program that forks cannot use the cluster in the child; it waits for nothing there."""
    child = os.fork()
    if not child:
        code = 1
        try:
            Environment(on=two_nodes).spawn(int)
        except RuntimeError as error:
            code = 0 if "before os.fork()" in str(error) else 2
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    assert Environment(on=two_nodes).spawn(int).result(PATIENCE) == 0


def test_closed_cluster_ends_its_processes_and_refuses_more(template):
    """Closing kills what runs, waits for the nodes, and is done once."""
    with Cluster.local(1) as cluster:
        p = Environment(on=cluster).spawn(spin)
        node = cluster.nodes[0]
    assert p.exit_reason == "killed"
    assert not node.alive
    cluster.close()
    with pytest.raises(RuntimeError, match="the cluster is closed"):
        Environment(on=cluster).spawn(int)
    with pytest.raises(ValueError, match="at least one node"):
        Cluster.local(0)
    with pytest.raises(ValueError, match="at least twice the heartbeat"):
        Cluster.local(1, heartbeat=3.0, lost_after=5.0)


def test_drained_node_takes_no_more_processes_and_ends_with_the_last(cluster, caplog):
    """Its processes run to their end; those still running after the timeout are lost with it."""
    one, other = cluster.nodes
    p = Environment(on=one).spawn(echo)
    assert p.call(lambda reply: (1, reply), timeout=PATIENCE) == 1
    drained: list[bool] = []
    thread = threading.Thread(target=lambda: drained.append(cluster.drain(one)))
    thread.start()
    eventually(lambda: cluster.nodes == (other,))
    with pytest.raises(NodeLost, match="is drained, and accepts no more processes"):
        Environment(on=one).spawn(int)
    assert p.call(lambda reply: (2, reply), timeout=PATIENCE) == 2
    p.kill()
    thread.join(PATIENCE)
    assert (drained, one.alive, p.exit_reason) == ([True], False, "killed")
    assert one._member.state == "drained"
    assert "was lost" not in caplog.text
    q = Environment(on=other).spawn(spin)
    assert cluster.drain(other, timeout=0.1) is False
    with pytest.raises(NodeLost, match="it was drained"):
        q.result(PATIENCE)


def test_name_goes_with_its_process(cluster):
    """The registry of a cluster is kept at home: a lost process has no name, and `ensure` starts another."""
    registry, anywhere = cluster.registry, Environment(on=cluster)
    started: list[Any] = []

    def start() -> Any:
        started.append(anywhere.spawn(echo))
        return started[-1]

    address = registry.ensure("echo", start)
    assert (registry.whereis("echo"), registry.names(), capsend.registry.whereis("echo")) == (address, ("echo",), None)
    os.kill(pid_of(started[0].node), signal.SIGKILL)
    eventually(lambda: registry.whereis("echo") is None)
    assert registry.ensure("echo", start).call(lambda reply: (5, reply), timeout=PATIENCE) == 5
    assert started[1].node is not started[0].node


def test_nothing_of_a_guest_is_unpickled_on_a_node(template, tmp_path, monkeypatch):
    """A node in which unpickling ends the program runs messages, results, errors, children and calls all the same."""
    (tmp_path / "sitecustomize.py").write_text(
        "import os, sys\n"
        "sys.addaudithook(lambda event, args: os._exit(77) if event in ('pickle.find_class', 'marshal.loads.x') else None)\n"
        "import pickle\n"
        "pickle.loads = pickle.Unpickler = pickle.load = None\n"
        "import _pickle\n"
        "_pickle.loads = _pickle.load = _pickle.Unpickler = None\n"
    )
    monkeypatch.syspath_prepend(tmp_path)

    @host_function(remote=True)
    def add(a: int, b: list[int]) -> dict[str, Any]:
        return {"sum": a + sum(b), "raw": bytes(70_000)}

    def work(inbox: Mailbox[Any], data: dict[str, Any]) -> Any:
        message = inbox.receive()
        child = capsend.spawn(lambda: [1, 2.5, {"a": (1, 2)}])
        return message, child.result(), add(1, [2])["sum"], data

    def fail() -> None:
        raise ValueError({"a": [1]})

    with Cluster.local(1) as cluster:
        p = Environment(on=cluster).spawn(work, {"rows": [list(range(100))] * 20, "raw": bytes(100_000)})
        p.send({"many": [{"n": n} for n in range(50)], "raw": bytes(70_000)})
        message, child, total, data = p.result(PATIENCE)
        assert (message["many"][49], child, total, len(data["raw"])) == ({"n": 49}, [1, 2.5, {"a": (1, 2)}], 3, 100_000)
        with pytest.raises(ValueError, match="'a'"):
            Environment(on=cluster).spawn(fail).result(PATIENCE)
        assert cluster.nodes


def test_hostile_guest_on_a_node_gains_nothing(two_nodes):
    """Forged numbers of handles, functions and children, and texts that look like references, name nothing that it was not given."""
    with Mailbox[Any]() as inbox:
        address = inbox.address

        def attack() -> list[str]:
            from capsend_guest import host_operations  # type: ignore[import-not-found]

            address.send("known")
            told = []
            for number in (*range(3), 77, 10**8, -1):
                told.append(host_operations.request(10, f"{number} - 0   :p1"))
                told.append(host_operations.request(40, f"{number} :g1:[]"))
                told.append(host_operations.request(13, f"{number}"))
            return [answer[:8] for answer in told]

        anywhere = Environment(on=two_nodes)
        answers = anywhere.spawn(attack).result(PATIENCE)
        assert all(answer.startswith(("!", "e")) or answer == "" for answer in answers)
        # A text that looks like a reference is a text.
        assert anywhere.spawn(lambda: ['{"h":0}', 'h":0', {"h": 0}]).result(PATIENCE) == ['{"h":0}', 'h":0', {"h": 0}]
        assert inbox.receive(timeout=PATIENCE) == "known"


def test_metrics_are_text_that_prometheus_reads(cluster):
    """Each line is a comment, or a name with the label of the node and a number; what is lost stays visible."""
    p = Environment(on=cluster.nodes[0]).spawn(spin)
    lost = cluster.nodes[0]
    eventually(lambda: p.stats().cpu_seconds > 0)
    os.kill(pid_of(lost), signal.SIGKILL)
    assert p._life.finished.wait(PATIENCE)
    lines = cluster.metrics().splitlines()
    figures = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    assert figures[f'capsend_node_up{{node="{lost.name}"}}'] == "0"
    assert figures[f'capsend_node_lost_processes_total{{node="{lost.name}"}}'] == "1"
    assert figures[f'capsend_node_up{{node="{cluster.nodes[0].name}"}}'] == "1"
    assert sum(line.startswith("# TYPE") for line in lines) == 6
    assert all(float(figure) >= 0 for figure in figures.values())


def test_running_processes_and_top_know_nodes(two_nodes):
    """`capsend.processes()` lists processes on nodes with their node, and the watch of `capsend top` counts their ends."""
    from capsend.commands.top import Watch, _cells, _nodes

    with Watch() as watch:
        p = Environment(on=two_nodes).spawn(spin)
        seen = next(each for each in watch.look().processes if each.id == p.id)
        assert seen.node == p.node.name
        assert _cells(seen, named=True)[0] == f"{p.id} spin on {seen.node}"
        listed = next(each for each in capsend.processes() if each.id == p.id)
        assert listed.node is p.node
        assert sum(line.startswith(f"{seen.node}: 1 running") for line in _nodes()) == 1
        p.kill()
        assert p._life.finished.wait(PATIENCE)
        assert watch.look().ended == {"killed": 1}


def test_guest_whose_result_grows_on_its_way_ends_and_takes_nothing_along(two_nodes):
    """A node counts characters, of which a guest may choose ones that take three bytes: its process reaches its limit, the node stays."""

    def attack() -> int:
        from capsend_guest import host_operations  # type: ignore[import-not-found]

        for _ in range(4):
            host_operations.request(4, "\u20ac" * 250_000)
        return 1

    p = Environment(on=two_nodes, result=1 << 20).spawn(attack)
    with pytest.raises(capsend.OutputLimitExceeded, match="more than the 1048576 bytes in transit"):
        p.result(PATIENCE)
    assert (p.exit_reason, len(two_nodes.nodes)) == ("limit", 2)


def complain() -> None:
    """Write a line to standard error."""
    print("written", file=sys.stderr)


def test_a_stream_of_home_is_flushed_for_a_process_that_has_written(two_nodes) -> None:
    """And for no other, although each flushes standard error as it ends: that would be an item more, and a thread at home that wakes up for it."""
    stream, there = Counting(), Environment(on=two_nodes)
    with contextlib.redirect_stderr(stream):
        assert there.spawn(pow, 2, 3).result(PATIENCE) == 8
        before = stream.flushed
        there.spawn(complain).result(PATIENCE)
    assert before == 0
    assert stream.flushed > 0
    assert stream.getvalue() == "written\n"


def test_processes_on_a_node_have_no_more_memory_than_it_may_give(template) -> None:
    """Each is counted with what it may spawn; the other node takes one more, and then none does until one has ended."""
    mib = 1 << 20
    with Cluster.local(2, lost_after=60.0, memory_per_node=300 * mib) as cluster:
        small = Environment(on=cluster, memory=200 * mib, processes=0)
        with small.spawn(echo) as p, small.spawn(echo) as q:
            assert {p.node, q.node} == set(cluster.nodes)
            with pytest.raises(LimitExceeded, match=r"needs 200 MiB, and the processes on any node may have 300 MiB"):
                small.spawn(echo)
            with pytest.raises(LimitExceeded, match="on node"):
                small.replace(on=p.node).spawn(echo)
            with pytest.raises(LimitExceeded, match=r"1600 MiB of it for those that it may spawn.*processes=0"):
                small.replace(processes=1).spawn(echo)
        assert small.spawn(pow, 2, 3).result(PATIENCE) == 8
        with (
            small.replace(memory=100 * mib).spawn(echo),
            small.spawn(echo),
            small.replace(memory=100 * mib).spawn(echo),
        ):
            assert sum(node.running for node in cluster.nodes) == 3
    with pytest.raises(ValueError, match="more than 0 bytes"):
        Cluster.local(1, memory_per_node=0)


def test_metrics_of_a_node_whose_name_has_quotes_are_one_line_each() -> None:
    """A machine chooses its name."""
    from capsend.cluster.cluster import _quoted

    assert _quoted('a"} 1\nup{b="\\') == 'a\\"} 1\\nup{b=\\"\\\\'


def test_only_ray_is_asked_for_machines(two_nodes) -> None:
    with pytest.raises(CapsendError, match="only the autoscaler of a Ray cluster"):
        two_nodes.request(3)
