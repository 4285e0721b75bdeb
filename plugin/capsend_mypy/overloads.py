"""The removal of overloads from capsend's own calls: they are for other type checkers, and this plugin's own errors are better.

mypy tries every variant of an overloaded call: it would infer a lambda without the types that `spawn` expects, let the
plugin's errors decide which variant fits (python/mypy#7367), and list all variants for one wrong argument. Only the
implementation is left.
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
    """Leave only the implementation of each overloaded method of a class, before mypy analyses the class body.

    mypy analyses a class of a module from its cache only if a dependency of the module has changed; then it parses the
    module again, and calls no hook.
    """
    # A change of the tree in place: mypy has made no symbols of the body yet, and gives this hook no other way.
    body = ctx.cls.defs.body
    body[:] = [_implementation(each) for each in body]


def _implementation(statement: n.Statement) -> n.Statement:
    if not isinstance(statement, n.OverloadedFuncDef):
        return statement
    # The items as parsed: analysis removes the implementation from `items`.
    *variants, last = statement.unanalyzed_items
    overloaded = all(isinstance(each, n.Decorator) and _is_overload(each.original_decorators) for each in variants)
    return last if variants and overloaded else statement


def _is_overload(decorators: list[n.Expression]) -> bool:
    return any(isinstance(each, n.NameExpr) and each.name == "overload" for each in decorators)
