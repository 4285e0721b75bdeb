"""The examples of processes in C that Python processes call and supervise."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples" / "compiled"

pytest.importorskip("ziglang", reason="there is no C compiler: pip install '.[guests]'")


def run(name: str) -> str:
    done = subprocess.run([sys.executable, EXAMPLES / name], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_filter_in_c_is_faster_than_in_python(template):
    """The same image comes out, several times as fast, the messages included."""
    told = run("filter.py")
    assert "the images are the same" in told
    assert int(re.search(r"it is (\d+) times as fast", told)[1]) >= 3, told


def test_python_process_supervises_processes_in_c(template):
    """A table that breaks the parser costs that table alone: the next one is read by another parser."""
    told = run("supervising.py").splitlines()
    assert [line.partition(": ")[2] for line in told] == [
        "7",
        "the parser ended (trap); another one is started",
        "70",
        "the parser ended (trap); another one is started",
        "300",
    ]
