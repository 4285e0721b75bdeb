"""Measure messages: round trips against `multiprocessing.Pipe`, throughput, a ring, restarts, and memory after many messages.

Run it as a program: `python tests/bench/bench_messages.py [messages]`. Every line is a median with what it is compared to, made in the same run.
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
import statistics
import sys
import time
from typing import TYPE_CHECKING, Any

import attrs

from capsend import Address, Environment, Mailbox, Supervisor, process

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 7
TRIPS = 1_000


@attrs.frozen
class Ping:
    reply: Address[int]


@process
def server(inbox: Mailbox[Ping]) -> None:
    """Answer every call."""
    for ping in inbox:
        ping.reply.send(1)


@process
def caller(inbox: Mailbox[str], server: Address[Ping], done: Address[float]) -> None:
    """Call many times whenever told to, and report the seconds that one call took."""
    import time

    for _ in inbox:
        before = time.monotonic()
        for _ in range(TRIPS):
            server.call(Ping)
        done.send((time.monotonic() - before) / TRIPS)


@process
def echo(inbox: Mailbox[int], back: Address[int]) -> None:
    """Send every message back."""
    for message in inbox:
        back.send(message)


@process
def sink(inbox: Mailbox[int], done: Address[int]) -> None:
    """Count messages, and tell at every thousandth."""
    for number, _ in enumerate(inbox, 1):
        if number % 1_000 == 0:
            done.send(number)


@process
def ring(inbox: Mailbox[Any]) -> None:
    """Pass everything on to the next."""
    following = inbox.receive()
    for message in inbox:
        following.send(message)


@process
def crash(inbox: Mailbox[int], up: Address[int]) -> None:
    """Tell of the start, and fail when told to."""
    up.send(1)
    raise ValueError(inbox.receive())


def piped(connection: Any) -> None:
    """Send everything back through a pipe."""
    while (message := connection.recv()) is not None:
        connection.send(message)


def median(measure: Callable[[], float]) -> float:
    """Return the median of several rounds, after one that does not count."""
    measure()
    return statistics.median(measure() for _ in range(ROUNDS))


def pipe_round_trip() -> float:
    """Seconds per round trip through a pipe to another OS process."""
    here, there = multiprocessing.Pipe()
    worker = multiprocessing.get_context("spawn").Process(target=piped, args=(there,))
    worker.start()

    def measure() -> float:
        before = time.perf_counter()
        for number in range(TRIPS):
            here.send(number)
            here.recv()
        return (time.perf_counter() - before) / TRIPS

    result = median(measure)
    here.send(None)
    worker.join()
    return result


def host_round_trip() -> float:
    """Seconds per message from the host to a process and back."""
    with Mailbox[int]() as inbox, echo.spawn(inbox.address) as p:

        def measure() -> float:
            before = time.perf_counter()
            for number in range(TRIPS):
                p.send(number)
                inbox.receive()
            return (time.perf_counter() - before) / TRIPS

        return median(measure)


def host_call() -> float:
    """Seconds per call of a process from the host."""
    with server.spawn() as p:

        def measure() -> float:
            before = time.perf_counter()
            for _ in range(TRIPS):
                p.call(Ping)
            return (time.perf_counter() - before) / TRIPS

        return median(measure)


def process_call() -> float:
    """Seconds per call of one process from another."""
    with Mailbox[float]() as done, server.spawn() as p, caller.spawn(p.address, done.address) as q:

        def measure() -> float:
            q.send("go")
            return done.receive(timeout=60)

        return median(measure)


def throughput(messages: int) -> tuple[float, int]:
    """Messages per second from the host into one process, and the bytes by which this program grew meanwhile."""
    with Mailbox[int](messages=100_000) as done, sink.spawn(done.address) as p:
        for number in range(10_000):
            p.send(number)
        done.receive(timeout=60, kind=lambda count: count == 10_000)
        size, before = resident(), time.perf_counter()
        for number in range(messages):
            p.send(number)
        done.receive(timeout=600, kind=lambda count: count == 10_000 + messages)
        return messages / (time.perf_counter() - before), resident() - size


def resident() -> int:
    """Bytes of memory that this program has."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def ring_of(count: int) -> tuple[float, float]:
    """Seconds to start a ring of processes, and seconds per hop around it."""
    small = Environment(memory=128 << 20)
    with Mailbox[Any]() as inbox:
        before = time.perf_counter()
        members = [small.spawn(ring.__capsend_function__) for _ in range(count)]  # type: ignore[call-arg]
        for one, other in itertools.pairwise(members):
            one.address.send(other.address)
        members[-1].address.send(inbox.address)
        members[0].address.send(0)
        inbox.receive(timeout=120)
        started = time.perf_counter() - before
        before = time.perf_counter()
        for number in range(3):
            members[0].address.send(number)
            inbox.receive(timeout=120)
        return started, (time.perf_counter() - before) / 3 / count


def restarts(count: int) -> float:
    """Seconds for a supervisor to start as many crashed children again."""
    with Mailbox[int](messages=10_000) as up, Supervisor(restarts=10 * count) as supervisor:
        names = [supervisor.spawn(crash, up.address) for _ in range(count)]
        for _ in names:
            up.receive(timeout=60)
        before = time.perf_counter()
        for name in names:
            address = supervisor.address(name)
            assert address is not None
            address.send(1)
        for _ in names:
            up.receive(timeout=60)
        return time.perf_counter() - before


def main() -> None:
    """Print all figures."""
    messages = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    pipe = pipe_round_trip()
    print(f"multiprocessing.Pipe round trip       {pipe * 1e6:8.0f} us")
    for name, measure in (
        ("host to process and back", host_round_trip),
        ("host calls process", host_call),
        ("process calls process", process_call),
    ):
        seconds = measure()
        print(f"{name:37} {seconds * 1e6:8.0f} us   {seconds / pipe:.2f} times the pipe")
    rate, grown = throughput(messages)
    print(
        f"into one mailbox                      {rate:8.0f} messages/s; {messages} of them grew this program by {grown / 1e6:.1f} MB"
    )
    started, hop = ring_of(1_000)
    print(f"ring of 1000 processes                {started:8.2f} s to start and fill, {hop * 1e6:.0f} us per hop")
    print(f"100 crashed children started again    {restarts(100):8.2f} s")


if __name__ == "__main__":
    main()
