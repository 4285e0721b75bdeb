"""A handle of capsend belongs to the process or program that made it."""

from capsend import Environment, Process, spawn


def f(p: Process[int], e: Environment) -> None:
    spawn(lambda: p.result())  # E: captured "p" is Process[int], which is not ProcessSend
    # N: it belongs to the process or program that made it
    spawn(lambda: e)  # E: captured "e" is Environment
