"""Which mutable globals are constants of their modules, so that a process may have a copy that cannot be told from the original."""

from __future__ import annotations

import ast
import builtins
import sys
import types
from typing import TYPE_CHECKING, Any

from capsend_traits.constants import Constant, constants, reads_only, still_made

from capsend.captures.per_process import declares_per_process
from capsend.parts import ATOMS
from capsend.source import SourceError
from capsend.texts import texts_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from capsend.references import References
    from capsend.source import Source

_CONTAINERS = (list, dict, set)
_AROUND = (tuple, frozenset)
# A module is parsed once: what is asked of its text does not change while it is loaded.
_found: dict[tuple[str, str], dict[str, Constant]] = {}
_readers: dict[tuple[str, str, str, int], bool] = {}


class Constants:
    """Answers for one walk.

    Args:
        is_immutable: judges a part that is no list, dict or set.
    """

    def __init__(self, is_immutable: Callable[[object], bool]) -> None:
        self._is_immutable = is_immutable

    def holds(self, namespace: dict[str, Any], name: str, value: object) -> bool:
        """Tell whether a global is a constant of the module that made it, still what its statement made, and only read by the module that has it."""
        if type(value) not in _CONTAINERS and (type(value) not in _AROUND or self._is_immutable(value)):
            return False
        return any(
            self._is_made(home, inner, value)
            and (home is namespace or _only_reads(namespace, name, _constants_of(home)[inner]))
            for home, inner in _homes(namespace, name, value)
        )

    def misused(
        self, function: types.FunctionType, source: Source, references: References
    ) -> Iterator[tuple[str, object, int]]:
        """Yield (name, value, line) of the constants of other modules that a function does more to than read them."""
        for read in references.globals:
            owner: Any = function.__globals__.get(read.name)
            for index, attribute in enumerate(read.chain):
                if type(owner) is not types.ModuleType:
                    break
                constant = _constants_of(vars(owner)).get(attribute)
                path = ".".join([read.name, *read.chain[: index + 1]])
                held = vars(owner).get(attribute)
                is_own = constant is None or declares_per_process(vars(owner), attribute, held)
                if constant is not None and not is_own and not _reads(source, path, constant):
                    yield path, held, read.line
                owner = vars(owner).get(attribute)
        for node in ast.walk(source.node) if references.imports else ():
            if isinstance(node, ast.ImportFrom) and not node.level:
                home = vars(sys.modules.get(node.module or "", types))
                for alias in node.names:
                    constant = _constants_of(home).get(alias.name)
                    is_own = constant is None or declares_per_process(home, alias.name, home.get(alias.name))
                    if constant is not None and not is_own and not _reads(source, alias.asname or alias.name, constant):
                        yield alias.asname or alias.name, home.get(alias.name), node.lineno

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


def _homes(namespace: dict[str, Any], name: str, value: object) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield the modules that made a value, with its name there: this one, or the one that it was imported from."""
    if name in _constants_of(namespace):
        yield namespace, name
        return
    for module in list(sys.modules.values()):
        if type(module) is types.ModuleType and vars(module) is not namespace:
            names = [key for key, held in list(vars(module).items()) if held is value]
            yield from ((vars(module), key) for key in names if key in _constants_of(vars(module)))


def _reads(source: Source, path: str, constant: Constant) -> bool:
    return reads_only(source.node, path, of=constant)


def _only_reads(namespace: dict[str, Any], name: str, constant: Constant) -> bool:
    """Tell whether a module that has imported a constant only reads it."""
    module = str(namespace.get("__name__", ""))
    key = (module, str(namespace.get("__file__")), name, constant.depth)
    if key not in _readers:
        trees = _trees_of(namespace)
        _readers[key] = bool(trees) and all(
            reads_only(tree, name, of=constant, module=module, is_package="__path__" in namespace) for tree in trees
        )
    return _readers[key]


def _constants_of(namespace: dict[str, Any]) -> dict[str, Constant]:
    filename, name = namespace.get("__file__"), namespace.get("__name__", "")
    if not isinstance(filename, str):
        return {}
    key = (name, filename)
    if key not in _found:
        found: dict[str, Constant] = {}
        for tree in _trees_of(namespace):
            found |= constants(tree, module=name, is_package="__path__" in namespace)
        _found[key] = found
    return _found[key]


def _trees_of(namespace: dict[str, Any]) -> list[ast.Module]:
    """Return the syntax trees of a module's texts; none where they are not to be had."""
    try:
        texts = texts_of(str(namespace.get("__file__")), namespace)
        return [
            ast.parse("".join(line if line.endswith("\n") else f"{line}\n" for line in text.lines)) for text in texts
        ]
    except (SourceError, SyntaxError, ValueError):
        return []
