"""The types of handles, by the plugin, by mypy without it, and by pyright. An `# E` marks a line in which all three find one error."""

from __future__ import annotations

import asyncio
from typing import Any, assert_type

from capsend import Dir, Environment, Executor, Mailbox, Process, ProcessGroup, Spawnable, WasmFunction, process, spawn
from capsend.executor import ProcessFuture
from capsend.outcome import Outcome
from capsend.process import Actor


def plain(n: int, *, loud: bool = False) -> str:
    return str(n).upper() if loud else str(n)


async def coroutine(n: int) -> str:
    await asyncio.sleep(0)
    return str(n)


def anything(n: Any) -> Any:
    return n


def counter(mailbox: Mailbox[int], start: int) -> str:
    return str(start + mailbox.receive())


async def counter_async(mailbox: Mailbox[int], start: int) -> str:
    return str(start + await mailbox.receive_async())


def lone(mailbox: Mailbox[bytes]) -> None:
    mailbox.receive()


class Adder:
    def __call__(self, mailbox: Mailbox[float], start: int) -> float:
        return start + mailbox.receive()

    def plain(self, n: int) -> int:
        return n


assert_type(spawn(plain, 4), Process[str])
assert_type(spawn(plain, 4, loud=True), Process[str])
assert_type(spawn(coroutine, 4), Process[str])
assert_type(spawn(anything, 4), Process[Any])
assert_type(spawn(print, "x"), Process[None])
assert_type(spawn(len, [1]), Process[int])
assert_type(spawn(int, "3"), Process[int])
assert_type(spawn(sorted, [1, 2]), Process[list[int]])
assert_type(spawn(lambda: 5), Process[int])
assert_type(spawn(counter, 4), Actor[int, str])
assert_type(spawn(counter, start=4), Actor[int, str])
assert_type(spawn(counter_async, 4), Actor[int, str])
assert_type(spawn(lone), Actor[bytes, None])
assert_type(spawn(Adder(), 4), Actor[float, float])
assert_type(spawn(Adder().plain, 4), Process[int])

environment = Environment(timeout=5)
assert_type(environment.spawn(plain, 4), Process[str])
assert_type(environment.spawn(coroutine, 4), Process[str])
assert_type(environment.spawn(counter, 4), Actor[int, str])
assert_type(environment.execute(plain, 4), Outcome[str])
assert_type(environment.execute(coroutine, 4), Outcome[str])
assert_type(spawn(plain, 4).spawn_linked(coroutine, 4), Process[str])
assert_type(spawn(plain, 4).spawn_linked(counter, 4), Actor[int, str])

with Executor() as executor:
    assert_type(executor.submit(plain, 4), ProcessFuture[str])
    assert_type(executor.submit(coroutine, 4), ProcessFuture[str])
    assert_type(list(executor.map(plain, [1, 2])), list[str])

with ProcessGroup() as group:
    assert_type(group.spawn(plain, 4), Process[str])
    assert_type(group.spawn(coroutine, 4), Process[str])
    assert_type(group.spawn(counter, 4), Actor[int, str])


@process
def made(n: int) -> str:
    return str(n)


@process
async def made_async(n: int) -> str:
    await asyncio.sleep(0)
    return str(n)


@process
def made_counter(mailbox: Mailbox[int], start: int) -> str:
    return str(start + mailbox.receive())


@process
async def made_counter_async(mailbox: Mailbox[int], start: int) -> str:
    return str(start + await mailbox.receive_async())


@process
def made_of_anything(n: Any) -> str:
    return str(n)


assert_type(made(4), str)
assert_type(made.spawn(4), Process[str])
assert_type(made_async.spawn(4), Process[str])
assert_type(made_counter.spawn(4), Actor[int, str])
assert_type(made_counter_async.spawn(start=4), Actor[int, str])
assert_type(made_of_anything.spawn(4), Process[str])
assert_type(spawn(made, 4), Process[str])
assert_type(spawn(made_counter, 4), Actor[int, str])


def of_other_languages(function: WasmFunction, folder: Dir, spawnable: Spawnable[[int], bytes]) -> None:
    assert_type(spawn(function, b"x", folder), Actor[object, bytes])
    assert_type(function(b"x"), bytes)
    assert_type(spawnable.spawn(4), Process[bytes])


async def main() -> None:
    assert_type(await spawn(coroutine, 4), str)
    assert_type(await spawn(counter, 4), str)
    assert_type(await environment.execute_async(coroutine, 4), Outcome[str])
    assert_type(await made_async.spawn(4), str)


spawn(plain, "4")  # E
spawn(plain)  # E
spawn(plain, 4, soft=True)  # E
spawn(counter, "4")  # E
spawn(counter)  # E
spawn(counter, 4).send("x")  # E
spawn(plain, 4).send("x")  # E
environment.spawn(coroutine, "4")  # E
executor.submit(plain, "4")  # E
group.spawn(counter, "4")  # E
made.spawn("4")  # E
made_counter.spawn("4")  # E
made_counter.spawn(4).send("x")  # E
made.spawn(4).send("x")  # E
number: int = spawn(plain, 4).result()  # E
