"""The statements in which code provides for an import that fails: `try` with a handler for it, and `with suppress(ImportError)`."""

from __future__ import annotations

import ast
from typing import Final

_IMPORT_ERRORS: Final = frozenset({"ImportError", "ModuleNotFoundError"})
_ALL_ERRORS: Final = frozenset({"Exception", "BaseException"})


def guards(node: ast.AST, *, by_name: bool = False) -> bool:
    """Return whether a statement provides for a failing import in its body.

    Args:
        node: any node of a syntax tree.
        by_name: whether only a handler that names `ImportError` or `ModuleNotFoundError` counts, and none for all errors.
    """
    names = _IMPORT_ERRORS if by_name else _IMPORT_ERRORS | _ALL_ERRORS
    if isinstance(node, ast.Try):
        return any(
            not by_name if handler.type is None else _names_one(handler.type, names) for handler in node.handlers
        )
    if isinstance(node, ast.With):
        return any(_suppresses(item.context_expr, names) for item in node.items)
    return False


def is_guarded(root: ast.AST, line: int, *, by_name: bool = False) -> bool:
    """Return whether a line of a syntax tree stands in the body of a statement that `guards` it; the arguments are its own."""
    return any(
        isinstance(node, ast.Try | ast.With)
        and node.body[0].lineno <= line <= (node.body[-1].end_lineno or line)
        and guards(node, by_name=by_name)
        for node in ast.walk(root)
    )


def _suppresses(expression: ast.expr, names: frozenset[str]) -> bool:
    if not isinstance(expression, ast.Call):
        return False
    function = expression.func
    called = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return called == "suppress" and any(_names_one(argument, names) for argument in expression.args)


def _names_one(expression: ast.expr, names: frozenset[str]) -> bool:
    return any(isinstance(node, ast.Name) and node.id in names for node in ast.walk(expression))
