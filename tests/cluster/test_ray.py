"""Nodes on a real Ray cluster of three nodes on this machine. `nox -s ray` runs them; elsewhere they are skipped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from capsend import Address, CapsendError, Cluster, Environment, Mailbox, NodeLost
from capsend.cluster.authority import Authority
from tests.eventually import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.skipif(os.environ.get("CAPSEND_RAY") != "1", reason="a Ray cluster is started by `nox -s ray` only"),
    pytest.mark.filterwarnings("ignore"),  # what Ray warns of is not ours
]
PATIENCE = 120


@pytest.fixture(scope="module")
def machines(template) -> Iterator[Any]:
    """Three nodes of Ray: the head, one with a resource, and one with a label."""
    from ray.cluster_utils import Cluster as Machines

    made = Machines(initialize_head=True, head_node_args={"num_cpus": 1})
    made.add_node(num_cpus=1, resources={"special": 1})
    made.add_node(num_cpus=1, labels={"rack": "b"})
    made.wait_for_nodes()
    yield made
    made.shutdown()


@pytest.fixture(scope="module")
def connected(machines) -> Iterator[str]:
    import ray

    ray.init(address=machines.address)
    yield machines.address
    ray.shutdown()


def echo(inbox: Mailbox[Any]) -> None:
    for value, reply in inbox:
        reply.send(value)


def ask(peer: Address[Any], value: int) -> int:
    return int(peer.call(lambda reply: (value, reply)))


def gone(pid: int) -> bool:
    """Return whether an OS process has ended, even if it was not waited for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_a_node_runs_on_each_machine_and_they_talk(connected):
    with Cluster.ray() as cluster:
        assert len(cluster.nodes) == 3
        one, two, three = cluster.nodes
        server = Environment(on=one).spawn(echo)
        assert Environment(on=two).spawn(ask, server.address, 1).result(PATIENCE) == 1
        assert Environment(on=three).spawn(ask, server.address, 2).result(PATIENCE) == 2
        assert server.node == one
        server.kill()
        pids = [node.pid for node in cluster.nodes]
    assert None not in pids
    for pid in pids:
        eventually(lambda: gone(pid))


def test_resources_and_labels_place_nodes(connected):
    with Cluster.ray(resources={"special": 1}) as cluster:
        assert len(cluster.nodes) == 1
    with pytest.raises(CapsendError, match="no node of the Ray"):
        Cluster.ray(labels={"rack": "z"})
    with Cluster.ray(labels={"rack": "b"}, nodes=2) as cluster:
        assert [node.labels["rack"] for node in cluster.nodes] == ["b", "b"]


def test_killed_node_and_killed_actor_are_lost(connected):
    import ray

    with Cluster.ray(
        nodes=2, lost_after=15.0
    ) as cluster:  # a killed actor is no proof: its node's lease has to be over
        one, two = cluster.nodes
        first, second = (Environment(on=node).spawn(echo) for node in (one, two))
        os.kill(one.pid, signal.SIGKILL)
        with pytest.raises(NodeLost):
            first.result(PATIENCE)
        pid = two.pid
        ray.kill(cluster._home.engine._members[two.id]._actor)
        with pytest.raises(NodeLost):
            second.result(PATIENCE)
        eventually(lambda: gone(pid))
        with pytest.raises(CapsendError, match="the cluster has no node left"):
            Environment(on=cluster).spawn(echo)


def test_machines_that_come_and_go_are_nodes_that_do(machines, connected):
    with Cluster.ray() as cluster:
        before = len(cluster.nodes)
        machine = machines.add_node(num_cpus=1, labels={"rack": "late"})
        assert cluster.wait_for(before + 1, PATIENCE)
        (late,) = [node for node in cluster.nodes if node.labels.get("rack") == "late"]
        running = Environment(on=late).spawn(echo)
        machines.remove_node(machine, allow_graceful=False)
        with pytest.raises(NodeLost):
            running.result(PATIENCE)
        assert Environment(on=cluster).spawn(lambda: 1).result(PATIENCE) == 1


START = """
    import os, signal, sys
    import ray
    from capsend import Cluster, Environment, NodeLost
    ray.init(address=sys.argv[1], log_to_driver=False)
    cluster = Cluster.ray()
    def sleep() -> None:
        import time
        time.sleep(1000)
    running = [Environment(on=node).spawn(sleep) for node in cluster.nodes]
    print("nodes:", *[node.pid for node in cluster.nodes], flush=True)
"""


SHUT_DOWN = """
ray.shutdown()
for process in running:
    try:
        process.result(30)
    except NodeLost as error:
        print(error, file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("ends", "code"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", -9),
        ("os._exit(3)", 3),
        ("raise SystemExit(4)", 4),
        ("cluster.close(); ray.shutdown()", 0),
        (SHUT_DOWN, 0),
    ],
    ids=["kill", "_exit", "exit", "close", "shutdown of Ray"],
)
def test_end_of_a_program_leaves_nothing_and_never_hangs(machines, tmp_path, ends, code):
    script = tmp_path / "driver.py"
    script.write_text(textwrap.dedent(START) + ends)
    ended = subprocess.run(
        [sys.executable, str(script), machines.address], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert ended.returncode == code, ended.stderr
    (said,) = [line for line in ended.stdout.splitlines() if line.startswith("nodes: ")]  # Ray may write between
    pids = list(map(int, said.split()[1:]))
    assert len(pids) == 3
    for pid in pids:
        eventually(lambda: gone(pid))
    assert ended.stderr.count("was lost with") == (3 if ends == SHUT_DOWN else 0), ended.stderr


def test_machines_are_requested_of_the_autoscaler(connected):
    """With the resources and labels of the nodes; the request ends with the cluster."""
    import ray
    from ray.autoscaler._private.constants import AUTOSCALER_RESOURCE_REQUEST_CHANNEL as CHANNEL
    from ray.experimental.internal_kv import _internal_kv_get

    with Cluster.ray(resources={"CPU": 1}) as cluster:
        cluster.request(5)
        assert json.loads(_internal_kv_get(CHANNEL)) == [{"CPU": 1}] * 5
        with pytest.raises(ValueError, match="-1 nodes"):
            cluster.request(-1)
    assert ray.is_initialized()
    assert json.loads(_internal_kv_get(CHANNEL)) == []


def test_figures_of_nodes_are_metrics_of_ray(connected, caplog):
    """Ray exports them with its own; the names are those of `Cluster.metrics`."""
    with Cluster.ray(heartbeat=0.1, lost_after=60) as cluster:
        gauges = cluster._home.engine._gauges
        eventually(lambda: len(gauges) == 6)
        assert all(f"# TYPE {name} " in cluster.metrics() for name in gauges)
    assert "not reported" not in caplog.text


ENCRYPTED = """
    import os, sys, subprocess
    from ray.cluster_utils import Cluster as Machines
    from capsend import Cluster, Environment
    machines = Machines(initialize_head=True, head_node_args={"num_cpus": 1})
    with Cluster.ray(machines.address) as cluster:
        print(Environment(on=cluster).spawn(lambda: 6 * 7).result(60), flush=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    text = f"from capsend import Cluster; Cluster.ray({machines.address!r}); print('connected')"
    try:
        ended = subprocess.run([sys.executable, "-c", text], env=environment, capture_output=True, text=True, timeout=15)
        print(ended.stdout or "refused", flush=True)
    except subprocess.TimeoutExpired:
        print("refused", flush=True)  # Ray tries for minutes
    machines.shutdown()
"""


def test_cluster_whose_ray_speaks_tls_takes_those_that_have_its_certificates(template, tmp_path):
    """`RAY_USE_TLS=1`, for Ray's own connections; capsend's are TLS in any case."""
    import ray

    certificates = Authority().issue(["localhost", "127.0.0.1", ray.util.get_node_ip_address()])
    for name, text in certificates.texts.items():
        (tmp_path / name).write_text(text)
    script = tmp_path / "driver.py"
    script.write_text(textwrap.dedent(ENCRYPTED))
    environment = os.environ | {
        "RAY_USE_TLS": "1",
        "RAY_TLS_CA_CERT": str(tmp_path / "authority"),
        "RAY_TLS_SERVER_CERT": str(tmp_path / "certificate"),
        "RAY_TLS_SERVER_KEY": str(tmp_path / "key"),
    }
    ended = subprocess.run(
        [sys.executable, str(script)], env=environment, capture_output=True, text=True, timeout=280, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.split()[-2:] == ["42", "refused"], ended.stderr


AUTHENTICATED = """
    import os, sys
    from ray.cluster_utils import Cluster as Machines
    import ray
    from capsend import Cluster, Environment
    machines = Machines(initialize_head=True, head_node_args={"num_cpus": 1})
    with Cluster.ray(machines.address) as cluster:
        print(Environment(on=cluster).spawn(lambda: 6 * 7).result(60), flush=True)
    import subprocess
    for token in ("b" * 64, None):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_AUTH")}
        if token:
            environment |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token}
        text = f"from capsend import Cluster; Cluster.ray({machines.address!r})"
        ended = subprocess.run([sys.executable, "-c", text], env=environment, capture_output=True, text=True, timeout=100)
        print(ended.returncode, ended.stderr.strip().splitlines()[-1][:300], flush=True)
    machines.shutdown()
"""


def test_cluster_with_token_authentication_takes_those_that_have_the_token(template, tmp_path):
    script = tmp_path / "driver.py"
    script.write_text(textwrap.dedent(AUTHENTICATED))
    environment = os.environ | {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "a" * 64}
    ended = subprocess.run(
        [sys.executable, str(script)], env=environment, capture_output=True, text=True, timeout=280, check=False
    )
    assert ended.returncode == 0, ended.stderr
    good, *refused = ended.stdout.strip().splitlines()[-3:]
    assert good == "42"
    assert all(line.startswith("1 capsend.exceptions.CapsendError: Ray was not reached") for line in refused), refused
