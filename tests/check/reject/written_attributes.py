"""Assignments of a function to classes, modules and other functions are lost with its process: they are refused in their lines."""

import enum
import json
from typing import ClassVar

from capsend import spawn


class Stats:
    seen: int = 0
    names: ClassVar[tuple[str, ...]] = ()

    class Inner:
        n: int = 0

    def __init__(self) -> None:
        type(self).seen += 1  # E: "Stats.seen" is assigned in __init__, but the process would change only its own copy

    def through_its_class(self) -> None:
        kind = type(self)
        kind.seen += 1  # E: "Stats.seen" is assigned in through_its_class

    def again(self) -> None:
        self.__class__.names = ()  # E: "Stats.names" is assigned in again

    @classmethod
    def add(cls, name: str) -> None:
        cls.names = (*cls.names, name)  # E: "Stats.names" is assigned in add
        # N: Instead: return the value, and take it from result().


class Color(enum.Enum):
    RED = 1

    def __init__(self, number: int) -> None:
        self.hits = 0


def helper() -> int:
    return 1


def of_a_member(color: Color) -> None:
    Color.RED.hits += 1  # E: "Color.hits" is assigned in of_a_member


def of_a_given_member(color: Color) -> None:
    color.hits = 1  # E: "Color.hits" is assigned in of_a_given_member


def by_name() -> None:
    Stats.seen += 1  # E: "Stats.seen" is assigned in by_name


def by_tuple() -> None:
    _, Stats.Inner.n = 1, 2  # E: "Inner.n" is assigned in by_tuple


def by_deletion() -> None:
    del Stats.seen  # E: "Stats.seen" is assigned in by_deletion


def by_loop() -> None:
    for Stats.seen in range(3):  # E: "Stats.seen" is assigned in by_loop
        pass


def by_setattr() -> None:
    setattr(helper, "calls", 1)  # E: "helper.calls" is assigned in by_setattr
    delattr(Stats, "seen")  # E: "Stats.seen" is assigned in by_setattr


def by_raw_setattr() -> None:
    type.__setattr__(Stats, "seen", 3)  # E: "Stats.seen" is assigned in by_raw_setattr
    globals()["LEVEL"] = 3  # E: .LEVEL" is assigned in by_raw_setattr
    globals().update(LEVEL=3)  # E: ...." is assigned in by_raw_setattr


LEVEL = 1


def by_another_name() -> None:
    stats, library = Stats, json
    stats.seen = 1
    known = Stats
    known.seen = 2  # E: "Stats.seen" is assigned in by_another_name
    module = json
    module.__doc__ = ""  # E: "json.__doc__" is assigned in by_another_name
    library.loads("1")


def of_the_library() -> None:
    json.JSONEncoder.item_separator = ";"  # E: "JSONEncoder.item_separator" is assigned in of_the_library
    json.__doc__ = ""  # E: "json.__doc__" is assigned in of_the_library


def given(kind: type[Stats]) -> None:
    kind.seen = 1  # E: "Stats.seen" is assigned in given


def calls() -> None:
    Stats().again()
    Stats().through_its_class()
    Stats.add("x")


def f() -> None:
    for job in (by_tuple, by_loop):
        job()
    spawn(by_name)
    spawn(by_tuple)
    spawn(by_deletion)
    spawn(by_loop)
    spawn(by_setattr)
    spawn(by_raw_setattr)
    spawn(by_another_name)
    spawn(of_the_library)
    spawn(given, Stats)
    spawn(calls)
    spawn(of_a_member, Color.RED)
    spawn(of_a_given_member, Color.RED)
    spawn(lambda: setattr(Stats, "seen", 3))  # E: "Stats.seen" is assigned in lambda

    def here() -> None:
        Stats.seen = 3  # E: "Stats.seen" is assigned in here

    spawn(here)
