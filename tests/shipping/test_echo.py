"""The echo: generated programs give the same answer in a process as on the host, or they are refused.

`CAPSEND_ECHO=20000` runs the long form: each program under every hash seed, and mypy over all of them.
"""

from __future__ import annotations

import collections
import os
import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "echo"))

import driver
from driver import Verdict
from known import is_open

from capsend import Image

COUNT = int(os.environ.get("CAPSEND_ECHO", "2000"))
IS_LONG = COUNT > 2000
BATCH = 2000
ASKED = 5
"""One in so many programs is also type-checked, in the short form."""
PREPARED = 8
"""One in so many programs is also prepared under the other seeds, in the short form."""

pytestmark = pytest.mark.timeout(7200)


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> list[Verdict]:
    """All programs with what they got."""
    Image().ensure()  # else the first programs wait for it, and each has a limit
    found: list[Verdict] = []
    for first in range(0, COUNT, BATCH):
        folder = tmp_path_factory.mktemp("echo")
        numbers = range(first, min(first + BATCH, COUNT))
        programs = driver.written(numbers)
        batch = driver.run(programs, folder) if IS_LONG else driver.run_spread(programs, folder, every=PREPARED)
        driver.ask_mypy(batch if IS_LONG else batch[::ASKED], folder)
        found += batch
    counts = collections.Counter(verdict.kind for verdict in found)
    print(f"{len(found)} programs: {dict(counts)}")
    return found


def _tell(wrong: list[Verdict], folder: Path) -> str:
    small = driver.shrink(wrong[:3], folder) if wrong else []
    return f"{len(wrong)} programs, such as:\n" + "\n\n".join(verdict.report() for verdict in small)


def test_what_is_accepted_answers_as_on_the_host(verdicts: list[Verdict], tmp_path: Path) -> None:
    """An answer of a process is the host's; what cannot be is refused, and nothing but a refusal or the function's own exception comes out."""
    wrong = [v for v in verdicts if v.kind not in {*driver.GOOD, "seeds"} and not is_open(v.kind, _texts(v))]
    assert not wrong, _tell(wrong, tmp_path)


def test_hash_seeds_change_nothing(verdicts: list[Verdict]) -> None:
    """Under every hash seed a program is written down byte for byte as under the others, or refused."""
    wrong = [v for v in verdicts if v.kind == "seeds" and not is_open(v.kind, _texts(v))]
    assert not wrong, f"{len(wrong)} programs, such as:\n" + "\n\n".join(verdict.report() for verdict in wrong[:3])


def test_the_plugin_accepts_nothing_that_spawn_refuses_for_a_reason_that_it_could_see(verdicts: list[Verdict]) -> None:
    """Programs refused by the run time only have an `Any`, an ignore, or a statement that mypy cannot follow."""
    accepted = [v for v in verdicts if v.static == "" and not is_open("static", _texts(v))]
    wrong = [v for v in accepted if v.kind in {"refused", "lost"} and not _is_hidden(v)]
    assert not wrong, f"{len(wrong)} programs, such as:\n" + "\n\n".join(verdict.report() for verdict in wrong[:3])


def test_lost_writes_are_refused_by_both(verdicts: list[Verdict]) -> None:
    """A write that would be lost is refused by mypy and by `spawn`."""
    wrong = [v for v in verdicts if v.program.loses and v.static == "" and not _is_hidden(v)]
    assert not wrong, f"{len(wrong)} programs, such as:\n" + "\n\n".join(verdict.report() for verdict in wrong[:3])


def _texts(verdict: Verdict) -> str:
    return "\n".join(text.partition("import PerProcess, spawn\n")[2] for text in verdict.program.files().values())


def _is_hidden(verdict: Verdict) -> bool:
    """Tell whether a program hides something from a type checker."""
    hides = r"\bAny\b|setattr|delattr|globals\(\)|vars\(|__dict__|type: ignore|sys\.modules|type\(|__import__"
    return re.search(hides, _texts(verdict)) is not None


def test_the_programs_are_worth_it(verdicts: list[Verdict]) -> None:
    """A good part is accepted, a good part is refused, and nearly all run on the host."""
    counts = collections.Counter(verdict.kind for verdict in verdicts)
    assert counts["invalid"] < 0.02 * len(verdicts)
    assert counts["equal"] > 0.4 * len(verdicts)
    assert counts["refused"] > 0.1 * len(verdicts)
