"""The program of the original forum post, in Python: as it was, and with two cures."""

from capsend import spawn


def as_it_was() -> None:
    """Print in a process a list that the process does not share: refused."""
    m = [42]
    spawn(lambda: print("Hello world", m)).result()


def by_value() -> None:
    """Print an argument: an intended copy."""
    m = [42]
    spawn(lambda m: print("Hello world", m), m).result()


def immutable() -> None:
    """Print a captured value, which is immutable."""
    m = (42,)
    spawn(lambda: print("Hello world", m)).result()
