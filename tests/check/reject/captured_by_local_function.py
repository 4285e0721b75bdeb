"""Captures of a local function are refused at the name in its body, at any depth; a note names the spawn."""

import threading

from capsend import spawn


def f(xs: list[int], lock: threading.Lock) -> None:
    def inner() -> int:
        return len(xs)  # E: captured "xs"
        # N: spawned in line

    spawn(inner)

    def locked() -> None:
        with lock:  # E: captured "lock" is lock
            pass

    def calls() -> None:
        locked()

    spawn(calls)


def mutual(xs: list[int]) -> None:
    def even(n: int) -> bool:
        return n == 0 or odd(n - 1)

    def odd(n: int) -> bool:
        return len(xs) > 0 and even(n - 1)  # E: captured "xs"

    spawn(even, 4)
