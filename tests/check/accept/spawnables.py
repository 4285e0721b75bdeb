"""A `Spawnable` can be captured, kept in fields and tuples, and spawned by generic code: its captures were checked where it was made."""

from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from capsend import Process, Spawnable, process, spawn

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Job:
    run: Spawnable[[int], int]


@process
def double(n: int) -> int:
    return n * 2


def start(fn: Spawnable[P, R], *args: P.args, **kwargs: P.kwargs) -> Process[R]:
    return spawn(fn, *args, **kwargs)


def run() -> None:
    job, many = Job(double), (double, double)
    assert spawn(lambda: job.run(2)).result() == 4
    assert spawn(lambda: [f(1) for f in many]).result() == [2, 2]
    assert [spawn(f, 3).result() for f in many] == [6, 6]
    assert spawn(job.run, 4).result() == 8
    assert start(double, 5).result() == 10
