"""Skynet: a process spawns ten, each of them ten more, and so on; the last ones answer with their numbers, and the sums come back up.

Run it: python examples/actors/skynet.py 100
"""

from __future__ import annotations

import sys
import time

from capsend import Address, Environment, Mailbox, Process, process

SMALL = Environment(memory=128 << 20)
TEN = 10


@process
def node(inbox: Mailbox[int], up: Address[int]) -> None:
    """Add what ten others answer."""
    up.send(sum(inbox.receive() for _ in range(TEN)))


@process
def leaf(number: int, up: Address[int]) -> None:
    """Answer with a number."""
    up.send(number)


def grow(first: int, size: int, up: Address[int]) -> list[Process[None]]:
    """Spawn the processes that answer for so many numbers."""
    if size == 1:
        return [SMALL.spawn(leaf, first, up)]
    top = SMALL.spawn(node, up)
    step = size // TEN
    below = [grow(first + step * each, step, top.address) for each in range(TEN)]
    return [top, *(p for branch in below for p in branch)]


def main(size: int) -> None:
    """Let so many processes answer, a power of ten."""
    before = time.perf_counter()
    with Mailbox[int]() as home:
        processes = grow(0, size, home.address)
        total = home.receive()
    print(f"{len(processes)} processes add up to {total} in {time.perf_counter() - before:.2f} s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
