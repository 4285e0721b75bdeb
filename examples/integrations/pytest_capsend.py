"""A pytest plugin: tests marked with `@pytest.mark.capsend` run in a process, with its limits; fixtures are passed by value.

pip install capsend pytest
pytest -p pytest_capsend

@pytest.mark.capsend(timeout=5, memory=128 << 20)
def test_untrusted_parser(sample): ...
"""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from capsend import Environment


def pytest_configure(config: pytest.Config) -> None:
    """Register the mark."""
    config.addinivalue_line(
        "markers", "capsend(**limits): run the test in a process; the limits are those of Environment"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> object | None:
    """Run a marked test in a process."""
    mark = pyfuncitem.get_closest_marker("capsend")
    if mark is None:
        return None
    names = inspect.signature(pyfuncitem.obj).parameters
    given = {name: pyfuncitem.funcargs[name] for name in names}
    execute: Any = Environment(
        **{"timeout": 60, **mark.kwargs}
    ).execute  # captures of a test are judged when the test runs
    outcome = execute(pyfuncitem.obj, **given)
    for name, text in (("stdout", outcome.stdout), ("stderr", outcome.stderr)):
        if text:
            pyfuncitem.add_report_section("call", f"{name} of the process", text)
    if outcome.error is not None:
        pytest.fail(outcome.traceback or str(outcome.error), pytrace=False)
    return True
