"""Objects tied to this process can be neither captured nor passed."""

import asyncio
import random
import socket
import threading
import types
import weakref
from collections.abc import Generator, Iterator

from capsend import spawn


def f(lock: threading.Lock, sock: socket.socket, gen: Generator[int, None, None], it: Iterator[int], tb: types.TracebackType, rng: random.Random) -> None:
    spawn(lambda: lock)  # E: captured "lock" is lock
    spawn(lambda: sock.recv(1))  # E: captured "sock" is socket
    spawn(lambda: next(gen))  # E: captured "gen" is Generator[int, None, None]
    spawn(lambda: next(it))  # E: captured "it" is Iterator[int]
    spawn(lambda: tb)  # E: captured "tb" is TracebackType
    spawn(lambda: rng.random())  # E: captured "rng" is Random
    spawn(print, lock)  # E: argument "args[0]" is lock, which is not Serializable  [capsend-argument]
    spawn(print, [gen])  # E: argument "args[0][...]" is Generator[int, None, None]


async def g() -> None:
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    spawn(lambda: future.done())  # E: captured "future" is Future[int]


def h(x: "type[int]") -> None:
    ref = weakref.ref(x)
    spawn(lambda: ref())  # E: captured "ref" is ref[
