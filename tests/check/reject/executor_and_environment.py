"""`Environment.spawn`, `Executor.submit` and `Executor.map` are boundaries like `spawn`."""

from capsend import Environment, Executor


def f(xs: list[int], e: Environment, pool: Executor) -> None:
    e.spawn(lambda: len(xs))  # E: captured "xs"
    pool.submit(lambda: len(xs))  # E: captured "xs"
    pool.map(lambda n: n + len(xs), xs)  # E: captured "xs"
