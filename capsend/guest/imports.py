"""Imports in a process: modules come with the program; a module that is not found was not sent or does not exist."""

from __future__ import annotations

import dis
import itertools
import sys
from typing import TYPE_CHECKING, Any

from capsend.source.guards import CAUGHT
from capsend.source.importable import importable, missing

from . import unsent

if TYPE_CHECKING:
    from collections.abc import Callable

_MACHINERY = ("importlib", "_frozen_importlib", "_frozen_importlib_external", __name__)
_IMPORTING = frozenset({"import_module", "__import__"})
_NAME_IT = "name inspect.getsource in a function that the process runs"
_UNNAMED = "no code that was sent with it names it by a constant"


class SentModule:
    """The loader of modules that came with the program and have no files.

    Args:
        name: the full name of the module.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def get_source(self, name: str) -> str:
        """Return nothing: the process has only the source of single functions.

        Raises:
            ImportError: always; `traceback` copes without the source.
            CaptureError: the caller is `inspect`, which would report to the program that there is no source.
        """
        frame: Any = sys._getframe(1)  # noqa: SLF001 - there is no public access to the caller
        while frame is not None and frame.f_globals.get("__name__") in {"linecache", "inspect"}:
            if frame.f_globals["__name__"] == "inspect":
                unsent.refuse(f"the source text of {name} was not sent with the program", _NAME_IT)
            frame = frame.f_back
        raise ImportError(f"the source of {name} was not sent with the program")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name in {"create_module", "exec_module", "find_spec", "invalidate_caches"}:
            raise AttributeError(name)
        unsent.refuse(f"the files of {self._name} were not sent with the program", "pass their contents as arguments")


class _LastFinder:
    """A finder that finds no module.

    It refuses a module whose name the program computes: the host may have the module.
    """

    def __init__(self, program: Callable[[], Any]) -> None:
        self._program = program

    def find_spec(self, name: str, _path: object = None, _target: object = None) -> None:
        """Return None for a module that the host lacks too, or that code names in an `import` statement or by a constant.

        Modules named so were looked up by the host. Modules of the standard library are not refused either: one that
        the guest lacks is in no image.
        """
        program, top = self._program(), name.partition(".")[0]
        if program is None or top in sys.stdlib_module_names:
            return
        if top in missing() and (importer := _package_in_need(program.owns)):
            unsent.refuse(
                f"{importer} imports {name}, which the host has and the image lacks",
                f'add it to the image: Environment(image=Image(packages=["{top}"]))',
            )
        on_host = importable()
        if on_host is not None and top not in on_host:
            return
        frame: Any = sys._getframe(1)  # noqa: SLF001 - there is no public access to the importing code
        while frame is not None and _is_on_behalf(frame, everywhere=on_host is not None):
            frame = frame.f_back
        if frame is None or not program.owns(frame.f_globals.get("__name__")):
            return
        code = frame.f_code
        if any(
            name == known or name.startswith(f"{known}.") or known.startswith(f"{name}.") for known in code.co_names
        ):
            return
        if name in code.co_consts or name.rpartition(".")[2] in code.co_names:
            return
        while frame is not None:
            if name in frame.f_code.co_consts and not _IMPORTING.isdisjoint(frame.f_code.co_names):
                return  # it gave `import_module` and the name to other code
            frame = frame.f_back
        unsent.refuse(
            f"the module {name} was not sent with the program: {_UNNAMED}", f'write "{name}" where it is imported'
        )


def _package_in_need(owns: Callable[[str], bool]) -> str:
    """Return the module of a package that imports without providing for a failure; empty where the program itself imports, or a package does."""
    frame: Any = sys._getframe(2)  # noqa: SLF001 - there is no public access to the importing code
    importer = ""
    while frame is not None:
        module = str(frame.f_globals.get("__name__", ""))
        top = module.partition(".")[0]
        if owns(module) or top.startswith("capsend"):
            break
        if module == "importlib.util" or _is_provided_for(frame):
            return ""
        if top not in sys.stdlib_module_names and not module.startswith(_MACHINERY):
            importer = importer or module
        frame = frame.f_back
    return importer


def _is_provided_for(frame: Any) -> bool:
    """Return whether a handler of a package's code may catch an error that is raised where a frame is."""
    if frame.f_globals.get("__name__", "").partition(".")[0] in sys.stdlib_module_names:
        return False
    for entry in dis._parse_exception_table(frame.f_code):  # type: ignore[attr-defined]  # noqa: SLF001 - there is no public one
        if entry.start <= frame.f_lasti < entry.end:
            after = (each for each in dis.get_instructions(frame.f_code) if each.offset >= entry.target)
            handler = list(itertools.takewhile(lambda each: each.opname != "RERAISE", after))
            is_with = any(each.opname == "WITH_EXCEPT_START" for each in handler)
            if (is_with and "suppress" in frame.f_code.co_names) or any(each.argval in CAUGHT for each in handler):
                return True
    return False


def _is_on_behalf(frame: Any, *, everywhere: bool) -> bool:
    """Return whether code imports on behalf of its caller: the import system does, and other modules of the standard library may."""
    module = frame.f_globals.get("__name__", "")
    return module.startswith(_MACHINERY) or (everywhere and module.partition(".")[0] in sys.stdlib_module_names)


def install(program: Callable[[], Any]) -> None:
    """Append the finder to the others.

    Args:
        program: returns the program of the process; None before there is one.
    """
    sys.meta_path.append(_LastFinder(program))
