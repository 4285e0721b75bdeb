"""The attributes of a class as they are now, compared with what its statement would make of them again."""

from __future__ import annotations

import ast
import enum
import functools
import re
import sys
import types
from typing import TYPE_CHECKING, Any, Final

from capsend.captures.context import functions_in
from capsend.handles import grant_of
from capsend.parts import ATOMS
from capsend.source import is_generated

if TYPE_CHECKING:
    from capsend.source import Source

_KEEPS_FUNCTION: Final = re.compile(
    r"(^|\.)(property|staticmethod|classmethod|cached_property|abstractmethod|setter|deleter|override)$"
)
_FUNCTIONS: Final = (types.FunctionType, staticmethod, classmethod, property, functools.cached_property)


class Origin(enum.Enum):
    """Whether the statement makes an attribute again."""

    AGAIN = "executing the statement makes it as it is"
    VALUE = "it has to be set to the value that it has"
    FUNCTION = "a function was assigned to it later"
    LOST = "something was assigned to it later that cannot be set again"


def origin_of(cls: type, name: str, *, source: Source, namespace: dict[str, Any]) -> Origin:
    """Tell where the attribute `name` of a class comes from.

    Args:
        cls: the class.
        name: an entry of its namespace.
        source: its statement.
        namespace: the globals of its module.
    """
    value = without_staticmethod(vars(cls)[name])
    if isinstance(value, _FUNCTIONS):
        patched = any(_is_patched(cls, name, function, source) for function in functions_in(value))
        return (
            Origin.AGAIN if not patched else Origin.FUNCTION if isinstance(value, types.FunctionType) else Origin.LOST
        )
    if name.startswith(("__", "_abc_")) or hasattr(type(value), "__get__"):
        return Origin.AGAIN
    expression = _assigned(source.node, name)
    if expression is None:
        return Origin.VALUE if type(value) in ATOMS or grant_of(value) is not None else Origin.AGAIN
    return Origin.AGAIN if makes(expression, value, namespace) else Origin.VALUE


def without_staticmethod(value: Any) -> Any:
    """Return the handle, such as a function of the host, that a `staticmethod` holds; anything else as it is."""
    is_handle = isinstance(value, staticmethod) and grant_of(value.__func__) is not None
    return value.__func__ if is_handle else value


def makes(expression: ast.expr, value: object, namespace: dict[str, Any]) -> bool:
    """Tell whether an expression surely gives the value, whenever it is evaluated."""
    if isinstance(expression, ast.Name):
        return namespace.get(expression.id, expression) is value
    try:
        literal = ast.literal_eval(expression)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False
    return type(literal) is type(value) and repr(literal) == repr(value)


def stale_defaults(cls: type, *, source: Source, namespace: dict[str, Any]) -> list[types.FunctionType]:
    """Return the methods with a default that the class statement would not make again: a global has changed since, or the default itself."""
    assert isinstance(source.node, ast.ClassDef)
    nodes = {node.name: node for node in source.node.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    return [
        function
        for name, value in vars(cls).items()
        for function in functions_in(value)
        if name in nodes and function.__name__ == name and not _gives_defaults(nodes[name].args, function, namespace)
    ]


def _gives_defaults(arguments: ast.arguments, function: types.FunctionType, namespace: dict[str, Any]) -> bool:
    positional = zip(arguments.defaults, function.__defaults__ or (), strict=False)
    names = (argument.arg for argument in arguments.kwonlyargs)
    keyword = (
        (e, (function.__kwdefaults__ or {}).get(name))
        for name, e in zip(names, arguments.kw_defaults, strict=True)
        if e is not None
    )
    return all(
        makes(e, value, namespace) or (type(value) not in ATOMS and not isinstance(value, list | dict | set))
        for e, value in (*positional, *keyword)
    )


def _assigned(node: ast.AST, name: str) -> ast.expr | None:
    """The expression that a class body assigns to a name at last, or None."""
    found = None
    for statement in getattr(node, "body", ()):
        targets = (
            statement.targets
            if isinstance(statement, ast.Assign)
            else [statement.target]
            if isinstance(statement, ast.AnnAssign)
            else []
        )
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            found = statement.value
    return found


def _is_patched(cls: type, name: str, function: types.FunctionType, source: Source) -> bool:
    """Tell whether a function was put into a class later; generated methods and the results of decorators come by themselves."""
    code = function.__code__
    end = source.node.end_lineno or 0
    if code.co_filename == source.file and source.line <= code.co_firstlineno <= end:
        return False
    if is_generated(code) and function.__qualname__ in {
        f"{cls.__qualname__}.{name}",
        f"{cls.__qualname__}.{function.__name__}",
    }:
        return False
    assert isinstance(source.node, ast.ClassDef)
    statement = next(
        (
            s
            for s in reversed(source.node.body)
            if isinstance(s, ast.FunctionDef | ast.AsyncFunctionDef) and s.name == name
        ),
        None,
    )
    if statement is not None:
        return all(_KEEPS_FUNCTION.search(ast.unparse(decorator)) for decorator in statement.decorator_list)
    expression = _assigned(source.node, name)
    if isinstance(expression, ast.Name):
        return function.__globals__.get(expression.id) is not function
    if name.startswith("__") and str(function.__globals__.get("__name__")).partition(".")[0] in sys.stdlib_module_names:
        return False  # total_ordering, NamedTuple and their like
    # What is not in the body came from a decorator, a metaclass or __init_subclass__, or was assigned later.
    return (
        expression is None and function.__qualname__ != f"{cls.__qualname__}.{name}" and not source.node.decorator_list
    )
