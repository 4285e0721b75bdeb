"""Processes that spawn processes, as the ones inside see it: what they may spawn, by which rules, and what comes back.

All programs of `tests/forms` are spawned from inside a process, once as programs that the process itself made, once as programs that it was
given: what is taken gives the same value as outside, and what is refused is refused in the same words.
"""

from __future__ import annotations

import asyncio
import importlib.abc
import importlib.util
import inspect
import linecache
import pprint
import re
import sys
import traceback
import types
from pathlib import Path
from typing import Any

import pytest

import capsend

sys.path.insert(0, str(Path(__file__).parent))

from form_cases import CASES, Case, assert_equal, expected_of, load

DIFFERENT = {
    "third_party_not_in_image": "what is not in the image cannot be imported inside in the first place",
    "third_party_class_instance": "the same",
    "third_party_unused_name": "the same",
    "native_module": "the same",
    "numpy_like_absent": "the same",
    "file_cure": "a process has no /dev/null to open",
    "executor_handle": "a process has no Executor",
    "third_party_that_a_function_imports": "under which name a package is installed is not known inside",
    "dataclass_make": "newer Pythons know the module of what make_dataclass() makes",
}
"""Programs of which a process cannot make what the host can: {name: why}."""

DIFFERENT_AGAIN = {
    "setstate_globals": "its own __setstate__ does something each time that it travels",
    "result_logger": "a process takes a logger from another one only if it has one of that name itself",
}
"""Programs whose result cannot pass through a process that knows nothing of it: {name: why}."""

TAKEN = [case for case in CASES if not case.refused and not case.raises and sys.version_info >= case.python]


class Texts(importlib.abc.InspectLoader, importlib.abc.MetaPathFinder):
    """Imports modules from texts, {path: text}, as if they were files."""

    def __init__(self, texts: dict[str, str]) -> None:
        self._texts = texts

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        stem = name.replace(".", "/")
        for file in (f"{stem}/__init__.py", f"{stem}.py"):
            if file in self._texts:
                is_package = file.endswith("__init__.py")
                spec = importlib.util.spec_from_loader(name, self, origin=f"/forms/{file}", is_package=is_package)
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


def spawn_made_inside(name: str, texts: dict[str, str]) -> tuple[str, str]:
    """Import a program here, in this process, and spawn its target; say how that went and what came of it."""
    sys.meta_path.insert(0, Texts(texts))
    return outcome(name)


def bare(text: str) -> str:
    """Leave out what differs from one Python, or one run of it, to the next."""
    return re.sub(r" at 0x[0-9a-f]+", "", text).replace("EncodedFile", "TextIOWrapper")


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


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_program_made_inside_is_taken_or_refused_as_outside(case: Case, folder: Path) -> None:
    """The verdict, its words and the result are those that the program gets when the host spawns it."""
    name = f"form_{case.name}"
    inside = capsend.spawn(spawn_made_inside, name, {f"{name}.py": case.source, **case.files}).result(120)
    if case.name in DIFFERENT:
        return
    if sys.version_info < case.python:
        assert inside[0] == "same"
        return
    load(case, folder)
    outside = outcome(name)
    assert inside[0] == outside[0], inside
    if inside[0] == "refused":
        assert bare(inside[1]) == bare(outside[1].replace(str(folder), "/forms"))


@pytest.mark.parametrize("case", TAKEN, ids=[case.name for case in TAKEN])
def test_what_a_process_was_given_it_can_spawn_in_turn(case: Case, folder: Path) -> None:
    """A function that was shipped is shipped again from the pieces that came with it, three processes deep."""
    module = load(case, folder)
    target, args = module.TARGET, getattr(module, "ARGS", ())
    if case.name in DIFFERENT_AGAIN:
        return
    expected = expected_of(module)
    assert_equal(capsend.spawn(spawn_again, target, args, 2).result(120), expected)


def spawn_again(target: Any, args: tuple[Any, ...], depth: int) -> Any:
    if depth:
        return capsend.spawn(spawn_again, target, args, depth - 1).result(60)
    return capsend.spawn(target, *args).result(60)
