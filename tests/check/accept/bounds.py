"""Bounds are satisfied by every type that has the trait, and by type variables with the same bound."""

from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from capsend import ProcessSend, Serializable, process_send, spawn

S = TypeVar("S", bound=ProcessSend)
Z = TypeVar("Z", bound=Serializable)
C = TypeVar("C", int, str)


class Message(ProcessSend, Protocol):
    def text(self) -> str: ...


@process_send
@dataclass(frozen=True)
class Hello:
    name: str

    def text(self) -> str:
        return self.name


@dataclass(frozen=True)
class Channel(Generic[S]):
    item: S


def send(m: Message) -> str:
    return spawn(lambda: m.text()).result()


def echo(x: S) -> S:
    return spawn(lambda: x).result()


def through(x: S) -> S:
    return echo(x)


def constrained(x: C) -> C:
    return spawn(lambda: x).result()


def copies(x: Z) -> None: ...


def run() -> None:
    channel: Channel[tuple[int, ...]] = Channel((1,))
    assert through(channel.item) == (1,)
    assert echo(1) == 1
    assert constrained("a") == "a"
    assert send(Hello("you")) == "you"
    copies([1, 2])
