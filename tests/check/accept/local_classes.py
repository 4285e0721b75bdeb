"""Classes that are defined in functions travel as local functions do, with what their methods capture."""

from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from capsend import spawn

T = TypeVar("T")


class Base:
    def name(self) -> str:
        return "base"


def run() -> None:
    """Send classes, instances and bound methods that only this function has."""
    limit = 5

    def twice(n: int) -> int:
        return 2 * n

    class Counter(Base):
        most = 3

        def __init__(self, n: int) -> None:
            self.n = n

        def more(self) -> int:
            return min(twice(self.n), limit) + self.most

        def name(self) -> str:
            return "counter of " + super().name()

    class Second(Counter):
        def again(self) -> "Second":
            return Second(self.n + 1)

    @dataclass(frozen=True)
    class Point(Generic[T]):
        x: T

    class Pair(NamedTuple):
        a: int
        b: int = 2

    assert spawn(lambda: Counter(1).more()).result() == 5
    assert spawn(lambda: Second(1).again().more()).result() == 7
    assert spawn(lambda: Second(1).name()).result() == "counter of base"
    point, pair = Point(3), Pair(1)
    assert spawn(lambda: point.x + pair.b).result() == 5
    assert spawn(lambda made: made.x, point).result() == 3
    assert spawn(Point, 4).result() == Point(4)
