"""Leases: how long a node may go on without its home, so that home never takes a node for lost whose processes still do something."""

from __future__ import annotations

import collections
import math
import time
from typing import Final

PART: Final = 0.6
"""The part of `lost_after` that a lease lasts."""


class Lease:
    """The right of a node to go on: it lasts from a sign of life that home has heard, counted from when that sign was *sent*.

    Home takes a node for lost no earlier than `lost_after` after it heard the last sign. It heard that after the node had sent it, so the
    lease, which is shorter, is over by then, however long the sign and the answer to it were on their way, and whichever way of the
    connection is cut. Clocks are not compared, only durations: what has to hold is that no clock runs at less than 0.6 of the speed of the
    other.

    Source:
        Gray and Cheriton, Leases (1989).

    Attributes:
        until: the moment of the monotonic clock at which it is over; infinity before home has connected.

    Args:
        lost_after: seconds of silence after which home takes the node for lost.
    """

    def __init__(self, lost_after: float) -> None:
        self.until: float = math.inf
        self._seconds = PART * lost_after
        self._sent: collections.deque[tuple[int, float]] = collections.deque()
        self._count = 0

    def begin(self, moment: float) -> None:
        """Begin, with a moment before home had connected."""
        self.until = moment + self._seconds

    def sign(self) -> int:
        """Return the number of a sign of life that is about to be sent."""
        self._count += 1
        self._sent.append((self._count, time.monotonic()))
        return self._count

    def renew(self, number: int) -> None:
        """Note that home has heard the sign of a number; one that is over stays over."""
        while self._sent and self._sent[0][0] <= number:
            _, moment = self._sent.popleft()
            if time.monotonic() <= self.until:
                self.until = max(self.until, moment + self._seconds)

    @property
    def is_over(self) -> bool:
        """Whether the node must do nothing any more."""
        return time.monotonic() > self.until

    def end(self) -> None:
        """End it now."""
        self.until = -math.inf
