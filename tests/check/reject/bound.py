"""A bound is enforced at every call, construction and annotation of the user's own generic code."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from capsend import ProcessSend, Serializable

S = TypeVar("S", bound=ProcessSend)
Z = TypeVar("Z", bound=Serializable)
T = TypeVar("T")


def need(x: S) -> S:
    return x


def needs_copy(x: Z) -> None: ...


def need_all(xs: Sequence[S]) -> None: ...


def takes(x: ProcessSend, y: "ProcessSend | None" = None) -> None: ...


class Message(ProcessSend, Protocol):
    def text(self) -> str: ...


class Mutable:
    def __init__(self) -> None:
        self.rows = [1]

    def text(self) -> str:
        return ""


def send(m: Message) -> None: ...


@dataclass(frozen=True)
class Channel(Generic[S]):
    item: S

    def put(self, item: S) -> None: ...


def f(xs: list[int], o: object, t: T, rows: list[list[int]]) -> None:
    need(xs)  # E: type argument "S" is list[int], which is not ProcessSend  [capsend-bound]
    # N: Instead: use an immutable type, such as tuple.
    needs_copy(xs)
    need_all(rows)  # E: type argument "S" is list[int]
    need(o)  # E: type argument "S" is object, which says nothing about ProcessSend  [capsend-any]
    need(t)  # E: type argument "S" is T, which says nothing about ProcessSend  [capsend-bound]
    takes(xs)  # E: argument "x" is list[int], which is not ProcessSend  [capsend-bound]
    # N: Instead: pass tuple(x).
    takes(1, xs)  # E: argument "y" is list[int]
    send(Mutable())  # E: argument "m.rows" is list[int]
    Channel(xs)  # E: type argument "S" is list[int]
    c: Channel[list[int]]  # E: type argument "S" is list[int]


def g(c: Channel[bytearray]) -> None: ...  # E: type argument "S" is bytearray


class Sub(Channel[list[int]]): ...  # E: type argument "S" is list[int]
