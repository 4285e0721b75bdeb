"""Runs many programs: writes them down, asks mypy once, runs them in batches under several hash seeds, and gathers the verdicts."""

from __future__ import annotations

import concurrent.futures
import itertools
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

HERE: Final = Path(__file__).parent
sys.path.insert(0, str(HERE))

from writer import program as write

if TYPE_CHECKING:
    from collections.abc import Iterable

    from program import Program

SEEDS: Final = ("0", "1", "7")
GOOD: Final = frozenset({"equal", "refused", "late", "accepted", "invalid"})


@dataclass
class Verdict:
    """What one program got.

    Attributes:
        program: the program.
        rows: {hash seed: row of `runner.judge`}.
        static: the first error of mypy; empty where there is none, None where mypy was not asked.
        own: whether that error is one of mypy's own, and not of the plugin.
    """

    program: Program
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    static: str | None = None
    own: bool = False

    @property
    def kind(self) -> str:
        """The worst class of its rows."""
        kinds = [row["class"] for row in self.rows.values()]
        if self.program.keeps:
            kinds = ["equal" if kind == "lost" else kind for kind in kinds]
        if self.program.loses and any(kind in {"equal", "lost"} for kind in kinds) and not self.raises:
            return "lost"
        bad = [kind for kind in kinds if kind not in GOOD]
        if bad:
            return bad[0]
        if len({row.get("digest", "") for row in self.rows.values()}) > 1:
            return "seeds"
        if len({row["class"] == "refused" for row in self.rows.values()}) > 1:
            return "seeds"
        return next((kind for kind in kinds if kind != "accepted"), kinds[0])

    @property
    def raises(self) -> bool:
        """Whether it raises an exception on the host."""
        return any(str(row.get("host", "")).startswith("raises") for row in self.rows.values())

    def report(self) -> str:
        """Return the program with what was expected of it."""
        rows = "\n".join(f"# seed {seed}: {_short(row)}" for seed, row in self.rows.items())
        texts = "\n\n".join(f"# file {name}.py\n{text}" for name, text in self.program.files().items())
        return f"# {self.kind}: {self.program.kinds} (program {self.program.index})\n{rows}\n# mypy: {self.static!r}\n\n{texts}"


def _short(row: dict[str, Any]) -> str:
    return " | ".join(f"{key}: {str(value)[-700:]!r}" for key, value in row.items() if key != "digest")


def save(programs: Iterable[Program], folder: Path) -> None:
    """Write programs as modules."""
    for program in programs:
        for name, text in program.files().items():
            (folder / f"{name}.py").write_text(text, encoding="utf-8")


def run(
    programs: list[Program], folder: Path, *, seeds: tuple[str, ...] = SEEDS, jobs: int = 2, full: bool = False
) -> list[Verdict]:
    """Run programs under hash seeds: all the way under the first, and, unless `full`, as far as their texts under the others."""
    save(programs, folder)
    verdicts = {program.name: Verdict(program) for program in programs}
    size = max(1, min(250, -(-len(programs) // jobs)))
    names = [program.name for program in programs]
    batches = [names[start : start + size] for start in range(0, len(names), size)]
    tasks = [(seed, batch, full or seed == seeds[0]) for seed in seeds for batch in batches]
    _run_all(
        verdicts, folder, [(seed, batch if whole else [], [] if whole else batch) for seed, batch, whole in tasks], jobs
    )
    return list(verdicts.values())


def run_spread(programs: list[Program], folder: Path, *, every: int) -> list[Verdict]:
    """Run each program under one of the seeds all the way, and one in *every* under the others as far as its text.

    One interpreter for each seed: what it loads at its start costs as much as twenty programs.
    """
    save(programs, folder)
    verdicts = {program.name: Verdict(program) for program in programs}
    names = list(verdicts)
    tasks = [
        (
            seed,
            names[place :: len(SEEDS)],
            [name for n, name in enumerate(names) if n % len(SEEDS) != place and not n % every],
        )
        for place, seed in enumerate(SEEDS)
    ]
    _run_all(verdicts, folder, tasks, jobs=2)
    return list(verdicts.values())


def _run_all(
    verdicts: dict[str, Verdict], folder: Path, tasks: list[tuple[str, list[str], list[str]]], jobs: int
) -> None:
    """Run interpreters, each with a seed, programs to run and programs to prepare alone."""
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        running = [
            (seed, pool.submit(_run_batch, folder, str(n), seed, *lists)) for n, (seed, *lists) in enumerate(tasks)
        ]
        for seed, task in running:
            for name, row in task.result().items():
                verdicts[name].rows[seed] = row


def _run_batch(folder: Path, tag: str, seed: str, names: list[str], prepared: list[str]) -> dict[str, dict[str, Any]]:
    out = folder / f"rows_{tag}.json"
    out.unlink(missing_ok=True)
    command = [sys.executable, str(HERE / "runner.py"), str(folder), str(out), ",".join(names), ",".join(prepared)]
    environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONDONTWRITEBYTECODE": "1"}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=1200)
    if not out.exists():
        every = names + prepared
        raise RuntimeError(f"the programs {every[0]} to {every[-1]} ended the interpreter: {ended.stderr[-3000:]}")
    rows: dict[str, dict[str, Any]] = json.loads(out.read_text())
    return rows


def ask_mypy(verdicts: list[Verdict], folder: Path) -> None:
    """Ask mypy about all programs at once."""
    (folder / "mypy.ini").write_text("[mypy]\nplugins = capsend_mypy\nstrict = True\nimplicit_reexport = True\n")
    for verdict in verdicts:
        verdict.static = ""
    by_name = {verdict.program.name: verdict for verdict in verdicts}
    files = [f"{name}.py" for verdict in verdicts for name in verdict.program.files()]
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--config-file",
        "mypy.ini",
        "--no-error-summary",
        "--cache-dir=/dev/null",
        *files,
    ]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if ended.returncode not in {0, 1}:
        raise RuntimeError(ended.stdout[-2000:] + ended.stderr[-2000:])
    for line in ended.stdout.splitlines():
        match = re.match(r"^(echo_\d+)(?:_b)?\.py:\d+: error: (.*)$", line)
        if match is not None:
            verdict = by_name[match[1]]
            own = "[capsend-" not in match[2]
            if not verdict.static or (verdict.own and not own):
                verdict.static, verdict.own = match[2], own


def shrink(
    verdicts: list[Verdict], folder: Path, *, seeds: tuple[str, ...] = SEEDS[:1], rounds: int = 8
) -> list[Verdict]:
    """Return, for each verdict, that of the smallest program found that gets one of the same kind."""
    best = list(verdicts)
    active = set(range(len(best)))
    for _ in range(rounds):
        cuts = {place: best[place].program.cuts() for place in active}
        single = _attempt(best, {place: [[cut] for cut in cuts[place]] for place in active}, folder, seeds)
        good = {
            place: [cut for cut, verdict in zip(cuts[place], single[place], strict=True) if verdict] for place in active
        }
        active = {place for place in active if good[place]}
        if not active:
            break
        # All at once, halves and a quarter of them, or the first one alone.
        groups = {
            place: [c, c[: len(c) // 2], c[len(c) // 2 :], c[: len(c) // 4 + 1], c[:1]]
            for place, c in good.items()
            if place in active
        }
        for place, found in _attempt(best, groups, folder, seeds).items():
            best[place] = next((verdict for verdict in found if verdict is not None), best[place])
    save([verdict.program for verdict in best], folder)
    return best


def _attempt(
    best: list[Verdict], groups: dict[int, list[list[tuple[str, int, int]]]], folder: Path, seeds: tuple[str, ...]
) -> dict[int, list[Verdict | None]]:
    """Return, for groups of cuts of several programs, the verdicts of what is left, where they are of the same kind."""
    # Numbers of their own, so that one run takes all candidates.
    numbers = itertools.count(next(_numbers))
    programs = {
        place: [replace(best[place].program.cut(cuts), index=next(numbers)) for cuts in many]
        for place, many in groups.items()
    }
    flat = [program for many in programs.values() for program in many]
    ended = {verdict.program.name: verdict for verdict in run(flat, folder, seeds=seeds, jobs=1)} if flat else {}

    def like(place: int, verdict: Verdict) -> Verdict | None:
        same = verdict.kind == best[place].kind and verdict.raises == best[place].raises
        return verdict if same else None

    return {place: [like(place, ended[each.name]) for each in many] for place, many in programs.items()}


_numbers = itertools.count(1_000_000, 100_000)


def written(numbers: Iterable[int]) -> list[Program]:
    """Return the programs of these numbers."""
    return [write(number) for number in numbers]
