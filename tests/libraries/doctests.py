"""Turns the examples in a module's docstrings into functions of a module of their own, one for each docstring."""

from __future__ import annotations

import ast
import builtins
import doctest
import symtable
import types
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PRELUDE: Final = """

def _show(out, value):
    if value is not None:
        out.append(repr(value))


def _print(out, *values, sep=" ", end="\\n", file=None, flush=False):
    out.append(sep.join(map(str, values)))


"""
_OURS: Final = frozenset({"_show", "_print", "_error", "out"})


@dataclass(frozen=True)
class Group:
    """The examples of one docstring.

    Attributes:
        function: the name of the function that they were made into.
        name: whose docstring it is.
    """

    function: str
    name: str


class _Shown(ast.NodeTransformer):
    """Writes down what an example prints."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id == "print":
            node.func = ast.Name("_print", ast.Load())
            node.args.insert(0, ast.Name("out", ast.Load()))
        return node


def write(module: types.ModuleType, folder: Path, *, prelude: str = "") -> tuple[str, list[Group]] | None:
    """Write the module with the functions of a module's docstrings.

    Returns:
        (name, functions) of the module; None without examples.

    Args:
        module: whose docstrings.
        folder: where the new module is written.
        prelude: imports that the examples take for granted.
    """
    name = "echo_" + module.__name__.replace(".", "_")
    groups: list[Group] = []
    functions: list[str] = []
    imports: dict[str, None] = dict.fromkeys(prelude.splitlines())
    for title, examples in _groups(module):
        made = _function(f"e{len(groups)}", title, examples)
        if made is None:
            continue
        text, stars, names = made
        imports |= dict.fromkeys(stars)
        for used in sorted(names):
            if used in vars(module) and used not in _OURS and not (used.startswith("__") and used.endswith("__")):
                imports[_import(used, vars(module)[used], module.__name__)] = None
        groups.append(Group(f"e{len(groups)}", title))
        functions.append(text)
    if not groups:
        return None
    (folder / f"{name}.py").write_text("\n".join(imports) + PRELUDE + "\n\n".join(functions), encoding="utf-8")
    return name, groups


def _import(name: str, value: object, module: str) -> str:
    if isinstance(value, types.ModuleType):
        return f"import {value.__name__} as {name}"
    return f"from {module} import {name}"


def _groups(module: types.ModuleType) -> Iterator[tuple[str, list[Any]]]:
    try:
        tests = doctest.DocTestFinder(exclude_empty=True).find(module, module.__name__)
    except Exception:
        return  # some docstrings are no strings
    for test in sorted(tests, key=lambda test: (test.name, test.lineno or 0)):
        examples = [example for example in test.examples if not example.options.get(doctest.SKIP)]
        if examples:
            yield test.name, examples


def _function(function: str, title: str, examples: list[Any]) -> tuple[str, list[str], set[str]] | None:
    """Return the text of a function, its star imports, and the globals that it reads."""
    body: list[str] = []
    stars: list[str] = []
    for example in examples:
        try:
            statements = ast.parse(example.source).body
        except SyntaxError:
            return None
        for statement in statements:
            if isinstance(statement, ast.ImportFrom) and statement.names[0].name == "*":
                stars.append(ast.unparse(statement))
            elif not (isinstance(statement, ast.ImportFrom) and statement.module == "__future__"):
                body.append(_attempt(statement))
    text = f"def {function}():\n    {title!r}\n    out = []\n{_indented(chr(10).join(body))}\n    return tuple(out)\n"
    try:
        compile(text, "examples", "exec")
    except SyntaxError:
        return None
    return text, stars, _globals_of(text)


def _attempt(statement: ast.stmt) -> str:
    shown = _Shown().visit(statement)
    source = f"_show(out, {ast.unparse(shown.value)})" if isinstance(shown, ast.Expr) else ast.unparse(shown)
    return f"try:\n{_indented(source)}\nexcept Exception as _error:\n    out.append(f'{{type(_error).__name__}}: {{_error}}')"


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" if line else line for line in text.splitlines())


def _globals_of(text: str) -> set[str]:
    found: set[str] = set()
    waiting = symtable.symtable(text, "examples", "exec").get_children()
    while waiting:
        table = waiting.pop()
        found |= {s.get_name() for s in table.get_symbols() if s.is_global() and s.is_referenced()}
        waiting += table.get_children()
    return found - set(vars(builtins))
