"""Findings as mypy errors: the headline at the captured name, notes below it, the spawn as their origin."""

from __future__ import annotations

import ast
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from capsend_traits import wording

from capsend_mypy import codes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mypy.errors import ErrorInfo
    from mypy.messages import MessageBuilder
    from mypy.nodes import Context

    from capsend_mypy.modules import Modules
    from capsend_mypy.spoils import Rule
    from capsend_mypy.summary import Failure, Hop

UNEXPECTED = "unexpected {error} in the capsend plugin while it checked this. Please report it, with the code that it happened on"


class Reporter:
    """Reports the findings of one check, at places in one file.

    Args:
        checker: mypy's checker of the file; its class is compiled and has no public interface for this.
        origin: the checked call or decorator; `type: ignore` works on its lines too.
    """

    def __init__(self, checker: Any, modules: Modules, origin: Context) -> None:
        self.checker = checker
        self.modules = modules
        self.origin = origin
        self.count = 0
        self.reported: list[ErrorInfo] = []

    def finding(
        self, finding: wording.Finding, rule: Rule, place: Context, *, elsewhere: bool = False, verb: str = "spawned"
    ) -> None:
        """Report one finding at a place of the checked file.

        Args:
            finding: the finding.
            rule: the rule that applies if the type has too little information.
            place: the place of the error.
            elsewhere: True if the captured name itself is in another file, which the notes then name.
            verb: the name of the origin in the last note.
        """
        self.count += 1
        message = self.checker.msg
        code = codes.code_of(finding, rule)
        headline = wording.headline(finding)
        if _is_known(message, headline, place, code.code):
            return
        notes = wording.notes(finding, place=elsewhere or bool(finding.via))
        if place.line != self.origin.line:
            notes.append(f"{verb} in line {self.origin.line}")
        with unwatched(message):
            # `origin_context` makes `type: ignore` work on the line of the spawn too; the caret stays at the capture.
            error = message.fail(headline, place, code=code, origin_context=self.origin)
            self.reported.append(error)
            for note in notes:
                # `parent_error` keeps a note with its error where mypy sorts by place, and drops it with the error where an ignore silences it.
                message.note(note, place, parent_error=error, origin_context=self.origin)

    def failure(self, failure: Failure, place: Context, *, trail: Sequence[str] = (), verb: str = "spawned") -> None:
        """Report why a function cannot run in another process, at the last place in this file on the path to the reason."""
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
        module, local = self.modules.split(hop.function)
        file = self.modules.files.get(module)
        if file is None:
            return {}
        line = (
            hop.place.line
            if hop.place is not None and hop.place.module == module
            else find_line(file.path, local, variable)
        )
        return {"file": self.checker.msg.errors.simplify_path(file.path), "line": line}

    def unexpected(self, error: Exception) -> None:
        """Report an unexpected exception as an error: a crash would suppress all other messages."""
        text = UNEXPECTED.format(error=f"{type(error).__name__}: {error}")
        with unwatched(self.checker.msg):
            self.checker.msg.fail(text, self.origin, code=codes.INTERNAL)


@contextmanager
def unwatched(message: MessageBuilder) -> Iterator[None]:
    """Report past mypy's trials of a call, which treat any error in an argument as a reason to reject an overload.

    It also keeps the notes: mypy reports an expression's remembered errors again as the same objects, and drops the
    notes of both.
    """
    errors = message.errors
    watchers, errors._watchers = errors._watchers, []  # noqa: SLF001 - mypy has no public way to report during a trial
    try:
        yield
    finally:
        errors._watchers = watchers  # noqa: SLF001 - see above


def forget(message: MessageBuilder, reported: Sequence[ErrorInfo]) -> None:
    """Remove errors of this file, and their notes, after a better check of the same expression."""
    gone = {id(error) for error in reported}
    # Errors wait there until mypy is done with the file: only then are they sorted and printed.
    known = message.errors.error_info_map.get(message.errors.file)
    if known is not None:
        # In place, as mypy goes on adding to this very list.
        known[:] = [info for info in known if id(info) not in gone and id(info.parent_error) not in gone]


def _is_known(message: MessageBuilder, headline: str, place: Context, code: str) -> bool:
    """Return whether this was reported before: a check in another context may have shown another type."""
    head = headline.partition('" is ')[0]
    return any(
        info.line == place.line
        and info.column == place.column
        and info.severity == "error"
        and info.code is not None
        and info.code.code == code
        and info.message.partition('" is ')[0] == head
        for info in message.errors.error_info_map.get(message.errors.file, ())
    )


def find_line(path: str, local: str, variable: str) -> int:
    """Return the line in which a function mentions a name: summaries contain no lines, as a moved line is no change."""
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
