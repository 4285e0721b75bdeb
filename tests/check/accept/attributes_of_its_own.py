"""A function may assign attributes of instances, of the classes and functions that it makes, and of `sys`."""

import io
import sys

from capsend import spawn


class Count:
    n: int = 0

    def up(self) -> None:
        self.n += 1


def instance() -> int:
    count = Count()
    count.up()
    count.n += 1
    setattr(count, "n", count.n + 1)
    return count.n


def made_here() -> int:
    class Local:
        n: int = 1

        @classmethod
        def up(cls) -> None:
            cls.n += 1

    def inner() -> int:
        return 1

    setattr(inner, "calls", 1)
    Local.up()
    Local.n += 1
    return Local.n


def prints() -> str:
    sys.stdout = io.StringIO()
    return "printed"


def run() -> None:
    assert spawn(instance).result() == 3
    assert spawn(made_here).result() == 3
    assert spawn(prints).result() == "printed"
