"""The constants of modules: lists, dicts and sets that a module makes once and that nobody changes, found by reading its source.

Such a name may be captured although its value is mutable: as nobody changes the value and nobody else gets hold of it, a copy
cannot be told from it. The run time and the mypy plugin both ask this module, so that their verdicts agree:

* `constants(tree, module=...)` gives the names that the module's own code leaves alone, with their expressions.
* `reads_only(tree, "TABLE", of=constant)` and `reads_only(tree, "config.TABLE", of=constant)` say the same of another module, or
  of one function, that gets at the constant by that name: the code that is reached must only read it.
* `still_made(constant, value, leaf=..., lookup=...)` compares a value, at the spawn, with what the statement made. The run time
  asks it; the plugin has no values, and judges by their types what is in the containers.

Promised: if `constants` gives a name, then no statement of the module assigns it a second time, deletes it, calls a method of it
that may change it, or hands it (or a container in it) to code that is not known to keep its hands off: it is not returned,
stored, passed to a function that is not listed in `_readings`, bound to an attribute, or made a default.

Taken as given: built-in functions are the built-in ones, and an `__eq__` or `__radd__` of another class does not change its other
operand. What reflection reaches (`globals()`, `sys.modules[...]`, `f.__globals__`, `exec`) is not followed: a module that uses it
has no constants.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from capsend_traits._readings import DYNAMIC, DYNAMIC_ATTRIBUTES, MAX_DEPTH, Readings
from capsend_traits._scopes import import_base, scopes_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from capsend_traits._scopes import Scope, Tree

CONSTRUCTORS: Final = frozenset({"dict", "list", "set", "sorted"})
IMMUTABLE: Final = frozenset({"frozenset", "tuple"})
SPLITTERS: Final = frozenset({"rsplit", "split", "splitlines"})


@dataclass(frozen=True, slots=True)
class Constant:
    """A module-level name whose mutable value nobody changes.

    Attributes:
        name: the name.
        value: the expression that the name is bound to.
        depth: how deep containers that could be changed stand in each other, by the expression: 1 for a list of numbers, 2 for a dict of lists.
    """

    name: str
    value: ast.expr
    depth: int

    @property
    def is_mapping(self) -> bool:
        """Whether the value is a dict, by the expression."""
        return _is_mapping(self.value)


def constants(tree: ast.Module, *, module: str = "", is_package: bool = False) -> dict[str, Constant]:
    """Return the constants of a module, by name, in the order of the source.

    Args:
        tree: the module's syntax tree.
        module: its full name; without it, what the module imports from itself is not noticed.
        is_package: whether it is a package's `__init__`.
    """
    scopes = scopes_of(tree, module=module, is_package=is_package)
    candidates = _candidates(scopes)
    if not candidates or _is_dynamic(scopes) or _imports_itself(scopes, module, candidates):
        return {}
    readings = Readings(scopes)
    return {
        name: found
        for name, found in candidates.items()
        if readings.named(scopes.module, name, found.depth, is_mapping=found.is_mapping)
        and _read_through_modules(scopes, readings, found)
    }


def reads_only(tree: ast.AST, path: str, *, of: Constant, module: str = "", is_package: bool = False) -> bool:
    """Return whether a module, a function or a class only reads the value that it knows by a name, and hands it to nobody.

    Args:
        tree: the syntax tree of the module, or of one function or class of it. A local function is asked about as part of the one around it.
        path: the name: `"TABLE"` for a global of that module, imported or its own, and for what a function imports by that name;
            `"config.TABLE"` for the attribute of a module that is known by the name `config`.
        of: the constant.
        module: the full name of the module that the tree belongs to.
        is_package: whether that is a package's `__init__`.
    """
    scopes = scopes_of(tree, module=module, is_package=is_package)
    if _is_dynamic(scopes):
        return False
    readings = Readings(scopes)
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
        is_it: says whether a full name, as the imports of the module spell it, stands for the constant.
        of: the constant.
        module: the full name of the module that is read, against which relative imports are resolved.
        is_package: whether it is a package's `__init__`.
    """
    scopes = scopes_of(tree, module=module, is_package=is_package)
    readings = Readings(scopes)
    nodes: list[ast.Name | ast.Attribute] = [name for found in scopes.names.values() for name in found]
    nodes += [attribute for found in scopes.attributes.values() for attribute in found]
    uses = [node for node in nodes if any(is_it(full) for full in _imported_as(scopes, node))]
    return not uses or (
        not _is_dynamic(scopes)
        and all(readings.reads_constant(node, of.depth, is_mapping=of.is_mapping) for node in uses)
    )


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


def still_made(
    constant: Constant, value: object, *, leaf: Callable[[object], bool], lookup: Callable[[str], object]
) -> bool:
    """Return whether a value is what the statement of its constant made, as far as that can be told.

    A display is compared part by part: the same kinds of containers, the same keys, equal literals, the things that the names stand
    for now. What other expressions made is not computed again: there, no more containers may be in each other than the expression says.

    Args:
        constant: what the source says.
        value: the value at the spawn.
        leaf: says whether a part that is no list, dict or set is immutable, so that it can be sent as it is.
        lookup: returns what a name of the module, or a built-in one, stands for; raises `LookupError` if it is not bound.
    """
    return _matches(constant.value, value, constant.depth, leaf, lookup)


def depth_of_value(value: object, leaf: Callable[[object], bool]) -> int:
    """Return how deep lists, dicts and sets stand in each other in a value; `MAX_DEPTH` + 1 if something else in it can be changed."""
    parts = _parts(value)
    if parts is None:
        return 0 if leaf(value) else MAX_DEPTH + 1
    return _depth_of_parts(value, parts, leaf, frozenset())


def _depth_of_parts(value: object, parts: list[object], leaf: Callable[[object], bool], around: frozenset[int]) -> int:
    if id(value) in around or len(around) > MAX_DEPTH:
        return MAX_DEPTH + 1
    deepest = 0
    for part in parts:
        inner = _parts(part)
        if inner is not None:
            deepest = max(deepest, _depth_of_parts(part, inner, leaf, around | {id(value)}))
        elif not leaf(part):
            return MAX_DEPTH + 1
    is_immutable = type(value) in {tuple, frozenset}
    return 0 if is_immutable and not deepest else min(deepest + 1, MAX_DEPTH + 1)


def _parts(value: object) -> list[object] | None:
    if type(value) is dict:
        return [*value, *value.values()]
    if isinstance(value, list | set | frozenset | tuple) and type(value) in {list, set, frozenset, tuple}:
        return list(value)
    return None


# The value and the expression


def _matches(
    expression: ast.expr, value: object, depth: int, leaf: Callable[[object], bool], lookup: Callable[[str], object]
) -> bool:
    match expression:
        case ast.Constant():
            return type(value) is type(expression.value) and value == expression.value
        case ast.List() | ast.Tuple() if not any(isinstance(part, ast.Starred) for part in expression.elts):
            kind = list if isinstance(expression, ast.List) else tuple
            if type(value) is not kind or len(value) != len(expression.elts):
                return False
            return all(
                _matches(part, item, depth - 1, leaf, lookup) for part, item in zip(expression.elts, value, strict=True)
            )
        case ast.Dict() if None not in expression.keys:
            return type(value) is dict and _matches_dict(expression, value, depth, leaf, lookup)
        case ast.Name():
            return _is_named(expression.id, value, lookup) and depth_of_value(value, leaf) <= max(depth, 0)
        case ast.List() | ast.ListComp() if type(value) is not list:
            return False
        case ast.Set() | ast.SetComp() if type(value) is not set:
            return False
        case ast.Dict() | ast.DictComp() if type(value) is not dict:
            return False
    return depth_of_value(value, leaf) <= max(depth, 0)


def _is_named(name: str, value: object, lookup: Callable[[str], object]) -> bool:
    try:
        return lookup(name) is value
    except LookupError:
        return True  # it was deleted since, which says nothing of the container


def _matches_dict(
    expression: ast.Dict,
    value: dict[object, object],
    depth: int,
    leaf: Callable[[object], bool],
    lookup: Callable[[str], object],
) -> bool:
    if not all(isinstance(key, ast.Constant) for key in expression.keys):
        return len(value) <= len(expression.keys) and depth_of_value(value, leaf) <= depth
    parts = {
        key.value: part
        for key, part in zip(expression.keys, expression.values, strict=True)
        if isinstance(key, ast.Constant)
    }
    return list(parts) == list(value) and all(
        _matches(part, value[key], depth - 1, leaf, lookup) for key, part in parts.items()
    )


# The names of the module


def _candidates(scopes: Tree) -> dict[str, Constant]:
    found: dict[str, Constant] = {}
    last_star = max((star.lineno for star in scopes.stars), default=0)
    for name, bindings in scopes.bindings.items():
        if len(bindings) != 1 or bindings[0].repeated:
            continue
        node = bindings[0].node
        statement = scopes.parents.get(node)
        value = _assigned(node, statement)
        if value is None or statement is None or getattr(statement, "lineno", 0) < last_star:
            continue
        depth = depth_of(value, found, scopes)
        if 0 < depth <= MAX_DEPTH:
            found[name] = Constant(name, value, depth)
    return found


def _assigned(node: ast.AST, statement: ast.AST | None) -> ast.expr | None:
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


def depth_of(value: ast.expr, known: dict[str, Constant], scopes: Tree) -> int:
    """Return how deep an expression makes lists, dicts and sets stand in each other; 0 for all that it does not show to make any."""

    def deepest(parts: list[ast.expr]) -> int:
        return max((depth_of(part, known, scopes) for part in parts), default=0)

    match value:
        case ast.List() | ast.Set():
            return 1 + deepest([e for e in value.elts if not isinstance(e, ast.Starred)])
        case ast.ListComp() | ast.SetComp():
            return 1 + depth_of(value.elt, known, scopes)
        case ast.DictComp():
            return 1 + depth_of(value.value, known, scopes)
        case ast.Dict():
            spread = [part for key, part in zip(value.keys, value.values, strict=True) if key is None]
            held = [part for key, part in zip(value.keys, value.values, strict=True) if key is not None]
            return max(1 + deepest(held), deepest(spread))
        case ast.Tuple():
            inner = deepest(value.elts)
            return inner + 1 if inner else 0
        case ast.Name():
            return known[value.id].depth if value.id in known else 0
        case ast.BinOp():
            return max(depth_of(value.left, known, scopes), depth_of(value.right, known, scopes))
        case ast.IfExp():
            return max(depth_of(value.body, known, scopes), depth_of(value.orelse, known, scopes))
        case ast.Call():
            return _depth_of_call(value, known, scopes)
    return 0


def _depth_of_call(call: ast.Call, known: dict[str, Constant], scopes: Tree) -> int:
    inner = max((depth_of(part, known, scopes) for part in call.args), default=0)
    function = call.func
    if isinstance(function, ast.Name) and function.id not in scopes.module.bound:
        if function.id in CONSTRUCTORS:
            held = max((depth_of(k.value, known, scopes) for k in call.keywords if k.arg is not None), default=0)
            return max(inner, 1, 1 + held if function.id == "dict" else 1)
        if function.id in IMMUTABLE:
            return inner if inner > 1 else 0
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Constant) and function.attr in SPLITTERS:
        return 1
    if isinstance(function, ast.Attribute) and function.attr == "fromkeys" and isinstance(function.value, ast.Name):
        value = depth_of(call.args[1], known, scopes) if len(call.args) == 2 else 0
        return 1 + value if function.value.id == "dict" and "dict" not in scopes.module.bound else 0
    return 0


def _is_mapping(value: ast.expr) -> bool:
    if isinstance(value, ast.BinOp):
        return _is_mapping(value.left) or _is_mapping(value.right)
    if isinstance(value, ast.Call):
        function = value.func
        return (isinstance(function, ast.Name) and function.id == "dict") or (
            isinstance(function, ast.Attribute) and function.attr == "fromkeys"
        )
    return isinstance(value, ast.Dict | ast.DictComp)


# What a module does besides using the name


def _is_dynamic(scopes: Tree) -> bool:
    """Return whether code gets at the names of its module by other ways than naming them."""
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
    """Return whether a dynamic function is called in a way that cannot reach the module: `vars(x)`, `exec(code, {})`."""
    call = scopes.parents.get(node)
    if not isinstance(call, ast.Call) or call.func is not node or any(isinstance(a, ast.Starred) for a in call.args):
        return False
    if node.id == "vars":
        return len(call.args) == 1
    return node.id in {"eval", "exec"} and len(call.args) > 1


def _names_module_of_its_own(scopes: Tree, node: ast.Name) -> bool:
    """Return whether `__name__` is used to find the module: `sys.modules[__name__]`, `import_module(__name__)`."""
    parent = scopes.parents.get(node)
    if isinstance(parent, ast.Subscript):
        return True
    if not isinstance(parent, ast.Call):
        return False
    function = parent.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return name in {"import_module", "__import__", "get", "reload"}


def _imports_itself(scopes: Tree, module: str, candidates: dict[str, Constant]) -> bool:
    every: set[Scope] = {scopes.module, *scopes.scopes.values()}
    imported = {target for scope in every for targets in scope.imports.values() for target in targets}
    return bool(module) and not imported.isdisjoint([module, *(f"{module}.{name}" for name in candidates)])


def _read_through_modules(scopes: Tree, readings: Readings, constant: Constant) -> bool:
    """Return whether what the module reaches through imported modules by that name is only read: it may be itself, by a longer name."""
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
