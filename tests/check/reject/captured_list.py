"""A captured list is refused: the process would silently get a copy of it."""

from capsend import spawn


def f(xs: list[int], d: dict[str, int], s: set[int], b: bytearray) -> None:
    spawn(lambda: len(xs))  # E: captured "xs" is list[int], which is not ProcessSend  [capsend-capture]
    # N: list is declared not sendable: mutable: a captured list would silently become a copy
    # N: Instead: pass it as an argument, or capture tuple(xs).
    spawn(lambda: len(d))  # E: captured "d" is dict[str, int]
    spawn(lambda: len(s))  # E: captured "s" is set[int]
    spawn(lambda: len(b))  # E: captured "b" is bytearray
    spawn(lambda: (lambda: len(xs))())  # E: captured "xs"
    spawn(lambda: [xs for _ in range(3)])  # E: captured "xs"
