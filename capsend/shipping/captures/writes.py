"""Lost writes: what a function assigns to classes, modules and functions that outlive it, which nobody outside the process would see."""

from __future__ import annotations

import ast
import inspect
import sys
import types
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

import attrs
from capsend_traits.wording import CHANGING_METHODS, LENT_MODULES

from capsend.shipping.captures.origins import resolve
from capsend.source.modules import loaded
from capsend.source.references import Write
from capsend.traits.per_process import class_declares_per_process, declares_per_process

if TYPE_CHECKING:
    from collections.abc import Iterator

    from capsend.source.locate import Source

_SETTERS: Final = frozenset({"setattr", "delattr"})
_FUNCTIONS: Final = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_ANY_OWNER: Final = object()
_MAKES_CLASSES: Final = frozenset({"__new__", "__init__", "__prepare__"})


class _Chain:
    """`root.first.second`, as far as it is written out; `is_class` for `type(root)` and `root.__class__`."""

    def __init__(self, root: ast.expr, attributes: list[str], *, of_class: bool) -> None:
        self.root = root
        self.attributes = attributes
        self.of_class = of_class


@attrs.frozen
class _Writing:
    """What the source of a function says of its writes.

    Attributes:
        candidates: [(chain, line, whether it changes what the chain leads to)] of everything that is assigned through an attribute.
        imports: {name: full name of the module} of the import statements in it.
        changed: see `changed_names`.
    """

    candidates: tuple[tuple[_Chain, int, bool], ...]
    imports: dict[str, str]
    changed: frozenset[str]


_found: WeakKeyDictionary[types.CodeType, _Writing] = WeakKeyDictionary()


def _writing(function: types.FunctionType, source: Source) -> _Writing:
    """Return what the source of a function says; kept per code object."""
    known = _found.get(function.__code__)
    if known is None:
        candidates, node = tuple(_candidates(source.node)), source.node
        known = _found[function.__code__] = _Writing(candidates, _imported(node), _changed_names(node))
    return known


def lost_writes(function: types.FunctionType, source: Source) -> list[Write]:
    """Return the lost writes of a function, in the order of its source."""
    writing = _writing(function, source)
    return [
        Write(".".join([name, *chain.attributes]), "attribute", line)
        for chain, line, changes in writing.candidates
        for name, owner in [_owner(chain, function, source, writing.imports)]
        if owner is not None and not _is_own_business(owner, chain.attributes, changes=changes)
    ]


def changed_names(function: types.FunctionType, source: Source) -> frozenset[str]:
    """Return the last names of all containers that a function changes: `TABLE[key] = 1`, `self.rows.append(1)`."""
    return _writing(function, source).changed


def _changed_names(root: ast.AST) -> frozenset[str]:
    found: set[str] = set()
    for node in ast.walk(root):
        container: ast.AST | None = None
        if isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
            container = node.value
        elif isinstance(node, ast.AugAssign):
            container = node.target
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CHANGING_METHODS:
            container = node.func.value
        while isinstance(container, ast.Subscript):
            container = container.value
        if isinstance(container, ast.Name):
            found.add(container.id)
        elif isinstance(container, ast.Attribute):
            found.add(container.attr)
    return frozenset(found)


def _candidates(root: ast.AST) -> Iterator[tuple[_Chain, int, bool]]:
    """Yield (chain, line, whether it changes what the chain leads to) of everything that is assigned through an attribute."""
    for node in ast.walk(root):
        if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load):
            yield _chain(node), node.lineno, False
        elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Attribute):
            yield _chain(node.target), node.lineno, False
        elif isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
            yield from _through(node.value, node.lineno)
        elif isinstance(node, ast.Call):
            yield from _called(node)


def _called(node: ast.Call) -> Iterator[tuple[_Chain, int, bool]]:
    if isinstance(node.func, ast.Name) and node.func.id in _SETTERS and len(node.args) > 1:
        name = node.args[1]
        chain = _chain(node.args[0])
        chain.attributes.append(str(name.value) if isinstance(name, ast.Constant) else "...")
        yield chain, node.lineno, False
    elif isinstance(node.func, ast.Attribute) and node.func.attr in CHANGING_METHODS:
        yield from _through(node.func.value, node.lineno)


def _through(container: ast.expr, line: int) -> Iterator[tuple[_Chain, int, bool]]:
    while isinstance(container, ast.Subscript):
        container = container.value
    if isinstance(container, ast.Attribute):
        yield _chain(container), line, True


def _chain(expression: ast.expr) -> _Chain:
    attributes: list[str] = []
    while True:
        if isinstance(expression, ast.Attribute) and expression.attr == "__class__":
            return _Chain(expression.value, attributes, of_class=True)
        if isinstance(expression, ast.Attribute):
            attributes.insert(0, expression.attr)
            expression = expression.value
        elif isinstance(expression, ast.Subscript):
            expression = expression.value
        else:
            break
    if (
        isinstance(expression, ast.Call)
        and isinstance(expression.func, ast.Name)
        and expression.func.id == "type"
        and len(expression.args) == 1
    ):
        return _Chain(expression.args[0], attributes, of_class=True)
    return _Chain(expression, attributes, of_class=False)


def _owner(chain: _Chain, function: types.FunctionType, source: Source, imports: dict[str, str]) -> tuple[str, object]:
    """Return how the user names the owner of what is assigned, and the class, module or function that it is; None for anything else."""
    if not chain.attributes:
        return "", None
    if chain.of_class and isinstance(chain.root, ast.Call):
        made = chain.root.func.id if isinstance(chain.root.func, ast.Name) else ""
        is_own = any(isinstance(inner, ast.ClassDef) and inner.name == made for inner in ast.walk(source.node))
        return f"type({ast.unparse(chain.root)})", None if is_own else _ANY_OWNER
    if not isinstance(chain.root, ast.Name):
        return "", None
    name = chain.root.id
    imported = loaded(imports.get(name, ""))
    if imported is not None:
        return name, imported
    if chain.of_class:
        known = _local_class(source.node, name)
        return f"type({name})", None if known else _class_around(function) or _ANY_OWNER
    if name == _class_parameter(function, source):
        return name, _class_around(function) or _ANY_OWNER
    if _is_local(function.__code__, source.node, name):
        return name, None
    value = _value_of(function, name)
    return name, value if isinstance(value, type | types.ModuleType | types.FunctionType) else None


def _imported(node: ast.AST) -> dict[str, str]:
    found: dict[str, str] = {}
    for statement in ast.walk(node):
        if isinstance(statement, ast.Import):
            for alias in statement.names:
                top = alias.name.partition(".")[0]
                found.setdefault(alias.asname or top, alias.name if alias.asname else top)
    return found


def _local_class(node: ast.AST, name: str) -> bool:
    """Tell whether a name stands for an instance of a class that the function itself makes, as far as that can be read off."""
    made = {inner.name for inner in ast.walk(node) if isinstance(inner, ast.ClassDef)}
    return any(
        isinstance(statement, ast.Assign)
        and any(isinstance(target, ast.Name) and target.id == name for target in statement.targets)
        and isinstance(statement.value, ast.Call)
        and isinstance(statement.value.func, ast.Name)
        and statement.value.func.id in made
        for statement in ast.walk(node)
    )


def _class_parameter(function: types.FunctionType, source: Source) -> str:
    """Return the name of the first parameter where that is a class that the program has: in class methods, `__new__`, and methods of metaclasses."""
    code = function.__code__
    if not code.co_argcount or not isinstance(source.node, ast.FunctionDef | ast.AsyncFunctionDef):
        return ""
    first, name = code.co_varnames[0], source.node.name
    decorated = any(_ends_with(decorator, "classmethod") for decorator in source.node.decorator_list)
    owner = _class_around(function)
    if owner is not None and issubclass(owner, type):
        return "" if name in _MAKES_CLASSES else first
    return first if decorated or (name == "__new__" and owner is not None) else ""


def _ends_with(decorator: ast.expr, name: str) -> bool:
    return (isinstance(decorator, ast.Name) and decorator.id == name) or (
        isinstance(decorator, ast.Attribute) and decorator.attr == name
    )


def _class_around(function: types.FunctionType) -> type | None:
    """Return the class that a function is a method of; the `__class__` cell or its full name says it."""
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        if name == "__class__":
            try:
                return cell.cell_contents if isinstance(cell.cell_contents, type) else None
            except ValueError:
                return None
    prefix = function.__code__.co_qualname.rpartition(".")[0]
    module = loaded(function.__globals__.get("__name__", ""))
    found = resolve(module, prefix) if prefix and module is not None and "<locals>" not in prefix else None
    return found if isinstance(found, type) else None


def _is_local(code: types.CodeType, node: ast.AST, name: str) -> bool:
    if name in code.co_freevars:
        return False
    if name in code.co_varnames or name in code.co_cellvars:
        return True
    # In a function or class that is defined in there, or in a comprehension.
    for inner in ast.walk(node):
        if inner is node or not isinstance(inner, _FUNCTIONS | ast.ClassDef):
            continue
        if isinstance(inner, ast.ClassDef):
            continue
        arguments = inner.args
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
        if any(argument is not None and argument.arg == name for argument in every):
            return True
        stored = (each for each in ast.walk(inner) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store))
        if any(each.id == name for each in stored):
            return True
    return any(
        isinstance(each, ast.comprehension)
        and any(isinstance(n, ast.Name) and n.id == name for n in ast.walk(each.target))
        for each in ast.walk(node)
    )


def _value_of(function: types.FunctionType, name: str) -> Any:
    for free, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        if free == name:
            try:
                return cell.cell_contents
            except ValueError:
                return None
    return function.__globals__.get(name)


def _is_own_business(owner: Any, attributes: list[str], *, changes: bool) -> bool:
    """Tell whether each process may have its own of what is assigned."""
    first = attributes[0]
    if owner is _ANY_OWNER:
        return False
    if isinstance(owner, types.ModuleType):
        if owner.__name__ in LENT_MODULES or (changes and _is_of_library(owner.__name__)):
            return True
        held = vars(owner).get(first)
        if len(attributes) > 1 and isinstance(held, type | types.ModuleType | types.FunctionType):
            return _is_own_business(held, attributes[1:], changes=changes)
        return first in vars(owner) and declares_per_process(vars(owner), first, held)
    if isinstance(owner, type):
        if changes and _is_of_library(owner.__module__):
            return True
        declared = any(class_declares_per_process(base, first) for base in owner.__mro__)
        # What a class holds and a function changes is judged by its kind: a tuple cannot be changed, a list is refused.
        held = inspect.getattr_static(owner, first, None)
        return declared or (changes and not hasattr(type(held), "__setitem__") and not hasattr(type(held), "append"))
    return False


def _is_of_library(module: str) -> bool:
    """Tell whether a module is the standard library's: each process has a fresh one, and what it gathers is its own."""
    return module.partition(".")[0] in sys.stdlib_module_names
