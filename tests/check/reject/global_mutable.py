"""A module global that is mutable, or can never be sent, is refused where a spawned function reads it."""

import threading
from typing import Final

from capsend import PerProcess, spawn

CACHE: dict[str, int] = {}
LOCK = threading.Lock()
NAMES: Final = ["a"]
LOCKS: PerProcess[dict[str, threading.Lock]] = {}


def fill() -> None:
    CACHE["a"] = 1
    NAMES.append("b")


def reads() -> int:
    with LOCK:  # E: global "LOCK" is lock
        return len(CACHE) + len(NAMES)  # E: global "CACHE" is dict[str, int]  # E: global "NAMES" is list[str]
        # N: Instead: pass it as an argument, make it immutable, or declare it PerProcess[...].


def indirect() -> int:
    return reads()


def per_process() -> int:
    return len(LOCKS)  # E: global "LOCKS[...]" is lock, which is not Serializable


def f() -> None:
    spawn(indirect)
    spawn(lambda: per_process())
    spawn(lambda: len(CACHE))  # E: global "CACHE"
