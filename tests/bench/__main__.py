"""`python -m tests.bench`: measure, print a table, and write JSON if asked."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

    from tests.bench.measuring import Row

_COMPARED = ("spawn", "ready", "rate", "memory", "bytes", "dicts", "inside", "start", "trip")
"""The rows that are compared by default."""


def main() -> int:
    """Return 0 when every promise is kept."""
    from rich.console import Console

    from tests.bench import rows
    from tests.bench.measuring import Row

    started = time.monotonic()
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("rows", nargs="*", help=f"which rows; all of them if none is named: {', '.join(rows.ROWS)}")
    parser.add_argument("--rounds", type=int, default=12, help="how often everything is measured (default: 12)")
    parser.add_argument("--json", type=Path, help="a file for the figures")
    parser.add_argument(
        "--compare", metavar="REV", help="measure this checkout and that commit in turn, and print ratios"
    )
    parser.add_argument("--pairs", type=int, default=5, help="how many pairs of runs are compared (default: 5)")
    chosen = parser.parse_args()
    names = chosen.rows or (
        list(_COMPARED) if chosen.compare else [name for name in rows.ROWS if name not in rows.ON_REQUEST]
    )
    if unknown := [name for name in names if name not in rows.ROWS]:
        parser.error(f"no such rows: {', '.join(unknown)}")
    if chosen.compare:
        return compared(chosen, names)
    console, measured, kept = Console(), [], True
    facts = rows.environment()
    for name, row in rows.measure(names, chosen.rounds):
        console.print(f"{name}: measured" if isinstance(row, Row) else f"[red]{name}: {row}")
        if isinstance(row, Row):
            measured.append((name, row))
            kept = kept and all(holds for _, _, holds in row.verdicts())
        else:
            kept = False
    console.print(table([row for _, row in measured]))
    console.print(f"[dim]{facts}")
    console.print(f"[dim]{time.monotonic() - started:.0f} s")
    for peer in rows.absent():
        console.print(f"[dim]not measured, since it is not there: {peer}")
    if chosen.json:
        data = {"environment": facts, "rows": [{"row": name, **row.as_json()} for name, row in measured]}
        chosen.json.write_text(json.dumps(data, indent=2) + "\n")
    return 0 if kept else 1


def compared(chosen: argparse.Namespace, names: list[str]) -> int:
    """Print how this checkout does beside another commit; return 0."""
    from rich.console import Console
    from rich.table import Table

    from tests.bench.compare import compare

    made = Table(title=f"this checkout by {chosen.compare}: below 1 it takes less, of rates it does less")
    for heading in ("what", "median", "from", "to"):
        made.add_column(heading, justify="left" if heading == "what" else "right")
    found = []
    for ratio in compare(chosen.compare, names, pairs=chosen.pairs, rounds=chosen.rounds):
        found.append(ratio.as_json())
        made.add_row(ratio.what, *(f"{value:.2f}" for value in (ratio.median, min(ratio.ratios), max(ratio.ratios))))
    Console().print(made)
    if chosen.json:
        chosen.json.write_text(json.dumps(found, indent=2) + "\n")
    return 0


def table(rows: list[Row]) -> Table:
    """Return the rows as a table: figures of all, and each promise with what it is kept by."""
    from rich.table import Table

    from tests.bench.measuring import US

    made = Table(title="capsend beside its peers: medians", show_lines=True)
    for heading in ("what", "figures", "promise", "measured", ""):
        made.add_column(heading, justify="right" if heading in {"measured"} else "left")
    for row in rows:
        figures = "\n".join(f"{name}: {shown(value)} {row.unit}" for name, value in row.figures.items())
        verdicts = row.verdicts()
        promises = "\n".join(
            f"{'at least' if p.at_least else 'at most'} {shown(p.bound)}{f' of {p.against}' if p.against else ' ' + row.unit}"
            f"{'' if p.of == US else f' ({p.of})'}"
            for p, _, _ in verdicts
        )
        values = "\n".join(shown(value) for _, value, _ in verdicts)
        marks = "\n".join("[green]kept" if holds else "[red]missed" for _, _, holds in verdicts)
        made.add_row(row.what, figures, promises, values, marks)
    return made


def shown(value: float) -> str:
    """Three digits that count."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


if __name__ == "__main__":
    sys.exit(main())
