"""The pieces of a partial are captures, wherever the partial was made."""

from functools import partial

from capsend import spawn


def f(xs: list[int]) -> None:
    spawn(partial(len, xs))  # E: in the partial, "xs" is list[int]
    later = partial(partial(max, xs), 1)  # E: in the partial, "xs"
    spawn(later)
    spawn(partial(lambda n: n + len(xs), 1))  # E: captured "xs"
