"""The questions of a check whether any code may call a method of a certain name: a method that replaces a base's, or one behind an operator.

The answers depend on function bodies, which mypy's interface hash leaves out. So the summary of each module holds the
answers for all names asked about so far. If a module begins to read such a name, its interface changes, and mypy checks
the asking modules again.
"""

from __future__ import annotations

import ast
import contextlib
import os
import re
from typing import TYPE_CHECKING, Final

from capsend_traits.operators import operators_of

from capsend_mypy import reflection

if TYPE_CHECKING:
    from mypy.options import Options

FILE: Final = "capsend.asked"
LOOKING_UP: Final = re.compile(rb"\b(?:getattr|attrgetter|methodcaller)\b")
APPLYING: Final = re.compile(
    rb"\b(?:operator|accumulate|statistics|sumprod|prod|fsum|shuffle|ChainMap|enter_context|enter_async_context|push|push_async_exit)\b"
)
"""Modules and functions of the library that apply operators to the values they are given."""


class Asked:
    """The names asked about in this build, and in the builds that wrote its cache.

    Args:
        options: mypy's.
    """

    def __init__(self, options: Options) -> None:
        # The names are kept next to the cache, longer than one run: a module may be checked before the one that asks.
        self.path = os.path.join(options.cache_dir, FILE) if is_kept(options) else ""
        self.names: set[str] = set()
        with contextlib.suppress(OSError):
            if self.path:
                with open(self.path, encoding="utf-8") as file:
                    self.names.update(file.read().split())

    def add(self, name: str) -> None:
        """Note a name; later summaries answer about it."""
        if name in self.names:
            return
        self.names.add(name)
        with contextlib.suppress(OSError):  # then mypy cannot write its cache either
            if self.path:
                os.makedirs(os.path.dirname(self.path), exist_ok=True)
                with open(self.path, "a", encoding="utf-8") as file:  # append, as workers write to the file too
                    file.write(f"{name}\n")

    def answers(self, text: bytes) -> list[str]:
        """Return the names asked about, each with a "-" before it if the source does not read it."""
        if not self.names or not text:
            return []
        used = used_in(text) if any(map(is_of_operator, self.names)) else frozenset()
        return [name if reads(text, name, used) else f"-{name}" for name in sorted(self.names)]


def is_kept(options: Options) -> bool:
    """Return whether mypy writes a cache; the options name a folder in any case."""
    return bool(options.incremental and options.cache_dir != os.devnull)


def is_of_operator(name: str) -> bool:
    """Return whether Python itself calls a method of this name, for an operator or statement."""
    return name.startswith("__") and name.endswith("__")


def reads(text: bytes, name: str, used: frozenset[str]) -> bool:
    """Return whether a source may call a method: it reads an attribute of that name, or uses the method's operator.

    Args:
        text: the source.
        name: the method.
        used: the methods behind the operators of the source, see `used_in`.
    """
    if name in used or f".{name}".encode() in text:
        return True
    if is_of_operator(name):
        return APPLYING.search(text) is not None
    if LOOKING_UP.search(text) is None:
        return False
    # `getattr` is given the name, or a text with which it begins.
    beginnings = [re.escape(name[:end].encode()) for end in range(reflection.SHORTEST, len(name) + 1)]
    return (
        bool(beginnings) and re.search(rb"[\"'](?:" + b"|".join(reversed(beginnings)) + rb")[\"'{%]", text) is not None
    )


def used_in(text: bytes) -> frozenset[str]:
    """Return the methods that the operators, statements and built-in functions of a source may call."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):  # mypy reports the error; code that it cannot check has no verdict
        return frozenset()
    named = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return frozenset(operators_of(tree, named))
