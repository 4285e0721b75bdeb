"""An image filter in C, called from a Python process, and its speed relative to the same filter in Python.

Run it: `python examples/compiled/filter.py`. It needs a C compiler: `pip install '.[guests]'`.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import attrs
from build import compiled

from capsend import Address, WasmModule, spawn

SIDE = 256
ROUNDS = 5

Request = tuple[bytes, tuple[Address[bytes], ...]]


@attrs.frozen
class Measured:
    """The seconds of the fastest round, for each of the two."""

    python: float
    c: float
    agree: bool


def blur(width: int, pixels: bytes) -> bytes:
    """Blur an image in Python, as blur.c does."""
    blurred = bytearray(pixels)
    for row in range(width, len(pixels) - width, width):
        for at in range(row + 1, row + width - 1):
            above, below = at - width, at + width
            total = (
                sum(pixels[above - 1 : above + 2]) + sum(pixels[at - 1 : at + 2]) + sum(pixels[below - 1 : below + 2])
            )
            blurred[at] = total // 9
    return bytes(blurred)


def painter(filter_in_c: Address[Request], side: int, rounds: int) -> Measured:
    """Blur an image in Python and in C, and compare both; runs in a Python process."""
    pixels = bytes((x * y) % 256 for y in range(side) for x in range(side))
    message = side.to_bytes(4, "little") + pixels
    python, c, agree = [], [], True

    def request(reply: Address[bytes]) -> Request:
        return message, (reply,)

    for _ in range(rounds):
        start = time.perf_counter()
        ours = blur(side, pixels)
        python.append(time.perf_counter() - start)
        start = time.perf_counter()
        theirs = filter_in_c.call(request, timeout=60)
        c.append(time.perf_counter() - start)
        agree = agree and ours == theirs
    return Measured(min(python), min(c), agree)


def main() -> int:
    """Return 0 if both return the same image and C is faster."""
    with tempfile.TemporaryDirectory() as folder:
        module = WasmModule.from_file(compiled(Path(__file__).parent / "blur.c", Path(folder)))
    with spawn(module.function("blurring")) as blurring:
        address: Address[Request] = blurring.address
        found = spawn(painter, address, SIDE, ROUNDS).result()
    print(
        f"{SIDE} x {SIDE} pixels: {found.python * 1000:.1f} ms in Python, {found.c * 1000:.1f} ms in C, messages included"
    )
    print(
        f"in C it is {found.python / found.c:.0f} times as fast, and the images are {'the same' if found.agree else 'DIFFERENT'}"
    )
    return 0 if found.agree and found.c < found.python else 1


if __name__ == "__main__":
    sys.exit(main())
