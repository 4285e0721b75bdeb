"""`python -m tests.bench.ray_nodes`: nodes on a Ray cluster of two machines beside Ray's own tasks and actors, and one program.

Ray is 285 MB and takes minutes, so that this is no row of `python -m tests.bench`. The figures are medians of alternating runs.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
from typing import TYPE_CHECKING, Any, Final

from capsend import Cluster, Environment, Executor, Mailbox
from tests.bench import nodes
from tests.bench.measuring import US, Promise, Row, contest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RAY: Final = "Ray"
HERE: Final = nodes.HERE
_TASKS: Final = 150
_CALLS: Final = 50
_MESSAGES: Final = 2_000
_AT_ONCE: Final = 64


class Peer:
    """An actor of Ray that does the same work."""

    def answer(self, value: int) -> int:
        """Return a value."""
        return value

    def pour(self, to: Any, many: int) -> None:
        """Call another actor many times, 64 at a time."""
        import ray

        for start in range(0, many, _AT_ONCE):
            ray.get([to.answer.remote(number) for number in range(start, min(start + _AT_ONCE, many))])


@contextlib.contextmanager
def machines() -> Iterator[Any]:
    """Two nodes of Ray on this machine, and this program connected to them."""
    os.environ.setdefault("RAY_worker_niceness", "0")  # read by Ray: nodes and Ray's own workers, as this program
    import ray
    from ray.cluster_utils import Cluster as Machines

    made = Machines(initialize_head=True, head_node_args={"num_cpus": 2, "resources": {"one": 2}})
    made.add_node(num_cpus=2, resources={"two": 2})
    made.wait_for_nodes()
    ray.init(address=made.address, log_to_driver=False)
    try:
        yield ray
    finally:
        ray.shutdown()
        made.shutdown()


def measure(rounds: int) -> Iterator[Row]:
    """Yield one row after the other."""
    with machines() as ray, Cluster.ray(lost_after=60.0) as cluster:  # a busy machine is not a lost one
        here, there = Environment(timeout=None), Environment(timeout=None, on=cluster)
        one, two = (Environment(timeout=None, on=node) for node in cluster.nodes)
        small, large = ray.remote(nodes.small), ray.remote(nodes.large)
        actor = ray.remote(Peer).options(num_cpus=0, resources={"one": 1}).remote()
        other = ray.remote(Peer).options(num_cpus=0, resources={"two": 1}).remote()

        contestants: dict[str, Callable[[], object]] = {
            US: lambda: there.spawn(nodes.small, 1).result(),
            HERE: lambda: here.spawn(nodes.small, 1).result(),
            RAY: lambda: ray.get(small.remote(1)),
        }
        figures = contest(contestants, rounds=rounds * 8)
        yield _row("spawn to result", "ms", _milliseconds(figures), Promise(HERE, 1.2), Promise(RAY, 4.0))

        with Executor(8, environment=there) as far, Executor(4, environment=here) as near:
            figures = contest(
                {
                    US: lambda: sum(far.map(nodes.small, range(_TASKS))),
                    HERE: lambda: sum(near.map(nodes.small, range(_TASKS))),
                    RAY: lambda: ray.get([small.remote(number) for number in range(_TASKS)]),
                },
                rounds=rounds,
            )
        rates = {name: _TASKS / seconds for name, seconds in figures.items()}
        yield _row("small functions", "/s", rates, Promise(HERE, 1.8, at_least=True), Promise(RAY, 0.5, at_least=True))

        with one.spawn(nodes.answer) as p, here.spawn(nodes.answer) as q:

            def calls(process: Any) -> Callable[[], object]:
                return lambda: [process.call(lambda reply: (1, reply)) for _ in range(_CALLS)]

            def remote() -> None:
                for number in range(_CALLS):
                    ray.get(actor.answer.remote(number))

            figures = contest({US: calls(p), HERE: calls(q), RAY: remote}, rounds=rounds)
        yield _row(
            f"{_CALLS} calls, there and back", "ms", _milliseconds(figures), Promise(HERE, 2.5), Promise(RAY, 1.2)
        )

        with Mailbox[int]() as done, contextlib.ExitStack() as stack:

            def way(sender: Environment, receiver: Environment) -> Callable[[], object]:
                to = stack.enter_context(receiver.spawn(nodes.count, done.address, _MESSAGES))
                source = stack.enter_context(sender.spawn(nodes.pour, to.address))
                return lambda: (source.send(_MESSAGES), done.receive())

            contestants = {
                US: way(one, two),
                HERE: way(here, here),
                RAY: lambda: ray.get(actor.pour.remote(other, _MESSAGES)),
            }
            figures = contest(contestants, rounds=rounds)
        rates = {name: _MESSAGES / seconds for name, seconds in figures.items()}
        yield _row(
            "messages, one way", "/s", rates, Promise(HERE, 0.8, at_least=True), Promise(RAY, 4.0, at_least=True)
        )

        contestants = {
            US: lambda: one.spawn(nodes.large).result(),
            HERE: lambda: here.spawn(nodes.large).result(),
            RAY: lambda: ray.get(large.remote()),
        }
        yield _row("result of 16 MiB", "ms", _milliseconds(contest(contestants, rounds=rounds)), Promise(HERE, 1.7))


def _row(what: str, unit: str, figures: dict[str, float], *promises: Promise) -> Row:
    return Row(what, unit, figures, promises)


def _milliseconds(figures: dict[str, float]) -> dict[str, float]:
    return {name: 1_000 * seconds for name, seconds in figures.items()}


def main() -> None:
    """Print each row as a line of JSON."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.ray_nodes", description=__doc__)
    parser.add_argument("--rounds", type=int, default=12, help="how often everything is measured (default: 12)")
    for row in measure(parser.parse_args().rounds):
        print(json.dumps(row.as_json()), flush=True)


if __name__ == "__main__":
    main()
