"""The code that runs only during the import of its module: its changes are made before other code sees the module."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from capsend_traits._scopes import Scope, Tree


def import_time(tree: Tree) -> frozenset[Scope]:
    """Return the scopes whose code runs only during the import of the module.

    These are the module's own statements; class bodies and comprehensions in them; and private functions (`_fill`) that
    only such code calls and that are passed to no other code.
    """
    every = {tree.module, *tree.scopes.values(), *tree.functions.values(), *tree.classes.values()}
    once = {scope for scope in every if _stands_outside(scope, set())}
    helpers = {scope for node, scope in tree.functions.items() if _is_helper(tree, node, scope, once)}
    return frozenset(scope for scope in every if _stands_outside(scope, helpers))


def _stands_outside(scope: Scope | None, helpers: set[Scope]) -> bool:
    while scope is not None:
        if scope.kind == "function" and scope not in helpers:
            return False
        scope = scope.parent
    return True


def _is_helper(tree: Tree, node: ast.AST, scope: Scope, once: set[Scope]) -> bool:
    if not isinstance(node, ast.FunctionDef) or scope.parent is not tree.module or node.decorator_list:
        return False
    if not node.name.startswith("_") or node.name.startswith("__") or len(tree.bindings.get(node.name, ())) != 1:
        return False
    if any(isinstance(inner, ast.Yield | ast.YieldFrom) for inner in ast.walk(node)):
        return False
    uses = tree.uses(tree.module, node.name)
    return bool(uses) and all(
        isinstance(call := tree.parents.get(use), ast.Call)
        and call.func is use
        and (tree.scopes[use] in once or tree.scopes[use] is scope)
        for use in uses
    )
