"""A small operating system: tasks of several kinds that wait for packets and are chosen by priority."""

from __future__ import annotations

import abc
import enum
import heapq
import itertools
from collections import Counter, deque
from typing import ClassVar, Final, Generic, NamedTuple, TypeVar

T = TypeVar("T")


class State(enum.Flag):
    """The state of a task; several at once."""

    READY = enum.auto()
    HELD = enum.auto()
    WAITING = enum.auto()
    STUCK = HELD | WAITING


class Packet(NamedTuple):
    """A piece of work on its way."""

    kind: str
    number: int
    hops: tuple[str, ...] = ()

    def passed(self, name: str) -> Packet:
        return self._replace(hops=(*self.hops, name))


class Inbox(Generic[T]):
    """A bounded queue."""

    __slots__ = ("_items", "limit")

    def __init__(self, limit: int) -> None:
        self._items: deque[T] = deque()
        self.limit: Final = limit

    def put(self, item: T) -> bool:
        if len(self._items) >= self.limit:
            return False
        self._items.append(item)
        return True

    def take(self) -> T:
        return self._items.popleft()

    def __len__(self) -> int:
        return len(self._items)


class Task(abc.ABC):
    """One task; subclasses say what it does with a packet."""

    kinds: ClassVar[dict[str, type[Task]]] = {}

    def __init_subclass__(cls, *, kind: str) -> None:
        super().__init_subclass__()
        cls.kind = kind

    kind: ClassVar[str]

    def __init__(self, name: str, priority: int) -> None:
        self.name = name
        self.priority = priority
        self.state = State.WAITING
        self.inbox: Inbox[Packet] = Inbox(8)
        self.handled = 0

    def receive(self, packet: Packet) -> bool:
        taken = self.inbox.put(packet)
        if taken:
            self.state = (self.state & ~State.WAITING) | State.READY
        return taken

    def work(self, system: System) -> None:
        packet = self.inbox.take().passed(self.name)
        self.handled += 1
        self.handle(packet, system)
        if not len(self.inbox):
            self.state = (self.state & ~State.READY) | State.WAITING

    @abc.abstractmethod
    def handle(self, packet: Packet, system: System) -> None:
        """Do something with one packet."""

    def __lt__(self, other: Task) -> bool:
        return (-self.priority, self.name) < (-other.priority, other.name)


class Worker(Task, kind="worker"):
    """Passes packets on to a device, by turns."""

    def __init__(self, name: str, priority: int, devices: tuple[str, ...]) -> None:
        super().__init__(name, priority)
        self.turns = itertools.cycle(devices)

    def handle(self, packet: Packet, system: System) -> None:
        system.send(next(self.turns), packet)


class Device(Task, kind="device"):
    """Finishes packets, or sends them back while they are young."""

    def handle(self, packet: Packet, system: System) -> None:
        if len(packet.hops) < 4:
            system.send(packet.hops[0], packet)
        else:
            system.finished.append(packet)


class System:
    """The tasks and the loop over them."""

    def __init__(self) -> None:
        self.tasks: dict[str, Task] = {}
        self.finished: list[Packet] = []
        self.refused: Counter[str] = Counter()

    def add(self, task: Task) -> None:
        self.tasks[task.name] = task

    def send(self, name: str, packet: Packet) -> None:
        if not self.tasks[name].receive(packet):
            self.refused[name] += 1

    def run(self) -> int:
        rounds = 0
        while ready := [task for task in self.tasks.values() if State.READY in task.state]:
            heapq.heapify(ready)
            heapq.heappop(ready).work(self)
            rounds += 1
        return rounds


def run(packets: int = 60) -> tuple[int, list[Packet], Counter[str], dict[str, tuple[str, int, State]]]:
    """Return the number of rounds, the finished packets, what was refused, and how each task ended."""
    system = System()
    system.add(Worker("w", 1, ("a", "b")))
    for name, priority in [("a", 5), ("b", 3)]:
        system.add(Device(name, priority))
    rounds = 0
    for number in range(packets):
        system.send("w", Packet("even" if number % 2 == 0 else "odd", number))
        if number % 5 == 4:
            rounds += system.run()
    rounds += system.run()
    return (
        rounds,
        system.finished,
        system.refused,
        {t.name: (t.kind, t.handled, t.state) for t in system.tasks.values()},
    )
