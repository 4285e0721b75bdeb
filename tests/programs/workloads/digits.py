"""Digits of pi and e from streams of big integers."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from fractions import Fraction

Matrix = tuple[int, int, int, int]
UNIT: Matrix = (1, 0, 0, 1)


def compose(left: Matrix, right: Matrix) -> Matrix:
    """Multiply two matrices."""
    a, b, c, d = left
    e, f, g, h = right
    return a * e + b * g, a * f + b * h, c * e + d * g, c * f + d * h


def extract(state: Matrix, at: int) -> int:
    """Apply a matrix to a number, as an integer."""
    a, b, c, d = state
    return (a * at + b) // (c * at + d)


def stream(terms: Iterator[Matrix], bound: Callable[[int], tuple[int, int]]) -> Iterator[int]:
    """Yield decimal digits as soon as they are certain."""
    state = UNIT
    for count, term in enumerate(terms):
        state = compose(state, term)
        while True:
            low, high = (extract(state, limit) for limit in bound(count))
            if low != high:
                break
            yield low
            state = compose((10, -10 * low, 0, 1), state)


def pi_terms() -> Iterator[Matrix]:
    """The terms of pi = 2 + 1/3 (2 + 2/5 (2 + 3/7 ...))."""
    return ((k, 4 * k + 2, 0, 2 * k + 1) for k in itertools.count(1))


def pi_digits(count: int) -> str:
    """The first digits of pi."""
    return "".join(map(str, itertools.islice(stream(pi_terms(), lambda _: (3, 4)), count)))


def euler(terms: int) -> Fraction:
    """A close fraction of e."""
    total, factor = Fraction(0), 1
    for n in range(1, terms):
        total += Fraction(1, factor)
        factor *= n
    return total


def run(count: int = 300) -> tuple[str, int, Fraction]:
    """Return digits of pi, a number of thousands of digits, and a fraction."""
    return pi_digits(count), 3**5000 // 7**500, euler(60)
