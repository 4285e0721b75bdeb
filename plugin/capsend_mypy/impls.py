"""Explicit impls of classes: notes them where mypy analyses the class, and reports those that contradict themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mypy import nodes as n

from capsend_mypy import codes, names

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy.plugin import ClassDefContext

NEGATIVE: Final = "not_process_send"
UNSAFE: Final = "unsafe_process_send"
ASSERTED: Final = "process_send"
KEYS: Final = {NEGATIVE: "negative", UNSAFE: "unsafe", ASSERTED: "asserted"}


def recorder(fullname: str) -> Callable[[ClassDefContext], bool] | None:
    """Return the hook that notes an impl, if a class decorator is one of capsend's."""
    module, _, name = fullname.rpartition(".")
    if name not in KEYS or names.top(module) != "capsend":
        return None
    return lambda ctx: _record(ctx, name)


def _record(ctx: ClassDefContext, name: str) -> bool:
    noted = dict(ctx.cls.info.metadata.get(names.METADATA, {}))
    reason = _reason(ctx.reason)
    if name != ASSERTED and not (reason is None or reason.strip()):
        ctx.api.fail(f'@{name} needs its reason: it is shown to whoever meets it. Write @{name}("...").', ctx.reason, code=codes.IMPL)
    key, other = KEYS[name], KEYS[UNSAFE if name == NEGATIVE else NEGATIVE]
    noted[key] = reason or ""
    if name != ASSERTED and other in noted and not noted.get("reported"):
        noted["reported"] = True
        ctx.api.fail(_contradiction(ctx.cls.name, reason or "", noted[other]), _first(ctx.cls, ctx.reason), code=codes.IMPL)
    noted["line"] = ctx.reason.line
    ctx.cls.info.metadata[names.METADATA] = noted
    return True


def _contradiction(name: str, reason: str, other: str) -> str:
    return (
        f'class {name} has both a negative and an unsafe impl of ProcessSend: "{reason}" against "{other}". '
        "Keep one of @not_process_send and @unsafe_process_send."
    )


def _first(definition: n.ClassDef, given: n.Expression) -> n.Expression:
    """Return the first of a class's impl decorators, which is where a contradiction is reported."""
    for decorator in definition.decorators:
        ref = decorator.callee if isinstance(decorator, n.CallExpr) else decorator
        if isinstance(ref, n.RefExpr) and ref.fullname.rpartition(".")[2] in KEYS:
            return decorator
    return given


def _reason(expression: n.Expression) -> str | None:
    """Return the reason in an impl decorator; None if it is no literal text, "" if there is none."""
    if not isinstance(expression, n.CallExpr) or not expression.args:
        return ""
    given = expression.args[0]
    return given.value if isinstance(given, n.StrExpr) else None
