"""If mypy tries a call several times, an error is reported only once, with its notes."""

import threading

from capsend import spawn


def main() -> None:
    """Spawns within calls of overloaded functions, operators and lambdas."""
    m = [42]
    names = ["a"]
    lock = threading.Lock()
    print(spawn(lambda: len(m)).result())  # E: captured "m" is list[int]
    # N: mutable: a captured list would silently become a copy
    # N: capture tuple(m)
    print(sum([spawn(lambda: len(m)).result()]))  # E: captured "m" is list[int]
    # N: capture tuple(m)
    print(sum(spawn(lambda: len(m)).result() for _ in range(2)))  # E: captured "m" is list[int]
    # N: capture tuple(m)
    print(max(spawn(lambda: len(m)).result(), 3))  # E: captured "m" is list[int]
    # N: capture tuple(m)
    print(dict(a=spawn(lambda: len(m)).result()))  # E: captured "m" is list[int]
    # N: capture tuple(m)
    print("x" + spawn(lambda: names[0]).result())  # E: captured "names" is list[str]
    # N: capture tuple(names)
    print(1 + spawn(lambda: (len(m), names)).result()[0])  # E: captured "m" is list[int]  # E: captured "names" is list[str]
    # N: capture tuple(m)
    # N: capture tuple(names)
    print(list(map(lambda p: spawn(lambda: p).result(), [lock])))  # E: captured "p" is lock
    # N: create it inside the process
    print(list(map(lambda p: spawn(lambda: p).result(), [1, 2])))
    print(spawn(default).result())


def default(a=[]):  # type: ignore[no-untyped-def]  # noqa  # E: the default of parameter "a" is list, which
    """A value whose type is not inferred is shown without type variables."""
    return a
