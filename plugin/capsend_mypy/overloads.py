"""Takes the overloads of capsend's own calls away, which are for other type checkers: this plugin's own errors are better.

mypy tries an overloaded call once for each variant: it would infer a lambda without the types that `spawn` expects, let errors of the plugin
decide which variant fits (python/mypy#7367), and list all variants where one argument is wrong. The implementation is left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mypy import nodes as n

if TYPE_CHECKING:
    from mypy.plugin import ClassDefContext

CLASSES: Final = frozenset(
    {
        "capsend.environment.Environment",
        "capsend.executor.Executor",
        "capsend.group.ProcessGroup",
        "capsend.process.Process",
        "capsend.spawning.Spawnable",
        "capsend.spawning._Spawn",
    }
)


def take_away(ctx: ClassDefContext) -> None:
    """Leave each overloaded method of a class with its implementation alone, before mypy analyses the body of the class.

    mypy analyses a class of a module that it reads from its cache only when something that the module depends on has changed; then it parses the
    module anew, and asks no hook for that.
    """
    body = ctx.cls.defs.body
    body[:] = [_implementation(each) for each in body]


def _implementation(statement: n.Statement) -> n.Statement:
    if not isinstance(statement, n.OverloadedFuncDef):
        return statement
    # The items as parsed: analysis takes the implementation out of `items`.
    *variants, last = statement.unanalyzed_items
    overloaded = all(isinstance(each, n.Decorator) and _is_overload(each.original_decorators) for each in variants)
    return last if variants and overloaded else statement


def _is_overload(decorators: list[n.Expression]) -> bool:
    return any(isinstance(each, n.NameExpr) and each.name == "overload" for each in decorators)
