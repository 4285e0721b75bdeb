"""The program of the forum post that started it all, in Python: once as it was, and cured in two ways."""

from capsend import spawn


def as_it_was() -> None:
    """The new process must not see a list that it does not share."""
    m = [42]
    spawn(lambda: print("Hello world", m)).result()


def by_value() -> None:
    """An argument is a copy, on purpose."""
    m = [42]
    spawn(lambda m: print("Hello world", m), m).result()


def immutable() -> None:
    """A value that nobody can change may be captured."""
    m = (42,)
    spawn(lambda: print("Hello world", m)).result()
