"""Kinds of differences that the echo has found and that are not mended yet: a line goes when its kind does."""

from __future__ import annotations

import re
from typing import Final

OPEN: Final = (
    ("differs", r"typing\.Optional", "Python 3.14 prints a union as `int | None`"),
    ("differs", r"__subclasses__", "what an abstract class lists as its subclasses after a registration"),
    ("fails inside", r"__subclasshook__", "the comparison asks an abstract class whose hook answers, not its registry"),
    (
        "fails inside",
        r"held: object = \w+\.\w+",
        "a descriptor of one class's slot that another class holds is not sent",
    ),
    ("fails inside", r"_inverted_|enum\.(Int)?Flag", "the comparison sees what a flag remembers of its inverse"),
    (
        "static",
        r"\n +held: object = \[",
        "the plugin takes an attribute of a local class that is declared `object` for data",
    ),
    (
        "static",
        r"\n +@functools\.(lru_)?cache",
        "the plugin does not judge what caches that are local to a function return",
    ),
)


def is_open(kind: str, texts: str) -> bool:
    """Tell whether a difference of a kind, in a program with these texts, is one of these."""
    return any(kind == each and re.search(pattern, texts) for each, pattern, _ in OPEN)
