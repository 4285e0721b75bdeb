"""Kinds of differences that the echo has found and that are not mended yet: a line goes when its kind does."""

from __future__ import annotations

import re
from typing import Final

OPEN: Final = (
    ("differs", r"inspect\.signature", "the generated __init__ of a dataclass or attrs class has lost its annotations"),
    ("fails inside", r"issubclass", "a Protocol lacks what its decorator sets from Python 3.13 on"),
    (
        "differs",
        r"\.register\(int\)",
        "a class of the interpreter that was registered with an abstract class is forgotten",
    ),
    ("differs", r"__subclasses__", "subclasses of a local class are not sent"),
    ("differs", r"__init__\.__defaults__ =", "changed defaults of a generated __init__ are lost"),
    ("differs", r"type\('Late'", "a subclass that nothing but its base refers to is not sent"),
    ("differs", r"typing\.Optional", "Python 3.14 prints a union as `int | None`"),
    ("lost", r"type\(\w+\(\)\)\.n = |__class__\.n = ", "a write through type(x) or x.__class__ is not seen"),
    ("seeds", r"TypedDict|frozenset|set\[", "sets are written in the order of their iteration"),
)


def is_open(kind: str, texts: str) -> bool:
    """Tell whether a difference of a kind, in a program with these texts, is one of these."""
    return any(kind == each and re.search(pattern, texts) for each, pattern, _ in OPEN)
