"""Functions of every kind can be spawned when what they capture can go along."""

import functools
import operator
from dataclasses import dataclass

from capsend import Spawnable, process, spawn


def top(n: int = 1) -> int:
    return n


@functools.cache
def cached(n: int) -> int:
    return n + top()


@dataclass(frozen=True)
class Adder:
    n: int

    def __call__(self, x: int) -> int:
        return self.n + x

    def add(self, x: int) -> int:
        return self.n + x

    @classmethod
    def one(cls) -> int:
        return cls(1).n

    @staticmethod
    def two() -> int:
        return 2


class Rows:
    def __init__(self) -> None:
        self.rows: list[int] = [1, 2]

    def size(self) -> int:
        return len(self.rows)


@process
def work(n: int) -> int:
    return n * 2


async def later() -> int:
    return 7


def generic(fn: Spawnable[[int], int]) -> int:
    return spawn(fn, 4).result()


def run() -> None:
    flag, adder = bool(top()), Adder(1)

    def outer() -> int:
        n = 1

        def deep() -> int:
            return n

        return deep()

    def fact(n: int) -> int:
        return 1 if n == 0 else n * fact(n - 1)

    assert spawn(top).result() == 1
    assert spawn(outer).result() == 1
    assert spawn(fact, 4).result() == 24
    assert spawn(cached, 1).result() == 2
    assert spawn(adder, 2).result() == 3
    assert spawn(adder.add, 2).result() == 3
    assert spawn(Adder.one).result() == 1
    assert spawn(adder.two).result() == 2
    assert spawn(Rows.size, Rows()).result() == 2
    assert spawn(functools.partial(pow, 2, 10)).result() == 1024
    assert spawn(operator.add, 1, 2).result() == 3
    assert spawn(len, "abc").result() == 3
    assert spawn("abc".upper).result() == "ABC"
    assert spawn((lambda: 1) if flag else (lambda: 2)).result() == 1
    assert work(2) == 4
    assert work.spawn(2).result() == 4
    assert generic(work) == 8
    assert spawn(later).result() + 1 == 8
