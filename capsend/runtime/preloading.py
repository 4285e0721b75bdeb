"""Import every module that operations of guests may need, before the first guest runs: later no guest causes an import on the host.

A guest may have written a file into a folder on `sys.path`; an import that it could cause must not load that file.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
import threading
import types
from importlib.machinery import BuiltinImporter, FrozenImporter, ModuleSpec, PathFinder
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from capsend_traits import table

from capsend.codec import standard_types
from capsend.shipping.exception_classes import MODULES
from capsend.shipping.reuse import NO_STEPS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from capsend.shipping.reuse import Reuse

_OWN: Final = tuple(
    f"capsend.{name}"
    for name in (
        "engine",
        "mailbox.mailbox",
        "registry",
        "runtime.call_operations",
        "runtime.child_operations",
        "runtime.pool",
        "runtime.process_warnings",
        "shipping.failure",
    )
)
"""Modules of capsend that operations of a guest import at their first use."""

_BY_NAME: Final = {
    name: tuple(module for module in MODULES if f"{module}.".startswith(f"{name}."))
    for name in {module.rsplit(".", count)[0] for module in MODULES for count in range(module.count(".") + 1)}
}
"""{name of a module or of its package: the modules of `MODULES` that code with this name may mean}."""

_lock: Final = threading.RLock()
_loaded: Final[set[str]] = set()
_described: Final[set[str]] = set()


class _StandardOnly:
    """A finder that finds only the installed standard library, and only on one thread."""

    def __init__(self) -> None:
        self._thread = threading.get_ident()
        folder = Path(threading.__file__).parent
        self._path = [str(folder), str(folder / "lib-dynload")]

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: types.ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of a module of the standard library; None for any other module and on other threads.

        Raises:
            ModuleNotFoundError: the running Python lacks the module; files of the same name elsewhere do not count.
        """
        if threading.get_ident() != self._thread or name.partition(".")[0] not in sys.stdlib_module_names:
            return None
        for finder in (BuiltinImporter, FrozenImporter):
            if finder.find_spec(name) is not None:
                return None  # the interpreter's finder of built-in modules runs before those that search folders
        found = PathFinder.find_spec(name, self._path if path is None else path, target)
        if found is None:
            raise ModuleNotFoundError(f"no module named {name!r} in the standard library", name=name)
        return found


@contextlib.contextmanager
def _from_the_standard_library() -> Iterator[None]:
    """Import modules of the standard library from the library's folder alone, on this thread."""
    finder = _StandardOnly()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


def _load(names: Iterable[str]) -> None:
    with _lock:
        missing = [name for name in names if name not in _loaded]
        if not all(name in sys.modules for name in missing):
            with _from_the_standard_library():
                for name in missing:
                    # A Python without the module cannot rebuild the module's classes.
                    with contextlib.suppress(ImportError):
                        importlib.import_module(name)
        _loaded.update(missing)


def load() -> None:
    """Import all modules that the operations and answers of guests may need; called before the first guest runs."""
    if not _loaded.issuperset(_OWN):
        _load((*standard_types.MODULES, *_OWN))
    if len(sys.modules) != len(_described):
        _read_declarations()


def _read_declarations() -> None:
    """Read the declarations of all loaded modules: a guest can name the declared classes."""
    names = list(sys.modules)
    for name in names:
        if name not in _described:
            table().declarations(name)
    _described.update(names)


def load_for(shipment: Any) -> None:
    """Import the modules whose exceptions a call can raise."""
    reuse: Reuse | None = getattr(shipment, "reuse", None)
    # Arguments may bring code of their own.
    if reuse is None or not reuse.is_preloaded or not shipment.call.startswith(NO_STEPS):
        load_named_by(getattr(shipment, "entities", ()))
        if reuse is not None:
            reuse.is_preloaded = True


def load_named_by(things: Iterable[object]) -> None:
    """Import the modules whose exceptions a program can raise, as found by the names in its code.

    Other modules of the standard library count only if the host has imported them itself.
    """
    names: set[str] = set()
    for thing in things:
        members = vars(thing).values() if isinstance(thing, type) else (thing,)
        codes = [member.__code__ for member in members if isinstance(member, types.FunctionType)]
        while codes:
            code = codes.pop()
            names.update(code.co_names)
            codes.extend(constant for constant in code.co_consts if isinstance(constant, types.CodeType))
    # `urllib.request` raises the exceptions of `urllib.error`: a module without exceptions represents its package.
    names.update(name.rpartition(".")[0] for name in names - _BY_NAME.keys() if "." in name)
    wanted = [module for name in names & _BY_NAME.keys() for module in _BY_NAME[name] if module not in _loaded]
    if wanted:
        _load(wanted)
