"""The constants of modules: lists, dicts and sets that a module makes once and that nobody changes, found by reading its source.

Such a name may be captured although its value is mutable: as nobody changes the value and nobody else gets hold of it, a copy
cannot be told from it. The run time and the mypy plugin both ask this module, so that their verdicts agree:

* `constants(tree, module=...)` gives the names that the module's own code leaves alone, with their expressions.
* `reads_only(tree, "TABLE", of=constant)` and `reads_only(tree, "config.TABLE", of=constant)` answer the same for another module, or
  of one function, that gets at the constant by that name: the code that is reached must only read it.
* `still_made(constant, value, leaf=..., lookup=...)` compares a value, at the spawn, with the value that the statement made. The run time
  asks it; the plugin has no values, and judges the parts of containers by their types.

Promised: if `constants` gives a name, then no statement of the module assigns it a second time, deletes it, calls a method of it
that may change it, or hands it (or a container in it) to code that is not known to keep its hands off: it is not returned,
stored, passed to a function that is not listed in `_readings`, bound to an attribute, or made a default.

Taken as given: built-in functions are the built-in ones, and an `__eq__` or `__radd__` of another class does not change its other
operand. Access by reflection (`globals()`, `sys.modules[...]`, `f.__globals__`, `exec`) is not followed: a module that uses it
has no constants.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final

from capsend_traits._dynamic import imports_itself, is_dynamic
from capsend_traits._made import Constant, depth_of, depth_of_value, is_mapping, still_made
from capsend_traits._readings import LIBRARY, MAX_DEPTH, Readings
from capsend_traits._scopes import import_base, scopes_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from capsend_traits._scopes import Tree

__all__ = [
    "LIBRARY",
    "MAX_DEPTH",
    "Constant",
    "constants",
    "depth_of_value",
    "every_use_reads",
    "reads_only",
    "still_made",
]

_LOOKUPS: Final = frozenset({"delattr", "getattr", "hasattr", "setattr"})


def constants(tree: ast.Module, *, module: str = "", is_package: bool = False) -> dict[str, Constant]:
    """Return the constants of a module, by name, in the order of the source.

    Args:
        tree: the module's syntax tree.
        module: its full name; without it, imports of the module from itself are not noticed.
        is_package: whether it is a package's `__init__`.
    """
    scopes = scopes_of(tree, module=module, is_package=is_package)
    candidates = _candidates(scopes)
    if not candidates or is_dynamic(scopes) or imports_itself(scopes, module, candidates):
        return {}
    return {name: found for name, found in candidates.items() if _is_only_read(scopes, found)}


def reads_only(
    tree: ast.AST,
    path: str,
    *,
    of: Constant,
    module: str = "",
    is_package: bool = False,
    outside: Callable[[str], str] = lambda _: "",
) -> bool:
    """Return whether a module, a function or a class only reads the value that it knows by a name, and hands it to nobody.

    Args:
        tree: the syntax tree of the module, or of one function or class of it. A local function is asked about as part of the one around it.
        path: the name: `"TABLE"` for a global of that module, imported or its own, and for an import of that name in a function;
            `"config.TABLE"` for the attribute of a module that is known by the name `config`.
        of: the constant.
        module: the full name of the module that the tree belongs to.
        is_package: whether that is a package's `__init__`.
        outside: gives the full name of the library's module or function that a name stands for which the tree does not bind: the tree of
            a function shows no imports of its module. Empty for anything else.
    """
    scopes = scopes_of(tree, module=module, is_package=is_package)
    if is_dynamic(scopes):
        return False
    readings = Readings(scopes, outside=outside)
    name, *attributes = path.split(".")
    for node in scopes.names.get(name, ()):
        owners = scopes.owners(node)
        if not any(scope is scopes.module or name in scope.imports for scope in owners):
            continue
        if not isinstance(node.ctx, ast.Load):
            if isinstance(scopes.parents.get(node), ast.AugAssign | ast.Delete):
                return False
            if not isinstance(tree, ast.Module):
                return False  # a `global` statement: the name of the module is assigned
            continue
        if not _reads_attribute(scopes, readings, node, attributes, of):
            return False
    return True


def every_use_reads(
    tree: ast.Module, is_it: Callable[[str], bool], *, of: Constant, module: str = "", is_package: bool = False
) -> bool:
    """Return whether a module only reads a constant of another one, by whatever names its imports give it.

    Args:
        tree: the module's syntax tree.
        is_it: returns whether a full name, as the imports of the module spell it, stands for the constant.
        of: the constant.
        module: the full name of the module that is read, against which relative imports are resolved.
        is_package: whether it is a package's `__init__`.
    """
    scopes = scopes_of(tree, module=module, is_package=is_package)
    readings = Readings(scopes)
    nodes: list[ast.Name | ast.Attribute] = [name for found in scopes.names.values() for name in found]
    nodes += [attribute for found in scopes.attributes.values() for attribute in found]
    uses = [node for node in nodes if any(is_it(full) for full in _imported_as(scopes, node))]
    if _is_looked_up(scopes, of.name):
        return False
    return not uses or (
        not is_dynamic(scopes)
        and all(readings.reads_constant(node, of.depth, is_mapping=of.is_mapping) for node in uses)
    )


def _is_looked_up(scopes: Tree, name: str) -> bool:
    """Return whether a module may reach a constant by a text: by `getattr` or the like, or in the namespace of its module."""
    has_namespaces = is_dynamic(scopes) or "vars" in scopes.names or "__dict__" in scopes.attributes
    for node, parent in scopes.parents.items():
        if isinstance(node, ast.Constant) and node.value == name:
            function = parent.func if isinstance(parent, ast.Call) else None
            if has_namespaces or (isinstance(function, ast.Name) and function.id in _LOOKUPS):
                return True
    return False


def _imported_as(scopes: Tree, node: ast.Name | ast.Attribute) -> set[str]:
    """Return the full names that a name, or a chain of attributes that begins with one, may stand for by the imports."""
    attributes: list[str] = []
    root: ast.expr = node
    while isinstance(root, ast.Attribute):
        attributes.insert(0, root.attr)
        root = root.value
    if not isinstance(root, ast.Name):
        return set()
    found: set[str] = set()
    for scope in scopes.owners(root):
        found.update(scope.imports.get(root.id, ()))
        if scope is scopes.module and root.id not in scope.bound:
            found.update(f"{import_base(star, scopes.package)}.{root.id}" for star in scopes.stars)
    return {".".join([target, *attributes]) for target in found}


# The names of the module


def _candidates(scopes: Tree) -> dict[str, Constant]:
    found: dict[str, Constant] = {}
    last_star = max((star.lineno for star in scopes.stars), default=0)
    for name, bindings in scopes.bindings.items():
        if len(bindings) != 1 or bindings[0].repeated:
            continue
        node = bindings[0].node
        statement = scopes.parents.get(node)
        value = assigned(node, statement)
        if value is None or statement is None or getattr(statement, "lineno", 0) < last_star:
            continue
        depth = depth_of(value, found, scopes)
        if 0 < depth <= MAX_DEPTH:
            found[name] = Constant(name, value, depth, is_mapping(value))
    return found


def assigned(node: ast.AST, statement: ast.AST | None) -> ast.expr | None:
    """Return the expression that a statement assigns to that name alone; None for any other statement."""
    if isinstance(statement, ast.Assign) and statement.targets == [node]:
        value: ast.expr | None = statement.value
    elif isinstance(statement, ast.AnnAssign) and statement.target is node:
        value = statement.value
    else:
        return None
    if value is None or any(
        isinstance(part, ast.NamedExpr | ast.Await | ast.Yield | ast.YieldFrom) for part in ast.walk(value)
    ):
        return None
    return value


def _is_only_read(scopes: Tree, constant: Constant) -> bool:
    readings = Readings(
        scopes
    )  # each by itself: a finding about a variable that holds one name proves nothing about another
    return (
        readings.named(scopes.module, constant.name, constant.depth, is_mapping=constant.is_mapping)
        and not readings.borrowed
        and read_through_modules(scopes, readings, constant)
    )


def read_through_modules(scopes: Tree, readings: Readings, constant: Constant) -> bool:
    """Return whether the module only reads the objects of that name in imported modules: one may be the module itself, by a longer name."""
    for attribute in scopes.attributes.get(constant.name, ()):
        root: ast.expr = attribute
        while isinstance(root, ast.Attribute):
            root = root.value
        if (
            isinstance(root, ast.Name)
            and any(root.id in scope.imports for scope in scopes.owners(root))
            and not readings.reads_constant(attribute, constant.depth, is_mapping=constant.is_mapping)
        ):
            return False
    return True


def _reads_attribute(scopes: Tree, readings: Readings, node: ast.expr, attributes: list[str], of: Constant) -> bool:
    """Return whether a use of a module takes another attribute out of it, or only reads the one that is asked about."""
    for wanted in attributes:
        parent = scopes.parents.get(node)
        if not isinstance(parent, ast.Attribute):
            return isinstance(parent, ast.Expr)  # the module itself goes somewhere
        if parent.attr != wanted:
            return isinstance(parent.ctx, ast.Load)
        node = parent
    return readings.reads_constant(node, of.depth, is_mapping=of.is_mapping)
