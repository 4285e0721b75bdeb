"""Temporary changes: entries that a function adds before a `try` and removes in its `finally`."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from capsend_traits._scopes import Tree

_ADDING: Final = {"add": frozenset({"discard", "remove"}), "append": frozenset({"pop"})}


def is_undone(tree: Tree, node: ast.expr) -> bool:
    """Return whether a use of a variable is half of a pair: `seen.add(key)`, then `try: ... finally: seen.discard(key)`.

    Whatever happens in between, the container is the same afterwards, if it was empty before. A generator does not
    count, as it may stop in between.

    Args:
        tree: the scopes of the module.
        node: the name of the container at the place of its use.
    """
    statement = _statement_of(tree, node)
    if statement is None:
        return False
    around = tree.parents.get(statement)
    if isinstance(around, ast.Try) and statement in around.finalbody:
        before = _before(tree, around)
        return before is not None and _are_a_pair(tree, before, statement, around)
    after = _after(tree, statement)
    return isinstance(after, ast.Try) and any(_are_a_pair(tree, statement, each, after) for each in after.finalbody)


def _statement_of(tree: Tree, node: ast.expr) -> ast.Expr | None:
    """Return the statement `node.method(...)`."""
    attribute = tree.parents.get(node)
    call = tree.parents.get(attribute) if isinstance(attribute, ast.Attribute) else None
    statement = tree.parents.get(call) if isinstance(call, ast.Call) and call.func is attribute else None
    return statement if isinstance(statement, ast.Expr) else None


def _body_with(tree: Tree, statement: ast.stmt) -> list[ast.stmt]:
    around = tree.parents.get(statement)
    for _, value in ast.iter_fields(around) if around is not None else ():
        if isinstance(value, list) and statement in value:
            return value
    return []


def _before(tree: Tree, statement: ast.stmt) -> ast.stmt | None:
    body = _body_with(tree, statement)
    place = body.index(statement) if statement in body else 0
    return body[place - 1] if place else None


def _after(tree: Tree, statement: ast.stmt) -> ast.stmt | None:
    body = _body_with(tree, statement)
    place = body.index(statement) if statement in body else len(body)
    return body[place + 1] if place + 1 < len(body) else None


def _are_a_pair(tree: Tree, first: ast.stmt, last: ast.stmt, between: ast.Try) -> bool:
    adding, taking = _call_of(first), _call_of(last)
    if adding is None or taking is None:
        return False
    (name, method, added), (other, undoing, taken) = adding, taking
    if name != other or undoing not in _ADDING.get(method, ()) or len(added) != 1:
        return False
    if any(isinstance(inner, ast.Yield | ast.YieldFrom | ast.Await) for inner in ast.walk(between)):
        return False
    if undoing == "pop":
        return not taken
    same = [ast.dump(argument) for argument in added] == [ast.dump(argument) for argument in taken]
    return same and _is_settled(tree, added[0], between)


def _call_of(statement: ast.stmt) -> tuple[str, str, list[ast.expr]] | None:
    if not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call)) or statement.value.keywords:
        return None
    function = statement.value.func
    if not (isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name)):
        return None
    return function.value.id, function.attr, statement.value.args


def _is_settled(tree: Tree, argument: ast.expr, between: ast.Try) -> bool:
    """Return whether both halves of a pair mean the same object.

    The argument must be a constant, or a variable of the function that is not assigned in between.
    """
    if isinstance(argument, ast.Constant):
        return True
    if not isinstance(argument, ast.Name):
        return False
    (owner, *others) = tree.owners(argument)
    stored = [node for node in tree.uses(owner, argument.id) if not isinstance(node.ctx, ast.Load)]
    is_shared = any(
        tree.scopes[node] is not owner for node in stored
    )  # a nested function assigns it, at an unknown time
    inside = set(ast.walk(between))
    return not others and owner.kind == "function" and not is_shared and inside.isdisjoint(stored)
