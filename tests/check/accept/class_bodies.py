"""Lambdas and helpers in class bodies, as factories, converters, properties and static methods, run inside as they do outside."""

import functools
from collections import defaultdict
from dataclasses import dataclass, field
from textwrap import dedent

import attrs
from capsend import spawn

LIMIT = 3


def doubled(n: int) -> int:
    return n * 2


@dataclass
class Made:
    counts: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    n: int = field(default_factory=lambda: doubled(LIMIT))


@attrs.define
class Defined:
    rows: list[int] = attrs.Factory(lambda: [LIMIT])
    n: int = attrs.field()

    @n.default
    def _n(self) -> int:
        return doubled(LIMIT)


class Accessors:
    lines: tuple[str, ...] = tuple(sorted(("b", "a"), key=lambda line: dedent(line)))
    size = property(lambda self: LIMIT)
    kept = functools.cached_property(lambda self: doubled(LIMIT))
    static = staticmethod(lambda: LIMIT)

    def method(self) -> int:
        return LIMIT

    renamed = method


def made() -> tuple[int, int]:
    return Made().n, len(Made().counts)


def defined() -> tuple[list[int], int]:
    return Defined().rows, Defined().n


def accessed() -> tuple[int, int, int, int, str]:
    one = Accessors()
    return one.size, one.kept, Accessors.static(), one.renamed(), Accessors.lines[0]


def run() -> None:
    assert spawn(made).result() == (6, 0)
    assert spawn(defined).result() == ([3], 6)
    assert spawn(accessed).result() == (3, 6, 3, 3, "a")
