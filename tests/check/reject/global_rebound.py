"""A global that a function of its module assigns is refused for every reader, and for the writer at the declaration."""

from capsend import spawn

COUNT = 0


def bump() -> None:
    global COUNT  # E: "COUNT" is assigned in bump, but the process would change only its own copy  [capsend-capture]
    COUNT += 1


def reads() -> int:
    return COUNT  # E: global "COUNT" is int
    # N: a function of its module assigns this global, so each process would see its own value


def f() -> None:
    spawn(bump)
    spawn(reads)


def g() -> None:
    n = 0

    def add() -> None:
        nonlocal n  # E: "n" is assigned in add
        n += 1

    spawn(add)
    print(n)
