"""Arrays of numpy in the type checker, by numpy's own stubs: what may be captured, passed and returned."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

PROGRAM = """\
import numpy as np
from numpy.typing import NDArray

from capsend import Mailbox, spawn


def total(values: NDArray[np.float64]) -> np.float64:
    return np.float64(values.sum())


def doubled(values: np.ndarray[tuple[int, int], np.dtype[np.int32]]) -> NDArray[np.int64]:
    return (values * 2).astype(np.int64)


def receive(inbox: Mailbox[NDArray[np.float64]]) -> float:
    return float(inbox.receive().sum())


def main(values: NDArray[np.float64], whole: np.ndarray[tuple[int, int], np.dtype[np.int32]], scale: np.float64, kind: np.dtype[np.float64]) -> None:
    spawn(total, values)
    spawn(lambda given: given * scale, values)
    spawn(lambda: np.zeros(3, kind))
    spawn(doubled, whole).result().sum()
    spawn(receive).send(values)
    spawn(lambda: values.sum())  # captured: values
    spawn(lambda: whole.shape)  # captured: whole
    generator = np.random.default_rng(1)
    spawn(lambda: generator.normal())  # captured: generator
    spawn(total, generator)  # argument
    view = memoryview(b"abc")
    spawn(len, view)
    spawn(lambda: len(view))  # captured: view
"""


def test_arrays_are_arguments_and_no_captures(
    tmp_path: Path, checked: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """An error at each capture of an array, with its cure, and none elsewhere."""
    (tmp_path / "program.py").write_text(PROGRAM, encoding="utf-8")
    (tmp_path / "pyproject.toml").write_text('[tool.capsend]\npackages = ["numpy"]\n', encoding="utf-8")
    done = checked(tmp_path, "program.py")
    found = {int(match[1]) for match in re.finditer(r"^program\.py:(\d+): error", done.stdout, re.MULTILINE)}
    expected = {
        number for number, line in enumerate(PROGRAM.splitlines(), 1) if "# captured" in line or "# argument" in line
    }
    assert found == expected, done.stdout + done.stderr
    assert "capture array.tobytes()" in done.stdout
