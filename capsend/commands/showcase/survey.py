"""A survey of Python source: the parts of a module, by its syntax tree."""

from __future__ import annotations

import ast
import warnings
from typing import Any

BRANCHES = (ast.If, ast.IfExp, ast.For, ast.AsyncFor, ast.While, ast.ExceptHandler, ast.BoolOp, ast.match_case)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
NAMED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
BLOCKS = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.Try, ast.TryStar, ast.With, ast.AsyncWith, ast.Match)


class Part:
    """A node of the syntax tree with the name of its definition, and its counts so far."""

    def __init__(self, node: ast.AST, around: Part | None, name: str) -> None:
        self.node = node
        self.around = around
        self.name = name
        self.branches: int = int(isinstance(node, BRANCHES))
        self.depth = 0


def survey(module: str, source: str) -> dict[str, Any]:
    """Return the counts of one module, and its extremes as (size, name of the function)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        parts = measure(ast.parse(source), module)
    functions = [part for part in parts if isinstance(part.node, FUNCTIONS)]
    nothing = (0, module)
    return {
        "module": module,
        "lines": source.count("\n"),
        "functions": len(functions),
        "classes": sum(isinstance(part.node, ast.ClassDef) for part in parts),
        "branches": parts[0].branches,
        "longest": max(((length(part.node), part.name) for part in functions), default=nothing),
        "branchiest": max(((part.branches, part.name) for part in functions), default=nothing),
        "deepest": max(((part.depth, part.name) for part in functions), default=nothing),
    }


def measure(tree: ast.AST, name: str) -> list[Part]:
    """Return the nodes, each after those around it, with its branches and its depth of nested blocks."""
    parts = [Part(tree, None, name)]
    for part in parts:
        for child in ast.iter_child_nodes(part.node):
            inner = f"{part.name}.{child.name}" if isinstance(child, NAMED) else part.name
            parts.append(Part(child, part, inner))
    for part in reversed(parts):
        if part.around is not None:
            part.around.branches += part.branches
            inside = part.depth + isinstance(part.node, BLOCKS) - is_elif(part.around.node, part.node)
            part.around.depth = max(part.around.depth, inside)
    return parts


def length(node: ast.AST) -> int:
    """Count the lines of a statement."""
    return (getattr(node, "end_lineno", 0) or 0) - getattr(node, "lineno", 0) + 1


def is_elif(around: ast.AST, node: ast.AST) -> bool:
    """Return whether an `if` is an `elif`, not an `if` in an `else`: for a reader an `elif` is no deeper than the `if` before it."""
    if not isinstance(around, ast.If) or not isinstance(node, ast.If):
        return False
    return around.orelse == [node] and node.col_offset == around.col_offset
