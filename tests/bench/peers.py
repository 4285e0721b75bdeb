"""The work of the peers, in a module that is quick to import: their child processes import it."""

from __future__ import annotations

import atexit
import concurrent.futures
import functools
import importlib.util
import multiprocessing
import os
import sys
import time
from typing import Any

NUMBER = 42


def number() -> int:
    """Return a number: the least that a process can do."""
    return NUMBER


def put(queue: Any) -> None:
    """Answer by a pipe."""
    queue.send(NUMBER)


def echo(value: Any) -> Any:
    """Return what came."""
    return value


def idle(pipe: Any) -> None:
    """Say that it runs, and wait."""
    pipe.send(os.getpid())
    pipe.recv()


def through_multiprocessing(method: str) -> None:
    """Start a new process for one call."""
    context = multiprocessing.get_context(method)
    here, there = context.Pipe()
    process = context.Process(target=put, args=(there,))
    process.start()
    assert here.recv() == NUMBER
    process.join()
    here.close()
    there.close()


def through_executor() -> None:
    """Start an executor for one call."""
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as executor:
        assert executor.submit(number).result() == NUMBER


def through_loky() -> None:
    """Start loky's executor for one call."""
    import loky

    executor = loky.ProcessPoolExecutor(1)
    assert executor.submit(number).result() == NUMBER
    executor.shutdown(wait=True)


def through_eryx() -> None:
    """Run one program in a fresh sandbox: the same CPython for WebAssembly."""
    import eryx

    assert eryx.Sandbox().execute(f"print({NUMBER})").stdout.split() == [str(NUMBER).encode()]


def through_monty() -> None:
    """Run one program in a fresh interpreter of a subset of Python, on a kept pool of its workers."""
    assert in_monty(str(NUMBER)) == NUMBER


def in_monty(text: str) -> Any:
    """Return the value of a text in a fresh interpreter of monty."""
    with monty_pool().checkout() as session:
        return session.feed_run(text)


@functools.cache
def monty_pool() -> Any:
    """Return a pool of monty's workers, which is kept."""
    import pydantic_monty

    pool: Any = pydantic_monty.Monty().__enter__()
    atexit.register(pool.__exit__, None, None, None)
    return pool


def callbacks_through_eryx(count: int) -> None:
    """Have a program in a sandbox call a host function *count* times."""
    import eryx

    registry = eryx.CallbackRegistry()
    registry.add(double, name="double", description="Twice a number.")
    code = f"for n in range({count}):\n    answer = await double(n=n)\nprint({NUMBER})"
    assert eryx.Sandbox(callbacks=registry).execute(code).stdout.split() == [str(NUMBER).encode()]


def double(n: int) -> dict[str, int]:
    """Return twice a number, for the sandbox that calls."""
    return {"n": 2 * n}


def piped(connection: Any) -> None:
    """Send everything back through a pipe."""
    while (message := connection.recv()) is not None:
        connection.send(message)


def through_subinterpreter() -> None:
    """Run one program in a fresh interpreter of this process."""
    interpreters = subinterpreters()
    assert interpreters is not None
    interpreter = interpreters.create("isolated") if sys.version_info >= (3, 13) else interpreters.create(isolated=True)
    read, write = os.pipe()
    code = f"import os; os.write({write}, b'{NUMBER}')"
    (interpreters.exec if sys.version_info >= (3, 13) else interpreters.run_string)(interpreter, code)
    assert os.read(read, 10) == str(NUMBER).encode()
    interpreters.destroy(interpreter)
    os.close(read)
    os.close(write)


def subinterpreters() -> Any:
    """Return the module that makes interpreters, where this Python has interpreters with a lock of their own."""
    if sys.version_info >= (3, 13):
        import _interpreters

        return _interpreters
    if sys.version_info >= (3, 12):
        import _xxsubinterpreters  # type: ignore[import-not-found] # of Python 3.12 only

        return _xxsubinterpreters
    return None


def has(module: str) -> bool:
    """Return whether a peer is installed; the `bench` extra has them."""
    return importlib.util.find_spec(module) is not None


# --- what is computed, inside and outside ---


def fibonacci(n: int) -> int:
    """Call functions."""
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)


def floats() -> float:
    """Calculate with floats in a loop."""
    x, total = 0.5, 0.0
    for _ in range(200_000):
        x = 3.7 * x * (1.0 - x)
        total += x
    return total


def texts() -> int:
    """Split, join and look up words."""
    words = ("the quick brown fox jumps over the lazy dog " * 4_000).split()
    counts: dict[str, int] = {}
    for word in words:
        counts[word] = counts.get(word, 0) + 1
    return len(" ".join(sorted(words))) + len(counts)


def objects() -> int:
    """Make objects and call their methods."""

    class Point:
        def __init__(self, x: int, y: int) -> None:
            self.x, self.y = x, y

        def add(self, other: Point) -> Point:
            return Point(self.x + other.x, self.y + other.y)

    point = Point(0, 0)
    for number in range(60_000):
        point = point.add(Point(number, 1))
    return point.x


def timed(name: str) -> float:
    """Return the seconds of one of the workloads on the host, the best of five runs."""
    work: Any = {"functions": lambda: fibonacci(22), "floats": floats, "texts": texts, "objects": objects}[name]
    best = 1e9
    for _ in range(5):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best


WORKLOADS = ("functions", "floats", "texts", "objects")
