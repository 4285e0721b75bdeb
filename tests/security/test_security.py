"""SECURITY.md: every promise names tests that exist, and its example runs."""

import ast
import re
from pathlib import Path

import pytest

HERE = Path(__file__).parents[1]
PAGE = HERE.parent / "SECURITY.md"


def rows():
    """(promise, names of what shows it) of the table."""
    lines = [line.strip("| \n") for line in PAGE.read_text().splitlines() if line.startswith("|")][2:]
    return [
        (promise.strip(), re.findall(r"`(\w+)`", shown)) for promise, shown in (line.split(" | ") for line in lines)
    ]


def functions():
    """Names of all functions in the tests and the hostile programs."""
    paths = [*HERE.rglob("test_*.py"), *(HERE / "hostile").glob("*.py")]
    return {
        node.name
        for path in paths
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef)
    }


@pytest.mark.parametrize(("promise", "names"), rows())
def test_promise_is_shown_by_tests_that_exist(promise, names):
    """A guarantee without a test is a bug."""
    assert names
    assert set(names) - functions() == set()


def test_there_are_promises():
    """The table was found."""
    assert len(rows()) > 10


def test_example_for_strangers_code_runs(run_script):
    """The example is taken unchanged from the page."""
    code = re.search(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL).group(1)
    assert run_script(code).stdout == "1024\n"
