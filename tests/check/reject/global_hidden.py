"""A name whose value is made in a branch that mypy skips may be anything at run time."""

from typing import TYPE_CHECKING

from capsend import spawn

if TYPE_CHECKING:
    MODE = "static"
else:
    MODE = ["mutable"]

if not TYPE_CHECKING:
    SIZE = [3]
else:
    SIZE = 3


def work() -> str:
    return MODE  # E: global "MODE" is str, which says nothing about ProcessSend  [capsend-opaque]
    # N: Instead: assign it outside of `if TYPE_CHECKING`, or pass it as an argument.


def f() -> None:
    spawn(work)
    spawn(lambda: SIZE)  # E: global "SIZE"
