"""A parsed text: its lines, and all its functions, lambdas, classes and type aliases."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterator

FunctionNode: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
TYPE_STATEMENT: Final[Any] = getattr(ast, "TypeAlias", ())  # from Python 3.12 on
DEFINITIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef)
_WRITE: Final = "put it into a file"


def nodes_of(root: ast.AST) -> tuple[ast.AST, ...]:
    """Return all nodes of a tree, in the order of `ast.walk`; they are kept with the tree, as several readers ask for them."""
    inner: tuple[ast.AST, ...] | None = root.__dict__.get("_capsend_nodes")
    if inner is None:
        inner = root.__dict__["_capsend_nodes"] = tuple(ast.walk(root))[1:]
    return (root, *inner)


class SourceError(Exception):
    """The source of a function or class cannot be found, or differs from the text that was compiled.

    Attributes:
        verdict: the reason.
        cure: the cure.
    """

    def __init__(self, verdict: str, cure: str) -> None:
        super().__init__(verdict)
        self.verdict = verdict
        self.cure = cure


def without_source(filename: str) -> SourceError:
    """Return the error for code whose text was never in a file, or no longer is."""
    return SourceError(
        f"{filename} has no source text: code made by exec() or eval(), typed after -c, or whose file is gone "
        "cannot be sent",
        _WRITE,
    )


@attrs.frozen
class ParsedText:
    """The definitions of a text.

    Attributes:
        lines: its lines; the first is line 1.
        functions: {(name, first line, decorators included): (node, innermost enclosing class)}.
        lambdas: (node, innermost enclosing class) of each.
        classes: {qualified name: nodes}.
        aliases: {qualified name: node} of `type` statements.
    """

    lines: tuple[str, ...]
    functions: dict[tuple[str, int], tuple[FunctionNode, str]]
    lambdas: tuple[tuple[ast.Lambda, str], ...]
    classes: dict[str, list[ast.ClassDef]]
    aliases: dict[str, Any]


def parsed(tree: ast.AST, lines: tuple[str, ...], *, enclosing: str = "") -> ParsedText:
    """Collect the definitions below a syntax tree.

    Args:
        tree: the tree, with positions in `lines`.
        lines: the text.
        enclosing: the class whose body contains the tree, if any.
    """
    functions: dict[tuple[str, int], tuple[FunctionNode, str]] = {}
    lambdas: list[tuple[ast.Lambda, str]] = []
    classes: dict[str, list[ast.ClassDef]] = {}
    aliases: dict[str, Any] = {}
    for node, around, path in _definitions(tree, enclosing):
        if isinstance(node, ast.Lambda):
            lambdas.append((node, around))
        elif isinstance(node, ast.ClassDef):
            classes.setdefault(path, []).append(node)
        elif isinstance(node, TYPE_STATEMENT):
            aliases[path] = node
        else:
            begin = node.decorator_list[0].lineno if node.decorator_list else node.lineno
            functions[node.name, begin] = (node, around)
    return ParsedText(lines=lines, functions=functions, lambdas=tuple(lambdas), classes=classes, aliases=aliases)


def _definitions(tree: ast.AST, outermost: str) -> Iterator[tuple[FunctionNode | ast.ClassDef, str, str]]:
    """Yield every definition with its innermost enclosing class and its qualified name."""
    stack: list[tuple[ast.AST, str, str]] = [(tree, outermost, "")]
    while stack:
        parent, enclosing, prefix = stack.pop()
        for node in ast.iter_child_nodes(parent):
            if isinstance(node, ast.ClassDef):
                yield node, enclosing, prefix + node.name
                stack.append((node, node.name, f"{prefix}{node.name}."))
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                name = getattr(node, "name", "<lambda>")
                yield node, enclosing, prefix + name
                stack.append((node, enclosing, f"{prefix}{name}.<locals>."))
            elif isinstance(node, TYPE_STATEMENT):
                yield node, enclosing, prefix + node.name.id
            else:
                stack.append((node, enclosing, prefix))
