"""The examples in the docstrings of real libraries answer in a process as they do on the host.

The libraries come from PyPI: two small ones by default, all of `libraries.py` with `CAPSEND_LIBRARIES=all`.
"""

from __future__ import annotations

import collections
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).parent / "libraries"))

import libraries

if TYPE_CHECKING:
    from libraries import Library

CHOSEN = (*libraries.SMALL, *(libraries.MANY if os.environ.get("CAPSEND_LIBRARIES") == "all" else ()))
GOOD = frozenset({"equal", "refused", "late", "unstable", "host fails"})


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("library", CHOSEN, ids=[library.name for library in CHOSEN])
def test_examples_answer_as_on_the_host_or_are_refused(
    library: Library, tmp_path: Path, record_property: pytest.RecordProperty
) -> None:
    """What is accepted gives the same, and nothing but an error of capsend's comes out of `spawn`."""
    rows = libraries.run(library, libraries.install(library, tmp_path))
    counts = collections.Counter(row["class"] for row in rows.values())
    record_property("counts", dict(counts))
    print(library.name, len(rows), dict(counts))
    bad = {name: row for name, row in rows.items() if row["class"] not in GOOD}
    assert not bad, "\n".join(f"{name}: {row}" for name, row in list(bad.items())[:5])
    judged = len(rows) - counts["unstable"] - counts["host fails"]
    assert counts["equal"] >= 0.85 * judged, f"{counts}: " + "; ".join(
        row["text"].splitlines()[0] for row in rows.values() if row["class"] == "refused"
    )
