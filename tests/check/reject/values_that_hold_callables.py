"""Callables in tables, partials, rules and class attributes are judged like any other function."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial, partialmethod, singledispatch, singledispatchmethod
from typing import Final

from capsend import PerProcess, spawn

LOCK = threading.Lock()
ROWS = [1]
ROWS.append(2)


def good(n: int) -> int:
    return n


def bad(n: int) -> int:
    return n + len(ROWS)  # E: global "ROWS"


def either(n: int) -> Callable[[int], int]:
    return [good, bad][n]


@dataclass(frozen=True)
class Rule:
    name: str
    check: Callable[[int], int]


RULES = (Rule("good", good), Rule("locked", lambda n: n + hash(LOCK)))  # E: global "LOCK"
TABLE: PerProcess[dict[str, Callable[[int], int]]] = {"good": good, "bad": bad}
CHECKS: PerProcess[list[Callable[[int], int]]] = [rule.check for rule in (Rule("far", lambda n: n + hash(LOCK)),)]  # E: global "LOCK"
OPAQUE = (either(1), good)
COUNT: Final = partial(lambda rows, n: n + len(rows), ROWS)  # E: global "ROWS"


class Kinds:
    a = property(lambda self: len(ROWS))  # E: global "ROWS"

    def base(self, n: int) -> int:
        return n + len(ROWS)  # E: global "ROWS"

    b = partialmethod(base, 1)
    c = staticmethod(lambda n: n + len(ROWS))  # E: global "ROWS"
    d = cached_property(lambda self: hash(LOCK))  # E: global "LOCK"

    @singledispatchmethod
    def e(self, value: object) -> str:
        return "object"

    @e.register
    def _(self, value: int) -> str:
        return str(ROWS)  # E: global "ROWS"


@singledispatch
def show(value: object) -> int:
    return 1


@show.register
def _(value: int) -> int:
    return len(ROWS)  # E: global "ROWS"


@show.register(str)
def _show_text(value: str) -> int:
    return hash(LOCK)  # E: global "LOCK"


def f() -> None:
    spawn(lambda: RULES)
    spawn(lambda: TABLE["good"](1))
    spawn(lambda: OPAQUE[0](3))  # E: global "OPAQUE[0]" is Callable[[int], int], whose captures are unknown
    spawn(lambda: CHECKS[0](1))
    spawn(COUNT, 2)
    spawn(lambda: (Kinds().a, Kinds().b(), Kinds.c(1), Kinds().d, Kinds().e(1)))
    spawn(show, 3)
    names = ["a"]
    rule = Rule("named", lambda n: n + len(names))  # E: captured "names"
    spawn(lambda: rule.check(3))
    spawn(rule.check, 3)
    fs = {"good": good}
    spawn(lambda: fs)  # E: captured "fs" is dict
