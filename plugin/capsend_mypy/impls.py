"""Explicit impls of classes: noted when mypy analyses the class, and reported if they contradict each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from capsend_traits import Trait, wording
from mypy import nodes as n
from mypy.typevars import fill_typevars

from capsend_mypy import codes, names
from capsend_mypy.spoils import Rule

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy.plugin import ClassDefContext

    from capsend_mypy.program import Program
    from capsend_mypy.reporting import Reporter

NEGATIVE: Final = "not_process_send"
UNSAFE: Final = "unsafe_process_send"
ASSERTED: Final = "process_send"
KEYS: Final = {NEGATIVE: "negative", UNSAFE: "unsafe", ASSERTED: "asserted"}


def recorder(fullname: str) -> Callable[[ClassDefContext], bool] | None:
    """Return the hook that notes an impl, for class decorators of capsend."""
    module, _, name = fullname.rpartition(".")
    if name not in KEYS or names.top(module) != "capsend":
        return None
    return lambda ctx: _record(ctx, name)


def check(definition: n.ClassDef, program: Program, reporter: Reporter, *, trait: Trait = Trait.PROCESS_SEND) -> None:
    """Report each part of a class that spoils its asserted trait, at the field if the class itself declares the field.

    The class's own type variables are assumed to have the trait: its impl is conditional on them.
    """
    info = definition.info
    judge = program.judge
    # The class's type with its own type variables as arguments: what `self` is in its methods.
    judged = fill_typevars(info)
    spoils = judge.conditional(judged, trait)
    program.consulted |= judge.modules
    program.provisional |= judge.provisional
    for spoil in spoils:
        leaf = spoil.of(info.name)
        field = leaf.path[len(info.name) + 1 :].partition(".")[0].partition("[")[0]
        symbol = info.names.get(field) if field else None
        # A field made by one of mypy's plugins has no line to report.
        own = symbol.node if symbol is not None and isinstance(symbol.node, n.Var) and symbol.node.line > 0 else None
        finding = wording.Finding(
            wording.Kind.FIELD if field else wording.Kind.CLASS, info.name, info.name, trait.value, (leaf,)
        )
        rule = spoil.rule if spoil.rule is Rule.ANY else Rule.BAD
        reporter.finding(finding, rule, own or definition, verb="asserted")


def _record(ctx: ClassDefContext, name: str) -> bool:
    # `metadata` is the place for a plugin's notes on a class: mypy's cache contains it.
    noted = dict(ctx.cls.info.metadata.get(names.METADATA, {}))
    # `ctx.reason` is the expression of the decorator: the call with its arguments, or the bare name.
    reason = _reason(ctx.reason)
    if name != ASSERTED and not (reason is None or reason.strip()):
        ctx.api.fail(
            f'@{name} needs its reason: it is shown in messages. Write @{name}("...").',
            ctx.reason,
            code=codes.IMPL,
        )
    key, other = KEYS[name], KEYS[UNSAFE if name == NEGATIVE else NEGATIVE]
    noted[key] = reason or ""
    if name != ASSERTED and other in noted and not noted.get("reported"):
        # mypy may analyse a class several times, and calls the hook each time.
        noted["reported"] = True
        ctx.api.fail(
            _contradiction(ctx.cls.name, reason or "", noted[other]), _first(ctx.cls, ctx.reason), code=codes.IMPL
        )
    # Not the whole decorator: metadata is written as JSON into mypy's cache.
    noted["line"] = ctx.reason.line
    ctx.cls.info.metadata[names.METADATA] = noted
    return True


def _contradiction(name: str, reason: str, other: str) -> str:
    return (
        f'class {name} has both a negative and an unsafe impl of ProcessSend: "{reason}" against "{other}". '
        "Keep one of @not_process_send and @unsafe_process_send."
    )


def _first(definition: n.ClassDef, given: n.Expression) -> n.Expression:
    """Return the first of a class's impl decorators, where contradictions are reported."""
    for decorator in definition.decorators:
        ref = decorator.callee if isinstance(decorator, n.CallExpr) else decorator
        # `fullname` is empty on a name that mypy has not bound; a class decorator's is bound before the hook is called.
        if isinstance(ref, n.RefExpr) and ref.fullname.rpartition(".")[2] in KEYS:
            return decorator
    return given


def _reason(expression: n.Expression) -> str | None:
    """Return the reason in an impl decorator; None if it is not a literal text, "" if it is missing."""
    if not isinstance(expression, n.CallExpr) or not expression.args:
        return ""
    given = expression.args[0]
    return given.value if isinstance(given, n.StrExpr) else None
