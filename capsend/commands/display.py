"""The output of the command line: colours, boxes and progress bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import textwrap
from typing import TYPE_CHECKING, Final

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from capsend.commands.findings import Finding, Node

_PIPE_WIDTH: Final = 120


def console(*, stderr: bool = False) -> Console:
    """Return a console for standard output or standard error; without a terminal it does not break lines."""
    made = Console(stderr=stderr, highlight=False, soft_wrap=False, emoji=False, markup=False)
    if not made.is_terminal:
        width = int(os.environ.get("COLUMNS", _PIPE_WIDTH)) if os.environ.get("COLUMNS", "").isdigit() else _PIPE_WIDTH
        made = Console(stderr=stderr, highlight=False, soft_wrap=True, emoji=False, markup=False, width=width)
    return made


def show_tree(node: Node, to: Console) -> None:
    """Write an explanation."""
    if to.is_terminal:
        to.print(_branch(node))
    else:
        for line in node.lines():
            to.print(line)


def show_finding(finding: Finding, to: Console) -> None:
    """Write a line of the doctor's report."""
    word = "PROBLEM" if finding.problem else "ok"
    told = " ".join(part for part in (finding.state, finding.problem) if part)
    if not to.is_terminal:
        to.print(f"{word:8}{finding.subject:18}{told}")
        return
    line = Table.grid(padding=(0, 1))
    line.add_column(width=7, style="bold red" if finding.problem else "green")
    line.add_column(width=17)
    line.add_column(overflow="fold")
    line.add_row(word, finding.subject, told)
    to.print(line)


def table(*columns: str, to: Console, right: Sequence[str] = (), wrapped: str = "") -> Table:
    """Return an empty table with these columns.

    Columns in *right* contain numbers, and only one column may take several lines. Words are not broken.
    """
    made = Table(box=box.SIMPLE_HEAD if to.is_terminal else None, pad_edge=False, show_edge=False)
    for column in columns:
        made.add_column(
            column, justify="right" if column in right else "left", overflow="ellipsis", no_wrap=column != wrapped
        )
    return made


def hanging(text: str, width: int) -> str:
    """Break long lines; a continuation is indented a little more than its line."""
    lines = []
    for line in text.splitlines():
        indent = line[: len(line) - len(line.lstrip())]
        lines += textwrap.wrap(line, width, subsequent_indent=f"{indent}  ", break_on_hyphens=False) or [""]
    return "\n".join(lines)


def megabytes(size: float) -> str:
    """Name a number of bytes for people: `54.1 MB`."""
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"


def _branch(node: Node) -> Tree:
    branch = Tree(_label(node), guide_style="dim")
    for child in node.children:
        branch.children.append(_branch(child))
    return branch


def _label(node: Node) -> Text:
    mark = Text("yes ", style="green") if node.good else Text("no  ", style="bold red")
    return mark + Text.assemble(*_pieces(node))


def _pieces(node: Node) -> Iterator[Text]:
    yield Text(node.text, style="" if node.good else "bold")
    for note in node.notes:
        yield Text(f"\n{note}", style="cyan" if note.startswith("Instead:") else "dim")
