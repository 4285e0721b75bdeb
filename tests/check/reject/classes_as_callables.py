"""A class as the callable is refused where its instances cannot come back."""

import threading
from collections.abc import Iterator

from capsend import Executor, spawn


class Numbers:
    def __init__(self, n: int) -> None:
        self.rest: Iterator[int] = iter(range(n))


def f() -> None:
    spawn(threading.Lock)  # E: result "the result" is lock, which is not Serializable  [capsend-result]
    spawn(Numbers, 3)  # E: result "the result.rest" is Iterator[int]
    # N: return list(...) of it
    spawn(map, str, [1])  # E: result "the result" is map[str]
    with Executor() as executor:
        executor.submit(Numbers, 3)  # E: result "the result.rest" is Iterator[int]
        executor.map(Numbers, [1, 2])  # E: result "the result.rest" is Iterator[int]
