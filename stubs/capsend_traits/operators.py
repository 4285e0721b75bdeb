"""The methods that the operators, statements and built-in functions of a piece of code may call on instances of classes."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_ITERATION: Final = ("__iter__", "__next__", "__getitem__", "__len__", "__length_hint__")
_TEXT: Final = ("__format__", "__str__", "__repr__")
_TRUTH: Final = ("__bool__", "__len__")
_HASHING: Final = ("__hash__", "__eq__")
_ORDER: Final = ("__lt__", "__gt__", "__le__", "__ge__")
_BINARY: Final[dict[type[ast.operator], str]] = {
    ast.Add: "add",
    ast.Sub: "sub",
    ast.Mult: "mul",
    ast.MatMult: "matmul",
    ast.Div: "truediv",
    ast.FloorDiv: "floordiv",
    ast.Mod: "mod",
    ast.Pow: "pow",
    ast.LShift: "lshift",
    ast.RShift: "rshift",
    ast.BitAnd: "and",
    ast.BitOr: "or",
    ast.BitXor: "xor",
}
_COMPARISON: Final[dict[type[ast.cmpop], tuple[str, ...]]] = {
    ast.Eq: ("__eq__",),
    ast.NotEq: ("__ne__", "__eq__"),
    ast.Lt: ("__lt__", "__gt__"),
    ast.Gt: ("__gt__", "__lt__"),
    ast.LtE: ("__le__", "__ge__"),
    ast.GtE: ("__ge__", "__le__"),
    ast.In: ("__contains__", *_ITERATION, "__eq__", "__hash__"),
    ast.NotIn: ("__contains__", *_ITERATION, "__eq__", "__hash__"),
}
_UNARY: Final[dict[type[ast.unaryop], tuple[str, ...]]] = {
    ast.USub: ("__neg__",),
    ast.UAdd: ("__pos__",),
    ast.Invert: ("__invert__",),
    ast.Not: _TRUTH,
}
_ADDING: Final = ("__add__", "__radd__")
_BUILTINS: Final[dict[str, tuple[str, ...]]] = {
    "abs": ("__abs__",),
    "aiter": ("__aiter__",),
    "all": (*_ITERATION, *_TRUTH),
    "anext": ("__anext__",),
    "any": (*_ITERATION, *_TRUTH),
    "bin": ("__index__",),
    "bool": _TRUTH,
    "bytearray": ("__bytes__", "__index__", *_ITERATION),
    "bytes": ("__bytes__", "__index__", *_ITERATION),
    "callable": (),
    "chr": ("__index__",),
    "complex": ("__complex__", "__float__", "__index__"),
    "dict": ("keys", *_ITERATION, *_HASHING),
    "dir": ("__dir__",),
    "divmod": ("__divmod__", "__rdivmod__"),
    "enumerate": _ITERATION,
    "filter": (*_ITERATION, *_TRUTH, "__call__"),
    "float": ("__float__", "__index__"),
    "format": _TEXT,
    "frozenset": (*_ITERATION, *_HASHING),
    "getattr": ("__getattr__", "__getattribute__"),
    "hasattr": ("__getattr__", "__getattribute__"),
    "hash": _HASHING,
    "hex": ("__index__",),
    "int": ("__int__", "__index__", "__trunc__"),
    "isinstance": ("__instancecheck__",),
    "issubclass": ("__subclasscheck__", "__subclasshook__"),
    "iter": _ITERATION,
    "len": ("__len__",),
    "list": _ITERATION,
    "map": (*_ITERATION, "__call__"),
    "max": (*_ITERATION, *_ORDER),
    "min": (*_ITERATION, *_ORDER),
    "next": ("__next__",),
    "oct": ("__index__",),
    "open": ("__fspath__",),
    "pow": ("__pow__", "__rpow__"),
    "print": _TEXT,
    "range": ("__index__",),
    "repr": ("__repr__",),
    "reversed": ("__reversed__", *_ITERATION),
    "round": ("__round__",),
    "set": (*_ITERATION, *_HASHING),
    "setattr": ("__setattr__",),
    "sorted": (*_ITERATION, *_ORDER),
    "str": _TEXT,
    "sum": (*_ITERATION, *_ADDING),
    "tuple": _ITERATION,
    "zip": _ITERATION,
}


def operators_of(root: ast.AST, names: Iterable[str]) -> Iterator[str]:
    """Yield the methods that a piece of code may call without naming them.

    Args:
        root: the syntax tree of the code.
        names: the global and built-in names that the code reads.
    """
    for name in names:
        yield from _BUILTINS.get(name, ())
    for node in ast.walk(root):
        yield from _of_node(node)


def _of_node(node: ast.AST) -> Iterable[str]:
    reader = _READERS.get(type(node))
    return reader(node) if reader is not None else ()


def _binary(node: Any) -> Iterator[str]:
    name = _BINARY[type(node.op)]
    yield from (f"__{name}__", f"__r{name}__")
    if isinstance(node, ast.AugAssign):
        yield f"__i{name}__"
    if isinstance(node.op, ast.Mod):
        yield from _TEXT  # "%s" % value


def _comparison(node: Any) -> Iterator[str]:
    for operator in node.ops:
        yield from _COMPARISON.get(type(operator), ())


def _subscript(node: Any) -> tuple[str, ...]:
    if isinstance(node.ctx, ast.Store):
        return "__setitem__", *_HASHING
    if isinstance(node.ctx, ast.Del):
        return "__delitem__", *_HASHING
    return "__getitem__", "__missing__", "__index__", "__class_getitem__", *_HASHING


def _attribute(node: Any) -> tuple[str, ...]:
    if isinstance(node.ctx, ast.Store):
        return ("__setattr__",)
    return ("__delattr__",) if isinstance(node.ctx, ast.Del) else ("__getattr__", "__getattribute__")


def _assignment(node: Any) -> tuple[str, ...]:
    return _ITERATION if any(isinstance(target, ast.Tuple | ast.List) for target in node.targets) else ()


_READERS: Final[dict[type[ast.AST], Any]] = {
    ast.Assert: lambda _: _TRUTH,
    ast.Assign: _assignment,
    ast.AsyncFor: lambda _: ("__aiter__", "__anext__"),
    ast.AsyncWith: lambda _: ("__aenter__", "__aexit__"),
    ast.Attribute: _attribute,
    ast.AugAssign: _binary,
    ast.Await: lambda _: ("__await__",),
    ast.BinOp: _binary,
    ast.BoolOp: lambda _: _TRUTH,
    ast.Call: lambda _: ("__call__",),
    ast.Compare: _comparison,
    ast.Dict: lambda _: ("keys", *_HASHING),
    ast.DictComp: lambda _: _HASHING,
    ast.For: lambda _: _ITERATION,
    ast.FormattedValue: lambda _: _TEXT,
    ast.If: lambda _: _TRUTH,
    ast.IfExp: lambda _: _TRUTH,
    ast.Match: lambda _: ("__eq__", "__match_args__", "__len__", "__getitem__"),
    ast.Set: lambda _: _HASHING,
    ast.SetComp: lambda _: _HASHING,
    ast.Starred: lambda _: _ITERATION,
    ast.Subscript: _subscript,
    ast.UnaryOp: lambda node: _UNARY[type(node.op)],
    ast.While: lambda _: _TRUTH,
    ast.With: lambda _: ("__enter__", "__exit__"),
    ast.YieldFrom: lambda _: _ITERATION,
    ast.comprehension: lambda node: ("__aiter__", "__anext__") if node.is_async else (*_ITERATION, *_TRUTH),
}
