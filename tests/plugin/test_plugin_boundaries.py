"""Tests that the plugin checks the boundaries of other tools: each snippet fails at run time today with "cannot pickle"."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("mypy")

if TYPE_CHECKING:
    from pathlib import Path

PROCESSES = """
import multiprocessing
import threading

def work(n: object) -> int:
    return 1

def main(lock: threading.Lock, xs: list[int]) -> None:
    multiprocessing.get_context("spawn")
    multiprocessing.Process(target=work, args=(xs,)).start()
    multiprocessing.Process(target=work, args=(lock,)).start()
    with multiprocessing.Pool(1) as pool:
        pool.map(lambda n: n, xs)
        pool.apply(work, (xs,))

if __name__ == "__main__":
    with multiprocessing.Pool(1) as pool:
        pool.apply(work, (threading.Lock(),))
"""
FUTURES = """
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

def work(n: object) -> int:
    return 1

def main(lock: threading.Lock, xs: list[int]) -> None:
    with ProcessPoolExecutor() as pool, ThreadPoolExecutor() as threads:
        pool.submit(work, xs)
        pool.submit(work, lock)
        pool.map(lambda n: n, xs)
        pool.submit(lock.acquire)
        threads.submit(lambda: lock)

if __name__ == "__main__":
    with ProcessPoolExecutor(1) as pool:
        pool.submit(work, threading.Lock()).result()
"""
JOBLIB = """
import threading
import joblib
from loky import ProcessPoolExecutor

def work(n: object) -> int:
    return 1

def main(lock: threading.Lock, xs: list[int]) -> None:
    joblib.Parallel(n_jobs=2)(joblib.delayed(lambda: len(xs))() for _ in range(2))
    joblib.Parallel(n_jobs=2)(joblib.delayed(lambda: str(lock))() for _ in range(2))
    with ProcessPoolExecutor(1) as pool:
        pool.submit(lambda: xs)
        pool.submit(lambda: lock)
        pool.submit(work, lock)

if __name__ == "__main__":
    main(threading.Lock(), [1])
"""
DASK = """
import threading
from distributed import Client

def work(n: object) -> int:
    return 1

def main(lock: threading.Lock, xs: list[int], client: Client) -> None:
    client.submit(lambda: xs)
    client.submit(lambda: str(lock))
    client.submit(work, lock)
    client.map(lambda x: str(lock), xs)

if __name__ == "__main__":
    with Client(n_workers=1, threads_per_worker=1, dashboard_address=None) as client:
        main(threading.Lock(), [1], client)
"""
OWN = """
import threading
from collections.abc import Callable

class Cluster:
    def run(self, name: str, task: Callable[[], object]) -> None: ...

def main(lock: threading.Lock, xs: list[int], c: Cluster) -> None:
    c.run("a", lambda: xs)
    c.run("b", lambda: lock)
"""


def check(folder: Path, source: str, settings: str) -> list[str]:
    """Run mypy over one module with settings of `[tool.capsend]`; return its lines."""
    mypy = 'plugins = ["capsend_mypy"]\nfollow_untyped_imports = true'
    (folder / "pyproject.toml").write_text(f"[tool.mypy]\n{mypy}\n[tool.capsend]\n{settings}\n")
    (folder / "case.py").write_text(source)
    command = [sys.executable, "-m", "mypy", "--no-error-summary", "--hide-error-context", "case.py"]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, timeout=120
    ).stdout.splitlines()


def errors(lines: list[str]) -> list[str]:
    """Return the errors without the file's name."""
    return [line.removeprefix("case.py:") for line in lines if ": error: " in line]


@pytest.mark.parametrize(
    ("preset", "source", "expected"),
    [
        (
            "multiprocessing",
            PROCESSES,
            [
                '11: error: argument "args[0]" is lock, which is not Serializable  [capsend-argument]',
                '13: error: function "lambda" cannot be pickled  [capsend-capture]',
                '18: error: argument "args[0]" is lock, which is not Serializable  [capsend-argument]',
            ],
        ),
        (
            "concurrent.futures",
            FUTURES,
            [
                '11: error: argument "n" is lock, which is not Serializable  [capsend-argument]',
                '12: error: function "lambda" cannot be pickled  [capsend-capture]',
                '13: error: the receiver "lock" is lock, which is not Serializable  [capsend-capture]',
                '18: error: argument "n" is lock, which is not Serializable  [capsend-argument]',
            ],
        ),
    ],
)
def test_a_preset_refuses_what_its_tool_cannot_pickle(
    tmp_path: Path, preset: str, source: str, expected: list[str]
) -> None:
    """The variable is named in the type-check step; at run time the same line says only that it cannot pickle a lock."""
    assert errors(check(tmp_path, source, f'presets = ["{preset}"]')) == expected
    assert errors(check(tmp_path, source, "")) == []
    done = subprocess.run(
        [sys.executable, "case.py"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120
    )
    assert "cannot pickle '_thread.lock' object" in done.stderr


@pytest.mark.parametrize(
    ("preset", "needed", "source", "expected"),
    [
        (
            "joblib",
            ("joblib", "loky"),
            JOBLIB,
            [
                '11: error: captured "lock" is lock, which is not Serializable  [capsend-capture]',
                '14: error: captured "lock" is lock, which is not Serializable  [capsend-capture]',
                '15: error: argument "args" is lock, which is not Serializable  [capsend-argument]',
            ],
        ),
        (
            "dask",
            ("distributed",),
            DASK,
            [
                '10: error: captured "lock" is lock, which is not Serializable  [capsend-capture]',
                '11: error: argument "args" is lock, which is not Serializable  [capsend-argument]',
                '12: error: captured "lock" is lock, which is not Serializable  [capsend-capture]',
            ],
        ),
    ],
)
def test_a_preset_for_a_tool_that_sends_closures_names_the_capture(
    tmp_path: Path, preset: str, needed: tuple[str, ...], source: str, expected: list[str]
) -> None:
    """These tools copy what a lambda captures: a list may go along, and a lock is refused where it is captured."""
    for module in needed:
        pytest.importorskip(module, reason="the extra `boundaries` is not installed")
    assert errors(check(tmp_path, source, f'presets = ["{preset}"]')) == expected
    done = subprocess.run(
        [sys.executable, "case.py"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120
    )
    assert "cannot pickle '_thread.lock' object" in done.stderr


def test_a_boundary_of_ones_own_names_the_parameter_and_the_transport(tmp_path: Path) -> None:
    """`by value` asks only for what can be copied, of captures too."""
    found = errors(check(tmp_path, OWN, 'boundaries = ["case.Cluster.run:task by value"]'))
    assert found == ['10: error: captured "lock" is lock, which is not Serializable  [capsend-capture]']


@pytest.mark.parametrize(
    "settings", ['presets = ["nothing"]', 'boundaries = "text"', 'boundaries = ["name"]', "unknown = 1"]
)
def test_a_wrong_setting_is_said_cleanly(tmp_path: Path, settings: str) -> None:
    """A configuration that cannot be meant is an error of mypy's run, not a traceback."""
    [line] = [line for line in check(tmp_path, OWN, settings) if "error" in line]
    assert "[tool.capsend]" in line
