"""State of a function that spawns: caches of its functions, attributes of its classes, and writes to these."""

import functools

from capsend import PerProcess, spawn


def caches() -> None:
    @functools.cache
    def rows() -> list[int]:
        return []

    rows().append(42)
    spawn(lambda: len(rows()))  # E: the cached result of "rows" is list[int]


def counts() -> None:
    class Counter:
        n: int = 0
        own: PerProcess[int] = 0

        @classmethod
        def hit(cls) -> int:
            cls.own += 1
            cls.n += 1  # E: "Counter.n" is assigned in Counter
            return cls.n

        def more(self) -> None:
            type(self).n += 1  # E: "Counter.n" is assigned in Counter

    def work() -> int:
        Counter.n = 3  # E: "Counter.n" is assigned in work
        return Counter.hit()

    spawn(work)


def holds() -> None:
    class Holder:
        held: object = [1]  # E: class attribute "Holder.held" is object

    spawn(lambda: repr(Holder.held))


def owns() -> None:
    def work() -> int:
        class Counter:
            n: int = 0

        Counter.n += 1
        return Counter.n

    spawn(work)
