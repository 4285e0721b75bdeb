"""Every branch of a conditional callable is checked, and every value an alias was assigned."""

from capsend import spawn


def f(xs: list[int], flag: bool) -> None:
    spawn((lambda: 1) if flag else (lambda: len(xs)))  # E: captured "xs"
    work = lambda: len(xs)  # E: captured "xs"
    spawn(work)
    start = spawn
    start(lambda: len(xs))  # E: captured "xs"
