"""The functions that a module's decorators put into a table are judged with the table."""

import threading
from collections.abc import Callable, Mapping

from capsend import PerProcess, spawn

LOCK = threading.Lock()
STEPS: PerProcess[dict[str, Callable[[int], int]]] = {}
PLAIN: dict[str, Callable[[int], int]] = {}
VIEW: PerProcess[Mapping[str, Callable[[int], int]]] = STEPS


def step(fn: Callable[[int], int]) -> Callable[[int], int]:
    STEPS[fn.__name__] = fn
    PLAIN[fn.__name__] = fn
    return fn


@step
def locked(n: int) -> int:
    return n + hash(LOCK)  # E: global "LOCK" is lock


def f() -> None:
    spawn(lambda: STEPS["locked"](1))
    spawn(lambda: PLAIN["locked"](1))  # E: global "PLAIN" is dict
    # N: declare it PerProcess[...]
    spawn(lambda: VIEW["locked"](1))  # E: global "VIEW" is Mapping
    # N: Instead: annotate a concrete type that is Serializable, such as dict[...].
