"""The modules of the image: all are imported during the build, since a process has no files to import from."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import pkgutil
import sys
import types
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import ModuleType

_NO_STANDARD_MODULES = frozenset({"_pyrepl", "pip", "poll_loop", "wit_world"})
"""Modules that are not for programs: the interactive prompt, an installer, and two modules of the image-building tool."""
_MARK = "capsend cannot import: "
_MOST_STUBS = 20


def import_all(packages: Iterable[tuple[str, tuple[str, ...], bool]]) -> dict[str, str]:
    """Import the standard library and packages with all their submodules.

    Args:
        packages: (name, modules to import, whether native code was left out) of each package.

    Returns:
        {module name: reason} for the submodules and standard modules that cannot be imported in the image.

    Raises:
        ImportError: a package cannot be imported; all such packages, with reasons, are written to standard error in one
            line.
    """
    # Only now: `clock.install` must run before any module that keeps a function of `time`.
    from capsend_traits.absent import ABSENT, CURIOSITY, INSTALLING, WINDOW

    left_out = _NO_STANDARD_MODULES.union(
        name for name, reason in ABSENT.items() if reason in {CURIOSITY, INSTALLING, WINDOW}
    )
    failures: dict[str, str] = {}
    refused: dict[str, list[str]] = {}
    real = sys.stderr
    with warnings.catch_warnings(), _silent():
        warnings.simplefilter("ignore")
        for name in sys.builtin_module_names:
            _import(name, failures)
        # Only the folders of the standard library: the app's folders come first and hold the packages.
        folders = [folder for folder in sys.path if folder.split("/")[1] == "python"]
        _walk(folders, "", failures, left_out)
        absent = {name.partition(".")[0] for name in failures}
        for package, tops, is_native in packages:
            found = {top: _import_package(top, failures, set() if is_native else absent) for top in tops}
            bad = [top for top, module in found.items() if module is None and not top.startswith("_")]
            if bad and (len(bad) == len([top for top in tops if not top.startswith("_")]) or package in bad):
                refused[package] = [bad[0], failures[bad[0]]]
            for top, module in found.items():
                _walk(getattr(module, "__path__", ()), f"{top}.", failures, left_out)
    # multiprocessing registers the main module under the name that its workers use; a program may have a module of that
    # name.
    sys.modules.pop("__mp_main__", None)
    if refused:
        print(f"{_MARK}{json.dumps(refused)}", file=real, flush=True)
        raise ImportError("some packages cannot be imported")
    return failures


@contextlib.contextmanager
def _silent() -> Any:
    """Suppress all output: the C library would keep the streams of the build, which are meaningless in a process."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = io.StringIO(), io.StringIO()
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def _walk(folders: Iterable[str], prefix: str, failures: dict[str, str], left_out: frozenset[str]) -> None:
    """Import all modules in some folders, except those to leave out, programs and tests."""
    for found in pkgutil.iter_modules(folders, prefix):
        name = found.name
        last = name.rpartition(".")[2]
        if name in left_out or last in {"__main__", "tests", "test", "conftest"} or last.startswith("test_"):
            continue
        module = _import(name, failures)
        if found.ispkg and module is not None:
            _walk(module.__path__, f"{name}.", failures, left_out)


def _import(name: str, failures: dict[str, str]) -> ModuleType | None:
    try:
        return importlib.import_module(name)
    except BaseException as error:  # noqa: BLE001 - an import may fail in any way, SystemExit included
        failures[name] = f"{type(error).__name__}: {error}"
        return None


def _import_package(name: str, failures: dict[str, str], absent: set[str]) -> ModuleType | None:
    """Import a package, which may import, but not use, an absent module of the standard library."""
    before = set(sys.modules)
    try:
        for _ in range(_MOST_STUBS):
            try:
                return importlib.import_module(name)
            except ModuleNotFoundError as error:
                missing = str(error.name)
                public = missing.lstrip("_")
                stub = missing if missing.partition(".")[0] in absent else public if public in absent else ""
                if not stub or stub in sys.modules:
                    failures[name] = f"{type(error).__name__}: {error}"
                    return None
                _put_stub(stub)
            except BaseException as error:  # noqa: BLE001 - as above
                failures[name] = f"{type(error).__name__}: {error}"
                return None
        return None
    finally:
        for each in set(sys.modules) - before:
            if each.partition(".")[0] in absent:
                del sys.modules[each]


def _put_stub(name: str) -> None:
    stub = sys.modules[name] = _Stub(name)
    parent, _, child = name.rpartition(".")
    if parent in sys.modules:
        setattr(sys.modules[parent], child, stub)


class _Stub(types.ModuleType):
    """The substitute for a module that needs an operating system: it has a class of every name, none of them usable."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.__path__ = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        made: Any = _WORKING.get((self.__name__, name)) or _Unusable(name, (), {"__module__": self.__name__})
        setattr(self, name, made)
        return made


def _sizeof(kind: Any) -> int:
    return _SIZES.get(kind.__name__, 4)


def _made_type(*_arguments: Any, **_options: Any) -> Any:
    return _Unusable("made", (), {"__module__": "ctypes"})


# Functions that packages call during their import and that have an answer, such as one about the build's machine.
_SIZES = {
    "c_longlong": 8,
    "c_ulonglong": 8,
    "c_double": 8,
    "c_int64": 8,
    "c_uint64": 8,
    "c_short": 2,
    "c_byte": 1,
    "c_ubyte": 1,
    "c_char": 1,
    "c_bool": 1,
}
_WORKING: dict[tuple[str, str], Any] = {
    ("ctypes", "sizeof"): _sizeof,
    ("ctypes", "POINTER"): _made_type,
    ("ctypes", "CFUNCTYPE"): _made_type,
}


class _Unusable(type):
    """A class in such a substitute."""

    def __call__(cls, *_args: Any, **_kwargs: Any) -> Any:
        stub = cls.__mro__[-2]  # a package may have derived classes from it
        raise OSError(f"{stub.__module__}.{stub.__name__} needs an operating system, which a process does not have")

    def __mul__(cls, _count: int) -> Any:
        return cls
