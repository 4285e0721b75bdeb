"""Skynet: a tree of processes, each of which spawns ten more. The leaves return their numbers, and each parent returns the sum of its children.

Run it: python examples/actors/skynet.py 100
"""

from __future__ import annotations

import sys
import time

from capsend import Environment, spawn

# The limits of the first process count all its descendants.
ROOMY = Environment(processes=2_000, tree_memory=1 << 40)


def skynet(first: int, size: int) -> int:
    """Return the sum of *size* numbers that start at *first*; each number is returned by one process."""
    if size == 1:
        return first
    part = size // 10
    children = [spawn(skynet, first + part * n, part) for n in range(10)]
    return sum(child.result() for child in children)


def main(size: int) -> None:
    """Add up the first *size* numbers; *size* is a power of ten."""
    before = time.perf_counter()
    total = ROOMY.spawn(skynet, 0, size).result()
    print(f"0 + 1 + ... + {size - 1} = {total} in {time.perf_counter() - before:.2f} s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
