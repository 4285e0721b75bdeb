"""The rows of the table: the measurement, the contestants, and the promised figure."""

from __future__ import annotations

import concurrent.futures
import math
import multiprocessing
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import capsend
from tests.bench import guests, messages, nodes, peers, sessions
from tests.bench.measuring import ROOT, US, Promise, Row, contest, median_of, probe, with_byte_code
from tests.bench.sessions import MONTY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MIB = 1 << 20


def fresh() -> None:
    """Spawn a closure that was never seen before, and wait for its result."""
    number = peers.NUMBER
    assert capsend.spawn(lambda: number).result() == number


def contestants() -> dict[str, Callable[[], object]]:
    """Return the contestants that can run one call in a new interpreter."""
    everybody: dict[str, Callable[[], object]] = {
        US: fresh,
        "multiprocessing spawn": lambda: peers.through_multiprocessing("spawn"),
        "multiprocessing fork": lambda: peers.through_multiprocessing("fork"),
        "ProcessPoolExecutor": peers.through_executor,
    }
    if peers.subinterpreters() is not None:
        everybody["subinterpreter"] = peers.through_subinterpreter
    if peers.has("loky"):
        everybody["loky"] = peers.through_loky
    if peers.has("eryx"):
        everybody["pyeryx"] = peers.through_eryx
    if peers.has("pydantic_monty"):
        everybody[MONTY] = peers.through_monty
    return everybody


def spawn_to_result(rounds: int) -> Row:
    """One call after the other, each in a fresh process."""
    promises = (Promise("multiprocessing spawn", 1 / 60), Promise("pyeryx", 0.3))
    return Row(
        "spawn to result, one after the other", "ms", milliseconds(contest(contestants(), rounds=rounds * 8)), promises
    )


def spawn_to_result_ready(rounds: int) -> Row:
    """With a pause before each, in which an instance is made ready."""
    some = {name: run for name, run in contestants().items() if name in {US, "multiprocessing spawn", "pyeryx"}}
    figures = contest(some, rounds=rounds * 8, pause=0.02)
    return Row(
        "spawn to result, an instance ready", "ms", milliseconds(figures), (Promise("multiprocessing spawn", 1 / 100),)
    )


def spawns_per_second(rounds: int) -> Row:
    """As many as one program gets done: one after the other, and many at once."""

    def at_once() -> None:
        handles = [capsend.spawn(lambda n=n: n) for n in ((n,) for n in range(100))]
        assert [handle.result() for handle in handles] == [(n,) for n in range(100)]

    def from_two_threads() -> None:
        with concurrent.futures.ThreadPoolExecutor(2) as threads:
            list(threads.map(lambda _: fresh(), range(100)))

    def forks_at_once() -> None:
        context = multiprocessing.get_context("fork")
        processes = [context.Process(target=peers.number) for _ in range(20)]
        for process in processes:
            process.start()
        for process in processes:
            process.join()

    def eryx_at_once() -> None:
        with concurrent.futures.ThreadPoolExecutor(4) as threads:
            list(threads.map(lambda _: peers.through_eryx(), range(50)))

    everybody: dict[str, tuple[int, Callable[[], object]]] = {
        US: (100, lambda: [fresh() for _ in range(100)]),
        "capsend, two threads": (100, from_two_threads),
        "capsend, 100 at once": (100, at_once),
        "multiprocessing fork": (10, lambda: [peers.through_multiprocessing("fork") for _ in range(10)]),
        "multiprocessing fork, 20 at once": (20, forks_at_once),
    }
    if peers.has("eryx"):
        everybody["pyeryx"] = 50, lambda: [peers.through_eryx() for _ in range(50)]
        everybody["pyeryx, 4 threads"] = 50, eryx_at_once
    figures = contest({name: run for name, (_, run) in everybody.items()}, rounds=max(rounds // 2, 3))
    figures = {name: everybody[name][0] / seconds for name, seconds in figures.items()}
    promises = (Promise("", 1_000, at_least=True), Promise("", 2_000, at_least=True, of="capsend, two threads"))
    return Row("spawns per second", "/s", figures, promises)


def memory(rounds: int) -> Row:
    """Private memory of one more that is alive and does nothing."""
    names = [name for name in contestants() if name not in {"ProcessPoolExecutor", "loky", MONTY}]
    figures = {
        name: median_of(lambda name=name: probe("memory", name), rounds=max(rounds // 4, 1)) / 1e6 for name in names
    }
    return Row("private memory of one more live process", "MB", figures, (Promise("", 1.1),))


def live_at_once(rounds: int) -> Row:
    """A thousand processes that are alive at the same time."""
    found = probe("live", "1000")
    figures = {
        US: found["live"],
        "seconds to start": found["start"],
        "MB each": found["bytes"] / 1e6,
        "seconds to end": found["end"],
    }
    return Row("live processes at once", "", figures, (Promise("", 1000, at_least=True),))


def two_cores(rounds: int) -> Row:
    """Two that compute, on two cores, against one; OS processes show what this machine allows at the moment."""

    def ours(count: int) -> None:
        for handle in [capsend.spawn(peers.fibonacci, 29) for _ in range(count)]:
            handle.result()

    def theirs(count: int) -> None:
        context = multiprocessing.get_context("fork")
        processes = [context.Process(target=peers.fibonacci, args=(30,)) for _ in range(count)]
        for process in processes:
            process.start()
        for process in processes:
            process.join()

    runs: dict[str, Callable[[], object]] = {
        "one": lambda: ours(1),
        "two": lambda: ours(2),
        "one OS process": lambda: theirs(1),
        "two OS processes": lambda: theirs(2),
    }
    taken = contest(runs, rounds=max(rounds // 2, 3))
    figures = {US: 2 * taken["one"] / taken["two"]}
    figures["multiprocessing fork"] = 2 * taken["one OS process"] / taken["two OS processes"]
    return Row("two busy processes against one", "times", figures, (Promise("", 1.8, at_least=True),))


def echo(
    what: str, value: object, bound: float | None, rounds: int, *, environment: capsend.Environment | None = None
) -> Row:
    """Send a value there and back."""
    start = capsend.spawn if environment is None else environment.spawn
    context = multiprocessing.get_context("spawn")
    promises = () if bound is None else (Promise("ProcessPoolExecutor, kept", bound),)
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as executor:
        everybody: dict[str, Callable[[], object]] = {
            US: lambda: start(peers.echo, value).result(),
            "ProcessPoolExecutor, kept": lambda: executor.submit(peers.echo, value).result(),
        }
        figures = contest(everybody, rounds=rounds * 4)
    return Row(f"{what} there and back", "ms", milliseconds(figures), promises)


def bytes_echo(rounds: int) -> Row:
    """One megabyte."""
    return echo("1 MB of bytes", os.urandom(1_000_000), 1.5, rounds)


def array_echo(rounds: int) -> Row:
    """Eight megabytes of numbers in an array of numpy, which must be built for processes: `capsend image add numpy`."""
    import numpy as np

    from capsend.image.native import store

    if store.find("numpy") is None:
        raise capsend.ImageError("numpy is not built for processes. Build it: capsend image add numpy")
    environment = capsend.Environment(image=capsend.Image(packages=["numpy"]))
    return echo("8 MB array of float64", np.arange(1_000_000.0), 2.0, rounds, environment=environment)


def floats_echo(rounds: int) -> Row:
    """A list of a hundred thousand numbers."""
    return echo("100,000 floats", [number / 7 for number in range(100_000)], None, rounds)


def dicts_echo(rounds: int) -> Row:
    """Ten thousand small dicts."""
    return echo(
        "10,000 small dicts", [{"id": n, "name": f"name {n}", "price": n / 4} for n in range(10_000)], 2, rounds
    )


def speed_inside(rounds: int) -> Row:
    """Pure Python in a process relative to the host; the geometric mean of four workloads."""
    ratios = {}
    for name in peers.WORKLOADS:
        here = median_of(lambda name=name: peers.timed(name), rounds=3)
        inside = median_of(lambda name=name: capsend.spawn(peers.timed, name).result(), rounds=3)
        ratios[name] = here / inside
    mean = math.exp(sum(map(math.log, ratios.values())) / len(ratios))
    return Row("pure-Python speed inside, of the host's", "", {US: mean, **ratios}, (Promise("", 0.4, at_least=True),))


def spawns_in_turn(count: int) -> float:
    """Seconds that one spawn takes, result included, wherever this runs."""
    start = time.perf_counter()
    for number in range(count):
        assert capsend.spawn(pow, number, 2).result() == number * number
    return (time.perf_counter() - start) / count


def spawn_inside(rounds: int) -> Row:
    """One process that spawns, one child after the other, against this program doing the same."""
    everybody = {
        US: lambda: capsend.spawn(spawns_in_turn, 20).result(),
        "from the host": lambda: spawns_in_turn(20),
    }
    figures = {name: median_of(run, rounds=rounds) for name, run in everybody.items()}
    return Row("spawn to result, from inside a process", "ms", milliseconds(figures))


def first_result(rounds: int) -> Row:
    """From the start of the interpreter to the first result, the image being built."""

    def run(code: str) -> Callable[[], object]:
        command, environment = [sys.executable, "-c", code], with_byte_code()
        return lambda: subprocess.run(command, check=True, cwd=ROOT, capture_output=True, env=environment)

    everybody = {
        US: run("import capsend; assert capsend.spawn(abs, -42).result() == 42"),
        "an interpreter that does nothing": run("pass"),
        "multiprocessing spawn": run("from tests.bench import peers; peers.through_multiprocessing('spawn')"),
    }
    figures = contest(everybody, rounds=rounds)
    return Row("interpreter start to first result", "s", figures, (Promise("", 0.4),))


def import_time(rounds: int) -> Row:
    """`import capsend` against `import attrs` and `import json`."""
    figures = {
        US: median_of(lambda: probe("imports", "capsend"), rounds=rounds) * 1000,
        "attrs and json": median_of(lambda: probe("imports", "attrs", "json"), rounds=rounds) * 1000,
    }
    return Row("import", "ms", figures, (Promise("attrs and json", 1.5),))


def milliseconds(figures: dict[str, float]) -> dict[str, float]:
    """Seconds as milliseconds."""
    return {name: seconds * 1000 for name, seconds in figures.items()}


ROWS: dict[str, Callable[[int], Row]] = {
    "spawn": spawn_to_result,
    "ready": spawn_to_result_ready,
    "rate": spawns_per_second,
    "memory": memory,
    "live": live_at_once,
    "cores": two_cores,
    "bytes": bytes_echo,
    "dicts": dicts_echo,
    "floats": floats_echo,
    "array": array_echo,
    "speed": speed_inside,
    "inside": spawn_inside,
    "start": first_result,
    "import": import_time,
    **messages.ROWS,
    **sessions.ROWS,
    "guest-spawn": guests.spawn,
    "guest-memory": guests.memory,
    "guest-many": guests.many,
    "guest-live": guests.live,
    "guest-ring": guests.ring,
    **nodes.ROWS,
}

ON_REQUEST: frozenset[str] = frozenset({"array"})
"""The rows that are measured only where they are named: their image takes minutes."""


def absent() -> list[str]:
    """Return the peers that are not installed, or need another Python."""
    peers_of = {"loky": "loky", "eryx": "pyeryx", "pydantic_monty": "pydantic-monty", "ipykernel": "a Jupyter kernel"}
    missing = [name for module, name in peers_of.items() if not peers.has(module)]
    return missing + ([] if peers.subinterpreters() is not None else ["subinterpreters (Python 3.12 or later)"])


def measure(names: list[str], rounds: int) -> Iterator[tuple[str, Row | str]]:
    """Yield each row as it is measured, or why it could not be."""
    for name in names:
        try:
            yield name, ROWS[name](rounds)
        except Exception as error:  # a peer that fails takes no other row with it
            yield name, f"{type(error).__name__}: {error}"


def environment() -> dict[str, Any]:
    """Return a description of the machine and the versions."""
    import importlib.metadata
    import platform

    versions = {}
    for name in ("wasmtime", "componentize-py", "loky", "pyeryx", "pydantic-monty"):
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {
        "python": platform.python_version(),
        "system": platform.system(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "load": load,
        **versions,
    }
