"""Compile a function, lambda or class from its piece of source text, so that lines, columns and free variables stay the same.

Shared: the host compiles in the same way as the guest, to see the same code.
"""

from __future__ import annotations

import types

_OUTER = "__capsend_outer__"


def compile_source(  # noqa: PLR0913, PLR0917 - the fields of capsend.source.Source, in their order on the wire
    kind: str,
    name: str,
    text: str,
    file: str,
    line: int,
    indent: str,
    enclosing: str,
    free: list[str],
    flags: int,
    optimize: int,
) -> types.CodeType:
    """Return the code object of a function or lambda; for a class, the code that executes its statement in a module."""
    if enclosing and list(free) == ["__class__"] and kind != "class":
        free = []  # the class around a method provides it
    layers = ([_OUTER] if free else []) + ([enclosing] if enclosing and kind != "class" else [])
    head = [f"def {_OUTER}({', '.join(free)}):\n"] if free else []
    if enclosing and kind != "class":
        # One level of the function's own white space, so that tabs and spaces are not mixed.
        step = " " if kind == "lambda" else indent[:1]
        if free and enclosing not in free:
            # Otherwise the class would be a local name, and methods that name their own class would use that.
            head.append(f"{step}global {enclosing}\n")
        head.append(f"{step if free else ''}class {enclosing}:\n")
    if kind == "lambda":
        # Between parentheses, neither indentation nor line ends have a meaning.
        head.append(" " * len(layers) + "_=(\n")
        text += "\n)"
    elif indent and not head:
        head.append("if 1:\n")
    outer = compile("".join(head) + indent + text, file, "exec", flags=flags, dont_inherit=True, optimize=optimize)
    code = outer
    for layer in layers:
        code = _last(code, layer)
    if kind != "class":
        code = _last(code, name)
    return _shift(code, line - 1 - len(head))


def nested_in(owner: object, path: str) -> object:
    """Return the class or function at a dotted path below a class, through nested classes; None if the path leads nowhere."""
    found = owner
    for name in path.split("."):
        if not isinstance(found, type):
            return None
        private = f"_{found.__name__.lstrip('_')}{name}" if name.startswith("__") else name
        found = vars(found).get(name, vars(found).get(private))
    return found


def _last(outer: types.CodeType, name: str) -> types.CodeType:
    """Return the last code object called *name*: lambdas in a function's defaults are compiled before the function."""
    for constant in reversed(outer.co_consts):
        if isinstance(constant, types.CodeType):
            if constant.co_name == name:
                return constant
            if constant.co_name == f"<generic parameters of {name}>":
                return _last(constant, name)
    raise LookupError(name)


def requalified(code: types.CodeType, qualname: str) -> types.CodeType:
    """Return the code, and the code nested in it, under their full names.

    The piece was compiled without the code around it.
    """
    old = code.co_qualname
    return code if old == qualname else _renamed(code, old, qualname)


def _renamed(code: types.CodeType, old: str, new: str) -> types.CodeType:
    def rename(name: str) -> str:
        return new + name.removeprefix(old) if name.startswith(old) else name

    # A class body has its own full name as a constant.
    own = code.co_qualname if "__qualname__" in code.co_names else None
    constants = tuple(
        _renamed(c, old, new) if isinstance(c, types.CodeType) else rename(c) if type(c) is str and c == own else c
        for c in code.co_consts
    )
    return code.replace(co_qualname=rename(code.co_qualname), co_consts=constants)


def _shift(code: types.CodeType, delta: int) -> types.CodeType:
    if delta == 0:
        return code
    constants = tuple(_shift(c, delta) if isinstance(c, types.CodeType) else c for c in code.co_consts)
    return code.replace(co_firstlineno=code.co_firstlineno + delta, co_consts=constants)
