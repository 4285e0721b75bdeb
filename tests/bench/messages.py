"""Rows about messages: round trips beside a pipe, throughput, many processes that talk, restarts, and memory after many messages."""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import os
import time
from typing import TYPE_CHECKING, Any, Final

import attrs

from capsend import Address, Environment, Mailbox, Supervisor, host_function, process, spawn
from tests.bench import peers
from tests.bench.measuring import US, Promise, Row, contest, median_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PIPE: Final = "multiprocessing.Pipe"
TRIPS: Final = 500
MESSAGES_PER_ROUND: Final = 10_000
SMALL: Final = Environment(memory=128 << 20, timeout=None)
ROOMY: Final = Environment(processes=2_000, tree_memory=1 << 40, timeout=None)
TEN: Final = 10


@attrs.frozen
class Ping:
    reply: Address[int]


@process
def server(inbox: Mailbox[Ping]) -> None:
    """Answer every call."""
    for ping in inbox:
        ping.reply.send(1)


@process
def caller(inbox: Mailbox[int], server: Address[Ping], done: Address[int]) -> None:
    """For each request, make the requested number of calls, and report the end."""
    for count in inbox:
        for _ in range(count):
            server.call(Ping)
        done.send(count)


@process
def echo(inbox: Mailbox[int], back: Address[int]) -> None:
    """Send every message back."""
    for message in inbox:
        back.send(message)


@process
def bouncer(inbox: Mailbox[Any], done: Address[int]) -> None:
    """For each request, send the requested number of numbers to an echo, and report when all have come back."""
    other = inbox.receive()
    for count in inbox:
        for number in range(count):
            other.send(number)
            inbox.receive()
        done.send(count)


@process
def sink(inbox: Mailbox[int], done: Address[int]) -> None:
    """Count messages, and tell at every thousandth."""
    for number, _ in enumerate(inbox, 1):
        if number % 1_000 == 0:
            done.send(number)


@process
def member(inbox: Mailbox[Any]) -> None:
    """Pass everything on to the next."""
    following = inbox.receive()
    for message in inbox:
        following.send(message)


@process
def crash(inbox: Mailbox[int], up: Address[int]) -> None:
    """Tell of the start, and fail when told to."""
    up.send(1)
    raise ValueError(inbox.receive())


@process
def node(inbox: Mailbox[int], up: Address[int]) -> None:
    """Add what ten others answer."""
    up.send(sum(inbox.receive() for _ in range(TEN)))


@process
def leaf(number: int, up: Address[int]) -> None:
    """Answer with a number."""
    up.send(number)


def sum_of(first: int, size: int) -> int:
    """Add up *size* numbers, each computed by a separate process."""
    if size == 1:
        return first
    part = size // TEN
    children = [spawn(sum_of, first + part * n, part) for n in range(TEN)]
    return sum(child.result() for child in children)


@host_function
def double(n: int) -> dict[str, int]:
    """Return twice a number, for the process that calls."""
    return {"n": 2 * n}


def ask(count: int) -> None:
    """Call a function of the host, from inside."""
    for number in range(count):
        double(number)


@contextlib.contextmanager
def pipe() -> Iterator[Callable[[], None]]:
    """Yield a function that sends numbers through a pipe to another OS process and back."""
    here, there = multiprocessing.Pipe()
    worker = multiprocessing.get_context("spawn").Process(target=peers.piped, args=(there,))
    worker.start()

    def exchange() -> None:
        for number in range(TRIPS):
            here.send(number)
            here.recv()

    yield exchange
    here.send(None)
    worker.join()


@contextlib.contextmanager
def from_the_host() -> Iterator[Callable[[], None]]:
    """Yield a function that sends numbers from the host to a process and back."""
    with Mailbox[int]() as inbox, SMALL.spawn(echo, inbox.address) as p:

        def exchange() -> None:
            for number in range(TRIPS):
                p.address.send(number)
                inbox.receive()

        yield exchange


@contextlib.contextmanager
def between_processes() -> Iterator[Callable[[], None]]:
    """Yield a function that has a process send numbers to another one and back."""
    with Mailbox[int]() as done, SMALL.spawn(bouncer, done.address) as p, SMALL.spawn(echo, p.address) as q:
        p.address.send(q.address)

        def exchange() -> None:
            p.address.send(TRIPS)
            done.receive(timeout=60)

        yield exchange


@contextlib.contextmanager
def calls() -> Iterator[tuple[Callable[[], None], Callable[[], None]]]:
    """Yield functions that call a process, from the host and from another process."""
    with Mailbox[int]() as done, SMALL.spawn(server) as p, SMALL.spawn(caller, p.address, done.address) as q:

        def call() -> None:
            for _ in range(TRIPS):
                p.address.call(Ping)

        def have_called() -> None:
            q.address.send(TRIPS)
            done.receive(timeout=60)

        yield call, have_called


def round_trip(rounds: int) -> Row:
    """A number to a process and back, and a call with a message class."""
    with pipe() as piped, from_the_host() as ours, between_processes() as theirs, calls() as (call, have_called):
        everybody = {
            US: ours,
            "from process to process": theirs,
            "call with a message class": call,
            "call from process to process": have_called,
            PIPE: piped,
        }
        figures = contest(everybody, rounds=rounds)
    promises = (Promise(PIPE, 2.5), Promise(PIPE, 2.5, of="from process to process"))
    return Row("a number to a process and back", "us", per_trip(figures), promises)


def large_message(rounds: int) -> Row:
    """A megabyte to a process and back."""
    data = os.urandom(1_000_000)
    here, there = multiprocessing.Pipe()
    worker = multiprocessing.get_context("spawn").Process(target=peers.piped, args=(there,))
    worker.start()
    with Mailbox[Any]() as inbox, SMALL.spawn(echo, inbox.address) as p:

        def ours() -> None:
            p.address.send(data)  # type: ignore[arg-type] # the process sends back whatever comes
            assert inbox.receive() == data

        def theirs() -> None:
            here.send(data)
            assert here.recv() == data

        figures = contest({US: ours, PIPE: theirs}, rounds=rounds * 4)
    here.send(None)
    worker.join()
    return Row(
        "1 MB of bytes to a process and back, as messages",
        "ms",
        {name: seconds * 1000 for name, seconds in figures.items()},
    )


def host_call(rounds: int) -> Row:
    """A call of a function of the host, from inside; the start of the process is taken off."""
    everybody: dict[str, Callable[[], object]] = {
        US: lambda: spawn(ask, TRIPS).result(),
        "nothing": lambda: spawn(ask, 0).result(),
    }
    if peers.has("eryx"):
        everybody["pyeryx"] = lambda: peers.callbacks_through_eryx(TRIPS)
        everybody["pyeryx, nothing"] = lambda: peers.callbacks_through_eryx(0)
    taken = contest(everybody, rounds=rounds)
    figures = {US: taken[US] - taken["nothing"]}
    if "pyeryx" in taken:
        figures["pyeryx"] = taken["pyeryx"] - taken["pyeryx, nothing"]
    return Row("a function of the host, called from inside", "us", per_trip(figures))


def per_trip(seconds: dict[str, float]) -> dict[str, float]:
    """Return the microseconds of one trip."""
    return {name: taken / TRIPS * 1e6 for name, taken in seconds.items()}


def through_one_mailbox(rounds: int) -> Row:
    """Messages per second from the host into one process, and by how much this program has grown after many of them."""
    count = rounds * MESSAGES_PER_ROUND
    with Mailbox[int](messages=100_000) as done, SMALL.spawn(sink, done.address) as p:

        def pour(numbers: int, total: int) -> None:
            for number in range(numbers):
                p.address.send(number)
            done.receive(timeout=3600, kind=lambda counted: counted == total)

        pour(MESSAGES_PER_ROUND, MESSAGES_PER_ROUND)
        size, before = resident(), time.perf_counter()
        pour(count, MESSAGES_PER_ROUND + count)
        seconds, grown = time.perf_counter() - before, resident() - size
    figures = {US: count / seconds, "messages": float(count), "MB that this program grew by": grown / 1e6}
    return Row("messages per second into one mailbox", "", figures)


def resident() -> int:
    """Bytes of memory that this program has, its processes included."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def ring(rounds: int) -> Row:
    """A thousand processes that pass a number round."""
    count = 1_000
    with Mailbox[Any]() as inbox:
        before = time.perf_counter()
        members = [SMALL.spawn(member) for _ in range(count)]
        for one, other in itertools.pairwise(members):
            one.address.send(other.address)
        members[-1].address.send(inbox.address)
        started = time.perf_counter() - before

        def go_round() -> float:
            before = time.perf_counter()
            members[0].address.send(1)
            inbox.receive(timeout=120)
            return (time.perf_counter() - before) / count * 1e6

        first = go_round()
        figures = {US: median_of(go_round, rounds=max(rounds // 4, 1)), "in the first round": first}
    return Row("one hop in a ring of 1,000", "us", {**figures, "to start one": started / count * 1e6})


def skynet(rounds: int) -> Row:
    """A thousand processes answer with their numbers, and 111 above them add up; spawned by each other, and all by the host."""
    before = time.perf_counter()
    assert ROOMY.spawn(sum_of, 0, 1_000).result() == sum(range(1_000))
    ours = time.perf_counter() - before
    with Mailbox[int]() as home:
        before = time.perf_counter()
        grown = list(grow(0, 1_000, home.address))
        assert home.receive(timeout=600) == sum(range(1_000))
        seconds = time.perf_counter() - before
    return Row(f"skynet: {len(grown):,} processes", "s", {US: ours, "spawned by the host": seconds})


def grow(first: int, size: int, up: Address[int]) -> Iterator[Any]:
    """Spawn the processes that add up *size* numbers."""
    if size == 1:
        yield SMALL.spawn(leaf, first, up)
        return
    top, step = SMALL.spawn(node, up), size // TEN
    yield top
    for each in range(TEN):
        yield from grow(first + step * each, step, top.address)


def restarts(rounds: int) -> Row:
    """A supervisor starts a hundred crashed children again."""
    count = 100
    with Mailbox[int](messages=10_000) as up, Supervisor(restarts=1_000 * count, environment=SMALL) as supervisor:
        names = [supervisor.spawn(crash, up.address) for _ in range(count)]
        for _ in names:
            up.receive(timeout=60)

        def crash_all() -> float:
            before = time.perf_counter()
            for name in names:
                address = supervisor.address(name)
                assert address is not None
                address.send(1)
            for _ in names:
                up.receive(timeout=60)
            return time.perf_counter() - before

        seconds = median_of(crash_all, rounds=max(rounds // 4, 1))
    return Row("100 crashed children started again", "s", {US: seconds})


ROWS: Final[dict[str, Callable[[int], Row]]] = {
    "trip": round_trip,
    "large-message": large_message,
    "call": host_call,
    "mailbox": through_one_mailbox,
    "ring": ring,
    "skynet": skynet,
    "restarts": restarts,
}
