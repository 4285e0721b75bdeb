"""Any, object, protocols and abstract types prove nothing; they have separate error codes."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from capsend import spawn


class Draws(Protocol):
    def draw(self) -> int: ...


class Shape(ABC):
    @abstractmethod
    def area(self) -> float: ...


def f(a: Any, o: object, s: Sequence[int], m: Mapping[str, int], d: Draws, x: Shape) -> None:
    spawn(lambda: a)  # E: captured "a" is Any, which says nothing about ProcessSend  [capsend-any]
    spawn(lambda: o)  # E: captured "o" is object, which says nothing about ProcessSend  [capsend-any]
    spawn(lambda: s)  # E: captured "s" is Sequence[int], which says nothing about ProcessSend  [capsend-opaque]
    # N: annotate a concrete type that is ProcessSend, such as tuple[...]
    spawn(lambda: m)  # E: captured "m" is Mapping[str, int]
    spawn(lambda: d.draw())  # E: captured "d" is Draws
    spawn(lambda: x.area())  # E: captured "x" is Shape
    spawn(print, a)  # E: argument "args[0]" is Any, which says nothing about Serializable  [capsend-any]
    # N: Instead: give it a type that is Serializable.
    spawn(print, s)  # E: argument "args[0]" is Sequence[int], which says nothing about Serializable  [capsend-opaque]
