"""A function whose first parameter is a mailbox is spawned without it; the handle has the type of the messages."""

import functools
from typing import Final, overload

import attrs

from capsend import Address, Mailbox, ProcessGroup, Supervisor, process, spawn
from capsend.mailbox import Down
from capsend.process import Actor


@attrs.frozen
class Add:
    amount: int


@attrs.frozen
class Get:
    reply: Address[int]


@process
def counter(inbox: Mailbox[Add | Get], start: int) -> None:
    total = start
    for message in inbox:
        match message:
            case Add(amount):
                total += amount
            case Get(reply):
                reply.send(total)


def once(inbox: Mailbox[list[int]], *, plus: int = 0) -> int:
    return sum(inbox.receive()) + plus


async def later(inbox: Mailbox[str]) -> str:
    return inbox.receive().upper()


def watch(inbox: Mailbox[Down | str], other: Address[int]) -> str:
    inbox.monitor(other)
    message = inbox.receive(timeout=30)
    return message if isinstance(message, str) else message.reason


def added(plus: int, inbox: Mailbox[int], *, times: int = 1) -> int:
    return (inbox.receive() + plus) * times


class Repeater:
    def __init__(self, times: int) -> None:
        self.times: Final = times

    def __call__(self, inbox: Mailbox[str], end: str) -> str:
        return inbox.receive() * self.times + end

    def shout(self, inbox: Mailbox[str]) -> str:
        return inbox.receive().upper() * self.times


@overload
def scaled(inbox: Mailbox[int], by: int) -> int: ...
@overload
def scaled(inbox: Mailbox[int], by: str) -> str: ...
def scaled(inbox: Mailbox[int], by: int | str) -> int | str:
    return inbox.receive() * by


def run_other_callables() -> None:
    partly: Actor[int, int] = spawn(functools.partial(added, 1), times=2)
    partly.send(20)
    assert partly.result() == 42
    repeater = Repeater(2)
    called: Actor[str, str] = spawn(repeater, "!")
    called.send("ab")
    assert called.result() == "abab!"
    method: Actor[str, str] = spawn(repeater.shout)
    method.send("ab")
    assert method.result() == "ABAB"
    either: Actor[int, int | str] = spawn(scaled, "x")
    either.send(3)
    assert either.result() == "xxx"


def run() -> None:
    run_other_callables()
    made: Actor[Add | Get, None] = counter.spawn(40)
    with made, spawn(counter, start=1) as second:
        made.send(Add(2))
        second.send(Add(2))
        answers = made.call(Get, timeout=30), second.call(Get, timeout=30)
        assert answers == (42, 3)
        asked = made.call(lambda reply: Get(reply), timeout=30)
        assert asked.bit_length() == 6, "the type of the answer is that of the message's field"
    numbered = spawn(once, plus=1)
    numbered.send([1, 2])
    assert numbered.result() == 4
    shouted: Actor[str, str] = spawn(later)
    shouted.send("a")
    assert shouted.result() == "A"
    with ProcessGroup() as group, Mailbox[int]() as inbox:
        answer = inbox.address
        group.spawn(lambda: answer.send(3))
        watched = group.spawn(watch, answer)
        assert inbox.receive(timeout=30) == 3
        watched.send("seen")
    assert watched.result() == "seen"
    with Supervisor() as supervisor:
        supervisor.spawn(print, 1, name="one", restart="temporary", stop=lambda p: p.kill())
        supervisor.wait(timeout=30)
