"""Dynamic access: whether a module reaches its own names in ways that reading its source does not show."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from capsend_traits._readings import DYNAMIC, DYNAMIC_ATTRIBUTES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from capsend_traits._scopes import Scope, Tree


def is_dynamic(scopes: Tree) -> bool:
    """Return whether code reaches names of its module without naming them."""
    for name in DYNAMIC:
        for node in scopes.names.get(name, ()):
            if _is_built_in(scopes, node) and not _is_harmless(scopes, node):
                return True
    if any(attribute in scopes.attributes for attribute in DYNAMIC_ATTRIBUTES):
        return True
    return any(_names_module_of_its_own(scopes, node) for node in scopes.names.get("__name__", ()))


def _is_built_in(scopes: Tree, node: ast.Name) -> bool:
    return all(node.id not in scope.bound for scope in scopes.owners(node))


def _is_harmless(scopes: Tree, node: ast.Name) -> bool:
    """Return whether a call of a dynamic function cannot reach the module: `vars(x)`, `exec(code, {})`."""
    call = scopes.parents.get(node)
    if not isinstance(call, ast.Call) or call.func is not node or any(isinstance(a, ast.Starred) for a in call.args):
        return False
    if node.id == "vars":
        return len(call.args) == 1
    return node.id in {"eval", "exec"} and len(call.args) > 1


def _names_module_of_its_own(scopes: Tree, node: ast.Name) -> bool:
    """Return whether `__name__` is used to find the module itself: `sys.modules[__name__]`, `import_module(__name__)`."""
    parent = scopes.parents.get(node)
    if isinstance(parent, ast.Subscript):
        return True
    if not isinstance(parent, ast.Call):
        return False
    function = parent.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    if parent.args[:1] != [node] and name == "import_module":
        return False  # the package from which a relative name leads to another module
    return name in {"import_module", "__import__", "get", "reload"}


def imports_itself(scopes: Tree, module: str, candidates: Iterable[str]) -> bool:
    """Return whether a module imports itself, or a candidate from itself: the candidates then have other names too."""
    every: set[Scope] = {scopes.module, *scopes.scopes.values()}
    imported = {target for scope in every for targets in scope.imports.values() for target in targets}
    return bool(module) and not imported.isdisjoint([module, *(f"{module}.{name}" for name in candidates)])
