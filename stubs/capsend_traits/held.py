"""Mutable values that their holder only reads: in the globals, classes, defaults and closures of a module.

`capsend_traits.constants` finds the constants that are shown whole by their statement. This module judges a given value
or type: the caller states the levels of containers, and asks whether all code of the module that can run after the
import only reads the value. Code that runs only during the import (the module's own statements, class bodies, private
functions that only these call) may fill it:

    SIZES = {}
    for index, name in enumerate(NAMES):
        SIZES[name] = 2**index

* a global: bound only by statements of the module, to displays, constructor calls, or results of other calls;
* an attribute of a class: bound once in the class body; nothing in the module assigns or changes an attribute of this
name;
* a default: a display in the `def` itself; the function only reads its parameter;
* a variable of an enclosing function: bound once, to a display; nested functions only read it.

An empty set or list may be changed temporarily: added to before a `try`, and removed from in its `finally`.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final

from capsend_traits._dynamic import imports_itself, is_dynamic
from capsend_traits._import_time import import_time
from capsend_traits._made import Constant, depth_of
from capsend_traits._made import is_mapping as makes_dict
from capsend_traits._readings import Readings
from capsend_traits._scopes import FUNCTIONS, Scope, scopes_of
from capsend_traits.constants import assigned, read_through_modules

if TYPE_CHECKING:
    from collections.abc import Callable

_BY_TEXT: Final = frozenset({"delattr", "setattr"})


class Held:
    """The values that a module holds, according to its source.

    Args:
        tree: the module's syntax tree.
        module: its full name.
        is_package: True if it is a package's `__init__`.
        is_imported: True if the import is complete; a script continues, and may change the containers that it has
            filled.
    """

    def __init__(
        self, tree: ast.Module, *, module: str = "", is_package: bool = False, is_imported: bool = True
    ) -> None:
        self._module = module
        self._scopes = scopes_of(tree, module=module, is_package=is_package)
        self._once = import_time(self._scopes)
        self._done = self._once if is_imported else frozenset[Scope]()
        self._is_dynamic = is_dynamic(self._scopes)
        self._known: dict[tuple[object, ...], Constant | None] = {}

    def of_module(self, name: str, depth: int, *, is_mapping: bool) -> Constant | None:
        """Return a global that the module only reads after its import; None otherwise.

        Args:
            name: its name.
            depth: the levels of containers in its value.
            is_mapping: True if the value is a dict.
        """
        key = ("module", name, depth, is_mapping)
        if key not in self._known:
            self._known[key] = self._of_module(name, depth, is_mapping=is_mapping)
        return self._known[key]

    def of_class(self, qualname: str, name: str, depth: int = 0, *, is_mapping: bool = False) -> Constant | None:
        """Return a class attribute that the module only reads; None otherwise, or if a function defines the class.

        Args:
            qualname: the class, as `Outer.Inner`.
            name: the attribute.
            depth: the levels of containers in its value; 0 to use those of the expression.
            is_mapping: True if the value is a dict.
        """
        key = ("class", qualname, name, depth, is_mapping)
        if key not in self._known:
            self._known[key] = self._of_class(qualname, name, depth, is_mapping=is_mapping)
        return self._known[key]

    def of_default(self, function: tuple[str, int], name: str, depth: int, *, is_mapping: bool) -> Constant | None:
        """Return a default that is a display in the `def`, of a parameter that the function only reads; None otherwise.

        Args:
            function: its name and its first line.
            name: the parameter.
            depth: the levels of containers in its value.
            is_mapping: True if the value is a dict.
        """
        key = ("default", function, name, depth, is_mapping)
        if key not in self._known:
            self._known[key] = self._of_default(function, name, depth, is_mapping=is_mapping)
        return self._known[key]

    def of_cell(self, function: tuple[str, int], name: str, depth: int, *, is_mapping: bool) -> Constant | None:
        """Return a variable of the enclosing function that all nested functions only read; None otherwise.

        Args:
            function: the inner function's name and first line.
            name: the variable.
            depth: the levels of containers in its value.
            is_mapping: True if the value is a dict.
        """
        key = ("cell", function, name, depth, is_mapping)
        if key not in self._known:
            self._known[key] = self._of_cell(function, name, depth, is_mapping=is_mapping)
        return self._known[key]

    def _of_module(self, name: str, depth: int, *, is_mapping: bool) -> Constant | None:
        scopes = self._scopes
        bindings = scopes.bindings.get(name, [])
        last_star = max((star.lineno for star in scopes.stars), default=0)
        if len(bindings) > 1 and not self._done:
            return None
        if not bindings or self._is_dynamic or imports_itself(scopes, self._module, [name]):
            return None
        value: ast.expr | None = None
        for binding in bindings:
            made = self._made_by(binding.node)
            if made is None or made.lineno < last_star:
                return None
            value = made
            if isinstance(made, ast.Name) and self.of_module(made.id, depth, is_mapping=is_mapping) is None:
                return None
        found = self._read(scopes.module, name, depth, is_mapping=is_mapping, value=value, bindings=len(bindings))
        if found is None or not read_through_modules(scopes, Readings(scopes, once=self._done), found):
            return None
        return found

    def _made_by(self, node: ast.AST) -> ast.expr | None:
        """Return the expression that a statement of the import binds to a name, if it makes a value or is another name."""
        statement = self._scopes.parents.get(node)
        if not isinstance(node, ast.Name) or self._scopes.scopes.get(node) not in self._once:
            return None
        if isinstance(statement, ast.AugAssign):
            return statement.value
        value = assigned(node, statement) or self._of_pair(node, statement)
        is_made = isinstance(value, ast.Call | ast.Name) or (value is not None and self._depth(value) > 0)
        return value if is_made else None

    def _of_pair(self, node: ast.Name, around: ast.AST | None) -> ast.expr | None:
        """Return the expression for a name in `NAMES, RANKS = {}, []`."""
        statement = self._scopes.parents.get(around) if isinstance(around, ast.Tuple) else None
        if not isinstance(statement, ast.Assign) or statement.targets != [around] or not isinstance(around, ast.Tuple):
            return None
        parts = statement.value.elts if isinstance(statement.value, ast.Tuple) else []
        is_plain = len(parts) == len(around.elts) and not any(
            isinstance(p, ast.Starred) for p in (*parts, *around.elts)
        )
        return parts[around.elts.index(node)] if is_plain else None

    def _depth(self, value: ast.expr) -> int:
        return depth_of(value, {}, self._scopes)

    def _read(
        self, scope: Scope, name: str, depth: int, *, is_mapping: bool, value: ast.expr | None, bindings: int = 1
    ) -> Constant | None:
        """Return the constant of a scope, if all code in the scope only reads the name."""
        readings = Readings(self._scopes, once=self._done)
        if value is None or not readings.named(scope, name, depth, is_mapping=is_mapping):
            return None
        is_whole = bindings == 1 and not readings.grown and self._depth(value) > 0
        return Constant(name, value, depth, is_mapping, is_whole=is_whole, is_lent=readings.borrowed)

    def _of_class(self, qualname: str, name: str, depth: int, *, is_mapping: bool) -> Constant | None:
        found = [
            (node, scope)
            for node, scope in self._scopes.classes.items()
            if scope in self._once and self._qualname(node) == qualname
        ]
        if len(found) != 1 or self._is_dynamic:
            return None
        _, scope = found[0]
        stored = [node for node in self._scopes.uses(scope, name) if not isinstance(node.ctx, ast.Load)]
        bound = [node for node in stored if isinstance(self._scopes.parents.get(node), ast.Assign | ast.AnnAssign)]
        value = self._made_by(bound[0]) if len(bound) == 1 and self._scopes.scopes.get(bound[0]) is scope else None
        if value is None or isinstance(value, ast.Name):
            return None
        if not depth:
            depth, is_mapping = self._depth(value), makes_dict(value)
        constant = self._read(scope, name, depth, is_mapping=is_mapping, value=value) if depth else None
        if constant is None:
            return None
        return constant if self.reads_attribute(name, constant) else None

    def reads_attribute(self, name: str, constant: Constant) -> bool:
        """Return whether all uses of attributes of this name in the module, on any object, only read the constant."""
        readings = Readings(self._scopes, once=self._done)
        return reads_attribute_everywhere(readings, name, constant)

    def _qualname(self, node: ast.AST) -> str:
        parts: list[str] = []
        at: ast.AST | None = node
        while at is not None:
            if isinstance(at, ast.ClassDef):
                parts.insert(0, at.name)
            at = self._scopes.parents.get(at)
        return ".".join(parts)

    def _function(self, function: tuple[str, int]) -> ast.AST | None:
        """Return the only function of this name that begins, with its decorators, on this line; a lambda is called `<lambda>`."""
        name, line = function
        found = [
            node
            for node in self._scopes.functions
            if getattr(node, "name", "<lambda>") == name
            and line == min([each.lineno for each in (*getattr(node, "decorator_list", ()), node)])
        ]
        return found[0] if len(found) == 1 else None

    def _of_default(self, function: tuple[str, int], name: str, depth: int, *, is_mapping: bool) -> Constant | None:
        node = self._function(function)
        if not isinstance(node, FUNCTIONS) or self._is_dynamic:
            return None
        arguments = node.args
        positional = [*arguments.posonlyargs, *arguments.args]
        pairs = [
            *zip(positional[len(positional) - len(arguments.defaults) :], arguments.defaults, strict=True),
            *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
        ]
        value = next((default for argument, default in pairs if argument.arg == name), None)
        if value is None or self._depth(value) == 0:
            return None
        return self._read(self._scopes.functions[node], name, depth, is_mapping=is_mapping, value=value)

    def _of_cell(self, function: tuple[str, int], name: str, depth: int, *, is_mapping: bool) -> Constant | None:
        node = self._function(function)
        if node is None or self._is_dynamic:
            return None
        scope = self._scopes.functions[node].parent
        while scope is not None and (scope.kind != "function" or name not in scope.bound):
            scope = scope.parent
        if scope is None:
            return None
        stored = [use for use in self._scopes.uses(scope, name) if not isinstance(use.ctx, ast.Load)]
        value = assigned(stored[0], self._scopes.parents.get(stored[0])) if len(stored) == 1 else None
        if value is None or self._depth(value) == 0 or self._scopes.scopes.get(stored[0]) is not scope:
            return None
        return self._read(scope, name, depth, is_mapping=is_mapping, value=value)


def reads_attribute(tree: ast.AST, name: str, *, of: Constant, outside: Callable[[str], str] = lambda _: "") -> bool:
    """Return whether a function only reads the attributes of this name on any object.

    Args:
        tree: the syntax tree of the function.
        name: the name of the attributes.
        of: the constant.
        outside: as for `constants.reads_only`.
    """
    scopes = scopes_of(tree)
    return not is_dynamic(scopes) and reads_attribute_everywhere(Readings(scopes, outside=outside), name, of)


def reads_attribute_everywhere(readings: Readings, name: str, of: Constant) -> bool:
    """Return whether a syntax tree only reads the attributes of this name, including `getattr(x, "name")`."""
    scopes = readings.tree
    for attribute in scopes.attributes.get(name, ()):
        if not isinstance(attribute.ctx, ast.Load):
            return False
        if not readings.reads_constant(attribute, of.depth, is_mapping=of.is_mapping):
            return False
    for node, parent in scopes.parents.items():
        if isinstance(node, ast.Constant) and node.value == name and isinstance(parent, ast.Call):
            function = parent.func
            called = function.id if isinstance(function, ast.Name) else ""
            if called in _BY_TEXT:
                return False
            if called == "getattr" and not readings.reads(parent, of.depth):
                return False
    return True
