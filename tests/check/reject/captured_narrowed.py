"""A variable is judged by the type it has at the spawn."""

import threading

from capsend import spawn


def f(v: threading.Lock | int) -> None:
    def work() -> int:
        return hash(v)  # E: captured "v" is lock

    if not isinstance(v, int):
        spawn(work)
