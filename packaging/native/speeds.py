"""Compare numpy in a process with numpy of the host on one thread: `python packaging/native/speeds.py`.

Prints a table in Markdown: for each operation the processor time in a process as a multiple of that on the host, by the fastest of
alternating runs.
Needs numpy built for processes (`capsend image add numpy`) and installed on the host.
"""

from __future__ import annotations

import argparse
import os
import time
from typing import TYPE_CHECKING, Final

os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np

from capsend import Environment, Image, Session

if TYPE_CHECKING:
    from types import CodeType

PREPARED: Final = """
import numpy as np
random = np.random.default_rng(7)
vector, other = random.random(100_000), random.random(100_000)
single = vector.astype("f4")
def square(size, kind): return (random.random((size, size)) + 1).astype(kind)
d16, d64, d256, d512 = (square(size, "f8") for size in (16, 64, 256, 512))
f64, f512, z256, c256 = square(64, "f4"), square(512, "f4"), square(256, "c16"), square(256, "c8")
"""
OPERATIONS: Final = {
    "product of float64, 16 x 16": ("d16 @ d16", 20_000),
    "product of float64, 64 x 64": ("d64 @ d64", 1_000),
    "product of float64, 512 x 512": ("d512 @ d512", 2),
    "product of float32, 64 x 64": ("f64 @ f64", 1_000),
    "product of float32, 512 x 512": ("f512 @ f512", 2),
    "product of complex128, 256 x 256": ("z256 @ z256", 5),
    "product of complex64, 256 x 256": ("c256 @ c256", 5),
    "a matrix times its transpose, 512 x 512": ("d512 @ d512.T", 2),
    "matrix times vector, 512 x 512": ("d512 @ vector[:512]", 300),
    "dot, 100,000": ("vector @ other", 1_000),
    "`solve`, 256 x 256": ("np.linalg.solve(d256, d256[0])", 3),
    "`inv`, 256 x 256": ("np.linalg.inv(d256)", 2),
    "`svd`, 64 x 64": ("np.linalg.svd(d64)", 5),
    "add, 100,000": ("vector + other", 500),
    "multiply float32, 100,000": ("single * single", 1_000),
    "sum, 100,000": ("vector.sum()", 1_000),
    "`sqrt`, 100,000": ("np.sqrt(vector)", 100),
    "`exp`, 100,000": ("np.exp(vector)", 20),
    "`sin`, 100,000": ("np.sin(vector)", 20),
    "compare and select, 100,000": ("np.where(vector < other, vector, other)", 50),
    "sort, 100,000": ("np.sort(vector)", 3),
    "`rfft`, 65,536": ("np.fft.rfft(vector[:65536])", 10),
    "random normal, 100,000": ("random.standard_normal(100_000)", 10),
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="alternating runs of each operation (default: 7)")
    rounds = parser.parse_args().rounds
    host: dict[str, object] = {}
    exec(PREPARED, host)  # noqa: S102 - the text above
    with Session(Environment(image=Image(packages=["numpy"]), timeout=None)) as session:
        session.run(PREPARED)
        print(f"numpy {np.__version__}\n\n| operation | times as long |\n|---|---|")
        for name, (expression, times) in OPERATIONS.items():
            text = f"for _ in range({times}): {expression}"
            compiled = compile(text, name, "exec")
            pairs = [(_seconds(compiled, host), session.execute(text).cpu_seconds) for _ in range(rounds)]
            outside, inside = (min(each) for each in zip(*pairs, strict=True))
            print(f"| {name} | {inside / outside:.1f} |", flush=True)


def _seconds(code: CodeType, names: dict[str, object]) -> float:
    """Run code on the host; return its seconds of processor time."""
    started = time.thread_time()
    exec(code, names)  # noqa: S102 - the text above
    return time.thread_time() - started


if __name__ == "__main__":
    main()
