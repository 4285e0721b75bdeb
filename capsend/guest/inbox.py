"""The state of this process's mail: messages set aside, waiters, and the only place that receives envelopes from the host."""

from __future__ import annotations

import collections
import heapq
import itertools
import logging
import time
from typing import TYPE_CHECKING, Any, Final

from capsend.codec.headers import Receive, Received
from capsend.codec.operations import Operation
from capsend.exceptions import SerializationError
from capsend.mailbox.bounds import MOST_WARNINGS, OVERHEAD

from . import children, handles, host_operations, messages

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from .rebuild import Program

_ONLY_TEXT = " 0 0 "  # no tag, and no handles
_NAMELESS = frozenset("pt")  # the forms of text that name nothing
_log = logging.getLogger("capsend.mailbox")
tags: Final = itertools.count(1)
"""The tags that link answers and ends of children to their waiters."""


class State:
    """The state of this process's mail: the program, the messages set aside, and the waiters."""

    def __init__(self) -> None:
        self.begin(None)

    def begin(self, program: Program | None) -> None:
        """Start with a program and no other state."""
        self.program = program
        self.saved: collections.deque[tuple[int, Any]] = collections.deque()
        self.saved_size = 0
        self.refused = 0
        self.warnings = 0
        self.answers: dict[int, tuple[str, Any] | None] = {}  # by the tag of a call with a waiter
        self.answer_waiters: dict[int, asyncio.Future[None]] = {}
        self.ends: dict[int, Callable[[], None]] = {}  # {tag: callback} for the ends of children
        self.receivers: list[asyncio.Future[None]] = []
        self.alarms: list[tuple[float, int, Callable[[], None]]] = []  # a heap: (moment, number, callback)
        self.own: Any = None
        self.traps_exits = False


state: Final = State()
"""The only state of this process; `begin` empties it."""


def begin(program: Program) -> None:
    """Start with a program and no other state."""
    state.begin(program)


def program() -> Program | None:
    """Return the program of this process; None while the image is built."""
    return state.program


def take(state: State, matches: Callable[[Any], bool] | None, start: int) -> tuple[Any] | None:
    """Take out and return the first message from *start* on that matches, if any."""
    saved = state.saved
    if not saved:
        return None
    if matches is None:
        size, message = saved.popleft()
        state.saved_size -= size
        return (message,)
    for index in range(start, len(saved)):
        size, message = saved[index]
        if matches(message):
            del saved[index]
            state.saved_size -= size
            return (message,)
    return None


def pull(*, urgent: bool, timeout: float | None) -> bool:
    """Get one frame from the host and store it, or run a callback that is due; return False at the deadline."""
    due = state.alarms[0][0] - time.monotonic() if state.alarms else None
    if due is None or (timeout is not None and timeout < due):
        return _frame(urgent=urgent, timeout=timeout)
    if not _frame(urgent=urgent, timeout=max(due, 0.0)) and state.alarms:
        heapq.heappop(state.alarms)[2]()
    return True


def _frame(*, urgent: bool, timeout: float | None) -> bool:
    drops = handles.take_dropped()
    refused, state.refused = state.refused, 0
    head = Receive(urgent, timeout, len(state.saved), state.saved_size, refused, drops).write()
    frame = host_operations.request(Operation.RECEIVE, head)
    if not frame:
        return False
    _sort(frame)
    return True


def next_message(state: State) -> tuple[Any] | None:
    """Wait for a frame when no message is set aside, and return its message.

    None for any frame that is not a message without handles; such a frame has been stored. This is the short way for
    most frames.
    """
    refused, state.refused = state.refused, 0
    frame = host_operations.request(Operation.RECEIVE, f"0 -1 0 0 {refused} {handles.take_dropped()}")
    if frame[1:6] == _ONLY_TEXT and frame[0] in "hm":
        try:
            text = frame[6:]
            short = text[:1] in _NAMELESS
            return (messages.read_text(text) if short else messages.read(frame[0], "", text, state.program),)
        except Exception:  # noqa: BLE001, S110 - reported below, like every unreadable message
            pass
    if frame:
        _sort(frame)
    return None


def _sort(frame: str) -> None:
    _place(*Received.read(frame))


def _place(kind: str, tag: int, told: str, text: str) -> None:
    if (ended := state.ends.pop(tag, None)) is not None:
        ended()
        return
    try:
        message = messages.read(kind, told, text, state.program)
    except Exception as error:  # noqa: BLE001 - another process wrote the message
        if tag:
            kind, message = "!", SerializationError(f"the answer cannot be read: {error}")
        else:
            state.refused += 1
            state.warnings += 1
            if state.warnings <= MOST_WARNINGS:
                _log.warning("a message was refused: %s", error)
            return
    if tag:
        if tag in state.answers:
            state.answers[tag] = (kind, message)
            waiter = state.answer_waiters.get(tag)
            if waiter is not None and not waiter.done():
                waiter.set_result(None)
        return
    size = len(text) + OVERHEAD + (sum(map(int, text.partition(":")[0].split(","))) if kind in "HM" else 0)
    state.saved.append((size, message))
    state.saved_size += size
    receivers, state.receivers = state.receivers, []
    for waiter in receivers:
        if not waiter.done():
            waiter.set_result(None)


def poll(timeout: float | None) -> bool:
    """Wait, between the steps of an event loop, for mail that a task expects; return False if no task expects any."""
    if state.receivers:
        pull(urgent=False, timeout=timeout)
    elif state.answer_waiters or state.ends or state.alarms:
        pull(urgent=True, timeout=timeout)
    else:
        return False
    return True


def await_end(child: children.Child, then: Callable[[], None]) -> None:
    """Call *then* when a child has ended, while this process waits for something; at once if it has ended already."""
    tag = next(tags)
    children.await_end(child, tag)
    state.ends[tag] = then


def wait(timeout: float | None = None) -> None:
    """Wait for a frame for a waiter other than the receiver of messages."""
    pull(urgent=True, timeout=timeout)


def expects_ends() -> bool:
    """Return whether a callback is registered for the end of a child or for a time."""
    return bool(state.ends or state.alarms)


def call_later(seconds: float, then: Callable[[], None]) -> None:
    """Call *then* after *seconds*, while this process waits for something."""
    heapq.heappush(state.alarms, (time.monotonic() + seconds, next(tags), then))
