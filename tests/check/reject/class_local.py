"""A class that is local to a function is judged like a local function: all that its methods capture has to be sent."""

import threading

from capsend import spawn

ROWS = [1]


def fill() -> None:
    ROWS.append(2)


def f() -> None:
    lock = threading.Lock()
    names = ["a"]
    count = 0

    class Locked:
        def get(self) -> int:
            with lock:  # E: captured "lock" is lock, which is not ProcessSend  [capsend-capture]
                # N: create it inside the process
                return 1

    class Named(Locked):
        def first(self, other: list[str] = names) -> str:  # E: captured "names" is list[str]  # E: default of parameter "other"
            return other[0]

        def total(self) -> int:
            return len(ROWS)  # E: global "ROWS"

    class Shared:
        rows: list[int] = []  # E: class attribute "Shared.rows" is list[int]

        def size(self) -> int:
            return len(self.rows)

    class Counting:
        def more(self) -> None:
            nonlocal count  # E: "count" is assigned in Counting
            count += 1

    class Mutable:
        def __init__(self) -> None:
            self.rows = [1]

    one = Mutable()
    spawn(lambda: Named().first())
    spawn(lambda: Counting().more())
    spawn(lambda: Shared().size())
    spawn(lambda: one.rows)  # E: captured "one.rows" is list[int]
    spawn(Locked)
