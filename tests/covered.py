"""The test suite with its branch coverage: `python -P tests/covered.py`, with arguments for pytest; a table of rooms comes last, and no gate.

Covered is what the OS processes of pytest itself run. Processes that tests start, such as command lines, nodes and mypy's daemon, are not
counted, nor is `capsend/guest`, which runs in guests only.
"""

from __future__ import annotations

import collections
import importlib.util
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

PACKAGES: Final = ("capsend", "capsend_mypy", "capsend_traits")
_ONLY_IN_GUESTS: Final = "capsend/guest"
_IGNORED: Final = (
    "ignore:Module already imported:pytest.PytestAssertRewriteWarning",  # Slipcover's own plugin is loaded before pytest
    "ignore:Unable to activate pytest branch coverage:RuntimeWarning",  # of the test files, which are not measured
)


def main(arguments: list[str]) -> int:
    """Run pytest with these arguments; return its exit code."""
    folders = [_folder(name) for name in PACKAGES]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "coverage.json"
        done = subprocess.run(
            [
                *(sys.executable, "-P", "-m", "slipcover", "--branch", "--json", "--out", path),
                *("--source", ",".join(map(str, folders)), "--omit", f"*/{_ONLY_IN_GUESTS}/*"),
                *("-m", "pytest", *(option for text in _IGNORED for option in ("-W", text)), *arguments),
            ],
            check=False,
        )
        if path.exists():
            print(*table(json.loads(path.read_text()), folders), sep="\n")
    return done.returncode


def _folder(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]).resolve()


def table(coverage: dict[str, Any], folders: list[Path]) -> list[str]:
    """Return lines with the share of the lines and of the branches that ran, room by room, and of all."""
    counts: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for name, file in coverage["files"].items():
        for room in (_room(Path(name).resolve(), folders), "all"):
            counts[room].update({key: file["summary"][key] for key in _KEYS})
    rows = [f"{'branch coverage':<28}{'lines':>8}{'branches':>10}"]
    rows += [f"{room:<28}{_share(of, 'lines'):>8}{_share(of, 'branches'):>10}" for room, of in sorted(counts.items())]
    return rows


_KEYS: Final = ("covered_lines", "missing_lines", "covered_branches", "missing_branches")


def _share(counts: collections.Counter[str], what: str) -> str:
    covered, missing = counts[f"covered_{what}"], counts[f"missing_{what}"]
    return f"{100 * covered / (covered + missing):.1f} %" if covered + missing else "-"


def _room(path: Path, folders: list[Path]) -> str:
    for folder in folders:
        if path.is_relative_to(folder):
            below = path.relative_to(folder).parts
            return "/".join([folder.name, *below[:-1][:1]])
    return "other"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
