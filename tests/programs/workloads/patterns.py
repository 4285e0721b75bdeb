"""Regular expressions: a lexer made of named groups, and substitutions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

KINDS: Final = (
    ("number", r"\d+(?:\.\d+)?(?:[eE][+-]?\d+)?"),
    ("name", r"[^\W\d]\w*"),
    ("string", r"\"(?:[^\"\\]|\\.)*\""),
    ("operator", r"[-+*/=<>()]"),
    ("space", r"\s+"),
    ("error", r"."),
)
LEXER: Final = re.compile("|".join(f"(?P<{kind}>{pattern})" for kind, pattern in KINDS))
DATE = re.compile(
    r"""
    (?P<year>\d{4}) - (?P<month>0[1-9]|1[0-2])   # no day: it may be missing
    (?: - (?P<day>\d\d) )?
    """,
    re.VERBOSE,
)


class Token(NamedTuple):
    """A piece of text and what it is."""

    kind: str
    text: str
    start: int


def tokens(text: str) -> Iterator[Token]:
    """Yield the tokens of a text, without white space."""
    for match in LEXER.finditer(text):
        if (kind := match.lastgroup) and kind != "space":
            yield Token(kind, match.group(), match.start())


def shift_year(match: re.Match[str]) -> str:
    """One year later."""
    return f"{int(match['year']) + 1}-{match['month']}" + (f"-{match['day']}" if match["day"] else "")


def text_of(lines: int) -> str:
    """Make a text to read."""
    return "\n".join(
        f'größe_{n} = {n}.5e{n % 7} * (x{n} - "tail \\"{n}\\"") # 20{n % 100:02}-0{n % 9 + 1}-1{n % 10}'
        for n in range(lines)
    )


def run(lines: int = 120) -> tuple[list[Token], str, dict[str, int]]:
    """Return the tokens, the text with later dates, and how often each kind came."""
    text = text_of(lines)
    found = list(tokens(text))
    counts = {kind: sum(token.kind == kind for token in found) for kind, _ in KINDS}
    return found, DATE.sub(shift_year, text), counts
