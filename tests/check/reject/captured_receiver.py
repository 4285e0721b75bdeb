"""A bound method brings its receiver, of built-in types too; a class or static method has none."""

from capsend import spawn


class Rows:
    def __init__(self) -> None:
        self.rows: list[int] = []

    def size(self) -> int:
        return len(self.rows)


def f(rows: Rows, xs: list[str]) -> None:
    spawn(rows.size)  # E: the receiver "rows.rows" is list[int]
    spawn(Rows().size)  # E: the receiver "Rows(...).rows"
    spawn(xs.clear)  # E: the receiver "xs" is list[str]
    # N: Instead: return the value, take it from result(), and change it on the host.
    bound = rows.size  # E: the receiver "rows.rows"
    spawn(bound)
