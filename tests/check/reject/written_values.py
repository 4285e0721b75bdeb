"""If a function changes the value of a global or class attribute, the cure is to return the value: a `PerProcess` copy would hide the loss."""

from typing import ClassVar

from capsend import spawn

ROWS = {"read": 0}
QUEUE: list[int] = []
CACHE: dict[str, dict[str, int]] = {"a": {}}


class Names:
    known: ClassVar[dict[str, int]] = {}


def by_item(n: int) -> None:
    ROWS["read"] += n  # E: global "ROWS" is dict[str, int]
    # N: Instead: return the value, take it from result(), and change it on the host


def by_method() -> None:
    QUEUE.append(1)  # E: global "QUEUE" is list[int]
    # N: Instead: return the value, take it from result(), and change it on the host


def below() -> None:
    CACHE["a"]["b"] = 1  # E: global "CACHE"
    # N: Instead: return the value, take it from result(), and change it on the host


def of_a_class() -> None:
    del Names.known["a"]  # E: class attribute "Names.known"
    # N: Instead: return the value, take it from result(), and change it on the host


def only_reads() -> int:
    return ROWS["read"]  # E: global "ROWS"
    # N: Instead: pass it as an argument, make it immutable, or declare it PerProcess[...].


def f() -> None:
    spawn(by_item, 1)
    spawn(by_method)
    spawn(below)
    spawn(of_a_class)
    spawn(only_reads)
    spawn(lambda: QUEUE.clear())  # E: global "QUEUE"
    # N: Instead: return the value, take it from result(), and change it on the host
