"""The rows about source text and sessions, beside those who run generated code too."""

from __future__ import annotations

import contextlib
import itertools
from typing import TYPE_CHECKING, Any, Final

import capsend
from tests.bench import peers
from tests.bench.measuring import US, Row, contest, probe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MONTY: Final = "monty, a subset of Python"
_STATE: Final = "big = [bytes(120) + str(i).encode() for i in range(350_000)]\nlen(big)"
"""A cell that makes some 50 MB of objects."""


def text_spawn(rounds: int) -> Row:
    """Run a new text in a fresh process, each time."""
    numbers = itertools.count()
    everybody: dict[str, Callable[[], object]] = {
        US: lambda: capsend.spawn(capsend.Source(f"1 + {next(numbers)}")).result()
    }
    if peers.has("eryx"):
        import eryx

        everybody["pyeryx"] = lambda: eryx.Sandbox().execute(f"print(1 + {next(numbers)})")
    if peers.has("pydantic_monty"):
        everybody[MONTY] = lambda: peers.in_monty(f"1 + {next(numbers)}")
    return Row("source text, spawn to result", "ms", _milliseconds(contest(everybody, rounds=rounds * 8)))


def round_trip(rounds: int) -> Row:
    """Run `1 + 1` in a session that is kept."""
    with contextlib.ExitStack() as stack:
        session = stack.enter_context(capsend.Session())
        everybody: dict[str, Callable[[], object]] = {US: lambda: session.run("1 + 1")}
        if peers.has("eryx"):
            import eryx

            kept: Any = eryx.Session()
            everybody["pyeryx"] = lambda: kept.execute("print(1 + 1)")
        if peers.has("pydantic_monty"):
            monty = stack.enter_context(peers.monty_pool().checkout())
            everybody[MONTY] = lambda: monty.feed_run("1 + 1")
        if peers.has("ipykernel") and peers.has("jupyter_client"):
            client = stack.enter_context(_kernel())
            everybody["Jupyter kernel"] = lambda: client.execute_interactive(
                "1 + 1", store_history=False, output_hook=_ignore
            )
        return Row("session, 1 + 1 there and back", "ms", _milliseconds(contest(everybody, rounds=rounds * 16)))


@contextlib.contextmanager
def _kernel() -> Iterator[Any]:
    from jupyter_client.manager import start_new_kernel

    manager, client = start_new_kernel()
    try:
        yield client
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def _ignore(_message: object) -> None:
    """Show nothing of what a kernel says."""


def fork(rounds: int) -> Row:
    """Start a session with 50 MB of state: from a snapshot, by copying another one, and by making the state again."""
    with capsend.Session() as session:
        session.run(_STATE)
        snapshot = session.snapshot()

        def from_snapshot() -> None:
            with snapshot.start() as made:
                assert made.run("len(big)") == 350_000

        def forked() -> None:
            with session.fork() as made:
                assert made.run("len(big)") == 350_000

        def again() -> None:
            with capsend.Session() as made:
                assert made.run(_STATE) == 350_000

        everybody = {f"{US}, from a snapshot": from_snapshot, f"{US}, fork": forked, f"{US}, made again": again}
        return Row(
            "session with 50 MB of state, start to first answer", "ms", _milliseconds(contest(everybody, rounds=rounds))
        )


def idle(_rounds: int) -> Row:
    """A thousand sessions that have run a cell and wait for the next one, beside a thousand processes that sleep."""
    live, sessions, copies = probe("live", "1000"), probe("idle_sessions", "1000"), probe("idle_copies", "1000")
    figures = {
        US: sessions["bytes"] / 1e6,
        f"{US}, started from one snapshot": copies["bytes"] / 1e6,
        f"{US}, processes": live["bytes"] / 1e6,
        "ms for one more cell in each, each": sessions["cell"] * 1000,
    }
    return Row("1,000 idle sessions, each", "MB", figures)


def _milliseconds(figures: dict[str, float]) -> dict[str, float]:
    return {name: seconds * 1000 for name, seconds in figures.items()}


ROWS: Final[dict[str, Callable[[int], Row]]] = {
    "text_spawn": text_spawn,
    "session_round_trip": round_trip,
    "session_fork": fork,
    "session_idle": idle,
}
