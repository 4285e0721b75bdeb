"""The table of declarations, searched by class or by name; files are read on demand."""

from __future__ import annotations

import functools
import os
import sys
from typing import TYPE_CHECKING, Final

from capsend_traits._declaration import Declaration, DeclarationError, Trait
from capsend_traits._folder import Folder, installed_providers
from capsend_traits._reader import Alias, Contents, read

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

HEAP_TYPE: Final = 1 << 9
IMMUTABLE_TYPE: Final = 1 << 8
BASE_TYPE: Final = 1 << 10
MISSING: Final = object()


class Table:
    """The declarations in force.

    A file is read at the first query for a name of its module. The described module is never imported.

    Args:
        own: the folder of capsend's declarations.
        providers: returns the folders of other packages; called for the first class that is not of the standard
            library.
    """

    def __init__(self, own: Folder, *, providers: Callable[[], Sequence[Folder]] = tuple) -> None:
        self._own = own
        self._providers = functools.cache(providers)
        self._contents: dict[str, Contents | None] = {}
        self._names: dict[str, Declaration | None] = {}
        # By id, as a metaclass may refuse hashing; the class is kept alive too, so that its id is not reused.
        self._classes: dict[int, tuple[type, Declaration]] = {}

    def by_name(self, fullname: str) -> Declaration | None:
        """Return the declaration of a class by its module and qualified name, or by an alias.

        Names of other Python versions and platforms are found too.

        Raises:
            DeclarationError: a required file is invalid.
        """
        try:
            return self._names[fullname]
        except KeyError:
            found = self._names[fullname] = self._search(fullname)
            return found

    def of_class(self, cls: type) -> Declaration | None:
        """Return the declaration of exactly this class; a class that only has the name of a declared one has none.

        Raises:
            DeclarationError: a required file is invalid.
        """
        known = self._classes.get(id(cls))
        if known is not None:
            return known[1]
        try:
            module = type.__getattribute__(cls, "__module__")
        except AttributeError:
            return None  # made by code that runs without a __name__
        if type(module) is not str:
            return None
        # A declaration file cannot contain the name "method-wrapper".
        name = f"{module}.{type.__getattribute__(cls, '__qualname__')}".replace("-", "_")
        declaration = self.by_name(name)
        if declaration is None or not _is_declared(cls, declaration, name):
            return None
        self._classes[id(cls)] = (cls, declaration)
        return declaration

    def negative(self, cls: type, *, trait: Trait = Trait.SERIALIZABLE) -> Declaration | None:
        """Return the nearest declaration in the class's MRO that denies the class a trait: negative impls are inherited.

        A declaration of the class itself decides alone. With the default trait the result is the nearest `Never`.
        """
        own = self.of_class(cls)
        if own is not None:
            return None if own.has(trait) else own
        for base in type.__getattribute__(cls, "__mro__")[1:]:
            inherited = self.of_class(base)
            if inherited is not None and not inherited.has(trait):
                return inherited
        return None

    def is_per_process(self, fullname: str) -> bool:
        """Return whether each process may own a copy of a global or class attribute, given by its module and name: `geo.Map.cache`.

        Raises:
            DeclarationError: the required file is invalid.
        """
        module, _, name = fullname.rpartition(".")
        while module:
            contents = self._read(module)
            if contents is not None:
                return name in contents.per_process
            module, _, outer = module.rpartition(".")
            name = f"{outer}.{name}"
        return False

    def modules(self) -> tuple[str, ...]:
        """Return the names of all described modules."""
        return tuple(sorted({module for folder in self._folders() for module, _ in folder.modules()}))

    def declarations(self, module: str) -> tuple[Declaration, ...]:
        """Return the declarations in a module's files that apply to the running Python, without aliases."""
        contents = self._read(module)
        return tuple(entry for entry in contents.entries.values() if isinstance(entry, Declaration)) if contents else ()

    def aliases(self, module: str) -> dict[str, str]:
        """Return the aliases that apply to the running Python, as {full name: name of the target}."""
        contents = self._read(module)
        return (
            {entry.name: entry.target for entry in contents.entries.values() if isinstance(entry, Alias)}
            if contents
            else {}
        )

    def _folders(self) -> tuple[Folder, ...]:
        return (self._own, *self._providers())

    def _search(self, fullname: str) -> Declaration | None:
        entry = self._entry(fullname)
        followed: set[str] = set()
        while isinstance(entry, Alias):
            target = None if entry.target in followed else self._entry(entry.target)
            if target is None:
                problem = f"{entry.target} is not declared. Declare it, or correct the alias {entry.name}."
                raise DeclarationError(entry.file, entry.line, problem)
            followed.add(entry.target)
            entry = target
        return entry

    def _entry(self, fullname: str) -> Declaration | Alias | None:
        module, _, qualname = fullname.rpartition(".")
        while module:
            contents = self._read(module)
            if contents is not None:
                return contents.entries.get(qualname) or contents.others.get(qualname)
            module, _, last = module.rpartition(".")
            qualname = f"{last}.{qualname}"
        return None

    def _read(self, module: str) -> Contents | None:
        if module not in self._contents:
            top = module.partition(".")[0]
            folders = (self._own,) if top in sys.stdlib_module_names or top == "__main__" else self._folders()
            read_files = [read(path, module=module) for folder in folders if (path := folder.file(module))]
            self._contents[module] = functools.reduce(_merge, read_files) if read_files else None
        return self._contents[module]


def _merge(first: Contents, second: Contents) -> Contents:
    for name in first.entries.keys() & second.entries.keys():
        here, there = second.entries[name], first.entries[name]
        raise DeclarationError(
            here.file,
            here.line,
            f"{here.name} is already declared in {there.file}:{there.line}. Keep one of them.",
        )
    return Contents(
        {**first.entries, **second.entries},
        {**first.others, **second.others},
        first.per_process | second.per_process,
    )


def _is_declared(cls: type, declaration: Declaration, name: str) -> bool:
    if any(_imported(full) is cls for full in {declaration.name, name}):
        return True
    # A class statement makes heap types that can be changed and subclassed: any other class has its name from C code.
    flags = type.__getattribute__(cls, "__flags__")
    return declaration.hidden and flags & (HEAP_TYPE | IMMUTABLE_TYPE | BASE_TYPE) != HEAP_TYPE | BASE_TYPE


def _imported(fullname: str) -> object:
    module, _, qualname = fullname.rpartition(".")
    while module:
        if module in sys.modules:
            found: object = sys.modules[module]
            for part in qualname.split("."):
                found = getattr(found, "__dict__", {}).get(part, MISSING)
            return found
        module, _, last = module.rpartition(".")
        qualname = f"{last}.{qualname}"
    return MISSING


@functools.cache
def table() -> Table:
    """Return the table of the declarations of capsend and of installed packages."""
    own = Folder(os.path.join(os.path.dirname(os.path.abspath(__file__)), "declarations"), "capsend")
    return Table(own, providers=installed_providers)
