"""Targets of the command line: `MODULE:NAME` and `FILE.py:NAME`, imported as the user's own program would."""

from __future__ import annotations

import ast
import difflib
import importlib
import importlib.util
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import types
    from collections.abc import Sequence

_HERE: Final = str(Path(__file__).parent.parent)


class TargetError(Exception):
    """A target cannot be imported; the message is for the user, `details` has the traceback of the user's code."""

    def __init__(self, message: str, *, details: str = "") -> None:
        super().__init__(message)
        self.details = details


def find(target: str) -> Any:
    """Import and return the object that a target names.

    A module is searched for in the current folder first, as by `python -m`; a file finds its imports in its own folder.

    Raises:
        TargetError: the target is misspelt, its module, file or name does not exist, or its import failed.
    """
    place, separator, name = target.rpartition(":")
    if not separator or not place or not all(part.isidentifier() for part in name.split(".")):
        raise TargetError(f"{target!r} is not of the form MODULE:NAME or FILE.py:NAME, such as shop.prices:total")
    module = _module_of_file(Path(place)) if place.endswith(".py") else _module(place)
    found: Any = module
    for part in name.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise TargetError(f"{place} has no {name}.{_suggestion(part, found)}") from None
    return found


def parse_arguments(texts: Sequence[str]) -> tuple[list[Any], dict[str, Any]]:
    """Read arguments as Python literals, and `name=literal` as keyword arguments; a text that is not a literal is a str.

    Returns:
        (positional arguments, {name: value}).
    """
    positional: list[Any] = []
    keywords: dict[str, Any] = {}
    for text in texts:
        name, separator, value = text.partition("=")
        if separator and name.isidentifier():
            keywords[name] = _literal(value)
        else:
            positional.append(_literal(text))
    return positional, keywords


def _literal(text: str) -> object:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return text


def _module(name: str) -> types.ModuleType:
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    if not all(part.isidentifier() for part in name.split(".")):
        raise TargetError(f"{name!r} is not the name of a module: write it with dots, or give a path that ends in .py")
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(error.name + ".")):
            raise TargetError(f"there is no module {error.name}, neither installed nor in {Path.cwd()}") from None
        raise _failed(name, error) from None
    except Exception as error:  # noqa: BLE001 - a user's module may raise anything
        raise _failed(name, error) from None


def _module_of_file(path: Path) -> types.ModuleType:
    if not path.is_file():
        raise TargetError(f"there is no file {path}")
    name = path.stem
    if not name.isidentifier() or name in sys.stdlib_module_names:
        reason = "is taken by the standard library" if name.isidentifier() else "is not a Python name"
        raise TargetError(f"{path} cannot be imported: the name {name} {reason}. Rename the file")
    sys.path.insert(0, str(path.resolve().parent))
    spec = importlib.util.spec_from_file_location(name, path.resolve())
    if spec is None or spec.loader is None:
        raise TargetError(f"{path} cannot be imported: Python does not take it for a module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # noqa: BLE001 - a user's file may raise anything
        raise _failed(str(path), error) from None
    return module


def _failed(name: str, error: Exception) -> TargetError:
    told = error.msg if isinstance(error, SyntaxError) else str(error).partition("\n")[0]
    shown = traceback.TracebackException.from_exception(error)
    _prune(shown)
    details = "".join(shown.format()) if shown.stack or isinstance(error, SyntaxError) else ""
    return TargetError(f"{name} cannot be imported: {type(error).__name__}: {told}", details=details)


def own_traceback(error: BaseException) -> str:
    """Return the traceback of the user's code, without capsend's frames."""
    shown = traceback.TracebackException.from_exception(error)
    _prune(shown)
    return "".join(shown.format())


def _prune(shown: traceback.TracebackException | None) -> None:
    """Remove the frames of capsend and of the import system, also from causes and members."""
    if shown is None:
        return
    kept = [frame for frame in shown.stack if not frame.filename.startswith((_HERE, "<frozen importlib"))]
    kept = [frame for frame in kept if "importlib" not in Path(frame.filename).parts]
    shown.stack = traceback.StackSummary.from_list(kept)
    for other in (shown.__cause__, shown.__context__, *(shown.exceptions or ())):
        _prune(other)


def _suggestion(part: str, owner: object) -> str:
    close = difflib.get_close_matches(part, [name for name in dir(owner) if not name.startswith("__")], n=1)
    return f" Did you mean {close[0]}?" if close else ""
