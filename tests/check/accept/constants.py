"""Lists, dicts and sets that a module makes once and never changes are sent as copies for the process."""

import re
from collections.abc import Callable, Mapping
from typing import ClassVar

from capsend import spawn


def plus(a: int, b: int) -> int:
    return a + b


def minus(a: int, b: int) -> int:
    return a - b


SIZES = {"small": 1, "large": 10}
NAMES = ["a", "b"]
SEEN = {1, 2}
GROUPS = {"vowels": ["a", "e"], "digits": ["1"]}
OPERATORS: dict[str, Callable[[int, int], int]] = {"+": plus, "-": minus}
PATTERNS = {"number": re.compile(r"\d+")}
DECLARED: Mapping[str, int] = {"one": 1}
BY_SIZE = {size: name for name, size in SIZES.items()}
KINDS = {"int": int, "str": str}


def sizes(name: str) -> int:
    return SIZES[name] + len(NAMES) + sum(SEEN) + DECLARED.get("one", 0)


def groups() -> list[str]:
    return [letter for letters in GROUPS.values() for letter in letters]


def calculate(operator: str) -> int:
    return OPERATORS[operator](5, 3)


def convert(kind: str, text: str) -> str:
    return repr(KINDS[kind](text))


def matches(text: str) -> bool:
    return any(pattern.match(text) for pattern in PATTERNS.values())


class Codec:
    widths = {"a": 1, "b": 2}
    order: ClassVar[list[str]] = ["b", "a"]

    def width(self, name: str) -> int:
        return self.widths[name] + len(self.order)

    @classmethod
    def names(cls) -> list[str]:
        return [name for name in cls.order]


def run() -> None:
    assert spawn(lambda: Codec().width("b")).result() == 4
    assert spawn(Codec.names).result() == ["b", "a"]
    assert spawn(sizes, "small").result() == 7
    assert spawn(groups).result() == ["a", "e", "1"]
    assert spawn(calculate, "-").result() == 2
    assert spawn(convert, "int", "3").result() == "3"
    assert spawn(matches, "12").result()
    assert spawn(lambda: BY_SIZE[10]).result() == "large"
