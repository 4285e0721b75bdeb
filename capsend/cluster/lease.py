"""Leases: they limit how long a node continues without its home, so that no process of a node that home considers lost is still active."""

from __future__ import annotations

import collections
import math
import time
from typing import Final

PART: Final = 0.6
"""A lease lasts this part of `lost_after`."""


class Lease:
    """The right of a node to continue. It lasts from a sign of life that home received, counted from the *sending* of that sign.

    Home considers a node lost no earlier than `lost_after` after it received the last sign. It received that sign after
    the node had sent it. So the lease, which is shorter, is over by then, however long the sign and its answer
    travelled, and whichever direction of the connection broke. Clocks are not compared, only durations: the one
    condition is that no clock runs slower than 0.6 times the other.

    Source:
        Gray and Cheriton, Leases (1989).

    Attributes:
        until: the moment on the monotonic clock at which the lease is over; infinity before home has connected.

    Args:
        lost_after: seconds of silence after which home considers the node lost.
    """

    def __init__(self, lost_after: float) -> None:
        self.until: float = math.inf
        self._seconds = PART * lost_after
        self._sent: collections.deque[tuple[int, float]] = collections.deque()
        self._count = 0

    def begin(self, moment: float) -> None:
        """Begin the lease at a moment before home had connected."""
        self.until = moment + self._seconds

    def sign(self) -> int:
        """Return the number of a sign of life that is about to be sent."""
        self._count += 1
        self._sent.append((self._count, time.monotonic()))
        return self._count

    def renew(self, number: int) -> None:
        """Note that home has received the sign of a number; a lease that is over stays over."""
        while self._sent and self._sent[0][0] <= number:
            _, moment = self._sent.popleft()
            if time.monotonic() <= self.until:
                self.until = max(self.until, moment + self._seconds)

    @property
    def is_over(self) -> bool:
        """True once the node must have no further effects."""
        return time.monotonic() > self.until

    def end(self) -> None:
        """End the lease now."""
        self.until = -math.inf
