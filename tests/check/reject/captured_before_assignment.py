"""A variable that gets its first value after the spawn is an empty cell at the spawn."""

from capsend import spawn


def f() -> None:
    spawn(lambda: n)  # E: captured "n" is not assigned, so there is nothing to send  [capsend-capture]
    # N: it has no value yet
    n: int = 1
    print(n)


def g() -> None:
    def first() -> int:
        return second()  # E: captured "second" is not assigned

    spawn(first)

    def second() -> int:
        return 1
