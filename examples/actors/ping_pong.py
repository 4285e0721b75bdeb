"""Ping-pong: two processes that call each other, again and again.

Run it: python examples/actors/ping_pong.py 1000
"""

from __future__ import annotations

import sys
import time

import attrs

from capsend import Address, Mailbox, process


@attrs.frozen
class Ping:
    """A request, with the address for the answer."""

    pong: Address[int]


@process
def ponger(inbox: Mailbox[Ping]) -> None:
    """Answer each ping with the number of pings so far."""
    for count, ping in enumerate(inbox, 1):
        ping.pong.send(count)


@process
def pinger(other: Address[Ping], count: int) -> int:
    """Call the other process *count* times; return its last answer."""
    return [other.call(Ping) for _ in range(count)][-1]


def main(count: int) -> None:
    """Play, and print the time of one exchange."""
    with ponger.spawn() as p:
        before = time.perf_counter()
        last = pinger.spawn(p.address, count).result()
        seconds = time.perf_counter() - before
    print(f"{last} exchanges, {seconds / count * 1e6:.0f} us each")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
