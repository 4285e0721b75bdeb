"""Rows of processes in other languages than Python: spawns, memory, many at once, and a ring of several languages."""

from __future__ import annotations

import functools
import os
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import capsend
from capsend import Mailbox, WasmModule, process
from tests.bench.measuring import US, Promise, Row, contest, median_of, probe
from tests.guests.languages import LANGUAGES, ToolchainMissing

if TYPE_CHECKING:
    from collections.abc import Callable

WAT, C = "WAT", "C"
PYTHON = "a Python process"
CLEAR = 0.05  # seconds
SPAWNS, LIVE, HOPS, IN_A_ROW = 10_000, 1_000, 20, 50


@functools.cache
def modules() -> dict[str, WasmModule]:
    """Return the guest of every language whose compiler is installed, except languages that need an interpreter in the guest."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for language in LANGUAGES:
            try:
                if not language.is_component:
                    found[{"wat": WAT, "c": C}.get(language.name, language.name)] = language.conformance(Path(folder))
            except ToolchainMissing:
                continue
    return found


def run(module: WasmModule) -> None:
    """One process that reads a few bytes and returns them, from its spawn to its result."""
    assert capsend.spawn(module.function("echo"), b"42").result() == b"42"


def spawn(rounds: int) -> Row:
    """Processes that do nothing, and beside them such that read and return a few bytes.

    Several in a row, since what a Python process leaves to be cleared away would be the next one's load.
    """
    nothing = WasmModule.from_wat('(module (func (export "nothing")))').function("nothing")

    def in_a_row(act: Callable[[], object]) -> Callable[[], None]:
        def acts() -> None:
            for _ in range(IN_A_ROW):
                act()

        return acts

    everybody: dict[str, Callable[[], object]] = {
        PYTHON: in_a_row(lambda: capsend.spawn(lambda: None).result()),
        US: in_a_row(lambda: capsend.spawn(nothing).result()),
    }
    for name, module in modules().items():
        everybody[f"echo in {name}"] = in_a_row(functools.partial(run, module))
    figures = {
        name: seconds / IN_A_ROW * 1000 for name, seconds in contest(everybody, rounds=rounds * 2, pause=CLEAR).items()
    }
    return Row("spawn to end of a process in WAT", "ms", figures, (Promise(PYTHON, 0.1),))


def memory(rounds: int) -> Row:
    """Private memory of one more that waits for a message, without what wasmtime needs for the same instance."""
    taken = {
        name: median_of(lambda name=name: probe("memory_of_guest", name), rounds=max(rounds // 4, 1)) / 1024
        for name in ("capsend", "wasmtime")
    }
    figures = {
        US: taken["capsend"] - taken["wasmtime"],
        "all in all": taken["capsend"],
        "wasmtime alone": taken["wasmtime"],
    }
    return Row("memory of one more live process in WAT, beyond wasmtime's", "KB", figures, (Promise("", 100),))


def many(rounds: int) -> Row:
    """Ten thousand, one after the other."""
    from tests.bench.probes import private

    module = modules()[WAT]
    for _ in range(SPAWNS // 10):
        run(module)
    before, start = private(), time.perf_counter()
    for _ in range(SPAWNS):
        run(module)
    taken = time.perf_counter() - start
    grown = (private() - before) / 1e6
    assert grown < 10, f"memory grew by {grown:.1f} MB"
    figures = {
        US: SPAWNS / taken,
        "MB more at the end": grown,
        "threads at the end": len(os.listdir("/proc/self/task")),
    }
    return Row(f"{SPAWNS:,} spawns in WAT, per second", "", figures, ())


def live(rounds: int) -> Row:
    """A thousand that wait for a message."""
    found = probe("guests_live", str(LIVE))
    figures = {
        US: found["live"],
        "seconds to start": found["start"],
        "KB each": found["bytes"] / 1024,
        "seconds to end": found["end"],
    }
    return Row("live processes in WAT at once", "", figures, (Promise("", LIVE, at_least=True),))


@process
def passing(inbox: Mailbox[Any]) -> None:
    """Pass on what comes."""
    _, (following,) = inbox.receive()
    for message in inbox:
        following.send(message)
        if not message:
            return


def ring(rounds: int) -> Row:
    """A message around processes in every language and Python, in turn."""
    kinds: list[Any] = [*(module.function("passing") for module in modules().values()), passing]
    mixed = hop([kinds[number % len(kinds)] for number in range(HOPS)])
    figures = {US: mixed, "in WAT only": hop([kinds[0]] * HOPS), "in Python only": hop([passing] * HOPS)}
    return Row(f"one hop in a ring of {HOPS} processes in {len(kinds)} languages", "us", figures, ())


def hop(functions: list[Any]) -> float:
    """Return the microseconds that a message takes from one to the next."""
    rounds = 50
    everybody = [capsend.spawn(function) for function in functions]
    with Mailbox[bytes]() as inbox:
        following = [*(each.address for each in everybody[1:]), inbox.address]
        for each, address in zip(everybody, following, strict=True):
            each.send((b"", (address,)))
        taken = []
        for _ in range(rounds):
            start = time.perf_counter()
            everybody[0].send(b"message")
            inbox.receive(timeout=60)
            taken.append(time.perf_counter() - start)
        everybody[0].send(b"")
        for each in everybody:
            each.result(60)
    return sorted(taken)[rounds // 2] / (len(functions) + 1) * 1e6


# --- measured in a separate interpreter ---


def memory_of_guest(name: str) -> float:
    """Private bytes of one more instance that waits: a process, or what wasmtime alone makes of the same module."""
    from tests.bench.probes import private

    start = waiting_processes if name == "capsend" else waiting_instances
    count = 200
    warm = start(20)
    before = private()
    kept = start(count)
    grown = private() - before
    for each in (*warm, *kept):
        each()
    return grown / count


def waiting_processes(count: int) -> list[Callable[[], None]]:
    """Start processes that wait for a message, and return what ends each."""
    module = modules()[WAT]
    handles = [capsend.Environment(timeout=None).spawn(module.function("serving")) for _ in range(count)]
    for handle in handles:
        answer(handle)
    return [handle.kill for handle in handles]


def answer(handle: Any) -> None:
    """Have a process answer, so that it is known to run."""
    handle.call(lambda reply: (b"ready", (reply,)), timeout=60)


def waiting_instances(count: int) -> list[Callable[[], None]]:
    """Make instances with wasmtime alone, each with its store and on a thread that waits, and return what ends each."""
    import wasmtime

    from tests.guests.languages import HERE

    engine = wasmtime.Engine()
    module = wasmtime.Module(engine, (HERE / "wat" / "conformance.wat").read_text())
    linker = wasmtime.Linker(engine)
    for each in module.imports:
        linker.define_func(each.module, each.name, each.type, lambda *_: -1)
    ended, ready = threading.Event(), threading.Semaphore(0)
    stack = threading.stack_size(256 << 10)

    def hold() -> None:
        store = wasmtime.Store(engine)
        instance = linker.instantiate(store, module)
        instance.exports(store)["echo"](store)
        ready.release()
        ended.wait()

    for _ in range(count):
        threading.Thread(target=hold, daemon=True).start()
        ready.acquire()
    threading.stack_size(stack)
    return [ended.set]


def guests_live(count: str) -> dict[str, float]:
    """So many processes at once: seconds until all run, bytes of each, seconds until all have ended."""
    from tests.bench.probes import lived, private

    module = modules()[WAT]
    run(module)
    before, start = private(), time.perf_counter()
    handles: list[Any] = [
        capsend.Environment(timeout=None).spawn(module.function("serving")) for _ in range(int(count))
    ]
    for handle in handles:
        answer(handle)
    return lived(handles, started=time.perf_counter() - start, before=before)
