"""Arguments and results are copies: mutable containers and ordinary classes are fine."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypedDict

from capsend import Executor, spawn


@dataclass
class Mutable:
    rows: list[int]


class Options(TypedDict):
    n: int


def apply(fn: Callable[[int], int], n: int) -> int:
    return fn(n)


def keyword(n: int, *, m: Mutable) -> Mutable:
    return Mutable([*m.rows, n])


def run() -> None:
    xs, options, two = [1, 2], Options(n=1), 2
    assert spawn(lambda ys: len(ys), xs).result() == 2
    assert spawn(lambda m: sum(m), [42]).result() == 42
    assert spawn(sorted, [2, 1]).result() == [1, 2]
    assert spawn(keyword, 3, m=Mutable([1])).result() == Mutable([1, 3])
    assert spawn(lambda o: o["n"], options).result() == 1
    assert spawn(apply, lambda n: n + two, 1).result() == 3
    assert spawn(sum, xs).result() == 3
    with Executor(max_workers=1) as pool:
        assert pool.submit(len, xs).result() == 2
        assert list(pool.map(abs, xs)) == [1, 2]
        assert list(pool.map(abs, [-1, 2])) == [1, 2]
