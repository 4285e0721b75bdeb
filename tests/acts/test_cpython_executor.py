"""CPython's own tests of executors drive `Executor`, where the host's `test` package has them.

`CAPSEND_CPYTHON_TESTS=/usr/lib/python3.13/test` takes those of another Python: distributions often leave them out.

Tests left out, and why:

======================================  ==========================================================================================
`test_interpreter_shutdown`             they start a program that imports the class from `concurrent.futures`;
`test_submit_after_interpreter_...`     `tests/acts/test_executor.py` makes the same claims of programs with a `capsend.Executor`
`test_hang_gh83386`
`test_initializer` (both)               an executor has no workers that live on, so nothing could be initialized
`ExecutorDeadlockTest`                  it is about the pickles and queues of `ProcessPoolExecutor`
`test_pending_calls_race`               it shares an event between threads, and a process has none of the program's
======================================  ==========================================================================================
"""

from __future__ import annotations

import importlib
import os
import unittest
from typing import Any, Final

import pytest

from capsend import Executor

SUITE: Final = "test.test_concurrent_futures"
MIXINS: Final = {
    "ExecutorTest": ".executor",
    "WaitTests": ".test_wait",
    "AsCompletedTests": ".test_as_completed",
    "ExecutorShutdownTest": ".test_shutdown",
}
ELSEWHERE: Final = frozenset(
    {"test_interpreter_shutdown", "test_submit_after_interpreter_shutdown", "test_hang_gh83386"}
)


def _cases() -> list[unittest.TestCase]:
    folder = os.environ.get("CAPSEND_CPYTHON_TESTS")
    try:
        if folder is not None:
            importlib.import_module("test").__path__.append(folder)
        whole: Any = importlib.import_module(SUITE)
        util = importlib.import_module(f"{SUITE}.util") if hasattr(whole, "__path__") else whole
        mixins = [
            getattr(importlib.import_module(SUITE + part) if util is not whole else whole, name)
            for name, part in MIXINS.items()
        ]
    except ImportError:
        return []
    cases = []
    for mixin in mixins:
        members = {"executor_type": Executor, "__module__": __name__}
        case = type(f"Capsend{mixin.__name__}", (mixin, util.ExecutorMixin, util.BaseTestCase), members)
        names = unittest.defaultTestLoader.getTestCaseNames(case)
        cases += [case(name) for name in names if name not in ELSEWHERE]
    return cases


CASES: Final = _cases()


@pytest.mark.skipif(not CASES, reason="the host's `test` package has no tests of executors")
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{type(case).__name__}.{case._testMethodName}")
def test_executor_does_what_cpython_asks_of_executors(case, template):
    """Each test of the mixins passes with `capsend.Executor` in the place of a pool."""
    result = unittest.TestResult()
    case.run(result)
    problems = [text for _, text in [*result.failures, *result.errors]]
    assert problems == []
