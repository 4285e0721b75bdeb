"""The modules that the host can import, by the names of their packages: a process that looks for one by a computed name cannot know otherwise."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_known: Final[dict[tuple[str, ...], frozenset[str]]] = {}
_given: Final[list[frozenset[str]]] = []


def importable() -> frozenset[str] | None:
    """Return the names of all packages and modules, those of the standard library left out, that an import may find at the top level.

    In a process they are those of the host, and of the modules that it has itself; None where it was not given them.
    """
    loaded = {name.partition(".")[0] for name in list(sys.modules)} - sys.stdlib_module_names
    if sys.platform == "wasi":
        return _given[0] | loaded if _given else None
    key = tuple(sys.path)
    if key not in _known:
        _known[key] = frozenset(name for name in _on_path(key) if name not in sys.stdlib_module_names)
    return _known[key] | loaded | frozenset(_editable())


def give(names: Iterable[str]) -> None:
    """Let a process know the names; see `importable`."""
    _given[:] = [frozenset(names)]


def _on_path(folders: Iterable[str]) -> Iterator[str]:
    """Yield the names of all files and folders that may be modules; a folder is one without any file in it."""
    for folder in folders:
        try:
            entries = list(Path(folder or ".").iterdir())
        except OSError:
            continue
        yield from (entry.name.partition(".")[0] for entry in entries)


def _editable() -> Iterator[str]:
    """Yield the packages that finders of editable installations lead to."""
    for finder in sys.meta_path:
        module = sys.modules.get(getattr(finder, "__module__", ""))
        yield from getattr(module, "MAPPING", None) or ()
