"""The methods that operators, statements and built-in functions call: a class that is reached brings its own along."""

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
SUFFIX: Final = ".()"
"""After the full name of a class: its operators, as something that a function leads to."""


def of(fullname: str) -> str:
    """Return the name that stands for the operators of a class."""
    return fullname + SUFFIX


def owner(name: str) -> str:
    """Return the class whose operators a name stands for; empty if it stands for something else."""
    return name.removesuffix(SUFFIX) if name.endswith(SUFFIX) else ""
