"""The examples in the docstrings of real libraries answer in a process as they do on the host.

The libraries come from PyPI: two small ones by default, all of `libraries.py` with `CAPSEND_LIBRARIES=all`. With
`CAPSEND_LIBRARIES=cured`, refused examples are run again in the image that the cure names. `docs/differences.md` lists
the permitted differences.
"""

from __future__ import annotations

import collections
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "libraries"))

import libraries

if TYPE_CHECKING:
    from collections.abc import Iterator

    from libraries import Library

MODE = os.environ.get("CAPSEND_LIBRARIES", "")
CHOSEN = (*libraries.SMALL, *(libraries.MANY if MODE else ()))
GOOD = frozenset({"equal", "refused", "late", "unstable", "host fails"})
KEEPING_STATE = frozenset({"glom", "mpmath", "networkx", "pyrsistent"})
"""Libraries that note something in themselves whatever they are asked, which a process would lose, or whose own persistent structures are made of
lists: they are for an image, as their cures say. They are left out of the share that has to be equal at once, not of the share that has to be
equal at once or in the image that the cure names."""
# The page of differences names both: the order of sets, and texts of tracebacks, which glom puts into its messages.
ORDER_OF_SETS = re.compile(r"min_edge_dominating_set|minimum_cycle_basis")
FILES_THREADS_AND_NETWORK = re.compile(
    r"boltons\.(fileutils|ioutils|pathutils)\.|callback_iter|validators\.(IsDir|IsFile|PathExists|truth)|petl\.(io|util\.lookups)\.|readwrite"
)


@pytest.fixture(scope="module")
def counts() -> Iterator[dict[bool, collections.Counter[str]]]:
    """The classes of all that was run, by whether the library keeps state; what is equal in the image of its cure is "cured"."""
    total: dict[bool, collections.Counter[str]] = {True: collections.Counter(), False: collections.Counter()}
    yield total
    plain, every = total[False], total[False] + total[True]
    print(f"{_judged(plain)} groups: {dict(plain)}; with the libraries that keep state {_judged(every)}: {dict(every)}")
    assert plain["equal"] + plain["cured"] >= 0.85 * _judged(plain)
    if MODE == "cured":
        assert every["equal"] + every["cured"] >= 0.9 * _judged(every)


def _judged(counted: collections.Counter[str]) -> int:
    return sum(counted.values()) - counted["unstable"] - counted["host fails"]


def _class_of(row: dict[str, Any]) -> str:
    return "cured" if row.get("cured", {}).get("class") == "equal" else str(row["class"])


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("library", CHOSEN, ids=[library.name for library in CHOSEN])
def test_examples_answer_as_on_the_host_or_are_refused(
    library: Library, tmp_path: Path, counts: dict[bool, collections.Counter[str]]
) -> None:
    """Accepted examples give the same result, and `spawn` raises only errors of capsend."""
    rows = libraries.run(library, libraries.install(library, tmp_path), cured=MODE == "cured")
    counts[library.name in KEEPING_STATE].update(map(_class_of, rows.values()))
    cures = collections.Counter(row["cured"]["class"] for row in rows.values() if "cured" in row)
    print(library.name, len(rows), dict(collections.Counter(row["class"] for row in rows.values())), dict(cures))
    bad = {
        name: row
        for name, row in rows.items()
        if row["class"] not in GOOD and not (row["class"] == "differs" and FILES_THREADS_AND_NETWORK.search(name))
    }
    bad |= {
        name: row["cured"]
        for name, row in rows.items()
        if row.get("cured", {}).get("class") in {"raw error", "fails inside", "differs"}
        and not FILES_THREADS_AND_NETWORK.search(name)
        and not ORDER_OF_SETS.search(name)
        and "Traceback (most recent call last)" not in str(row["cured"])
    }
    assert not bad, "\n".join(f"{name}: {row}" for name, row in list(bad.items())[:5])
