"""A negative impl is inherited; an unsafe one is not."""

import threading
from dataclasses import dataclass

from capsend import not_process_send, spawn, unsafe_process_send


@not_process_send("owned by the main process")
@dataclass(frozen=True)
class Token:
    n: int


@dataclass(frozen=True)
class Sub(Token):
    m: int


@unsafe_process_send("the lock is never held when it is sent")
class Guarded:
    def __init__(self) -> None:
        self.lock = threading.Lock()


class SubGuarded(Guarded): ...


def f(t: Token, s: Sub, g: SubGuarded) -> None:
    spawn(lambda: t)  # E: captured "t" is Token, which is not ProcessSend
    # N: Token is declared not sendable: owned by the main process
    spawn(lambda: s)  # E: captured "s" is Sub
    # N: Token is declared not sendable: owned by the main process
    spawn(lambda: g)  # E: captured "g.lock" is lock
