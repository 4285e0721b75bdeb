"""Programs that processes spawn: imported from texts, or spawned again from what came with them.

A small, separate file: a process that spawns reads the text of the file whose functions it spawns.
"""

from __future__ import annotations

import asyncio
import importlib.abc
import importlib.util
import inspect
import linecache
import pprint
import sys
import traceback
import types
from typing import Any

import capsend

FORMS = "/forms"
"""The folder in which the texts seem to lie."""


class Texts(importlib.abc.InspectLoader, importlib.abc.MetaPathFinder):
    """Imports modules from texts, {path: text}, as if they were files."""

    def __init__(self, texts: dict[str, str]) -> None:
        self._texts = texts

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        stem = name.replace(".", "/")
        for file in (f"{stem}/__init__.py", f"{stem}.py"):
            if file in self._texts:
                is_package = file.endswith("__init__.py")
                spec = importlib.util.spec_from_loader(name, self, origin=f"{FORMS}/{file}", is_package=is_package)
                spec.has_location = True
                return spec
        if any(file.startswith(f"{stem}/") for file in self._texts):
            return importlib.util.spec_from_loader(name, None, is_package=True)
        return None

    def get_source(self, fullname: str) -> str:
        stem = fullname.replace(".", "/")
        return self._texts.get(f"{stem}.py") or self._texts[f"{stem}/__init__.py"]

    def exec_module(self, module: types.ModuleType) -> None:
        source = self.get_source(module.__name__)
        linecache.cache[module.__file__] = (len(source), None, source.splitlines(keepends=True), module.__file__)
        exec(compile(source, module.__file__, "exec", dont_inherit=True), vars(module))


def spawn_made_inside(programs: list[tuple[str, dict[str, str]]]) -> list[tuple[str, str]]:
    """Import programs in this process, one after the other, and spawn the target of each; return the outcomes."""
    return [spawn_made_of(*program) for program in programs]


def spawn_made_of(name: str, texts: dict[str, str]) -> tuple[str, str]:
    """Import one program and spawn its target, then forget its modules, as the next program may have modules of the same names."""
    finder = Texts(texts)
    before = set(sys.modules)
    sys.meta_path.insert(0, finder)
    try:
        return outcome(name)
    finally:
        sys.meta_path.remove(finder)
        for each in set(sys.modules) - before:
            if str(getattr(sys.modules[each], "__file__", None)).startswith(FORMS):
                del sys.modules[each]


def outcome(name: str) -> tuple[str, str]:
    try:
        module = importlib.import_module(name)
        result = capsend.spawn(module.TARGET, *getattr(module, "ARGS", ())).result(60)
    except (capsend.CaptureError, capsend.SerializationError) as refusal:
        return "refused", str(refusal)
    except Exception as error:
        return "raised", "".join(traceback.format_exception(error))
    expected = module.TARGET(*getattr(module, "ARGS", ()))
    if inspect.iscoroutine(expected):
        expected = asyncio.run(expected)
    same = result == expected
    shown, wanted = (pprint.pformat(value, width=1, sort_dicts=False) for value in (result, expected))
    return ("same", shown) if same and shown == wanted else ("different", f"{shown}\ninstead of\n{wanted}")


def spawn_again(target: Any, args: tuple[Any, ...], depth: int) -> Any:
    if depth:
        return capsend.spawn(spawn_again, target, args, depth - 1).result(60)
    return capsend.spawn(target, *args).result(60)
