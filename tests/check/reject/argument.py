"""Arguments are intended copies: they must be Serializable; callables among them are checked like the spawned one."""

import threading
from collections.abc import Callable
from typing import Any

from capsend import spawn


def apply(fn: Callable[[int], int], n: int) -> int:
    return fn(n)


def f(xs: list[int], lock: threading.Lock, cb: Callable[[int], int], anything: Any) -> None:
    spawn(apply, lambda n: n + len(xs), 1)  # E: captured "xs"
    spawn(apply, cb, 1)  # E: argument "cb" is Callable[[int], int], whose captures are unknown  [capsend-opaque]
    spawn(print, xs, lock, sep="x")  # E: argument "args[1]" is lock
    spawn(print, xs, sep=anything)  # E: argument "sep" is Any
    spawn(print, {"a": (1, lock)})  # E: argument "args[0][...][1]" is lock
