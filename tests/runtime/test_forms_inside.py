"""All programs of `tests/forms`, spawned from inside a process: once as programs that the process itself made, once as programs that it was given.

An accepted program gives the same value as on the host, and a refused one is refused in the same words. Every second
program is tried, and all with CAPSEND_EVERYWHERE=1.
"""

from __future__ import annotations

import functools
import os
import re
import sys
from pathlib import Path

import pytest
from form_cases import CASES as ALL
from form_cases import Case, assert_equal, expected_of, load

import capsend
from tests.runtime.inside import FORMS, outcome, spawn_again, spawn_made_inside

CASES = ALL if os.environ.get("CAPSEND_EVERYWHERE") == "1" else ALL[::2]
BATCH = 32
"""Programs that one process imports and spawns, each in a separate child: a process for each program takes ten times as long."""

DIFFERENT = {
    "third_party_not_in_image": "what is not in the image cannot be imported inside in the first place",
    "third_party_class_instance": "the same",
    "third_party_unused_name": "the same",
    "native_module": "the same",
    "numpy_like_absent": "the same",
    "guarded_import_of_what_the_host_alone_has": "the process that spawns it has it as little",
    "file_cure": "a process has no /dev/null to open",
    "executor_handle": "a process has no Executor",
    "stdout_captured": "sys.stdout is of another class inside",
    "stdout_from_import": "the same",
    "third_party_that_a_function_imports": "under which name a package is installed is not known inside",
    "annotations_of_a_module": "newer Pythons make the annotations of a module when somebody asks for the attribute",
    "empty_annotations_of_a_module": "the same",
    "annotations_in_vars": "newer Pythons make the annotations of a class when somebody asks for the attribute: they are not in its __dict__",
    "lambda_globals_of_capsend": "which distribution a module belongs to, and that it has native code, is not known inside",
    "module_not_in_sys_modules": "the texts inside lie in no files that spec_from_file_location could load once more",
    "two_modules_same_name": "the same",
    "two_modules_same_file": "the same",
    "module_with_the_name_of_the_librarys": "a process finds the module of the standard library first, so that nothing is shadowed",
    "instance_whose_metaclass_lets_nobody_look_at_its_classes": "other code of the library comes upon the error first",
    "dataclass_make": "newer Pythons know the module of what make_dataclass() makes",
}
"""Programs of which a process cannot make what the host can: {name: why}."""

DIFFERENT_AGAIN = {
    "lru_state": "how often a cache was asked is counted anew",
    "setstate_globals": "its own __setstate__ does something each time that it travels",
    "result_logger": "a process takes a logger from another one only if it has one of that name itself",
}
"""Programs whose result cannot pass through a process that knows nothing of it: {name: why}."""

TAKEN = [case for case in CASES if not case.refused and not case.raises and sys.version_info >= case.python]


def bare(text: str) -> str:
    """Leave out the parts that differ between versions of Python, or between runs."""
    return re.sub(r" at 0x[0-9a-f]+", "", text).replace("EncodedFile", "TextIOWrapper")


@functools.cache
def inside(batch: int) -> dict[str, tuple[str, str]]:
    """Return {program: its outcome} from one process."""
    cases = CASES[batch * BATCH : (batch + 1) * BATCH]
    programs = [(f"form_{case.name}", {f"form_{case.name}.py": case.source, **case.files}) for case in cases]
    outcomes = capsend.spawn(spawn_made_inside, programs).result(240)
    return {case.name: outcome for case, outcome in zip(cases, outcomes, strict=True)}


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_program_made_inside_is_taken_or_refused_as_outside(case: Case, folder: Path) -> None:
    """The verdict, its words and the result are those that the program gets when the host spawns it."""
    verdict, words = inside(CASES.index(case) // BATCH)[case.name]
    if case.name in DIFFERENT:
        return
    if sys.version_info < case.python:
        assert verdict == "same", words
        return
    load(case, folder)
    outside = outcome(f"form_{case.name}")
    assert verdict == outside[0], words
    if verdict == "refused":
        assert bare(words) == bare(outside[1].replace(str(folder), FORMS))


@pytest.mark.parametrize("case", TAKEN, ids=[case.name for case in TAKEN])
def test_what_a_process_was_given_it_can_spawn_in_turn(case: Case, folder: Path) -> None:
    """A function that was shipped is shipped again from the pieces that came with it, three processes deep."""
    module = load(case, folder)
    target, args = module.TARGET, getattr(module, "ARGS", ())
    if case.name in DIFFERENT_AGAIN:
        return
    result = capsend.spawn(spawn_again, target, args, 2).result(120)
    assert_equal(result, expected_of(module))  # after the spawn: a call on the host can change the values to be sent
