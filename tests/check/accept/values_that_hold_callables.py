"""Tables, partials, rules, sentinels and class attributes: callables in them are followed if the syntax shows them."""

import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial, partialmethod, singledispatch, singledispatchmethod
from typing import Final, NamedTuple

from capsend import PerProcess, spawn

_MISSING = object()
NOTHING: Final = object()


def first(rows: tuple[tuple[str, int], ...], key: str, default: object = _MISSING) -> str:
    found = next((str(value) for name, value in rows if name == key), None)
    if found is None and (default is _MISSING or default is NOTHING):
        return "missing"
    return found or str(default)


def add(a: int, b: int) -> int:
    return a + b


def numbers(n: int) -> Iterator[int]:
    yield from range(n)


def evens(n: int) -> Iterator[int]:
    yield from range(0, n, 2)


def double(n: int) -> int:
    return n * 2


three_more = partial(add, 3)
FOUR_MORE: Final = partial(add, 4)
STEPS = (add, operator.mul)
SOURCES: PerProcess[dict[str, Callable[[int], Iterator[int]]]] = {"numbers": numbers, "evens": evens}
OPERATORS: PerProcess[dict[str, Callable[[int, int], int]]] = {"+": operator.add, "-": lambda a, b: a - b, "*": add}


@dataclass(frozen=True)
class Rule:
    name: str
    check: Callable[[int], bool]
    then: Callable[[int], int] = abs


class Step(NamedTuple):
    name: str
    run: Callable[[int], int]


RULES = (Rule("big", lambda n: n > 3), Rule("odd", check=lambda n: n % 2 == 1, then=partial(add, 1)))
BY_NAME: PerProcess[dict[str, Rule]] = {rule.name: rule for rule in RULES}
PLAN: Final = (Step("double", double), Step("more", three_more))


class Own(property):
    """A subclass of `property`."""


class Kinds:
    three = property(lambda self: 3)

    def base(self, a: int, b: int) -> int:
        return a + b

    two_more = partialmethod(base, 2)
    one_more = staticmethod(lambda a: a + 1)
    five = cached_property(lambda self: 5)
    alias = base

    @Own
    def own(self) -> int:
        return 6

    @singledispatchmethod
    def show(self, value: object) -> str:
        return "object"

    @show.register
    def _(self, value: int) -> str:
        return "int"


@singledispatch
def show(value: object) -> str:
    return "object"


@show.register
def _(value: int) -> str:
    return f"int {value}"


@show.register(str)
def _show_text(value: str) -> str:
    return f"str {value}"


def run() -> None:
    """Use each kind in a process, by its name and as the spawned function itself."""
    assert spawn(lambda: first((("a", 1),), "b")).result() == "missing"
    assert spawn(first, (("a", 1),), "a").result() == "1"
    assert spawn(three_more, 2).result() == 5
    assert spawn(lambda: three_more(1) + FOUR_MORE(2)).result() == 10
    assert spawn(lambda: [step(2, 3) for step in STEPS]).result() == [5, 6]
    assert spawn(lambda: [list(source(3)) for source in SOURCES.values()]).result() == [[0, 1, 2], [0, 2]]
    assert spawn(lambda: [operate(5, 3) for operate in OPERATORS.values()]).result() == [8, 2, 8]
    assert spawn(lambda: [(rule.name, rule.check(4), rule.then(4)) for rule in RULES]).result() == [("big", True, 4), ("odd", False, 5)]
    assert spawn(lambda: BY_NAME["odd"].check(3)).result() is True
    assert spawn(lambda: [step.run(4) for step in PLAN]).result() == [8, 7]
    assert spawn(lambda: (Kinds().three, Kinds().two_more(3), Kinds().five, Kinds().alias(1, 2), Kinds().own)).result() == (3, 5, 5, 3, 6)
    assert spawn(lambda: Kinds.one_more(1)).result() == 2
    assert spawn(lambda: (show(3), show("a"), show(None), Kinds().show(3))).result() == ("int 3", "str a", "object", "int")
    assert spawn(show, 3).result() == "int 3"
    rule = Rule("above four", lambda n: n > 4)
    assert spawn(lambda: rule.check(3)).result() is False
    assert spawn(rule.check, 5).result() is True
    more = partial(add, 5)
    assert spawn(lambda: more(3)).result() == 8
