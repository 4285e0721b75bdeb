"""A class attribute that is declared `PerProcess` is no field of the instances: they can be captured without it."""

from typing import Final

from capsend import PerProcess, spawn


class Holds:
    table: PerProcess[dict[str, int]] = {"a": 1}

    def __init__(self) -> None:
        self.key: Final = "a"

    def get(self) -> int:
        return self.table[self.key]


def run() -> None:
    held = Holds()
    assert spawn(lambda: held.get()).result() == 1
