"""An overriding method counts if some code reads an attribute of its name; otherwise it may use anything."""

import threading
from typing import ClassVar

from capsend import spawn

LOCK = threading.Lock()


class Base:
    size: int = 3
    names: tuple[str, ...] = ()
    rows: list[int] = []
    kinds: ClassVar[tuple[str, ...]] = ("a",)

    def __init__(self) -> None:
        self.rows = [1]

    def answer(self) -> int:
        return self.size + len(self.names) + len(self.rows) + len(self.kinds)

    def never_asked_for(self) -> None:
        """Do nothing."""


class Sub(Base):
    def never_asked_for(self) -> None:
        with LOCK:
            pass


def work() -> int:
    return Sub().answer()


def run() -> None:
    assert spawn(work).result() == 5
    assert spawn(lambda: max(each.answer() for each in [Sub()])).result() == 5
