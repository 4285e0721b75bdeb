"""The top-level modules that the host can import, for processes that import by computed names."""

from __future__ import annotations

import importlib.machinery
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_ENDINGS: Final = tuple(suffix.lstrip(".") for suffix in importlib.machinery.all_suffixes())
_known: Final[dict[tuple[str, ...], frozenset[str]]] = {}
_given: Final[list[frozenset[str]]] = []
_missing: Final[list[frozenset[str]]] = []


def importable() -> frozenset[str] | None:
    """Return the top-level names of all packages and modules that an import may find, except the standard library's.

    In a process: the host's names, and the names of the process's own modules; None if the process was not given the
    host's names.
    """
    loaded = {name.partition(".")[0] for name in list(sys.modules)} - sys.stdlib_module_names
    if sys.platform == "wasi":
        return _given[0] | loaded if _given else None
    key = tuple(sys.path)
    if key not in _known:
        _known[key] = frozenset(name for name in _on_path(key) if name not in sys.stdlib_module_names)
    return _known[key] | loaded | frozenset(_editable())


def give(names: Iterable[str]) -> None:
    """Give a process the host's names; see `importable`."""
    _given[:] = [frozenset(names)]


def note_missing(names: Iterable[str]) -> None:
    """Let a process know the packages that the host can import and the image lacks."""
    _missing[:] = [frozenset(names)]


def missing() -> frozenset[str]:
    """Return, in a process, the packages that the host can import and the image lacks, as far as the process was given them."""
    return _missing[0] if _missing else frozenset()


def _on_path(folders: Iterable[str]) -> Iterator[str]:
    """Yield the names of all files and folders that may be modules; a folder counts even if it has no files."""
    for folder in folders:
        try:
            entries = list(Path(folder or ".").iterdir())
        except OSError:
            continue
        names = (name.partition(".") for name in (entry.name for entry in entries))
        yield from (top for top, _, rest in names if top.isidentifier() and (not rest or rest.endswith(_ENDINGS)))


def _editable() -> Iterator[str]:
    """Yield the packages found by the finders of editable installations."""
    for finder in sys.meta_path:
        module = sys.modules.get(getattr(finder, "__module__", ""))
        yield from getattr(module, "MAPPING", None) or ()
