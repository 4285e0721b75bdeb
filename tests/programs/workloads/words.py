"""Words counted, ranked and set in columns."""

from __future__ import annotations

import collections
import io
import itertools
import string
import textwrap
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache, cached_property, reduce
from operator import itemgetter

from capsend import PerProcess

STOP_WORDS = frozenset({"the", "and", "of", "a"})
PUNCTUATION: PerProcess[dict[int, int | None]] = str.maketrans("", "", string.punctuation + "«»„“")
TEXT = """
The naïve cat and the café of the coöperative: «Straße» and „Straße“ — a cat, the cat's façade!
Ångström of the ångström; a resumé of résumés and the cat.
"""


@cache
def fold(word: str) -> str:
    """Without case and accents."""
    decomposed = unicodedata.normalize("NFKD", word.casefold())
    return "".join(c for c in decomposed if not unicodedata.combining(c))


def words(lines: Iterable[str]) -> Iterator[str]:
    """Yield the words of lines that are no stop words."""
    for line in lines:
        yield from (w for raw in line.split() if (w := fold(raw.translate(PUNCTUATION))) and w not in STOP_WORDS)


class Tally(collections.Counter[str]):
    """Counts that can be ranked."""

    @cached_property
    def total_length(self) -> int:
        return sum(len(word) * count for word, count in self.items())

    def ranked(self) -> list[tuple[str, int]]:
        return sorted(self.items(), key=lambda item: (-item[1], item[0]))

    def by_initial(self) -> dict[str, list[str]]:
        groups = itertools.groupby(sorted(self), key=itemgetter(0))
        return {initial: list(group) for initial, group in groups}


def columns(rows: list[tuple[str, int]], *, width: int = 30) -> str:
    """Set a table."""
    out = io.StringIO()
    for word, count in rows:
        print(f"{word:.<{width - 5}}{count:>5}", file=out)
    return out.getvalue()


def merge(parts: Iterable[Tally]) -> Tally:
    """Add tallies up."""

    def add(left: Tally, right: Tally) -> Tally:
        left.update(right)
        return left

    return reduce(add, parts, Tally())


def run(times: int = 30) -> tuple[list[tuple[str, int]], dict[str, list[str]], str, int, list[str]]:
    """Return the ranking, the words by initial, a table, a length, and the text in short lines."""
    tally = merge(Tally(words(TEXT.splitlines())) for _ in range(times))
    return tally.ranked(), tally.by_initial(), columns(tally.ranked()), tally.total_length, textwrap.wrap(TEXT, 40)
