"""The costs of the mypy plugin: `python -m tests.bench.plugin PACKAGE...` runs mypy with and without it, alternately, and prints the ratios.

Each package is checked without any cache ("none"), from nothing with a cache written ("cold"), and with a warm cache after a change of nothing.
`MYPYPATH` says where the packages are, by absolute paths. A package that imports capsend, or is checked beside one that does, costs more: there
the plugin makes a summary of each module.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple


class Cost(NamedTuple):
    """Seconds of one run: by the clock, and of the processor."""

    wall: float
    cpu: float


def main() -> int:
    """Print one line per package."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.plugin", description=__doc__)
    parser.add_argument("packages", nargs="+")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for package in given.packages:
            for name, line in measure(package, Path(folder), given.rounds):
                sys.stdout.write(f"{package:12} {name:5} {line}\n")
    return 0


def measure(package: str, folder: Path, rounds: int) -> list[tuple[str, str]]:
    """Return the lines for a package: without a cache, with an empty one and with a warm one."""
    plain, plugged = folder / "plain.ini", folder / "plugged.ini"
    plain.write_text("[mypy]\nignore_missing_imports = True\n")
    plugged.write_text("[mypy]\nignore_missing_imports = True\nplugins = capsend_mypy\n")
    lines = []
    for name in ("none", "cold", "warm"):
        costs: dict[Path, list[Cost]] = {plain: [], plugged: []}
        for index in range(rounds):
            for config in (plain, plugged):
                fresh = folder / f"cache_{config.stem}_{package}_{index}"
                cache = {"none": Path(os.devnull), "cold": fresh}.get(name, folder / f"cache_{config.stem}_{package}")
                if name == "warm" and not costs[config]:
                    run(package, config, cache)
                costs[config].append(run(package, config, cache))
        wall, cpu = (
            statistics.median(c[i] for c in costs[plugged]) / statistics.median(c[i] for c in costs[plain])
            for i in (0, 1)
        )
        base = statistics.median(c.wall for c in costs[plain])
        lines.append((name, f"{base:6.2f} s without, wall ratio {wall:.2f}, processor ratio {cpu:.2f}"))
    return lines


def run(package: str, config: Path, cache: Path) -> Cost:
    """Run mypy once."""
    command = [sys.executable, "-m", "mypy", "--config-file", str(config), "--cache-dir", str(cache), "-p", package]
    # With byte code, as an installed plugin has it; mypy itself is compiled.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(config.parent / "bytecode")
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, capture_output=True, check=False, cwd=config.parent, env=environment, text=True)
    assert done.returncode in {0, 1}, done.stdout  # else mypy did not check the package
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Cost(time.perf_counter() - start, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


if __name__ == "__main__":
    sys.exit(main())
