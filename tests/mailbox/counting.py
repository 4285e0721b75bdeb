"""A process that counts, and the messages that it takes."""

from __future__ import annotations

import attrs

from capsend import Address, Mailbox, process

PATIENCE = 10.0


@attrs.frozen
class Add:
    n: int


@attrs.frozen
class Get:
    reply: Address[int]


@attrs.frozen
class Stop:
    pass


@process
def counter(inbox: Mailbox[Add | Get | Stop], start: int) -> int:
    total = start
    for message in inbox:
        match message:
            case Add(n):
                total += n
            case Get(reply):
                reply.send(total)
            case Stop():
                return total
    return total
