"""`capsend top`: the processes of a program, displayed repeatedly while it runs."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter, deque
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, TypeVar

import attrs
from rich.console import Group
from rich.live import Live
from rich.text import Text

from capsend.commands.display import table
from capsend.runtime import running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Self

    from rich.console import Console, RenderableType

    from capsend.process import Stats
    from capsend.runtime.life import Life
    from capsend.runtime.running import DistantLife, Running

T = TypeVar("T")

State: TypeAlias = Literal["busy", "waiting"]

_BUSY: Final = 0.1
"""The smallest part of the time since the last look that a busy process has computed."""

_COLUMNS: Final = ("id", "process", "state", "cpu", "memory", "in", "out", "mailbox", "output")
_NUMBERS: Final = ("id", "cpu", "memory", "in", "out", "mailbox", "output")
_LINES_BESIDE: Final = 5
_UNITS: Final = ("B", "kB", "MB", "GB")


@attrs.frozen
class Seen:
    """One process at one moment.

    Attributes:
        depth: the number of its running ancestors.
        state: True if the process has computed since the last look.
        node: the name of its node; empty for this program.
    """

    id: int
    name: str
    depth: int
    state: State
    stats: Stats
    node: str = ""


@attrs.frozen
class Look:
    """The processes at one moment.

    Attributes:
        seconds: since the program began.
        processes: the running processes, children after their parents.
        ended: {exit reason: number of ended processes}.
    """

    seconds: float
    processes: tuple[Seen, ...]
    ended: dict[str, int]

    @property
    def headline(self) -> str:
        """One line with the numbers of running and ended processes."""
        ended = ", ".join(f"{count} {reason}" for reason, count in sorted(self.ended.items())) or "none"
        return f"{self.seconds:.1f} s: {len(self.processes)} running; ended: {ended}"


class Watch:
    """Observes the processes that the host program starts within its `with` block; any thread may look."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._began = time.monotonic()
        self._looked = self._began
        self._new: deque[Life | DistantLife] = deque()
        self._lives: set[Life | DistantLife] = set()
        self._ended: Counter[str] = Counter()
        self._computed: dict[int, float] = {}

    def __enter__(self) -> Self:
        self._unwatch = running.watch(self._new.append)
        return self

    def __exit__(self, *_error: object) -> None:
        """End the running processes, as the end of the program would, so that they are counted."""
        self._unwatch()
        with self._lock:
            self._take_new()
            for life in self._lives:
                life.kill()
            for life in self._lives:
                life.finished.wait()

    def look(self) -> Look:
        """Return the running processes, and count the ended ones."""
        with self._lock:
            now = time.monotonic()
            self._take_new()
            over = {life for life in self._lives if life.reason is not None}
            self._ended.update(str(life.reason) for life in over)
            self._lives -= over
            found = [self._see(each, depth, now - self._looked) for each, depth in in_tree(running.processes())]
            self._computed = {seen.id: seen.stats.cpu_seconds for seen in found}
            self._looked = now
            return Look(now - self._began, tuple(found), dict(self._ended))

    def _take_new(self) -> None:
        while self._new:
            self._lives.add(self._new.popleft())

    def _see(self, process: Running, depth: int, elapsed: float) -> Seen:
        computed = process.stats.cpu_seconds - self._computed.get(process.id, 0.0)
        state: State = "busy" if computed >= _BUSY * elapsed else "waiting"
        node = "" if process.node is None else process.node.name
        return Seen(process.id, process.name, depth, state, process.stats, node)


def in_tree(processes: Iterable[Running]) -> Iterator[tuple[Running, int]]:
    """Yield (process, depth): each process after its parent, if that is running, in the order of their starts."""
    known = {process.id: process for process in processes}
    children: dict[int | None, list[Running]] = {}
    for process in known.values():
        children.setdefault(process.parent if process.parent in known else None, []).append(process)
    stack = [(process, 0) for process in reversed(children.get(None, []))]
    while stack:
        process, depth = stack.pop()
        yield process, depth
        stack += [(child, depth + 1) for child in reversed(children.get(process.id, []))]


def run(program: Callable[[], T], *, to: Console, interval: float, cluster: bool = False) -> T:
    """Run a program and show its processes meanwhile; at its end, kill the running ones and report all ends.

    Args:
        program: the program, called on this thread.
        to: the console.
        interval: seconds between two looks.
        cluster: True to show the nodes of the program's clusters too.
    """
    watch = Watch()
    try:
        with watch, _shown(watch, to=to, interval=interval, cluster=cluster):
            return program()
    finally:
        to.print(f"top: {watch.look().headline}")


@contextlib.contextmanager
def _shown(watch: Watch, *, to: Console, interval: float, cluster: bool) -> Iterator[None]:
    """Show the looks of a watch until the block is left: on a terminal as a changing table, elsewhere as lines."""
    if to.is_terminal:
        shape = _Shape(watch, to, cluster=cluster)
        with Live(get_renderable=shape.render, console=to, refresh_per_second=1 / interval, transient=True):
            yield
        return
    over = threading.Event()
    lines = threading.Thread(target=_write, args=(watch, to, interval, over, cluster), name="capsend top", daemon=True)
    lines.start()
    try:
        yield
    finally:
        over.set()
        lines.join()


def _nodes() -> list[str]:
    """Return a line for each node of the program's clusters."""
    from capsend.cluster.home import nodes

    return [
        f"{node.name}: {len(node)} running, {node.cpus} CPUs, {node.cpu_seconds:.2f} s of CPU time, {node.state}"
        for node in nodes()
    ]


def _write(watch: Watch, to: Console, interval: float, over: threading.Event, cluster: bool) -> None:
    """Write lines at each look at which a process is running."""
    while not over.wait(interval):
        look = watch.look()
        to.print(f"top: {look.headline}")
        for line in _nodes() if cluster else ():
            to.print(f"top: {line}")
        for seen in look.processes:
            to.print("top: " + "  ".join(_cells(seen, named=True)))


class _Shape:
    """The table on the terminal: as many processes as there is room for."""

    def __init__(self, watch: Watch, to: Console, *, cluster: bool) -> None:
        self._watch = watch
        self._to = to
        self._cluster = cluster

    def render(self) -> RenderableType:
        look = self._watch.look()
        rows = table(*_COLUMNS, to=self._to, right=_NUMBERS)
        room = max(self._to.height - _LINES_BESIDE, 1)
        for seen in look.processes[:room]:
            rows.add_row(*_cells(seen), style="" if seen.state == "busy" else "dim")
        more = len(look.processes) - room
        rest = [Text(f"and {more} more", style="dim")] if more > 0 else []
        nodes = [Text(line, style="dim") for line in (_nodes() if self._cluster else ())]
        return Group(Text(look.headline, style="bold"), *nodes, rows, *rest)


def _cells(seen: Seen, *, named: bool = False) -> tuple[str, ...]:
    """Return the cells of a process; with the names of the columns if there is no heading."""
    stats = seen.stats
    told = (
        str(seen.id),
        "  " * (seen.depth - 1) + "└ " * (seen.depth > 0) + seen.name + (f" on {seen.node}" if seen.node else ""),
        seen.state,
        f"{stats.cpu_seconds:.2f} s",
        _size(stats.memory),
        str(stats.received),
        str(stats.sent),
        str(stats.waiting),
        _size(stats.output_bytes),
    )
    if not named:
        return told
    words = [f"{name} {cell}" for name, cell in zip(_COLUMNS, told, strict=True)]
    where = f" on {seen.node}" if seen.node else ""
    return ("  " * seen.depth + f"{seen.id} {seen.name}{where}", seen.state, *words[3:])


def _size(size: float) -> str:
    """Name a number of bytes in a few characters."""
    for unit in _UNITS[:-1]:
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} {_UNITS[-1]}"
