"""Analyse a folder of .npy files with numpy, in two processes that can read that folder and nothing else.

The processes import numpy, so it must be built for processes once: `pip install 'capsend[native]' && capsend image add numpy` (or
`pip install capsend-numpy`). The closure captures the folder, a capability, and two numbers. The processes read the files and return small
arrays.
"""

from __future__ import annotations

import io
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from capsend import Dir, Environment, Executor, Image, ImageError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def make_files(folder: Path, *, count: int = 8, size: int = 400_000) -> list[str]:
    """Write files of samples; return their names."""
    generator = np.random.default_rng(7)
    names = [f"run{number}.npy" for number in range(count)]
    for number, name in enumerate(names):
        np.save(folder / name, np.sin(np.arange(size) * 0.01 * (number + 1)) + generator.normal(0, 0.1, size))
    return names


def analyse(
    folder: Path, names: list[str], workers: int, *, environment: Environment
) -> tuple[NDArray[np.float64], float]:
    """Return (the strongest frequencies of each file, one row each; seconds), computed in processes."""
    granted = Dir(folder, write=False)
    window, keep = 4_096, 3

    def strongest(name: str) -> NDArray[np.float64]:
        # Runs in a process; captures `granted`, `window` and `keep`.
        samples = np.load(io.BytesIO((granted / name).read_bytes()))
        frames = samples[: len(samples) // window * window].reshape(-1, window) * np.hanning(window)
        spectrum = np.abs(np.fft.rfft(frames, axis=1)).mean(axis=0)
        peaks = np.argsort(spectrum)[-keep:][::-1].astype(np.int64)
        return np.stack([peaks / window, spectrum[peaks]])

    with Executor(max_workers=workers, environment=environment) as executor:
        list(executor.map(abs, range(workers)))  # the first processes load the image
        started = time.perf_counter()
        found = list(executor.map(strongest, names))
        return np.stack(found), time.perf_counter() - started


def main() -> None:
    """Compare one process with two."""
    environment = Environment(image=Image(packages=["numpy"]))
    try:
        environment.image.ensure()
    except ImageError as error:
        sys.exit(str(error))
    with tempfile.TemporaryDirectory() as temporary:
        names = make_files(Path(temporary))
        one, alone = analyse(Path(temporary), names, 1, environment=environment)
        two, together = analyse(Path(temporary), names, 2, environment=environment)
    assert np.array_equal(one, two)
    print("strongest frequency of each file:", np.round(one[:, 0, 0], 5))
    print(f"two processes took {together / alone:.2f} of the time of one")


if __name__ == "__main__":
    main()
