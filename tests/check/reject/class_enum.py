"""Enum members travel by name, so their values must not change."""

import enum

from capsend import spawn


class Odd(enum.Enum):
    A = [1]


def f(o: Odd) -> None:
    spawn(lambda: o)  # E: captured "o.A" is list[int]
    # N: o: Odd has a member that is not ProcessSend: A
