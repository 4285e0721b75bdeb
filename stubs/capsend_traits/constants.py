"""The constants of modules: lists, dicts and sets that a module makes once and never changes, found in its source.

Such a name may be captured although its value is mutable: the value is never changed and no other code gets hold of it,
so a copy cannot be distinguished from it. The run time and the mypy plugin both use this module, so that their verdicts
agree:

* `constants(tree, module=...)` returns the names that the module's own code does not change, with their expressions.
* `reads_only(tree, "TABLE", of=constant)` and `reads_only(tree, "config.TABLE", of=constant)` answer the same for
  another module or for a function that uses the constant by that name: reached code must only read the constant.
* `still_made(constant, value, leaf=..., lookup=...)` compares a value, at the spawn, with the value that the statement
  made. Only the run time calls it; the plugin has no values, and judges the parts of containers by their types.

Guaranteed: if `constants` returns a name, then no statement of the module assigns it a second time, deletes it, calls a
method that may change it, or passes it (or a container in it) to code that might change it: it is not returned, stored,
passed to a function that is not listed in `_readings`, bound to an attribute, or made a default.

Assumed: built-in functions are the built-in ones, and an `__eq__` or `__radd__` of another class does not change its
other operand. Access by reflection (`globals()`, `sys.modules[...]`, `f.__globals__`, `exec`) is not followed: a module
that uses it has no constants.
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
    """Return {name: constant} of the constants of a module, in the order of the source.

    Args:
        tree: the module's syntax tree.
        module: its full name; without it, imports of the module from itself are not noticed.
        is_package: True if it is a package's `__init__`.
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
    """Return whether a module, function or class only reads the value of a name, and passes it to no other code.

    Args:
        tree: the syntax tree of the module, or of one function or class of it. A local function is judged as part of
            its enclosing function.
        path: the name: `"TABLE"` for a global of the module, its own or imported, and for a name that a function
            imports; `"config.TABLE"` for the attribute of a module with the name `config`.
        of: the constant.
        module: the full name of the module that the tree belongs to.
        is_package: True if that module is a package's `__init__`.
        outside: returns the full name of the library's module or function behind a name that the tree does not bind
            (the tree of a function does not contain the module's imports); empty for other names.
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
                return False  # a `global` statement: the module's name is assigned
            continue
        if not _reads_attribute(scopes, readings, node, attributes, of):
            return False
    return True


def every_use_reads(
    tree: ast.Module, is_it: Callable[[str], bool], *, of: Constant, module: str = "", is_package: bool = False
) -> bool:
    """Return whether a module only reads a constant of another module, under all names that its imports give it.

    Args:
        tree: the module's syntax tree.
        is_it: returns whether a full name, as given by the module's imports, is that of the constant.
        of: the constant.
        module: the full name of the reading module, against which relative imports are resolved.
        is_package: True if it is a package's `__init__`.
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
    """Return whether a module may reach a constant by a text: by `getattr` and similar functions, or in its module's namespace."""
    has_namespaces = is_dynamic(scopes) or "vars" in scopes.names or "__dict__" in scopes.attributes
    for node, parent in scopes.parents.items():
        if isinstance(node, ast.Constant) and node.value == name:
            function = parent.func if isinstance(parent, ast.Call) else None
            if has_namespaces or (isinstance(function, ast.Name) and function.id in _LOOKUPS):
                return True
    return False


def _imported_as(scopes: Tree, node: ast.Name | ast.Attribute) -> set[str]:
    """Return the full names that a name, or an attribute chain beginning with one, may have according to the imports."""
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
    """Return the expression that a statement assigns to this name alone; None for any other statement."""
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
    readings = Readings(scopes)  # separately: a finding about a variable with one name proves nothing about others
    return (
        readings.named(scopes.module, constant.name, constant.depth, is_mapping=constant.is_mapping)
        and not readings.borrowed
        and read_through_modules(scopes, readings, constant)
    )


def read_through_modules(scopes: Tree, readings: Readings, constant: Constant) -> bool:
    """Return whether the module only reads the objects of this name in imported modules.

    One of these may be the module itself, under a longer name.
    """
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
    """Return whether a use of a module reads another attribute, or only reads the given one."""
    for wanted in attributes:
        parent = scopes.parents.get(node)
        if not isinstance(parent, ast.Attribute):
            return isinstance(parent, ast.Expr)  # the module itself is passed somewhere
        if parent.attr != wanted:
            return isinstance(parent.ctx, ast.Load)
        node = parent
    return readings.reads_constant(node, of.depth, is_mapping=of.is_mapping)
