"""Mutable values that are constants of their modules: a process may have a copy, since no code can tell it from the original.

The source of a module shows that all its code only reads a global, a class attribute, a default or a closure variable;
see `capsend_traits.held`. Reached code of other modules must only read the value too, and the value must still be as
its statement made it.
"""

from __future__ import annotations

import ast
import builtins
import functools
import sys
import types
from typing import TYPE_CHECKING, Any, Final

import attrs
from capsend_traits.constants import LIBRARY, MAX_DEPTH, Constant, depth_of_value, reads_only, still_made
from capsend_traits.held import Held, reads_attribute

from capsend.codec.instances import is_a
from capsend.shipping.captures.origins import MAIN, shadows_library
from capsend.source.locate import SourceError
from capsend.source.modules import loaded, shown_name
from capsend.source.texts import texts_of
from capsend.traits.parts import ATOMS
from capsend.traits.per_process import declares_per_process

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from capsend.shipping.captures.context import Place
    from capsend.source.locate import Source
    from capsend.source.references import References

_CONTAINERS = (list, dict, set)
_AROUND = (tuple, frozenset)
_NESTING = 4
HANDED_DOWN: Final[dict[int, object]] = {}
"""In a process: the constants of the program that was sent, by identity, since the source of their modules is not available."""
# A module is parsed once: the answers about its text do not change while it is loaded.
_held: dict[tuple[str, str, bool], tuple[list[ast.Module], list[Held]]] = {}
_readers: dict[tuple[str, str, str, int, bool], bool] = {}


@attrs.frozen
class _Attribute:
    """A class attribute that was judged a constant.

    Attributes:
        constant: the constant.
        path: the name in messages.
        value: the value.
        place: the place where the attribute was reached.
    """

    constant: Constant
    path: str
    value: object
    place: Place


class Constants:
    """The answers about constants for one walk.

    Args:
        is_immutable: judges a part that is not a list, dict or set.
    """

    def __init__(self, is_immutable: Callable[[object], bool]) -> None:
        self.root: object = None
        self._is_immutable = is_immutable
        self._attributes: dict[str, list[_Attribute]] = {}
        self._functions: list[tuple[Source, frozenset[str], Place, dict[str, Any]]] = []
        self._reads: dict[tuple[int, int, str, int, bool], bool] = {}

    def holds(self, namespace: dict[str, Any], name: str, value: object) -> bool:
        """Return whether a global is a constant of its defining module, and the importing module only reads the global."""
        if id(value) in HANDED_DOWN:
            return True
        for home, inner in _homes(namespace, name, value) if self._may_be_one(value) else ():
            constant = self._of_module(home, inner, value)
            if constant is not None and (home is namespace or _only_reads(namespace, name, constant)):
                return True
        return False

    def holds_attribute(self, cls: type, name: str, value: object, place: Place) -> bool:
        """Return whether a class attribute is a constant of its module; code that reaches an attribute of that name must only read it."""
        if id(value) in HANDED_DOWN:
            return True
        module = loaded(cls.__module__)
        if module is None or not self._may_be_one(value):
            return False
        constant = self._one(
            vars(module),
            value,
            lambda held, depth, mapping: held.of_class(cls.__qualname__, name, depth, is_mapping=mapping),
        )
        if constant is None:
            return False
        path = f"{shown_name(cls.__qualname__)}.{name}"
        self._attributes.setdefault(name, []).append(_Attribute(constant, path, value, place))
        return True

    def holds_default(self, function: types.FunctionType, name: str, value: object) -> bool:
        """Return whether a default is written in the `def` and only read.

        A default of the spawned function is not a constant: the caller can pass another value.
        """
        if id(value) in HANDED_DOWN:
            return True
        if function is self.root or not self._may_be_one(value):
            return False
        return self._is_of(function, name, value, Held.of_default)

    def holds_cell(self, function: types.FunctionType, name: str, value: object) -> bool:
        """Return whether a closure variable of a function that a module or class holds is a constant.

        A function that is not held belongs to no module.
        """
        if id(value) in HANDED_DOWN:
            return True
        if function is self.root or not self._may_be_one(value) or not _is_held(function):
            return False
        return self._is_of(function, name, value, Held.of_cell)

    def _is_of(
        self, function: types.FunctionType, name: str, value: object, ask: Callable[..., Constant | None]
    ) -> bool:
        """Return whether a value is a constant of a function, by one of `Held`'s answers about functions."""
        key = function.__code__.co_name, function.__code__.co_firstlineno
        constant = self._one(
            function.__globals__,
            value,
            lambda held, depth, mapping: ask(held, key, name, depth, is_mapping=mapping),
        )
        return constant is not None

    def reached(self, source: Source, references: References, place: Place, *, namespace: dict[str, Any]) -> None:
        """Note a function that the process runs, with its globals: it must only read values that were judged constants."""
        chains = (read.chain for reads in (references.globals, references.free, references.receiver) for read in reads)
        names = {*references.attributes, *(name for chain in chains for name in chain)}
        self._functions.append((source, frozenset(names), place, namespace))

    def misused_attributes(self) -> Iterator[tuple[str, object, Place]]:
        """Yield (path, value, place) of class constants that a function of the program does more than read."""
        for source, names, place, namespace in self._functions if self._attributes else ():
            for name in sorted(names & self._attributes.keys()):
                for found in self._attributes[name]:
                    outside = functools.partial(_library_name, namespace)
                    if not reads_attribute(source.node, name, of=found.constant, outside=outside):
                        yield found.path, found.value, place

    def misused(
        self, function: types.FunctionType, source: Source, references: References
    ) -> Iterator[tuple[str, object, int]]:
        """Yield (name, value, line) of module constants that a function does more than read."""
        for read in references.globals:
            namespace, path = function.__globals__, read.name
            for attribute in read.chain:
                owner = namespace.get(path.rpartition(".")[2])
                if type(owner) is not types.ModuleType:
                    break
                namespace, path = vars(owner), f"{path}.{attribute}"
            name = path.rpartition(".")[2]
            if references.is_dynamic and str(namespace.get("__name__")).partition(".")[0] in sys.stdlib_module_names:
                continue  # the code that it executes has the library of the process, whose other tables it may change too
            constant = self._constant(namespace, name)
            if constant is not None and not self._only_read(source, path, constant, function.__globals__):
                yield path, namespace.get(name), read.line
        for node in ast.walk(source.node) if references.imports else ():
            if isinstance(node, ast.ImportFrom) and not node.level:
                home = vars(loaded(node.module or "") or types)
                for alias in node.names:
                    constant = self._constant(home, alias.name)
                    known_as = alias.asname or alias.name
                    if constant is not None and not self._only_read(source, known_as, constant, function.__globals__):
                        yield known_as, home.get(alias.name), node.lineno

    def _constant(self, namespace: dict[str, Any], name: str) -> Constant | None:
        """Return the constant behind a global, in whichever module it was made; None if the global is declared `PerProcess`."""
        value = namespace.get(name)
        if not self._may_be_one(value) or declares_per_process(namespace, name, value):
            return None
        made = (self._of_module(home, inner, value) for home, inner in _homes(namespace, name, value))
        return next((constant for constant in made if constant is not None), None)

    def _may_be_one(self, value: object) -> bool:
        return type(value) in _CONTAINERS or (type(value) in _AROUND and not self._is_immutable(value))

    def _of_module(self, home: dict[str, Any], name: str, value: object) -> Constant | None:
        return self._one(home, value, lambda held, depth, mapping: held.of_module(name, depth, is_mapping=mapping))

    def _one(
        self, home: dict[str, Any], value: object, ask: Callable[[Held, int, bool], Constant | None]
    ) -> Constant | None:
        """Return the constant for a value, by its module's source, if the value is still as its statement made it."""
        texts = _held_of(home)[1]
        depth = depth_of_value(value, self._is_leaf) if len(texts) == 1 else 0
        constant = ask(texts[0], depth, type(value) is dict) if 0 < depth <= MAX_DEPTH else None

        def lookup(wanted: str) -> object:
            found = home.get(wanted, vars(builtins).get(wanted, self))
            if found is self:
                raise LookupError(wanted)
            return found

        is_made = constant is not None and still_made(constant, value, leaf=self._is_leaf, lookup=lookup)
        return constant if is_made else None

    def _is_leaf(self, value: object) -> bool:
        return type(value) in ATOMS or (type(value) not in _CONTAINERS and self._is_immutable(value))

    def _only_read(self, source: Source, path: str, constant: Constant, namespace: dict[str, Any]) -> bool:
        key = (id(source.node), id(namespace), path, constant.depth, constant.is_mapping)
        if key not in self._reads:
            outside = functools.partial(_library_name, namespace)
            self._reads[key] = reads_only(source.node, path, of=constant, outside=outside)
        return self._reads[key]


def _library_name(namespace: dict[str, Any], name: str) -> str:
    """Return the full name of a module of the library, or of a function of the library that only reads; empty for other globals."""
    value = namespace.get(name)
    if type(value) is types.ModuleType:
        is_itself = sys.modules.get(value.__name__) is value and not shadows_library(value.__name__)
        return value.__name__ if is_itself else ""
    for full in LIBRARY if callable(value) else ():
        module, _, path = full.partition(".")
        found: object = sys.modules.get(module)
        for part in path.split("."):
            found = getattr(found, part, None)
        if found is value:
            return full
    return ""


def _homes(namespace: dict[str, Any], name: str, value: object) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield (namespace, name) of the modules that may have made a value: this module, or a module that it may have been imported from."""
    yield namespace, name
    for module in list(sys.modules.values()):
        if type(module) is types.ModuleType and vars(module) is not namespace:
            yield from ((vars(module), key) for key, held in list(vars(module).items()) if held is value)


def _only_reads(namespace: dict[str, Any], name: str, constant: Constant) -> bool:
    """Return whether an importing module only reads a constant."""
    module = str(namespace.get("__name__", ""))
    key = (module, str(namespace.get("__file__")), name, constant.depth, constant.is_mapping)
    if key not in _readers:
        trees = _held_of(namespace)[0]
        _readers[key] = bool(trees) and all(
            reads_only(tree, name, of=constant, module=module, is_package="__path__" in namespace) for tree in trees
        )
    return _readers[key]


def _held_of(namespace: dict[str, Any]) -> tuple[list[ast.Module], list[Held]]:
    """Return (syntax trees of a module's sources, the values that they hold); both empty if the source is missing."""
    filename, name = namespace.get("__file__"), namespace.get("__name__", "")
    if not isinstance(filename, str):
        return [], []
    is_imported = _is_imported(namespace)
    key = (name, filename, is_imported)
    if key not in _held:
        trees, is_package = _trees_of(namespace), "__path__" in namespace
        _held[key] = (
            trees,
            [Held(tree, module=name, is_package=is_package, is_imported=is_imported) for tree in trees],
        )
    return _held[key]


def _is_imported(namespace: dict[str, Any]) -> bool:
    """Return whether all statements of a module have run; the main script may still be running its own."""
    spec = namespace.get("__spec__")
    return spec is not None and not getattr(spec, "_initializing", False) and namespace.get("__name__") not in MAIN


def _trees_of(namespace: dict[str, Any]) -> list[ast.Module]:
    try:
        texts = texts_of(str(namespace.get("__file__")), namespace)
        return [
            ast.parse("".join(line if line.endswith("\n") else f"{line}\n" for line in text.lines)) for text in texts
        ]
    except (SourceError, SyntaxError, ValueError):
        return []


def _is_held(function: types.FunctionType) -> bool:
    """Return whether a function's module, or a class of the module, holds the function, directly or wrapped."""
    homes = {str(function.__globals__.get("__name__", "")), str(function.__module__)}
    names = [function.__globals__, *(vars(module) for module in map(loaded, homes) if module is not None)]
    holders: list[object] = [value for namespace in names for value in list(namespace.values())]
    for cls in list(holders):
        if is_a(cls, type) and cls.__module__ in homes:
            holders += vars(cls).values()
    return any(_reaches(holder, function, _NESTING) for holder in holders)


def _reaches(holder: object, function: types.FunctionType, steps: int) -> bool:
    if holder is function:
        return True
    inner: list[object] = []
    if is_a(holder, staticmethod) or is_a(holder, classmethod):
        inner = [holder.__func__]
    elif is_a(holder, property):
        inner = [holder.fget, holder.fset, holder.fdel]
    elif is_a(holder, types.FunctionType):
        inner = [cell.cell_contents for cell in holder.__closure__ or () if not _is_empty(cell)]
    return steps > 0 and any(_reaches(each, function, steps - 1) for each in inner)


def _is_empty(cell: types.CellType) -> bool:
    try:
        return cell.cell_contents is None
    except ValueError:
        return True
