"""The ring: each process has the address of the next one only, and a number goes round until it reaches zero.

Run it: python examples/actors/ring.py 100 10
"""

from __future__ import annotations

import sys
import time

from capsend import Address, Environment, Mailbox, process

SMALL = Environment(memory=128 << 20, timeout=None)


@process
def member(inbox: Mailbox[int], following: Address[int]) -> None:
    """Pass each number, reduced by one, to the next process."""
    for number in inbox:
        following.send(number - 1)


def main(count: int, rounds: int) -> None:
    """Build a ring of processes that includes this program, and send a number round."""
    with Mailbox[int]() as home:
        before, following, members = time.perf_counter(), home.address, []
        for _ in range(count):
            members.append(SMALL.spawn(member, following))
            following = members[-1].address
        started = time.perf_counter() - before
        number, before = count * rounds, time.perf_counter()
        while number > 0:
            following.send(number)
            number = home.receive()
        seconds = time.perf_counter() - before
    each = seconds / count / rounds
    print(f"{count} processes in {started:.2f} s; {count * rounds} hops down to {number}, {each * 1e6:.0f} us each")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:] or ["100", "10"]))
