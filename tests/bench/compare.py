"""This checkout and another commit side by side: the same rows, measured in turn, and the ratio of each pair of runs."""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs

from tests.bench.measuring import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_PACKAGES: Final = {
    "capsend": "capsend",
    "plugin/capsend_mypy": "capsend_mypy",
    "stubs/capsend_traits": "capsend_traits",
}
_OURS: Final = "capsend"


@attrs.frozen
class Ratio:
    """A figure of this checkout relative to the other commit's.

    Attributes:
        what: a row and one of its figures.
        ratios: this one's figure by the other's, one of each pair of runs.
    """

    what: str
    ratios: list[float]

    @property
    def median(self) -> float:
        """The middle one; below 1 means that this checkout takes less."""
        return statistics.median(self.ratios)

    def as_json(self) -> dict[str, Any]:
        """Return it as data."""
        return {"what": self.what, "median": self.median, "ratios": self.ratios}


def compare(revision: str, rows: Sequence[str], *, pairs: int, rounds: int) -> Iterator[Ratio]:
    """Measure each row of both sides in turn, and yield the ratios of all figures of capsend's own.

    Both are measured by the benchmarks of this checkout.

    Raises:
        RuntimeError: there is no such commit, or a measurement failed.
    """
    with tempfile.TemporaryDirectory() as folder, _checked_out(revision, Path(folder)) as checkout:
        other, this = (_side(Path(folder) / name, source) for name, source in (("other", checkout), ("this", ROOT)))
        for side in (other, this):  # builds the image if need be
            _measured(side, "spawn", rounds=1)
        for row in rows:
            found: dict[str, list[float]] = {}
            for number in range(pairs):
                order = (other, this) if number % 2 else (this, other)
                figures = {side: _measured(side, row, rounds=rounds) for side in order}
                for what, value in figures[this].items():
                    if figures[other].get(what):
                        found.setdefault(what, []).append(value / figures[other][what])
            yield from (Ratio(what, ratios) for what, ratios in found.items())


@contextlib.contextmanager
def _checked_out(revision: str, folder: Path) -> Iterator[Path]:
    target = folder / "checkout"
    _git("worktree", "add", "--detach", str(target), revision)
    try:
        yield target
    finally:
        _git("worktree", "remove", "--force", str(target))


def _git(*arguments: str) -> None:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"git {' '.join(arguments)}: {done.stderr.strip()}")


def _side(folder: Path, source: Path) -> Path:
    """Make a folder from which Python imports the packages of one side and the benchmarks of this checkout."""
    folder.mkdir()
    for path, name in _PACKAGES.items():
        (folder / name).symlink_to(source / path)
    (folder / "tests").symlink_to(ROOT / "tests")
    return folder


def _measured(side: Path, row: str, *, rounds: int) -> dict[str, float]:
    """Return {row and figure: value} of what capsend itself does in a row."""
    path = side / "figures.json"
    command = [sys.executable, "-m", "tests.bench", row, "--rounds", str(rounds), "--json", str(path)]
    path.unlink(missing_ok=True)
    environment = os.environ | {"PYTHONPATH": str(side)}
    done = subprocess.run(command, cwd=side, env=environment, capture_output=True, text=True, check=False)
    if not path.exists() or not (measured := json.loads(path.read_text())["rows"]):
        raise RuntimeError(f"{row} could not be measured: {(done.stdout + done.stderr)[-2000:]}")
    return {
        f"{each['what']}: {name}": value
        for each in measured
        for name, value in each["figures"].items()
        if name.startswith(_OURS)
    }
