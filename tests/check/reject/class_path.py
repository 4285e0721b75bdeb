"""The way to the bad part is told step by step, through fields, items, unions and type arguments."""

import threading
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from capsend import spawn

T = TypeVar("T")


class Port:
    def __init__(self) -> None:
        self.q = threading.Condition()


@dataclass(frozen=True)
class Conf:
    port: Port


@dataclass(frozen=True)
class Box(Generic[T]):
    content: T


class Pair(NamedTuple, Generic[T]):
    first: int
    second: T


def f(c: Conf, b: Box[list[int]], p: Pair[bytearray], t: tuple[int, tuple[str, list[int]]], u: int | set[int], many: tuple[Conf, ...]) -> None:
    spawn(lambda: c)  # E: captured "c.port.q" is Condition, which is not ProcessSend
    # N: c: Conf has a field that is not ProcessSend: port
    # N: c.port: Port has a field that is not ProcessSend: q
    # N: Condition is declared not sendable: a copied condition wakes nobody
    spawn(lambda: b)  # E: captured "b.content" is list[int]
    spawn(lambda: p)  # E: captured "p.second" is bytearray
    spawn(lambda: t)  # E: captured "t[1][1]" is list[int]
    spawn(lambda: u)  # E: captured "u" is set[int]
    spawn(lambda: many)  # E: captured "many[...].port.q" is Condition
