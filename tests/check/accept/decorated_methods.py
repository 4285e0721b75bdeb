"""Decorators on methods: the class travels with what they made of its methods; and `functools.wraps` keeps `__wrapped__`."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from capsend import spawn

P = ParamSpec("P")
R = TypeVar("R")


def plain(fn: Callable[P, R]) -> Callable[P, R]:
    def inner(*args: P.args, **kwargs: P.kwargs) -> R:
        return fn(*args, **kwargs)

    return inner


@dataclass(frozen=True)
class Again:
    times: int

    def __call__(self, fn: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(fn)
        def inner(*args: P.args, **kwargs: P.kwargs) -> R:
            return [fn(*args, **kwargs) for _ in range(self.times)][-1]

        return inner


@Again(2)
def twice(n: int) -> int:
    return n


class K:
    @plain
    def m(self, n: int) -> int:
        return n

    @staticmethod
    @plain
    def s(n: int) -> int:
        return n

    @property
    @plain
    def p(self) -> int:
        return 4

    @Again(2)
    def q(self) -> int:
        return 5



def run() -> None:
    """Call decorated methods of every kind in a process."""
    assert spawn(lambda: (K().m(1), K.s(2), K().p, K().q())).result() == (1, 2, 4, 5)
    assert spawn(lambda: twice.__wrapped__(1)).result() == 1  # type: ignore[attr-defined]
