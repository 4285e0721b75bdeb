"""Messages must be Serializable, a mailbox stays with its owner, and what is spawned is checked wherever it is spawned."""

import functools
import threading

import attrs

from capsend import Address, Environment, Mailbox, Process, ProcessGroup, Supervisor, process, spawn
from capsend.process import Actor


@attrs.frozen
class Job:
    lock: threading.Lock


@process
def jobs(inbox: Mailbox[Job]) -> None:  # E: a message in "inbox.lock" is lock
    print(inbox)


def locks(inbox: Mailbox[list[threading.Lock]]) -> None: ...


def numbers(inbox: Mailbox[int], scale: float) -> int:
    return int(inbox.receive() * scale)


def made_here() -> threading.Lock:
    return threading.Lock()


class Worker:
    def __call__(self, inbox: Mailbox[int], scale: float) -> int:
        return numbers(inbox, scale)


class Mine(Environment):
    """Inherits its way to spawn."""


def f(lock: threading.Lock, inbox: Mailbox[int], p: Process[int]) -> None:
    spawn(locks)  # E: a message in "inbox[...]" is lock
    spawn(lambda: inbox.receive())  # E: captured "inbox" is Mailbox[int], which is not ProcessSend
    # N: Instead: capture its address, mailbox.address
    spawn(numbers, "x")  # E: Argument 2 to "__call__" of "_Spawn" has incompatible type "str"; expected "float"
    spawn(numbers)  # E: Missing positional argument "scale"
    spawn(numbers, 1.5).send("x")  # E: Argument 1 to "send" of "Actor" has incompatible type "str"; expected "int"
    made: Actor[int, int] = spawn(numbers, 2)
    made.spawn_linked(lambda: lock)  # E: captured "lock"
    p.spawn_linked(lambda: lock)  # E: captured "lock"
    Mine().spawn(lambda: lock)  # E: captured "lock"
    with ProcessGroup() as group, Supervisor() as supervisor:
        group.spawn(lambda: lock)  # E: captured "lock"
        group.spawn(print, lock)  # E: argument "args[0]" is lock
        supervisor.spawn(lambda: lock, name="a", stop=lambda _: lock.release())  # E: captured "lock"
        supervisor.spawn(numbers, lock, name="b")  # E: argument "scale" is lock  # E: Argument 2 to "spawn" of "Supervisor"
        supervisor.spawn(numbers, name="c")  # E: Missing positional argument "scale" in call to "spawn" of "Supervisor"
        supervisor.spawn(numbers, 1.5, restart="often")  # E: Argument "restart" to "spawn" of "Supervisor" has incompatible type
        supervisor.spawn(made_here)  # E: result "the result" is lock
    spawn(functools.partial(numbers, scale=2)).send("x")  # E: Argument 1 to "send" of "Actor" has incompatible type "str"; expected "int"
    spawn(Worker(), "x")  # E: Argument 2 to "__call__" of "_Spawn" has incompatible type "str"; expected "float"


def g(address: Address[int]) -> None:
    spawn(lambda: address.send("x"))  # E: Argument 1 to "send" of "Address" has incompatible type "str"
