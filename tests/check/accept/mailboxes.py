"""A function whose first parameter is a mailbox is spawned without it; the handle knows what it can be sent."""

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


def run() -> None:
    made: Actor[Add | Get, None] = counter.spawn(40)
    with made, spawn(counter, start=1) as second:
        made.send(Add(2))
        second.send(Add(2))
        answers = made.call(Get, timeout=30), second.call(Get, timeout=30)
        assert answers == (42, 3)
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
