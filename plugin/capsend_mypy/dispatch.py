"""Single dispatch: the functions that `register` adds to a generic function, whose call may run them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mypy import nodes as n

from capsend_mypy import mentions, names, outline, syntax

if TYPE_CHECKING:
    from collections.abc import Iterator

REGISTER: Final = "register"


def local_name(generic: str) -> str:
    """Return the name under which a module stores its registrations with another module's generic function."""
    return f"@{generic}"


def implementations(file: n.MypyFile) -> Iterator[tuple[str, list[mentions.Ref]]]:
    """Yield (local name of a generic function, references of its implementations) of a module."""
    yield from _of_body(file.defs, file.fullname)


def _of_body(body: list[n.Statement], module: str) -> Iterator[tuple[str, list[mentions.Ref]]]:
    for statement in syntax.outer_statements(body):
        if isinstance(statement, n.Decorator):
            # mypy removes the decorators that it handles itself from the first list.
            for expression in (*statement.decorators, *statement.original_decorators):
                generic = _generic(expression, module)
                if generic is not None:
                    yield generic, outline.refs_of(statement.func, module)
                    break
        elif isinstance(statement, n.ExpressionStmt) and isinstance(statement.expr, n.CallExpr):
            generic = _generic(statement.expr, module)
            for argument in statement.expr.args if generic is not None else ():
                refs = outline.callable_refs(argument, module)
                if generic is not None and refs:
                    yield generic, refs
        elif isinstance(statement, n.ClassDef):
            yield from _of_body(statement.defs.body, module)


def _generic(expression: n.Expression, module: str) -> str | None:
    """Return the function on which `register` is called or looked up: the local name of the module's own, or else its `local_name`."""
    # `@show.register(int)` is a call of a call; `@show.register` without one names the type by an annotation.
    while isinstance(expression, n.CallExpr):
        expression = expression.callee
    if (
        not isinstance(expression, n.MemberExpr)
        or expression.name != REGISTER
        or not isinstance(expression.expr, n.RefExpr)
    ):
        return None
    node = expression.expr.node
    # `singledispatch` is no special form for mypy: a generic function is a plain decorated one, and its registry exists at run time only.
    if not isinstance(node, n.Decorator) or names.is_known(node.func.fullname):
        return None
    own = f"{module}."
    fullname = node.func.fullname
    return fullname.removeprefix(own) if fullname.startswith(own) else local_name(fullname)
