"""The statements that handle a failing import: `try` with a handler for it, and `with suppress(ImportError)`."""

from __future__ import annotations

import ast
from typing import Final

CAUGHT: Final = frozenset({"ImportError", "ModuleNotFoundError", "Exception", "BaseException"})


def guards(node: ast.AST) -> bool:
    """Return whether a statement handles a failing import in its body."""
    if isinstance(node, ast.Try):
        return any(handler.type is None or _names_one(handler.type) for handler in node.handlers)
    return isinstance(node, ast.With) and any(_suppresses(item.context_expr) for item in node.items)


def _suppresses(expression: ast.expr) -> bool:
    if not isinstance(expression, ast.Call):
        return False
    function = expression.func
    called = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return called == "suppress" and any(map(_names_one, expression.args))


def _names_one(expression: ast.expr) -> bool:
    return any(isinstance(node, ast.Name) and node.id in CAUGHT for node in ast.walk(expression))
