"""The methods that operators, statements and built-in functions call: they are reached together with their class."""

from __future__ import annotations

from typing import Final

_ARITHMETIC: Final = (
    *(
        "add",
        "sub",
        "mul",
        "matmul",
        "truediv",
        "floordiv",
        "mod",
        "divmod",
        "pow",
        "lshift",
        "rshift",
        "and",
        "xor",
        "or",
    ),
)
METHODS: Final = frozenset(
    f"__{name}__"
    for name in (
        *(
            "iter",
            "next",
            "aiter",
            "anext",
            "reversed",
            "getitem",
            "setitem",
            "delitem",
            "missing",
            "len",
            "length_hint",
            "contains",
        ),
        *("eq", "ne", "lt", "le", "gt", "ge", "hash", "bool", "call", "enter", "exit", "aenter", "aexit", "await"),
        *(
            "str",
            "repr",
            "format",
            "bytes",
            "fspath",
            "index",
            "int",
            "float",
            "complex",
            "abs",
            "round",
            "trunc",
            "floor",
            "ceil",
        ),
        *("neg", "pos", "invert", "get", "set", "delete", "getattr", "getattribute", "setattr", "delattr"),
        *("instancecheck", "subclasscheck", "subclasshook", "class_getitem", "dir", "sizeof", "del"),
        *("copy", "deepcopy", "replace", "reduce", "reduce_ex", "getstate", "setstate"),
        *("getnewargs", "getnewargs_ex", "buffer"),
        *(prefix + name for name in _ARITHMETIC for prefix in ("", "r", "i")),
    )
)
SYNTACTIC: Final = frozenset(
    f"__{name}__"
    for name in (
        *("setitem", "delitem", "contains", "reversed", "neg", "pos", "invert", "abs", "round"),
        *("enter", "exit", "aenter", "aexit", "aiter", "anext", "class_getitem"),
        *(prefix + name for name in _ARITHMETIC for prefix in ("", "r", "i")),
    )
)
"""The methods that functions of the library do not call on every value passed to them: they count only if some code uses the operator.

The functions that do, such as those of `operator`, are named in `asked.APPLYING`.
"""
SUFFIX: Final = ".()"
"""The suffix of a class's full name that denotes the class's operators, as a target of a function."""


def of(fullname: str) -> str:
    """Return the name for the operators of a class."""
    return fullname + SUFFIX


def owner(name: str) -> str:
    """Return the class of a name for operators; empty for other names."""
    return name.removesuffix(SUFFIX) if name.endswith(SUFFIX) else ""
