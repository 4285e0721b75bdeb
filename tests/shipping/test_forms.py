"""Small programs, one for each form of user code: accepted programs give the same result as a call on the host, the others are refused.

The programs are in `forms/*.test`; `form_cases.py` describes their form.
"""

from __future__ import annotations

import re
import sys
import traceback
from pathlib import Path
from typing import Any

import pytest
from form_cases import CASES, Case, assert_equal, expected_of, load

import capsend


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_program_is_taken_or_refused_as_it_says(case: Case, folder: Path) -> None:
    """An accepted program is rebuilt faithfully and behaves the same; a refused one is refused with the variable and the reason."""
    if sys.version_info < case.python:
        pytest.skip(f"needs Python {case.python}")
    if case.refused:
        with pytest.raises((capsend.CaptureError, capsend.SerializationError)) as refusal:
            result_of(load(case, folder))
        assert re.search(case.refused, str(refusal.value), re.DOTALL)
    elif case.raises:
        with pytest.raises(Exception) as failure:
            result_of(load(case, folder))
        assert re.search(case.raises, "".join(traceback.format_exception(failure.value)))
    else:
        module = load(case, folder)
        assert_equal(result_of(module), expected_of(module))


def test_every_case_has_a_name_of_its_own() -> None:
    """A name belongs to only one program."""
    assert len({case.name for case in CASES}) == len(CASES)


def result_of(module: Any) -> Any:
    """Return the result of a process; if there is a change that a kept program would miss, the result after it."""
    if change := getattr(module, "CHANGE", None):
        for _ in range(2):
            capsend.spawn(module.TARGET, *getattr(module, "ARGS", ())).result(60)
        change()
    return capsend.spawn(module.TARGET, *getattr(module, "ARGS", ())).result(60)
