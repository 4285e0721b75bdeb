"""The long forms: `python -m tests.bench.endurance` spawns 10,000 times, keeps 1,000 alive at once, and kills image builds at random moments."""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import capsend
from capsend import engine
from tests.bench.measuring import ROOT, probe
from tests.bench.probes import private

MIB = 1 << 20
BUILD = "from capsend import Image; Image().ensure(); print('built')"
USE = "from capsend import spawn; print(spawn(pow, 2, 10).result())"


def work(number: int) -> Any:
    """Do something else each time: compute, allocate, fail."""
    if number % 10 == 3:
        raise ValueError(number)
    if number % 10 == 7:
        return len(bytearray(5 << 20))
    return list(range(number % 100))


def sequential_spawns(count: int) -> str:
    """Spawn *count* processes one after the other; the memory and the threads of this program stay the same."""
    sizes, start = [], time.monotonic()
    for number in range(count):
        with contextlib.suppress(ValueError):
            capsend.spawn(work, number).result()
        if number % (count // 20) == count // 20 - 1:
            sizes.append(private())
    grown = sizes[-1] - sizes[len(sizes) // 4]
    threads, guests = len(os.listdir("/proc/self/task")), len(engine.guests)
    assert grown < 20 * MIB, f"memory grew by {grown / MIB:.1f} MiB: {[size // MIB for size in sizes]}"
    assert max(threads, guests) < 20, (threads, guests)
    rate = count / (time.monotonic() - start)
    shown = ", ".join(f"{size / MIB:.0f}" for size in sizes)
    return f"{count:,} spawns, {rate:.0f} per second; private MiB on the way: {shown}; threads at the end: {threads}"


def thousand_at_once(count: int) -> str:
    """Keep *count* processes alive at the same time."""
    found = probe("live", str(count))
    assert found["live"] == count
    return f"{count:,} live at once: started in {found['start']:.1f} s, {found['bytes'] / 1e6:.2f} MB each, all ended in {found['end']:.2f} s"


def killed_builds(count: int) -> str:
    """Kill *count* builds of an image at random moments; then another build works, and they have left nothing."""
    chance, moments = random.Random(), []
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"CAPSEND_CACHE_DIR": folder}
        for _ in range(count):
            moment = chance.uniform(0.1, 9)
            build = subprocess.Popen(
                [sys.executable, "-c", BUILD], env=environment, cwd=ROOT, stderr=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
            )  # fmt: skip
            try:
                out, _ = build.communicate(timeout=moment)
            except subprocess.TimeoutExpired:
                build.send_signal(chance.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGINT]))
                out, _ = build.communicate()
            moments.append(f"{moment:.1f}{' (built)' if 'built' in out else ''}")
            for image in (Path(folder) / "images").glob("[!.]*"):
                shutil.rmtree(image)  # what is left of killed builds stays there
        done = subprocess.run(
            [sys.executable, "-c", USE], env=environment, cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.stdout == "1024\n", done
        left = [path.name for path in (Path(folder) / "images").iterdir() if path.name.startswith(".build-")]
        assert left == [], left
    return f"{count} builds killed after {', '.join(moments)} s; the next one worked, and nothing was left"


def main() -> None:
    """Run the long forms, or those that are named."""
    forms = {"spawns": (sequential_spawns, 10_000), "live": (thousand_at_once, 1_000), "builds": (killed_builds, 10)}
    parser = argparse.ArgumentParser(prog="python -m tests.bench.endurance", description=__doc__)
    parser.add_argument("forms", nargs="*", choices=[*forms, []], help="which; all of them if none is named")
    parser.add_argument("--count", type=int, help="how many, instead of 10,000 spawns, 1,000 live ones, 10 builds")
    chosen = parser.parse_args()
    for name in chosen.forms or forms:
        form, count = forms[name]
        print(f"{name}: {form(chosen.count or count)}", flush=True)


if __name__ == "__main__":
    main()
