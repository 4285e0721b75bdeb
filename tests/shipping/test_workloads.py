"""Whole programs of several classes and functions give the same result inside a process as in the host."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from capsend import spawn

WORKLOADS = ["cards", "constraints", "database", "digits", "documents", "nbody", "patterns", "scheduler", "words"]


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_workload_gives_the_same_result_inside(name: str) -> None:
    """The result of a program that runs in a process equals that of the same program in the host, types included."""
    run = importlib.import_module(f"programs.workloads.{name}").run
    expected = run()
    result = spawn(run).result(timeout=120)
    assert result == expected
    assert repr(result) == repr(expected)


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_workload_takes_its_size_as_an_argument(name: str) -> None:
    """A program that was shipped once is called again with another argument."""
    run = importlib.import_module(f"programs.workloads.{name}").run
    assert repr(spawn(run, 7).result(timeout=120)) == repr(run(7))


def test_every_workload_is_listed() -> None:
    """A program that is added to the folder is tested."""
    files = {path.stem for path in (Path(__file__).parents[1] / "programs" / "workloads").glob("*.py")}
    assert files - {"__init__"} == set(WORKLOADS)
