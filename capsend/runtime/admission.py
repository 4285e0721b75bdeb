"""Admission: of many processes that are spawned at once, only a few begin at a time.

A process that ends leaves its memory, its thread and a spare instance to the next one, in a third of the time that new
ones take. So a process that has begun a moment ago holds back others, until it ends or waits for something, or the
moment is over: processes that compute for long, or that wait for each other, all run.
"""

from __future__ import annotations

import collections
import contextlib
import threading
import time
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

from capsend.deadlines import Deadlines
from capsend.runtime import workers

if TYPE_CHECKING:
    from collections.abc import Callable

MOST: Final = 1 + workers.processors()
"""The most processes that have begun a moment ago: one for each processor, and one that waits for the GIL."""

MOMENT: Final = 0.005
"""Seconds after its beginning for which a process holds back others."""

_deadlines: Final = Deadlines()
_Start: TypeAlias = "tuple[Life, Callable[[], object]]"


class Life(Protocol):
    """The life of a process, as this module uses it.

    Attributes:
        turns: an object that it shares with its parent and its children.
    """

    turns: Any

    @property
    def is_ending(self) -> bool:
        """True once the process is being stopped."""

    @property
    def stack(self) -> int:
        """Bytes of stack that its thread needs."""

    def stop_alone(self, error: BaseException) -> None:
        """End the process with this error."""


class Admission:
    """The processes that have begun a moment ago, and those that wait for their turn; safe to use from any thread.

    Ordering:
        Processes of one tree begin in order; the trees take turns, so that no process delays others by its many children.
    """

    def __init__(self) -> None:
        # Reentrant: a finalizer or a signal handler may spawn or stop processes while this thread holds the lock.
        self._lock = threading.RLock()
        self._young: dict[Life, float] = {}
        self._waiting: collections.OrderedDict[Any, collections.deque[_Start]] = collections.OrderedDict()
        self._is_watching = False
        self._is_hasty = False

    def begin(self, life: Life, work: Callable[[], object]) -> None:
        """Do the work of a process on a thread of its own, as soon as it is its turn; return at once.

        Raises:
            RuntimeError: the system has no thread left.
        """
        with self._lock:
            if self._waiting or not self._has_room():
                self._add((life, work))
                self._watch()
                return
            self._young[life] = time.monotonic() + MOMENT
        try:
            workers.run(work, stack=life.stack)
        except BaseException:
            self.leave(life)
            raise

    def leave(self, life: Life) -> None:
        """Let others begin: a process has ended, or waits for something."""
        with self._lock:
            if self._young.pop(life, None) is None or not self._waiting:
                return
        self._admit()

    def hasten(self) -> None:
        """Let all that are being stopped begin soon, and so end; without a lock, as a handle may be collected at any point."""
        self._is_hasty = True

    def _has_room(self) -> bool:
        if len(self._young) < MOST:
            return True
        now = time.monotonic()
        for life in [life for life, until in self._young.items() if until <= now]:
            del self._young[life]
        return len(self._young) < MOST

    def _watch(self) -> None:
        """Look again when the moment of the oldest is over."""
        if not self._is_watching:
            # Without a thread for it, processes begin only as others end.
            with contextlib.suppress(RuntimeError):
                _deadlines.add(MOMENT, self._look)
                self._is_watching = True

    def _look(self) -> None:
        with self._lock:
            self._is_watching = False
            ending = self._take_ending() if self._is_hasty else []
        for life, work in ending:
            self._start(life, work)
        self._admit()

    def _admit(self) -> None:
        while True:
            with self._lock:
                if self._waiting and not self._has_room():
                    self._watch()
                    return
                start = self._next()
                if start is None:
                    return
                self._young[start[0]] = time.monotonic() + MOMENT
            self._start(*start)

    # A finalizer or a signal handler may use this object again at any call that the following methods make, so they decide about a queue and
    # change it without a call in between.

    def _add(self, start: _Start) -> None:
        tree, alone = start[0].turns, collections.deque([start])
        if tree in self._waiting:
            self._waiting[tree].append(start)
        else:
            self._waiting[tree] = alone

    def _next(self) -> _Start | None:
        """Take out the first process of the tree whose turn it is; None if there is none."""
        while (tree := next(iter(self._waiting), None)) is not None:
            start = None
            if tree in self._waiting and self._waiting[tree]:  # noqa: RUF019 - see above
                start = self._waiting[tree].popleft()
            if tree in self._waiting:
                if self._waiting[tree]:
                    self._waiting.move_to_end(tree)
                else:
                    del self._waiting[tree]
            if start is not None:
                return start
        return None

    def _take_ending(self) -> list[_Start]:
        """Take out all that are being stopped."""
        self._is_hasty = False
        ending: list[_Start] = []
        for _ in range(sum(map(len, [*self._waiting.values()]))):
            start = self._next()
            if start is None:
                break
            if start[0].is_ending:
                ending.append(start)
            else:
                self._add(start)
        return ending

    def _start(self, life: Life, work: Callable[[], object]) -> None:
        try:
            workers.run(work, stack=life.stack)
        except RuntimeError as error:
            # The process ends with the error, on this thread: one that is being stopped runs nothing.
            life.stop_alone(error)
            work()


_admission: Final = Admission()


def begin(life: Life, work: Callable[[], object]) -> None:
    """Do the work of a process; see `Admission.begin`."""
    _admission.begin(life, work)


def leave(life: Life) -> None:
    """Let others begin; see `Admission.leave`."""
    _admission.leave(life)


def hasten() -> None:
    """Let all that are being stopped end soon; see `Admission.hasten`."""
    _admission.hasten()
