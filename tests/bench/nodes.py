"""Rows about clusters: nodes of this machine beside the same work in one program.

`--compare` runs this file with older states of capsend too, which have no `Cluster`: the name is looked up when a row runs.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from typing import TYPE_CHECKING, Any, Final

import capsend
from capsend import Address, Environment, Executor, Mailbox
from capsend.mailbox import Down
from tests.bench.measuring import US, Promise, Row, contest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HERE: Final = "in this program"
_TASKS: Final = 150
_CALLS: Final = 100
_MESSAGES: Final = 2_000
_LARGE: Final = 16 << 20


def small(n: int) -> int:
    """Do next to nothing."""
    return n + 1


def answer(inbox: Mailbox[Any]) -> None:
    """Answer every message."""
    for value, reply in inbox:
        reply.send(value)


def count(inbox: Mailbox[int], done: Address[int], each: int) -> None:
    """Take messages, and report after every *each* of them."""
    while True:
        for _ in range(each):
            inbox.receive()
        done.send(each)


def pour(inbox: Mailbox[int], to: Address[int]) -> None:
    """For each request, send the requested number of messages."""
    for many in inbox:
        for number in range(many):
            to.send(number)


def large() -> bytes:
    """Return many bytes."""
    return bytes(_LARGE)


@contextlib.contextmanager
def places() -> Iterator[tuple[capsend.Cluster, Environment, Environment]]:
    """A cluster of two nodes, and the environments of this program and of it."""
    with capsend.Cluster.local(2) as cluster:
        yield cluster, Environment(timeout=None), Environment(timeout=None, on=cluster)


def tasks(rounds: int) -> Row:
    """Small functions through an executor: on two nodes, and in one program."""
    with places() as (_, here, there), Executor(4, environment=here) as one, Executor(8, environment=there) as two:

        def through(executor: Executor) -> Callable[[], object]:
            return lambda: sum(executor.map(small, range(_TASKS)))

        figures = contest({US: through(two), HERE: through(one)}, rounds=rounds)
    rates = {name: _TASKS / seconds for name, seconds in figures.items()}
    return Row("small functions, two nodes", "/s", rates, (Promise(HERE, 1.8, at_least=True),))


def pairs(rounds: int) -> Row:
    """Two pairs of processes that send each other messages: one pair on each node, and both in one program."""
    with places() as (cluster, here, _), Mailbox[int]() as done, contextlib.ExitStack() as stack:

        def pair(environment: Environment) -> Any:
            to = stack.enter_context(environment.spawn(count, done.address, _MESSAGES))
            return stack.enter_context(environment.spawn(pour, to.address))

        def both(environments: list[Environment]) -> Callable[[], object]:
            sources = [pair(environment) for environment in environments]
            return lambda: [[source.send(_MESSAGES) for source in sources], [done.receive() for _ in sources]]

        far = both([Environment(timeout=None, on=node) for node in cluster.nodes])
        figures = contest({US: far, HERE: both([here, here])}, rounds=rounds)
    rates = {name: 2 * _MESSAGES / seconds for name, seconds in figures.items()}
    return Row("messages within two nodes", "/s", rates, (Promise(HERE, 1.5, at_least=True),))


def spawning(rounds: int) -> Row:
    """One small function, from spawn to result."""
    with places() as (_, here, there):
        figures = contest(
            {US: lambda: there.spawn(small, 1).result(), HERE: lambda: here.spawn(small, 1).result()}, rounds=rounds * 8
        )
    return Row("spawn to result, on a node", "ms", _milliseconds(figures), (Promise(HERE, 1.2),))


def calling(rounds: int) -> Row:
    """Calls of a process, there and back."""
    with places() as (_, here, there), there.spawn(answer) as far, here.spawn(answer) as near:

        def calls(p: Any) -> Callable[[], object]:
            return lambda: [p.call(lambda reply: (1, reply)) for _ in range(_CALLS)]

        figures = contest({US: calls(far), HERE: calls(near)}, rounds=rounds)
    return Row(f"{_CALLS} calls of a process on a node", "ms", _milliseconds(figures), (Promise(HERE, 2.5),))


def messages(rounds: int) -> Row:
    """Messages in one direction, from a process on one node to a process on the other."""
    with places() as (cluster, here, _), Mailbox[int]() as done, contextlib.ExitStack() as stack:
        one, other = (Environment(timeout=None, on=node) for node in cluster.nodes)

        def way(sender: Environment, receiver: Environment) -> Callable[[], object]:
            to = stack.enter_context(receiver.spawn(count, done.address, _MESSAGES))
            source = stack.enter_context(sender.spawn(pour, to.address))
            return lambda: (source.send(_MESSAGES), done.receive())

        figures = contest({US: way(one, other), HERE: way(here, here)}, rounds=rounds)
    rates = {name: _MESSAGES / seconds for name, seconds in figures.items()}
    return Row("messages one way, node to node", "/s", rates, (Promise(HERE, 0.8, at_least=True),))


def results(rounds: int) -> Row:
    """A result of 16 MiB."""
    with places() as (_, here, there):
        figures = contest(
            {US: lambda: there.spawn(large).result(), HERE: lambda: here.spawn(large).result()}, rounds=rounds
        )
    return Row("result of 16 MiB, from a node", "ms", _milliseconds(figures), (Promise(HERE, 1.7),))


def losses(rounds: int) -> Row:
    """From `kill -9` of a node to the notice of a monitor."""
    times = []
    for _ in range(max(rounds // 4, 3)):
        with capsend.Cluster.local(1) as cluster, Mailbox[Any]() as inbox:
            p = Environment(on=cluster).spawn(answer)
            p.call(lambda reply: (1, reply))
            inbox.monitor(p.address)
            pid = cluster.nodes[0].pid
            assert pid is not None
            began = time.perf_counter()
            os.kill(pid, signal.SIGKILL)
            inbox.receive(kind=Down)
            times.append(time.perf_counter() - began)
    return Row("Down after kill -9 of a node", "s", {US: sorted(times)[len(times) // 2]}, (Promise("", 1.0),))


def _milliseconds(figures: dict[str, float]) -> dict[str, float]:
    return {name: 1_000 * seconds for name, seconds in figures.items()}


ROWS: Final[dict[str, Callable[[int], Row]]] = {
    "node-tasks": tasks,
    "node-spawn": spawning,
    "node-calls": calling,
    "node-messages": messages,
    "node-pairs": pairs,
    "node-result": results,
    "node-loss": losses,
}
