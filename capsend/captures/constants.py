"""Which mutable globals are constants of their modules, so that a process may have a copy that cannot be told from the original."""

from __future__ import annotations

import ast
import builtins
import sys
import types
from typing import TYPE_CHECKING, Any

from capsend_traits.constants import Constant, constants, reads_only, still_made

from capsend.parts import ATOMS
from capsend.source import SourceError
from capsend.texts import texts_of

if TYPE_CHECKING:
    from collections.abc import Callable

_CONTAINERS = (list, dict, set)
_AROUND = (tuple, frozenset)
_found: dict[tuple[str, str], dict[str, Constant]] = {}


class Constants:
    """Answers for one walk.

    Args:
        is_immutable: judges a part that is no list, dict or set.
    """

    def __init__(self, is_immutable: Callable[[object], bool]) -> None:
        self._is_immutable = is_immutable

    def holds(self, namespace: dict[str, Any], name: str, value: object) -> bool:
        """Tell whether a global is a constant of the module that made it, and still what its statement made."""
        if type(value) not in _CONTAINERS and (type(value) not in _AROUND or self._is_immutable(value)):
            return False
        return any(self._is_made(home, inner, value) for home, inner in _homes(namespace, name, value))

    def _is_made(self, home: dict[str, Any], name: str, value: object) -> bool:
        constant = _constants_of(home).get(name)
        if constant is None:
            return False

        def lookup(wanted: str) -> object:
            found = home.get(wanted, vars(builtins).get(wanted, self))
            if found is self:
                raise LookupError(wanted)
            return found

        return still_made(constant, value, leaf=self._is_leaf, lookup=lookup)

    def _is_leaf(self, value: object) -> bool:
        return type(value) in ATOMS or (type(value) not in _CONTAINERS and self._is_immutable(value))


def _homes(namespace: dict[str, Any], name: str, value: object) -> list[tuple[dict[str, Any], str]]:
    """Return the modules that made a value, with its name there: this one, or the one that it was imported from."""
    if name in _constants_of(namespace):
        return [(namespace, name)]
    return [
        (vars(module), key)
        for module in list(sys.modules.values())
        if type(module) is types.ModuleType and vars(module) is not namespace
        for key in [name]
        if vars(module).get(key) is value
    ]


def _constants_of(namespace: dict[str, Any]) -> dict[str, Constant]:
    filename, name = namespace.get("__file__"), namespace.get("__name__", "")
    if not isinstance(filename, str):
        return {}
    key = (name, filename)
    if key not in _found:
        _found[key] = {}
        try:
            texts = texts_of(filename, namespace)
            for text in texts:
                tree = ast.parse("".join(f"{line}\n" if not line.endswith("\n") else line for line in text.lines))
                _found[key] |= constants(tree, module=name, is_package="__path__" in namespace)
        except (SourceError, SyntaxError, ValueError):
            pass
    return _found[key]


__all__ = ["Constants", "reads_only"]
