"""Lost writes: assignments to classes, modules and functions that outlive the call, which other processes would not see."""

from __future__ import annotations

import ast
import inspect
import sys
import types
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

import attrs
from capsend_traits.wording import CHANGING_METHODS, LENT_MODULES

from capsend.codec.instances import is_a
from capsend.shipping.captures.origins import resolve
from capsend.source.modules import loaded
from capsend.source.parsed import nodes_of
from capsend.source.references import Write
from capsend.traits.per_process import class_declares_per_process, declares_per_process

if TYPE_CHECKING:
    from collections.abc import Iterator

    from capsend.source.locate import Source

_SETTERS: Final = frozenset({"setattr", "delattr"})
_RAW_SETTERS: Final = frozenset({"__setattr__", "__delattr__"})
_CLASS_OF: Final = frozenset({"type", "Type", "typing.Type"})
_RAW_OWNERS: Final = frozenset({"type", "object"})
_FUNCTIONS: Final = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_PLAIN: Final = ast.Name | ast.Attribute | ast.Call
_ANY_OWNER: Final = object()
_MAKES_CLASSES: Final = frozenset({"__new__", "__init__", "__prepare__"})


class _Chain:
    """An attribute chain `root.first.second`, as far as the source writes it out.

    Attributes:
        root: the expression at its beginning; None for `globals()`, whose items are the module's attributes.
        attributes: the names after the root.
        of_class: True if it begins with `type(root)` or `root.__class__`.
    """

    def __init__(self, root: ast.expr | None, attributes: list[str], *, of_class: bool) -> None:
        self.root = root
        self.attributes = attributes
        self.of_class = of_class


@attrs.frozen
class _Writing:
    """The writes of a function, by its source.

    Attributes:
        candidates: [(chain, line, True if the object at the end of the chain is changed)], one for each assignment through an attribute.
        imports: {name: (full name of the module, name in the module, or None)} of the import statements in it.
        changed: see `changed_names`.
    """

    candidates: tuple[tuple[_Chain, int, bool], ...]
    imports: dict[str, tuple[str, str]]
    changed: frozenset[str]


_found: WeakKeyDictionary[types.CodeType, _Writing] = WeakKeyDictionary()


def _writing(function: types.FunctionType, source: Source) -> _Writing:
    """Return the writes in the source of a function; kept per code object."""
    known = _found.get(function.__code__)
    if known is None:
        node, package = source.node, function.__globals__.get("__package__") or ""
        candidates = tuple(_candidates(node))
        known = _found[function.__code__] = _Writing(candidates, _imported(node, package), _changed_names(node))
    return known


def lost_writes(function: types.FunctionType, source: Source) -> list[Write]:
    """Return the lost writes of a function, in the order of its source."""
    writing = _writing(function, source)
    return [
        Write(".".join([name, *chain.attributes]) if name else chain.attributes[0], "attribute", line)
        for chain, line, changes in writing.candidates
        for name, owner in [_owner(chain, function, source, writing.imports)]
        if owner is not None and not _is_own_business(owner, chain.attributes, changes=changes)
    ]


def changed_names(function: types.FunctionType, source: Source) -> frozenset[str]:
    """Return the last names of all containers that a function changes: `TABLE[key] = 1`, `self.rows.append(1)`."""
    return _writing(function, source).changed


def _changed_names(root: ast.AST) -> frozenset[str]:
    found: set[str] = set()
    for node in nodes_of(root):
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
    """Yield (chain, line, True if the object at the end of the chain is changed) for each assignment through an attribute."""
    for node in nodes_of(root):
        if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load):
            yield _chain(node), node.lineno, False
        elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Attribute):
            yield _chain(node.target), node.lineno, False
        elif isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
            namespace = _namespace(node.value)
            if namespace is None:
                yield from _through(node.value, node.lineno)
            elif not _is_cache(root, namespace):
                yield _named(namespace, node.slice), node.lineno, False
        elif isinstance(node, ast.Call):
            yield from _called(root, node)


def _called(root: ast.AST, node: ast.Call) -> Iterator[tuple[_Chain, int, bool]]:
    if _is_setter(node.func) and len(node.args) > 1:
        yield _named(_chain(node.args[0]), node.args[1]), node.lineno, False
    elif isinstance(node.func, ast.Attribute) and node.func.attr in CHANGING_METHODS:
        namespace = _namespace(node.func.value)
        if namespace is None:
            yield from _through(node.func.value, node.lineno)
        elif not _is_cache(root, namespace):
            yield _named(namespace, None), node.lineno, False


def _is_setter(function: ast.expr) -> bool:
    """Return whether a called function sets an attribute of its first argument: `setattr`, `type.__setattr__`, `object.__delattr__`."""
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
        return function.attr in _RAW_SETTERS and function.value.id in _RAW_OWNERS
    return isinstance(function, ast.Name) and function.id in _SETTERS


def _namespace(expression: ast.expr) -> _Chain | None:
    """Return the chain whose namespace an expression is: `vars(config)`, `config.__dict__`, or `globals()`."""
    if isinstance(expression, ast.Attribute) and expression.attr == "__dict__":
        return _chain(expression.value)
    if isinstance(expression, ast.Call) and isinstance(expression.func, ast.Name):
        if expression.func.id == "globals" and not expression.args:
            return _Chain(None, [], of_class=False)
        if expression.func.id == "vars" and len(expression.args) == 1:
            return _chain(expression.args[0])
    return None


def _is_cache(root: ast.AST, namespace: _Chain) -> bool:
    """Return whether a module's `__getattr__` caches its results: every later read gets the same object."""
    return namespace.root is None and isinstance(root, ast.FunctionDef) and root.name == "__getattr__"


def _named(chain: _Chain, name: ast.expr | None) -> _Chain:
    """Return the chain extended by one attribute, whose name may be computed."""
    constant = name.value if isinstance(name, ast.Constant) else "globals()" if chain.root is None else "..."
    return _Chain(chain.root, [*chain.attributes, str(constant)], of_class=chain.of_class)


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


def _owner(
    chain: _Chain, function: types.FunctionType, source: Source, imports: dict[str, tuple[str, str]]
) -> tuple[str, object]:
    """Return (name of the assignment's owner in the user's code, the owner).

    The owner is None unless it is a class, module or function.
    """
    if chain.root is None:
        return "", _module_of(function) or _ANY_OWNER
    if not chain.attributes:
        return "", None
    if chain.of_class and isinstance(chain.root, ast.Call):
        made = chain.root.func.id if isinstance(chain.root.func, ast.Name) else ""
        is_own = any(isinstance(inner, ast.ClassDef) and inner.name == made for inner in ast.walk(source.node))
        return f"type({ast.unparse(chain.root)})", None if is_own else _ANY_OWNER
    if not isinstance(chain.root, ast.Name):
        return "", None
    name = chain.root.id
    imported = _import_of(*imports.get(name, ("", "")))
    if imported is not None:
        return name, imported
    if chain.of_class:
        known = _local_class(source.node, name)
        return f"type({name})", None if known else _class_around(function) or _ANY_OWNER
    if name == _class_parameter(function, source):
        return name, _class_around(function) or _ANY_OWNER
    if _is_local(function.__code__, source.node, name):
        other = _alias(function, source.node, name)
        if other is not None:
            return _owner(
                _Chain(other.root, [*other.attributes, *chain.attributes], of_class=other.of_class),
                function,
                source,
                imports,
            )
        return name, _class_of_parameter(function, source.node, name)
    value = _value_of(function, name)
    return name, value if is_a(value, type | types.ModuleType | types.FunctionType) else None


def _imported(node: ast.AST, package: str) -> dict[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    for statement in nodes_of(node):
        if isinstance(statement, ast.Import):
            for alias in statement.names:
                top = alias.name.partition(".")[0]
                found.setdefault(alias.asname or top, (alias.name if alias.asname else top, ""))
        elif isinstance(statement, ast.ImportFrom):
            home = statement.module or ""
            if statement.level:
                above = package.rsplit(".", statement.level - 1)[0]
                home = f"{above}.{home}" if home else above
            for alias in statement.names:
                found.setdefault(alias.asname or alias.name, (home, alias.name))
    return found


def _import_of(home: str, name: str) -> object:
    """Return the module, class or function that an import statement binds; None if it is not loaded or is something else."""
    module = loaded(home)
    if module is None or not name:
        return module
    value = vars(module).get(name, loaded(f"{home}.{name}"))
    return value if is_a(value, type | types.ModuleType | types.FunctionType) else None


def _module_of(function: types.FunctionType) -> types.ModuleType | None:
    module = loaded(function.__globals__.get("__name__", ""))
    return module if module is not None and vars(module) is function.__globals__ else None


def _local_class(node: ast.AST, name: str) -> bool:
    """Return whether a name holds an instance of a class made in the function itself, as far as the source shows it."""
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
    """Return the name of a first parameter that is a class of the program: in class methods, `__new__`, and methods of metaclasses."""
    code = function.__code__
    if not code.co_argcount or not isinstance(source.node, ast.FunctionDef | ast.AsyncFunctionDef):
        return ""
    first, name = code.co_varnames[0], source.node.name
    decorated = any(_ends_with(decorator, "classmethod") for decorator in source.node.decorator_list)
    owner = _class_around(function)
    if owner is not None and issubclass(owner, type):
        return "" if name in _MAKES_CLASSES else first
    return first if decorated or (name == "__new__" and owner is not None) else ""


def _alias(function: types.FunctionType, node: ast.AST, name: str) -> _Chain | None:
    """Return the expression behind a local variable that is assigned once, such as `config = settings` or `cls = type(self)`."""
    names = [each for each in ast.walk(node) if isinstance(each, ast.Name) and each.id == name]
    stores = [each for each in names if not isinstance(each.ctx, ast.Load)]
    if len(stores) != 1 or any(isinstance(each, ast.arg) and each.arg == name for each in ast.walk(node)):
        return None
    for each in ast.walk(node):
        if isinstance(each, ast.Assign) and each.targets == stores and isinstance(each.value, _PLAIN):
            chain = _chain(each.value)
            root = chain.root.id if isinstance(chain.root, ast.Name) else ""
            # Only `type(self)` and `self.__class__` concern another local variable.
            return chain if root and (chain.of_class or not _is_local(function.__code__, node, root)) else None
    return None


def _class_of_parameter(function: types.FunctionType, node: ast.AST, name: str) -> type | None:
    """Return the class that the annotation of a parameter names, as in `type[Counter]`."""
    arguments = node.args if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else None
    for argument in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs] if arguments is not None else ():
        noted = argument.annotation
        if isinstance(noted, ast.Constant) and isinstance(noted.value, str):
            noted = _parsed(noted.value)
        if argument.arg == name and isinstance(noted, ast.Subscript) and ast.unparse(noted.value) in _CLASS_OF:
            held = _value_of(function, noted.slice.id) if isinstance(noted.slice, ast.Name) else None
            return held if is_a(held, type) else None
    return None


def _parsed(annotation: str) -> ast.expr | None:
    try:
        return ast.parse(annotation.strip(), mode="eval").body
    except SyntaxError:
        return None


def _ends_with(decorator: ast.expr, name: str) -> bool:
    return (isinstance(decorator, ast.Name) and decorator.id == name) or (
        isinstance(decorator, ast.Attribute) and decorator.attr == name
    )


def _class_around(function: types.FunctionType) -> type | None:
    """Return the class that a function is a method of, by its `__class__` cell or its full name."""
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
    # A nested function or class, or a comprehension.
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
    """Return whether each process may have its own value of an assigned name."""
    first = attributes[0]
    if owner is _ANY_OWNER:
        return False
    if isinstance(owner, types.ModuleType):
        if owner.__name__ in LENT_MODULES or (changes and _is_of_library(owner.__name__)):
            return True
        held = vars(owner).get(first)
        if len(attributes) > 1 and is_a(held, type | types.ModuleType | types.FunctionType):
            return _is_own_business(held, attributes[1:], changes=changes)
        return first in vars(owner) and declares_per_process(vars(owner), first, held)
    if isinstance(owner, type):
        if changes and _is_of_library(owner.__module__):
            return True
        declared = any(class_declares_per_process(base, first) for base in owner.__mro__)
        # A value that a class holds and a function changes is judged by its kind: a tuple cannot be changed, a list is refused.
        held = inspect.getattr_static(owner, first, None)
        return declared or (changes and not hasattr(type(held), "__setitem__") and not hasattr(type(held), "append"))
    return False


def _is_of_library(module: str) -> bool:
    """Return whether a module is part of the standard library: each process has a fresh copy of its state."""
    return module.partition(".")[0] in sys.stdlib_module_names
