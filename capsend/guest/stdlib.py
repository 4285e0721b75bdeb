"""The modules of the image: all are imported while it is built, since afterwards there are no files to import from."""

from __future__ import annotations

import importlib
import pkgutil
import sys
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import ModuleType

# Programs and their data, tests, and modules whose import does something.
_LEFT_OUT = frozenset(
    (
        "__hello__", "__phello__", "_pyrepl", "antigravity", "ensurepip", "idlelib", "lib2to3", "pip", "poll_loop",
        "pydoc_data", "test", "this", "tkinter", "turtle", "turtledemo", "venv", "wit_world", "xxlimited",
        "xxlimited_35",
    )
)  # fmt: skip


def import_all(packages: Iterable[str]) -> dict[str, str]:
    """Import the standard library and the named packages, each with all its submodules.

    Returns {module name: reason} for the submodules and standard modules that cannot be imported here. A package in
    `packages` that cannot be imported raises what its import raised.
    """
    failures: dict[str, str] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in sys.builtin_module_names:
            _import(name, failures)
        # Only the folders of the standard library: those of the app come first and hold the packages.
        folders = [folder for folder in sys.path if folder.split("/")[1] == "python"]
        _walk(folders, "", failures)
        for name in packages:
            module = importlib.import_module(name)
            _walk(getattr(module, "__path__", ()), f"{name}.", failures)
    # multiprocessing leaves the main module under the name that its workers know it by; a program may have one of its own.
    sys.modules.pop("__mp_main__", None)
    return failures


def _walk(folders: Iterable[str], prefix: str, failures: dict[str, str]) -> None:
    for found in pkgutil.iter_modules(folders, prefix):
        name = found.name
        last = name.rpartition(".")[2]
        if name in _LEFT_OUT or last in {"__main__", "tests", "test", "conftest"} or last.startswith("test_"):
            continue
        module = _import(name, failures)
        if found.ispkg and module is not None:
            _walk(module.__path__, f"{name}.", failures)


def _import(name: str, failures: dict[str, str]) -> ModuleType | None:
    try:
        return importlib.import_module(name)
    except BaseException as error:  # noqa: BLE001 - an import may fail in any way, SystemExit included
        failures[name] = f"{type(error).__name__}: {error}"
        return None
