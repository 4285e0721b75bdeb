"""Turns findings into mypy's errors: the headline at the captured name, notes below it, the spawn as their origin."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from capsend_traits import wording

from capsend_mypy import codes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy.nodes import Context

    from capsend_mypy.judge import Rule
    from capsend_mypy.program import Program
    from capsend_mypy.summary import Failure, Hop

UNEXPECTED = "unexpected {error} in the capsend plugin while it checked this. Please report it, with the code that it happened on"


class Reporter:
    """Reports what one check found, at the places of one file.

    Args:
        checker: mypy's checker of the file; its class is compiled and has no public interface for this.
        origin: the call or decorator that the check is for; `type: ignore` works on its lines too.
    """

    def __init__(self, checker: Any, program: Program, origin: Context) -> None:
        self.checker = checker
        self.program = program
        self.origin = origin
        self.count = 0

    def finding(
        self, finding: wording.Finding, rule: Rule, place: Context, *, elsewhere: bool = False, verb: str = "spawned"
    ) -> None:
        """Report one finding at a place of the checked file.

        Args:
            finding: what to report.
            rule: what its type says too little about.
            place: where the caret belongs.
            elsewhere: whether the captured name itself is in another file, which the notes then name.
            verb: how the note at the end calls the origin.
        """
        self.count += 1
        message = self.checker.msg
        code = codes.code_of(finding, rule)
        error = message.fail(wording.headline(finding), place, code=code, origin_context=self.origin)
        notes = wording.notes(finding, place=elsewhere or bool(finding.via))
        if place.line != self.origin.line:
            notes.append(f"{verb} in line {self.origin.line}")
        for note in notes:
            message.note(note, place, parent_error=error, origin_context=self.origin)

    def failure(self, failure: Failure, place: Context, *, trail: Sequence[str] = (), verb: str = "spawned") -> None:
        """Report why a function cannot run in another process, at the last place on the way to it that this file has."""
        here = self.checker.tree.fullname
        hops = failure.hops
        known = [hop for hop in hops if hop.place is not None and hop.place.module == here]
        last = hops[-1] if hops else None
        finding = self._placed(failure.finding, hops, trail)
        elsewhere = bool(hops) and (last not in known)
        if elsewhere and last is not None:
            finding = replace(finding, **self._located(last, failure.finding.variable))
        spot = known[-1].place.context() if known and known[-1].place is not None else place
        self.finding(finding, failure.rule, spot, elsewhere=elsewhere, verb=verb)

    @staticmethod
    def _placed(finding: wording.Finding, hops: Sequence[Hop], trail: Sequence[str]) -> wording.Finding:
        way = [*trail, *(hop.function.rpartition(".")[2] for hop in hops if hop.function)]
        return replace(finding, function=way[-1], via=tuple(way[:-1])) if way else finding

    def _located(self, hop: Hop, variable: str) -> dict[str, Any]:
        module, local = self.program.split(hop.function)
        file = self.program.files.get(module)
        if file is None:
            return {}
        line = (
            hop.place.line
            if hop.place is not None and hop.place.module == module
            else find_line(file.path, local, variable)
        )
        return {"file": self.checker.msg.errors.simplify_path(file.path), "line": line}

    def unexpected(self, error: Exception) -> None:
        """Report a surprise as an error of its own, as a crash would take every other message with it."""
        text = UNEXPECTED.format(error=f"{type(error).__name__}: {error}")
        self.checker.msg.fail(text, self.origin, code=codes.INTERNAL)


def find_line(path: str, local: str, variable: str) -> int:
    """Return the line in which a function mentions a name: summaries hold no lines, as a shifted line is no change."""
    try:
        with open(path, encoding="utf-8") as file:
            node: ast.AST = ast.parse(file.read())
    except (OSError, SyntaxError, ValueError):
        return 0
    for part in local.split("."):
        found = (
            inner
            for inner in ast.walk(node)
            if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and inner.name == part
        )
        node = next(found, node)
    name = variable.rpartition(".")[2]
    for inner in ast.walk(node):
        if (isinstance(inner, ast.Name) and inner.id == name) or (
            isinstance(inner, ast.Attribute) and inner.attr == name
        ):
            return inner.lineno
    return getattr(node, "lineno", 0)
