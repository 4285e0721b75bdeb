"""Measurements that need an interpreter of their own: `python -m tests.bench.probes NAME ...` prints JSON."""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.bench import peers

if TYPE_CHECKING:
    from collections.abc import Callable


def private(pid: int | str = "self") -> int:
    """Return the bytes of memory that belong to an OS process alone."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) * 1024


def memory_of_capsend(count: int) -> float:
    """Private bytes of one more process that sleeps."""
    import capsend

    ready = threading.Semaphore(0)
    environment = capsend.Environment(stdout=lambda text: ready.release(), timeout=None)

    def sleep() -> None:
        print("ready")
        time.sleep(600)

    def spawn(number: int) -> list[Any]:
        handles = [environment.spawn(sleep) for _ in range(number)]
        for _ in handles:
            ready.acquire()
        return handles

    warm = spawn(5)
    before = private()
    handles = spawn(count)
    grown = private() - before
    for handle in warm + handles:
        handle.kill()
    return grown / count


def memory_of_multiprocessing(method: str, count: int) -> float:
    """Private bytes of one more OS process that waits."""
    context = multiprocessing.get_context(method)
    pipes, total = [], 0
    for _ in range(count):
        here, there = context.Pipe()
        context.Process(target=peers.idle, args=(there,), daemon=True).start()
        pipes.append(here)
    for pipe in pipes:
        total += private(pipe.recv())
    for pipe in pipes:
        pipe.send(None)
    return total / count


def memory_of_subinterpreter(count: int) -> float:
    """Private bytes of one more interpreter that does nothing."""
    interpreters = peers.subinterpreters()
    make = (lambda: interpreters.create("isolated")) if sys.version_info >= (3, 13) else interpreters.create
    run = interpreters.exec if sys.version_info >= (3, 13) else interpreters.run_string
    warm = make()
    run(warm, "import json, asyncio")
    before = private()
    made = [make() for _ in range(count)]
    for each in made:
        run(each, "x = 42")
    grown = private() - before
    for each in (*made, warm):
        interpreters.destroy(each)
    return grown / count


def memory_of_eryx(count: int) -> float:
    """Private bytes of one more sandbox that has run a program."""
    import eryx

    def make() -> Any:
        sandbox = eryx.Sandbox()
        sandbox.execute("print(42)")
        return sandbox

    kept = [make() for _ in range(5)]
    before = private()
    kept += [make() for _ in range(count)]
    return (private() - before) / count


def memory(name: str) -> float:
    """Private bytes of one more live process."""
    if name == "capsend":
        return memory_of_capsend(100)
    if name == "subinterpreter":
        return memory_of_subinterpreter(20)
    if name == "pyeryx":
        return memory_of_eryx(50)
    return memory_of_multiprocessing(name.removeprefix("multiprocessing "), 5)


def live(count: str) -> dict[str, float]:
    """So many processes at once: seconds until all run, bytes of each, seconds until all have ended."""
    import capsend

    ready = threading.Semaphore(0)
    environment = capsend.Environment(stdout=lambda text: ready.release(), timeout=None)

    def sleep(number: int) -> int:
        print("ready")
        time.sleep(3_600)
        return number

    capsend.spawn(pow, 2, 2).result()
    before, start = private(), time.perf_counter()
    handles = [environment.spawn(sleep, number) for number in range(int(count))]
    for _ in handles:
        ready.acquire()
    return lived(handles, started=time.perf_counter() - start, before=before)


def idle_sessions(count: str) -> dict[str, float]:
    """So many idle sessions: bytes of each, and seconds for one more cell in each."""
    import capsend

    environment = capsend.Environment(timeout=None)

    def start() -> capsend.Session:
        session = capsend.Session(environment)
        session.run("x = 1")
        return session

    return _idle(start, int(count))


def idle_copies(count: str) -> dict[str, float]:
    """The same for sessions that start from one snapshot."""
    import capsend

    with capsend.Session(capsend.Environment(timeout=None)) as session:
        session.run("x = 1")
        snapshot = session.snapshot()
    return _idle(snapshot.start, int(count))


def _idle(start: Callable[[], Any], count: int) -> dict[str, float]:
    sessions = [start() for _ in range(5)]
    before = private()
    sessions += [start() for _ in range(count)]
    size = (private() - before) / count
    begin = time.perf_counter()
    assert all(each.run("x") == 1 for each in sessions)
    cell = (time.perf_counter() - begin) / len(sessions)
    for each in sessions:
        each.close()
    return {"bytes": size, "cell": cell}


def lived(handles: list[Any], *, started: float, before: int) -> dict[str, float]:
    """Look at processes that all run, and kill them.

    Args:
        handles: of the processes.
        started: seconds until all ran.
        before: private bytes before the first one.
    """
    size = (private() - before) / len(handles)
    alive = sum(not handle.done() for handle in handles)
    start = time.perf_counter()
    for handle in handles:
        handle.kill()
    for handle in handles:
        handle._life.finished.wait()
    return {"live": alive, "start": started, "bytes": size, "end": time.perf_counter() - start}


def imports(*names: str) -> float:
    """Seconds that importing takes."""
    start = time.perf_counter()
    for name in names:
        __import__(name)
    return time.perf_counter() - start


def main() -> None:
    """Run the probe that the command line names."""
    name, *arguments = sys.argv[1:]
    probes: dict[str, Any] = {"memory": memory, "live": live, "imports": imports}
    probes |= {"idle_sessions": idle_sessions, "idle_copies": idle_copies}
    if name not in probes:
        from tests.bench import guests  # it imports capsend, whose import is one of the figures

        probes |= {"memory_of_guest": guests.memory_of_guest, "guests_live": guests.guests_live}
    print(json.dumps(probes[name](*arguments)), flush=True)
    os._exit(0)  # sandboxes of peers may take their time to end


if __name__ == "__main__":
    main()
