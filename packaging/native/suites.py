"""Run the tests of packages in processes, file by file: `python packaging/native/suites.py msgpack numpy.fft > table.md`.

Each file runs in a process of its own, with pytest. numpy brings its tests along; those of other packages are in the sdist that the recipe pins.
Prints a table in Markdown: counts by file and by suite, and the failures. Needs the packages built for processes (`capsend image add NAME`)
and pytest. All of numpy takes an hour of processor time, the others two minutes.
"""

from __future__ import annotations

import argparse
import collections
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import attrs

from capsend import Dir, Environment, Image
from capsend.image.native import store
from capsend.image.native.recipes import recipe_of
from capsend.image.native.sources import fetch

if TYPE_CHECKING:
    from collections.abc import Iterator

OUTCOMES: Final = ("passed", "failed", "skipped", "xfailed", "not collected", "ended")
"""The columns: `not collected` counts files that could not be imported, `ended` those that ended their process."""
_MOST_FAILURES: Final = 100


@attrs.frozen
class Suite:
    """The tests of one package, or of a part of it.

    Attributes:
        package: the package, as its recipe has it.
        files: patterns of the files, below the folder of the source.
        arranges: whether the `conftest.py` of the tests is used; numpy's needs packages that no process has.
        paths: folders of the source that the tests import from.
    """

    package: str
    files: tuple[str, ...]
    arranges: bool = True
    paths: tuple[str, ...] = ()


SUITES: Final = {
    f"numpy.{part}": Suite("numpy", (f"numpy/{part}/tests/test_*.py",), arranges=False)
    for part in ("fft", "linalg", "polynomial", "ma", "random", "lib", "_core")
} | {
    "markupsafe": Suite("MarkupSafe", ("tests/test_*.py",)),
    "msgpack": Suite("msgpack", ("test/test_*.py",)),
    "pyyaml": Suite("PyYAML", ("tests/test_*.py", "tests/legacy_tests/test_yaml*.py"), paths=("tests/legacy_tests",)),
    "regex": Suite("regex", ("regex/tests/test_*.py",)),
    "simplejson": Suite("simplejson", ("simplejson/tests/test_*.py",)),
}


def run(
    source: Dir, scratch: Dir, target: str, package: str, arranges: bool, paths: tuple[str, ...]
) -> tuple[dict[str, int], list[str]]:
    """Run one file of tests in this process.

    Returns:
        ({outcome: count}, [test: last line of its failure]).
    """
    import collections
    import os

    import pytest

    root = os.fspath(source)
    for name, module in list(sys.modules.items()):
        # The image has packages without their tests: these are found in the folder that was granted.
        if name.partition(".")[0] == package and hasattr(module, "__path__"):
            module.__path__ = [*module.__path__, f"{root}/{name.replace('.', '/')}"]
    sys.path[:0] = [f"{root}/{path}" for path in paths]
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
        "--import-mode=importlib",
        "--override-ini=addopts=",
        "--override-ini=filterwarnings=",
        f"--rootdir={root}",
        f"--basetemp={os.fspath(scratch)}/base",
        *([] if arranges else ["--noconftest"]),
        f"--deselect={target}::test_main",  # regex's runs the tests of `__main__`, which is this file
    ]
    pytest.main([f"{root}/{target}", *options, *plugins, "-m", "not slow"], plugins=[Counted()])
    return dict(counts), failures


def _last(text: object) -> str:
    lines = str(text).strip().splitlines() or [""]
    return lines[-1][:140]


def sources(suite: Suite, folder: Path) -> Path:
    """Return the folder that has the tests of a suite: that of the guest's package, or the sdist, unpacked into *folder*."""
    wheel = store.find(suite.package)
    recipe = recipe_of(suite.package)
    if wheel is None or recipe is None:
        sys.exit(f"{suite.package} is not built for processes. Build it: capsend image add {suite.package}")
    if not suite.arranges:
        return wheel.folder / "files"
    with tarfile.open(fetch(recipe.source(wheel.version), folder)) as archive:
        archive.extractall(folder, filter="data")
    return next(path for path in folder.iterdir() if path.is_dir())


def outcomes(
    suite: Suite, environment: Environment, source: Path, *, first: str = ""
) -> Iterator[tuple[str, dict[str, int], list[str]]]:
    """Yield (file, {outcome: count}, failures) of each file of a suite, beginning with the file named *first*."""
    for path in sorted(path for pattern in suite.files for path in source.glob(pattern)):
        if path.name < first:
            continue
        target = path.relative_to(source).as_posix()
        module = suite.package.lower()
        with tempfile.TemporaryDirectory() as scratch:
            given = (Dir(source, write=False), Dir(Path(scratch), write=True), target)
            outcome = environment.execute(run, *given, module, suite.arranges, suite.paths)
        if outcome.value is None:
            yield target, {"ended": 1}, [f"{target}: {str(outcome.error).splitlines()[0][:200]}"]
        else:
            yield target, *outcome.value


def main() -> None:
    """Print the table of the suites that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("suites", nargs="*", default=list(SUITES), choices=SUITES, help="suites to run (default: all)")
    parser.add_argument("--timeout", type=float, default=1_200, help="seconds for one file (default: 1200)")
    parser.add_argument("--first", default="", help="the file to begin with, by its name; those before it are left out")
    chosen = parser.parse_args()
    suites = {name: SUITES[name] for name in chosen.suites}
    # One image for all: whatever is built goes in, so that another choice of suites needs no other image.
    built = [package for package in dict.fromkeys(suite.package for suite in SUITES.values()) if store.find(package)]
    packages = [*built, "pytest"]
    environment = Environment(image=Image(packages=packages), timeout=chosen.timeout, memory=3 << 30, output=64 << 20)
    print(f"| file | {' | '.join(OUTCOMES)} |\n|---|{'---|' * len(OUTCOMES)}")
    told: list[str] = []
    for name, suite in suites.items():
        total: collections.Counter[str] = collections.Counter()
        with tempfile.TemporaryDirectory() as folder:
            for target, counts, failures in outcomes(
                suite, environment, sources(suite, Path(folder)), first=chosen.first
            ):
                print(_row(target, counts), flush=True)
                total.update(counts)
                told += failures
        print(_row(f"**{name}**", total), flush=True)
    print("\n" + "\n".join(f"* {line}" for line in told[:_MOST_FAILURES]))


def _row(name: str, counts: dict[str, int]) -> str:
    return f"| {name} | {' | '.join(str(counts.get(each, 0)) for each in OUTCOMES)} |"


if __name__ == "__main__":
    main()
