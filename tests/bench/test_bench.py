"""The tools around the benchmarks: figures of documents come from one file, and a commit is compared with another."""

from __future__ import annotations

import json

from tests.bench import figures
from tests.bench.measuring import ROOT


def test_figures_are_written_into_their_rows() -> None:
    """The cells that hold figures are replaced, those behind them stay."""
    text = "a\n| one more costs | 1.1 MB, 2.5 ms; compiled, 50 kB, 0.2 ms | 2.6 kB | else |\nb"
    form = " {memory} MB, {spawn:other} ms |"
    written = figures.written_row(form, {"memory": {"capsend": 0.94}, "spawn": {"other": 1234.0}})
    assert written == " 0.94 MB, 1,200 ms |"
    assert (
        figures.replaced(text, "| one more costs |", written)
        == "a\n| one more costs | 0.94 MB, 1,200 ms | 2.6 kB | else |\nb"
    )


def test_row_that_was_not_measured_stays() -> None:
    """A run of a few rows changes only these."""
    assert figures.written_row(" {spawn} ms, {rate} |", {"spawn": {"capsend": 1.0}}) is None


def test_every_place_of_a_figure_is_there() -> None:
    """No document has lost a row that the command writes."""
    for document, rows in figures._PLACES.items():
        text = (ROOT / document).read_text(encoding="utf-8")
        assert [begin for begin, _ in rows if text.count(f"\n{begin}") != 1] == []


def test_rows_name_contestants_of_the_benchmarks() -> None:
    """Every row that a document needs is one that is measured."""
    from tests.bench.rows import ROWS

    named = {name for rows in figures._PLACES.values() for _, form in rows for name in _names(form)}
    assert named <= set(ROWS), json.dumps(sorted(named - set(ROWS)))


def _names(form: str) -> set[str]:
    import re

    return {found.partition(":")[0] for found in re.findall(r"\{(.+?)\}", form)}
