"""The items of a stream have the type that the generator function yields, whatever kind of function it is."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import assert_type

from capsend import Environment, stream

SMALL = stream.within(Environment(timeout=60), window=2)


def primes(most: int) -> Iterator[int]:
    for n in range(2, most):
        if all(n % d for d in range(2, n)):
            yield n


async def later(words: list[str], *, suffix: str = "") -> AsyncIterator[str]:
    for word in words:
        yield word + suffix


def listed(n: int) -> list[bytes]:
    return [b"x"] * n


def run() -> None:
    for prime in stream(primes, 12):
        assert_type(prime, int)
    for same in SMALL(primes, most=6):
        assert_type(same, int)
    for item in stream(listed, 2):
        assert_type(item, bytes)
    least = 3
    for n in stream(lambda n, by=2: range(least, n, by), 10):
        print(n)
    for number in stream(range, 3):
        assert_type(number, int)
    with stream(str.split, "a b") as words:
        print(list(words))


async def run_async() -> None:
    async for word in stream(later, ["a", "b"], suffix="!"):
        assert_type(word, str)


if __name__ == "__main__":
    run()
    asyncio.run(run_async())
