"""Source text is a callable whose globals are its arguments; it can be captured, and its result is Any."""

import asyncio
from typing import assert_type

from capsend import Environment, Executor, ProcessGroup, Record, Source, host_function, spawn

SHARED = Source("n * 2", name="shared.py")


@host_function
def fetch(url: str) -> str:
    return url


def total(prices: list[int]) -> object:
    source = Source("sum(prices)", name="bill.py")
    return spawn(source, prices=prices).result()


def plugin(prices: list[int]) -> object:
    source = Source("def total(prices, *, rate): return sum(prices) * rate", name="plugin.py")
    return spawn(source.function("total"), prices, rate=2).result()


def twice(n: int) -> int:
    doubled: int = spawn(SHARED, n=n).result()
    return doubled


def run() -> None:
    print(total([1, 2]), plugin([1, 2]), spawn(twice, 2).result())
    print(spawn(lambda: SHARED.text).result())
    print(Environment().execute(Source("fetch('a')"), fetch=fetch).result())
    record = Environment().execute(Source("class A: pass\nA()")).result()
    assert isinstance(record, Record)
    with Executor(1) as executor:
        print(executor.submit(SHARED, n=1).result())
    with ProcessGroup() as group:
        group.spawn(SHARED, n=1)


async def doubled(n: int) -> int:
    return 2 * n


async def run_async() -> None:
    assert_type((await Environment().execute_async(twice, 2)).result(), int)
    assert_type((await Environment().execute_async(doubled, 2)).result(), int)
    assert_type(Environment().execute(doubled, 2).value, int | None)
    outcome = await Environment().execute_async(Source("1"))
    print(outcome.value)


if __name__ == "__main__":
    run()
    asyncio.run(run_async())
