"""A type variable is ProcessSend only if its bound or all its constraints are."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from typing_extensions import TypeVarTuple, Unpack

from capsend import spawn

T = TypeVar("T")
C = TypeVar("C", int, list[int])
P = ParamSpec("P")
Ts = TypeVarTuple("Ts")


def f(x: T, c: C, g: Callable[P, int], *ts: Unpack[Ts]) -> None:
    spawn(lambda: x)  # E: captured "x" is T, which says nothing about ProcessSend  [capsend-opaque]
    # N: Instead: bound it: TypeVar('T', bound=ProcessSend).
    spawn(lambda: c)  # E: captured "c" is list[int]
    spawn(lambda: g)  # E: captured "g" is Callable[P, int]
    spawn(lambda: ts)  # E: captured "ts[...]" is Ts
