"""Contests: every contestant runs once per round, so that all of them meet the same noise, and medians are compared."""

from __future__ import annotations

import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable

US: Final = "capsend"
SLOW: Final = 0.02
MANY_ROUNDS: Final = 32
ROOT: Final = Path(__file__).parent.parent.parent


@attrs.frozen
class Promise:
    """The promised bound of a figure.

    Attributes:
        against: the contestant it is compared with; empty for a figure on its own.
        bound: the ratio of ours to theirs, or the figure.
        at_least: whether more is better.
        of: the contestant that promises.
    """

    against: str
    bound: float
    at_least: bool = False
    of: str = US

    def reached(self, figures: dict[str, float]) -> float | None:
        """Return the ratio or figure that is compared with the bound; None when the peer is not there."""
        if self.of not in figures or (self.against and self.against not in figures):
            return None
        return figures[self.of] / figures[self.against] if self.against else figures[self.of]

    def holds(self, value: float) -> bool:
        """Return whether a value is within the promised bound."""
        return value >= self.bound if self.at_least else value <= self.bound


@attrs.frozen
class Row:
    """One line of the table: a figure of each contestant, and what was promised."""

    what: str
    unit: str
    figures: dict[str, float]
    promises: tuple[Promise, ...] = ()

    def verdicts(self) -> list[tuple[Promise, float, bool]]:
        """Return (promise, value, whether it is kept) of every promise whose peer is there."""
        found = [(promise, promise.reached(self.figures)) for promise in self.promises]
        return [(promise, value, promise.holds(value)) for promise, value in found if value is not None]

    def as_json(self) -> dict[str, Any]:
        """Return the row as data."""
        verdicts = [
            {"of": p.of, "against": p.against, "value": v, "bound": p.bound, "at_least": p.at_least, "kept": k}
            for p, v, k in self.verdicts()
        ]
        return {"what": self.what, "unit": self.unit, "figures": self.figures, "promises": verdicts}


def contest(contestants: dict[str, Callable[[], object]], *, rounds: int, pause: float = 0.0) -> dict[str, float]:
    """Return {name: median seconds}; each runs once to warm up, then once per round, all in turn."""
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for run in contestants.values():
        run()
    gc.collect()
    for number in range(rounds):
        for name, run in contestants.items():
            # A slow one takes part in one round of four, as long as it still gets its share.
            slow = name != US and times[name] and times[name][-1] > SLOW and rounds >= MANY_ROUNDS
            if slow and number % 4:
                continue
            time.sleep(pause)
            start = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(taken) for name, taken in times.items()}


def with_byte_code() -> dict[str, str]:
    """Return the environment of an interpreter that finds byte code, as that of an installed package is, and keeps its own."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {"PYTHONPYCACHEPREFIX": str(Path(tempfile.gettempdir()) / f"capsend-bench-{os.getuid()}"), **environment}


def probe(name: str, *arguments: str) -> Any:
    """Measure something in a fresh interpreter, which prints its figures as JSON."""
    command = [sys.executable, "-m", "tests.bench.probes", name, *arguments]
    environment = with_byte_code()
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=environment)
    if done.returncode:
        raise RuntimeError(f"probe {name} {arguments}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def median_of(measure: Callable[[], float], *, rounds: int) -> float:
    """Return the median of several measurements."""
    return statistics.median(measure() for _ in range(rounds))
