"""Run the tests of numpy inside, file by file: `python packaging/native/suites.py fft linalg > table.md`.

Each file runs in a process of its own, with pytest, from the folder of the store that holds numpy. Prints a table in Markdown: counts by file,
and the failures. Needs numpy built for processes (`capsend image add numpy`) and pytest; the whole takes an hour of processor time.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from capsend import Dir, Environment, Image
from capsend.image.native import store

PARTS = ("fft", "linalg", "polynomial", "ma", "random", "lib", "_core")
_MOST_FAILURES = 60


def run(numpy_files: Dir, scratch: Dir, target: str) -> tuple[dict[str, int], list[str]]:
    """Run one file of tests in this process.

    Returns:
        ({outcome: count}, [test: last line of its failure]).
    """
    import collections
    import os

    import pytest

    root = os.fspath(numpy_files)
    for name, module in list(sys.modules.items()):
        # The image has numpy without its tests: they are found in the folder that was granted.
        if name.partition(".")[0] == "numpy" and hasattr(module, "__path__"):
            module.__path__ = [*module.__path__, f"{root}/{name.replace('.', '/')}"]
    os.environ["TMPDIR"] = os.fspath(scratch)
    os.chdir(os.fspath(scratch))
    counts: collections.Counter[str] = collections.Counter()
    failures: list[str] = []

    class Counted:
        def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
            if report.when == "call" or (report.when == "setup" and report.outcome != "passed"):
                counts["xfailed" if hasattr(report, "wasxfail") else report.outcome] += 1
                if report.outcome == "failed":
                    failures.append(f"{report.nodeid.rpartition('/')[2]}: {_last(report.longrepr)}")

        def pytest_collectreport(self, report: pytest.CollectReport) -> None:
            if report.outcome == "failed":
                counts["not collected"] += 1
                failures.append(f"{report.nodeid.rpartition('/')[2]}: {_last(report.longrepr)}")

    plugins = [
        part
        for name in ("cacheprovider", "faulthandler", "warnings", "logging", "unraisableexception", "threadexception")
        for part in ("-p", f"no:{name}")
    ]
    options = [
        "-q",
        "--tb=line",
        "--capture=sys",
        "--noconftest",
        "--import-mode=importlib",
        f"--rootdir={root}",
        f"--basetemp={os.fspath(scratch)}/base",
    ]
    pytest.main([f"{root}/{target}", *options, *plugins, "-m", "not slow"], plugins=[Counted()])
    return dict(counts), failures


def _last(text: object) -> str:
    lines = str(text).strip().splitlines() or [""]
    return lines[-1][:140]


def main() -> None:
    """Print the table of the parts that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", default=PARTS, help=f"parts of numpy (default: {' '.join(PARTS)})")
    parser.add_argument("--timeout", type=float, default=1_200, help="seconds for one file (default: 1200)")
    chosen = parser.parse_args()
    wheel = store.find("numpy")
    if wheel is None:
        sys.exit("numpy is not built for processes. Build it: capsend image add numpy")
    environment = Environment(
        image=Image(packages=["numpy", "pytest"]), timeout=chosen.timeout, memory=3 << 30, output=64 << 20
    )
    files = wheel.folder / "files"
    print("| file | passed | failed | skipped | xfailed | not collected |\n|---|---|---|---|---|---|")
    told: list[str] = []
    for part in chosen.parts:
        for path in sorted((files / "numpy" / part / "tests").glob("test_*.py")):
            target = path.relative_to(files).as_posix()
            with tempfile.TemporaryDirectory() as scratch:
                outcome = environment.execute(run, Dir(files, write=False), Dir(Path(scratch), write=True), target)
            if outcome.value is None:
                print(f"| {target} | ended: {type(outcome.error).__name__} | | | | |", flush=True)
                told.append(f"{target}: {str(outcome.error).splitlines()[0][:200]}")
                continue
            counts, failures = outcome.value
            columns = [counts.get(name, 0) for name in ("passed", "failed", "skipped", "xfailed", "not collected")]
            print(f"| {target} | {' | '.join(map(str, columns))} |", flush=True)
            told += failures
    print("\n" + "\n".join(f"* {line}" for line in told[:_MOST_FAILURES]))


if __name__ == "__main__":
    main()
