"""Spawns in a process are judged where they are written, like spawns in the program."""

import asyncio

from capsend import Address, Environment, Mailbox, ProcessGroup, process, spawn


@process
def square(n: int) -> int:
    return n * n


def total(numbers: list[int]) -> int:
    with ProcessGroup() as group:
        started = [group.spawn(square, n) for n in numbers]
    return sum(p.result() for p in started)


async def together(numbers: tuple[int, ...]) -> list[int]:
    return await asyncio.gather(*(square.spawn(n) for n in numbers))


def echo(inbox: Mailbox[Address[str]]) -> None:
    inbox.receive().send("here")


def ask() -> str:
    p = spawn(echo)
    small = Environment(timeout=30)
    greeting = "hello"
    return small.spawn(lambda: greeting).result() + p.call(lambda back: back, timeout=30)


def run() -> None:
    assert spawn(total, [1, 2, 3]).result() == 14
    assert spawn(together, (2, 3)).result() == [4, 9]
    assert spawn(ask).result() == "hellohere"
