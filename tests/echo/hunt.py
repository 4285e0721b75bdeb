"""Looks for programs that answer otherwise in a process, makes them small, and writes them into a folder.

python tests/echo/hunt.py FIRST LAST FOLDER [SECONDS]
"""

from __future__ import annotations

import collections
import re
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))


import driver

BATCH = 100


def main() -> None:
    """Run a range of programs, and shrink one of each kind of difference."""
    first, last, out, *rest = sys.argv[1:]
    end = time.monotonic() + float(rest[0]) if rest else float("inf")
    target = Path(out)
    target.mkdir(parents=True, exist_ok=True)
    counts: collections.Counter[str] = collections.Counter()
    known: set[str] = set()
    for start in range(int(first), int(last), BATCH):
        if time.monotonic() > end:
            break
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            verdicts = driver.run(driver.written(range(start, min(start + BATCH, int(last)))), folder, jobs=1)
            counts.update(verdict.kind for verdict in verdicts)
            bad = [verdict for verdict in verdicts if verdict.kind not in driver.GOOD]
            by_seed = [verdict for verdict in bad if verdict.kind == "seeds"]
            small = driver.shrink([verdict for verdict in bad if verdict.kind != "seeds"], folder)
            small += driver.shrink(by_seed, folder, seeds=driver.SEEDS)
            _keep(small, folder, target, known)
        print(start, dict(counts), len(known), flush=True)


def _keep(verdicts: list[driver.Verdict], folder: Path, target: Path, known: set[str]) -> None:
    new = []
    for verdict in verdicts:
        shape = re.sub(r"'[^']*'|\d+", "N", "".join(verdict.program.files().values()))
        if shape not in known:
            known.add(shape)
            new.append(verdict)
    if new:
        driver.ask_mypy(new, folder)
    for verdict in new:
        kind = verdict.kind.replace(" ", "_")
        name = f"{len(list(target.iterdir())):04}_{kind}_{verdict.program.pieces[0].kind}.py"
        (target / name).write_text(verdict.report(), encoding="utf-8")


if __name__ == "__main__":
    main()
