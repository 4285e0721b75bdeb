"""The figures of the demonstration, measured in an OS process of their own and printed as JSON.

In one that has done other things, memory that those left free is used first, and a process seems to need less.
"""

from __future__ import annotations

import contextlib
import json
import statistics
import threading
import time
from pathlib import Path

import capsend

LATENCIES = 51
"""Spawns whose latencies are measured."""

IDLE = 32
"""Live, idle processes whose memory is measured."""

_WARM = 5


def nothing() -> None:
    """Do nothing."""


def rest(seconds: float) -> None:
    """Print a line, and sleep."""
    print("resting")
    time.sleep(seconds)


def latency() -> float:
    """Return the seconds from spawn to result of a trivial function, the median."""
    capsend.spawn(nothing).result()
    times = []
    for _ in range(LATENCIES):
        started = time.perf_counter()
        capsend.spawn(nothing).result()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def memory_of_one() -> float | None:
    """Return the bytes of one more live, idle process; the first ones load things that later ones share."""
    ready = threading.Semaphore(0)
    environment = capsend.Environment(stdout=lambda _text: ready.release())
    with contextlib.ExitStack() as stack:

        def start(count: int) -> None:
            for _ in range(count):
                stack.enter_context(environment.spawn(rest, 60.0))
            for _ in range(count):
                ready.acquire(timeout=60)

        start(_WARM)
        before = _private_memory()
        start(IDLE)
        after = _private_memory()
    return None if before is None or after is None else (after - before) / IDLE


def _private_memory() -> int | None:
    """Return the bytes of memory that belong to this OS process alone; None on systems other than Linux."""
    try:
        text = Path("/proc/self/smaps_rollup").read_text(encoding="ascii")
    except OSError:
        return None
    return sum(int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("Private_"))


if __name__ == "__main__":
    print(json.dumps({"spawn": latency(), "spawns": LATENCIES, "memory": memory_of_one(), "processes": IDLE}))
