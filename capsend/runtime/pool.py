"""Ready instances: a few guests made in advance, for a quick start of processes.

Each is used once and closed after its run. The pool is first filled at a program's second spawn, since a program that
spawns once cannot use it. Filling waits for a moment without spawns: making guests during spawns would compete for the
GIL and the caches. Where memory is not reused, guests are also made during spawns if few are left and a processor is
idle.

Where memory is reused, the thread of a process that has ended makes a spare guest in the memory that it has given back:
while spawns follow each other closely, the next one finds it.
"""

from __future__ import annotations

import _thread
import collections
import contextlib
import os
import threading
import time
from typing import TYPE_CHECKING, Final

from capsend import engine
from capsend.runtime.workers import processors

if TYPE_CHECKING:
    from capsend.engine import Guest, Template

SIZE: Final = 4
"""The most waiting guests of one image; each costs about 1.3 MB."""

SPARES: Final = 2
"""The most spare guests of one image: for two threads that spawn in turn. Their memory would else be that of idle slots."""

_TEMPLATES: Final = 2
_BEFORE_FILLING: Final = 2
_LOW: Final = 3
"""Below this number of waiting guests, the pool is also filled during spawns, if a processor is idle."""

_QUIET: Final = 0.01
_PATIENCE: Final = 1.0
"""Seconds without a spawn after which the thread ends: to start it takes as long as a tenth of a spawn."""

_FEW_GUESTS: Final = 64
_PROCESSORS: Final = processors()


class Ready:
    """Waiting guests of the most recently used images, and the thread that makes them."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._waiting: collections.OrderedDict[Template, collections.deque[Guest]] = collections.OrderedDict()
        self._spare: dict[Template, collections.deque[Guest]] = collections.defaultdict(collections.deque)
        self._taken: collections.Counter[Template] = collections.Counter()
        self._last = 0.0
        self._filling = False
        self._making = 0
        self._closed = False

    def take(self, template: Template) -> Guest | None:
        """Hand out a guest; return None when none is ready, and the caller has to make one."""
        with self._lock:  # the condition's own: its `with` is a call of Python
            self._taken[template] += 1
            self._last = time.monotonic()
            if self._closed or self._taken[template] < _BEFORE_FILLING:
                return None
            waiting = self._waiting.setdefault(template, collections.deque())
            self._waiting.move_to_end(template)
            spare = self._spare[template]
            guest = waiting.popleft() if waiting else spare.popleft() if spare else None
            if guest is not None:
                guest.is_running = True
            if not self._filling:
                self._filling = True
                _thread.start_new_thread(self._fill, ())
        return guest

    def _pause(self) -> float:
        """Return the seconds for which the pool needs no filling."""
        is_low = not engine.has_slots() and any(len(waiting) < _LOW for waiting in self._waiting.values())
        if is_low and _has_idle_processor():
            return 0.0
        return self._last + _QUIET - time.monotonic()

    def ended(self, template: Template) -> None:
        """Make a spare guest, or check again for an idle processor; called on the thread of a process that has ended."""
        with self._lock:
            waiting = self._waiting.get(template)
            if waiting is None or self._closed:
                return
            if template.slots is None:
                if self._filling:
                    self._changed.notify_all()
                return
            spare = self._spare[template]
            if waiting or len(spare) + self._making >= SPARES:
                return
            self._making += 1
        guest = None
        try:
            guest = engine.Guest(template, memory=engine.LARGEST_MEMORY)
            guest.is_running = False
        finally:
            with self._lock:
                self._making -= 1
                if guest is not None and template in self._waiting and not self._closed:
                    spare.append(guest)
                    guest = None
            if guest is not None:
                guest.close()

    def close(self) -> None:
        """Close all waiting guests, and make no others; called before the interpreter exits."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._filling, timeout=5)
            for guests in (*self._waiting.values(), *self._spare.values()):
                while guests:
                    guests.pop().close()

    def _fill(self) -> None:
        """Make guests until enough are ready; then the thread ends, to be started again when one is taken."""
        try:
            while (template := self._next_lack()) is not None:
                guest = _make(template)
                with self._changed:
                    waiting = self._waiting.get(template)
                    if guest is not None and waiting is not None and not self._closed:
                        waiting.append(guest)
                        guest = None
                if guest is not None:
                    guest.close()
        except BaseException:
            with self._changed:
                self._filling = False
                self._changed.notify_all()
            raise

    def _lacking(self) -> list[Template]:
        """Return the images of which fewer guests wait than should; called with the lock."""
        return [template for template, waiting in self._waiting.items() if len(waiting) < SIZE]

    def _next_lack(self) -> Template | None:
        dropped: list[Guest] = []
        with self._changed:
            while not self._closed and (left := self._pause()) > -_PATIENCE and (left > 0 or not self._lacking()):
                self._changed.wait(left if left > 0 else _QUIET)
            while len(self._waiting) > _TEMPLATES:
                template, waiting = self._waiting.popitem(last=False)
                dropped += (*waiting, *self._spare.pop(template, ()))
            lacking = self._lacking()
            if self._closed or not lacking:
                self._filling = False
                self._changed.notify_all()
                lacking.clear()
        for guest in dropped:
            guest.close()
        return lacking[-1] if lacking else None


def _has_idle_processor() -> bool:
    """Return whether a processor is free: one that neither a guest nor its starter needs, by a cheap estimate."""
    if len(engine.guests) > _FEW_GUESTS:
        return False
    return sum(guest.is_running for guest in list(engine.guests.values())) < _PROCESSORS


def _make(template: Template) -> Guest | None:
    """Return a guest that has repeated the calls made when its image was built, so that its pages are already copied."""
    guest = engine.Guest(template, memory=engine.LARGEST_MEMORY)
    try:
        guest.prefault()
        guest.run("", "ready")
        guest.rest()
    except (engine.Trapped, engine.Interrupted):
        guest.close()
        raise
    guest.is_running = False
    return guest


_ready = Ready()
_owner = os.getpid()


def take(template: Template) -> Guest | None:
    """Hand out a ready guest, or None."""
    global _ready, _owner
    if _owner != os.getpid():
        _ready, _owner = Ready(), os.getpid()
    return _ready.take(template)


def ended(template: Template) -> None:
    """Note that a process of this image has ended; an error of making a spare guest is not that of the process."""
    if _owner == os.getpid():
        with contextlib.suppress(Exception):
            _ready.ended(template)


def close() -> None:
    """Close all waiting guests, and make no others."""
    if _owner == os.getpid():
        _ready.close()
