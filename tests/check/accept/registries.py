"""Tables that decorators fill: declared PerProcess, they travel with the functions that are in them."""

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from capsend import PerProcess, spawn

T = TypeVar("T")


class Step(Protocol):
    def __call__(self, n: int, /) -> int: ...


STEPS: PerProcess[dict[str, Step]] = {}


def step(name: str) -> Callable[[Step], Step]:
    def register(fn: Step) -> Step:
        STEPS[name] = fn
        return fn

    return register


class Registry(Generic[T]):
    def __init__(self) -> None:
        self.known: dict[str, T] = {}

    def register(self, name: str) -> Callable[[T], T]:
        def add(value: T) -> T:
            self.known[name] = value
            return value

        return add


checks: PerProcess[Registry[Callable[[int], bool]]] = Registry()


@step("double")
def double(n: int) -> int:
    return 2 * n


@checks.register("even")
def even(n: int) -> bool:
    return n % 2 == 0


def apply(name: str, n: int) -> int:
    return STEPS[name](n)


def run() -> None:
    """Use what was registered, by name, in a process."""
    assert spawn(apply, "double", 3).result() == 6
    assert spawn(lambda: checks.known["even"](3)).result() is False
    assert spawn(double, 2).result() == 4
