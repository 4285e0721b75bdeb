"""`python -m tests.bench.figures FILE`: write the figures of the README and the documents from what `--json` wrote, so that they agree."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any, Final

from tests.bench.measuring import ROOT, US

Figures = dict[str, dict[str, float]]
"""{row: {contestant: figure}}."""

_PLACES: Final = {
    "README.md": (
        (
            "* A process starts in",
            (
                " {spawn} ms and takes {memory} MB; `multiprocessing` with spawn takes "
                "{spawn:multiprocessing spawn} ms and {memory:multiprocessing spawn} MB."
            ),
        ),
    ),
    "docs/figures.md": (
        (
            "| spawn to result, fresh process |",
            (" {spawn} ms | `multiprocessing` spawn {spawn:multiprocessing spawn} ms, pyeryx {spawn:pyeryx} ms, subinterpreter "
            "{spawn:subinterpreter} ms |"),
        ),
        ("| spawns per second, one after the other |", " {rate} | pyeryx {rate:pyeryx}, `multiprocessing` fork {rate:multiprocessing fork} |"),
        (
            "| spawns per second, 100 at once |",
            (" {rate:capsend, 100 at once} | pyeryx, 4 threads {rate:pyeryx, 4 threads}, `multiprocessing` fork, 20 at once "
            "{rate:multiprocessing fork, 20 at once} |"),
        ),
        ("| one more live process |", " {memory} MB | `multiprocessing` spawn {memory:multiprocessing spawn} MB |"),
        ("| live processes at once |", " {live}, started in {live:seconds to start} s | |"),
        ("| speed-up of two busy processes on two cores |", " {cores} | `multiprocessing` fork {cores:multiprocessing fork} |"),
        ("| round trip of 1 MB of bytes |", " {bytes} ms | a kept `ProcessPoolExecutor` {bytes:ProcessPoolExecutor, kept} ms |"),
        ("| round trip of 10,000 small dicts |", " {dicts} ms | a kept `ProcessPoolExecutor` {dicts:ProcessPoolExecutor, kept} ms |"),
        ("| round trip of a number, as messages |", " {trip} us | `multiprocessing.Pipe` {trip:multiprocessing.Pipe} us |"),
        ("| host function, called from a process |", " {call} us | pyeryx {call:pyeryx} us |"),
        ("| messages per second into one mailbox |", " {mailbox} | |"),
        ("| pure Python in a process, as a fraction of the host's speed |", " {speed} | |"),
        ("| interpreter start to first result |", " {start} s | `multiprocessing` spawn {start:multiprocessing spawn} s |"),
        ("| spawn to end of a process in WAT |", " {guest-spawn} ms | a process in Python {spawn} ms |"),
    ),
    "docs/guests.md": (
        ("| spawn to end of a process that does nothing |", " {guest-spawn} ms | | | {spawn} ms |"),
    ),
    "docs/comparison.md": (
        ("| capsend | WebAssembly, CPython | refused, with the variable's name |", " {memory} MB |"),
        ("| one more costs |", " {memory} MB, {spawn} ms; compiled, 50 kB, {guest-spawn} ms |"),
    ),
}  # fmt: skip
"""{document: [(the beginning of a table row, the form of the text after it, with figures)]}; the cells after that text are kept."""


def main() -> int:
    """Write the figures of all rows that were measured; return 1 if a document lacks a row."""
    measured: list[dict[str, Any]] = json.loads(Path(sys.argv[1]).read_text())["rows"]
    figures: Figures = {row["row"]: row["figures"] for row in measured}
    missing = 0
    for document, rows in _PLACES.items():
        path = ROOT / document
        text = path.read_text(encoding="utf-8")
        for begin, form in rows:
            written = written_row(form, figures)
            if f"\n{begin}" not in text:
                print(f"{document} has no row {begin}")
                missing = 1
            elif written is not None:
                text = replaced(text, begin, written)
        path.write_text(text, encoding="utf-8")
    return missing


def written_row(form: str, figures: Figures) -> str | None:
    """Return a form with its figures filled in; None if a figure was not measured."""

    def figure(found: re.Match[str]) -> str:
        row, _, contestant = found[1].partition(":")
        return shown(figures[row][contestant or US])

    try:
        return re.sub(r"\{(.+?)\}", figure, form)
    except KeyError:
        return None


def replaced(text: str, begin: str, written: str) -> str:
    """Return a text with the cells of one row of a table replaced, as many as are written, or the rest of a line that is no row."""
    start = text.index(f"\n{begin}") + len(begin) + 1
    end = start if "|" in written else text.index("\n", start)
    for _ in range(written.count("|")):
        end = text.index("|", end) + 1
    return text[:start] + written + text[end:]


def shown(value: float) -> str:
    """Two digits that count."""
    if value >= 100:
        digits = len(str(int(value))) - 2
        return f"{round(value / 10**digits) * 10**digits:,}"
    return f"{value:.2g}" if value < 10 else f"{value:.0f}"


if __name__ == "__main__":
    sys.exit(main())
