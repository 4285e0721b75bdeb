"""A class that is local to a function cannot be found by name inside."""

from capsend import spawn


def f() -> None:
    class Local:
        n = 1

    one = Local()
    spawn(lambda: Local.n)  # E: captured "Local" is class Local, which cannot be sent  [capsend-capture]
    # N: Instead: move the class to module level.
    spawn(lambda: one)  # E: captured "one" is Local
    spawn(Local)  # E: captured "Local"
