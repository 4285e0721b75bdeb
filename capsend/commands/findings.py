"""The findings of the commands `doctor` and `explain`, as values for display."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterator


@attrs.frozen
class Finding:
    """One line of the doctor's report; `problem` has the fault and its cure, and is empty if there is none."""

    subject: str
    state: str
    problem: str = ""


@attrs.frozen
class Node:
    """One line of an explanation.

    Attributes:
        text: its subject, and the reason of the answer.
        good: True if the value can be sent.
        notes: further lines about it, such as the cure.
        children: the lines on which the answer rests.
    """

    text: str
    good: bool
    notes: tuple[str, ...] = ()
    children: tuple[Node, ...] = ()

    def lines(self, depth: int = 0) -> Iterator[str]:
        """Yield the tree as plain text, one level of indentation per level of the tree."""
        indent = "    " * depth
        yield f"{indent}{'yes' if self.good else 'NO '} {self.text}"
        for note in self.notes:
            yield f"{indent}        {note}"
        for child in self.children:
            yield from child.lines(depth + 1)
