"""Mail in a guest: its mailbox, addresses, calls and notices, on top of the host's operations."""

from __future__ import annotations

import asyncio
import collections
import heapq
import itertools
import logging
import time
import types
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from capsend import codec
from capsend.codec.headers import Receive, Received, Record, Send, SendAfter
from capsend.codec.limits import Limits
from capsend.codec.operations import Operation, RefusalWord
from capsend.exceptions import CapsendError, LimitExceeded, ProcessFailed, ProcessKilled, SerializationError
from capsend.mailbox.bounds import MOST_WARNINGS, OVERHEAD
from capsend.mailbox.receiving import address_of, check_timeout, in_time, matcher

from . import children, clock, handles, host_operations, transit
from .handles import Handle
from .refusals import Problems, refusal_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from .rebuild import Program

_LIMITS = Limits()
_PLAIN = frozenset({int, bool, float, type(None)})  # these are always written, and name nothing
_ONLY_TEXT = " 0 0 "  # no tag, and no handles
_FIRST_PAUSE, _LONGEST_PAUSE = 0.001, 0.05

_log = logging.getLogger("capsend.mailbox")
_tags = itertools.count(1)


class _State:
    """The state of this process's mail: the program, the messages set aside, and the waiters."""

    program: Program | None = None

    def __init__(self) -> None:
        self.saved: collections.deque[tuple[int, Any]] = collections.deque()
        self.saved_size = 0
        self.refused = 0
        self.warnings = 0
        self.answers: dict[int, tuple[str, Any] | None] = {}  # by the tag of a call that somebody waits for
        self.answer_waiters: dict[int, asyncio.Future[None]] = {}
        self.ends: dict[int, Callable[[], None]] = {}  # {tag: callback} for the ends of children
        self.receivers: list[asyncio.Future[None]] = []
        self.alarms: list[tuple[float, int, Callable[[], None]]] = []  # a heap: (moment, number, callback)
        self.own: Any = None
        self.traps_exits = False


_state = _State()


def begin(program: Program) -> None:
    """Start with only a program."""
    global _state  # noqa: PLW0603 - one process, one state
    _state = _State()
    _state.program = program


def program() -> Program | None:
    """Return the program of this process; None while the image is made."""
    return _state.program


class Address(Handle):
    """The right to send messages to a mailbox; see `capsend.Address` on the host."""

    __slots__ = ("_label", "_monitor", "_send")

    def __init__(self, number: int, description: Any = ("", True, True)) -> None:
        super().__init__(number)
        self._label, self._send, self._monitor = description

    def __class_getitem__(cls, item: Any) -> Any:
        return types.GenericAlias(cls, item)

    def send(self, value: Any, *, timeout: float | None = None) -> bool:
        """Send a copy of a value; return whether it was put into the mailbox."""
        answer = self._post(value, timeout)
        return not answer or self._sent(answer)

    async def send_async(self, value: Any, *, timeout: float | None = None) -> bool:
        """Send a copy of a value, waiting for room without blocking the event loop."""
        words = f"the mailbox of {self._label} was full, and had no room"
        return self._sent(await in_time(self._post_async(value, 0), timeout=timeout, words=words))

    async def _post_async(self, value: Any, tag: int) -> str:
        written, pause = _write(value), _FIRST_PAUSE
        while (answer := self._offer(written, 0.0, tag)) in {RefusalWord.FULL, RefusalWord.TEXT}:
            if answer == RefusalWord.TEXT:
                written = _write(value, in_text=True)
                continue
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
        return answer

    def _post(self, value: Any, timeout: float | None, tag: int = 0) -> str:
        answer = self._offer(_write(value), timeout, tag)
        return self._offer(_write(value, in_text=True), timeout, tag) if answer == RefusalWord.TEXT else answer

    def _offer(self, written: tuple[str, str, list[bytes]], timeout: float | None, tag: int) -> str:
        text, names, segments = written
        beside = transit.name(segments) if segments else ""
        payload = Send(str(self.number), timeout, tag, names, beside, text).write()
        return host_operations.request(Operation.SEND, payload)

    def _sent(self, answer: str) -> bool:
        if answer in {"", RefusalWord.CLOSED}:
            return not answer
        raise self._error(answer)

    def _error(self, answer: str) -> Exception:
        return refusal_of(answer, _PROBLEMS, self._label)

    def call(self, make: Callable[[Address], Any], *, timeout: float | None = None) -> Any:
        """Send a message that contains an address for the answer, and return the answer."""
        end = None if timeout is None else time.monotonic() + timeout
        tag = next(_tags)
        answers = _state.answers
        answers[tag] = None
        try:
            if not self._sent(self._post(make(_Reply(tag)), timeout, tag)):
                raise _ended(self._label, "", "it had ended before")
            while (answer := answers[tag]) is None:
                left = None if end is None else end - time.monotonic()
                if (left is not None and left <= 0) or not _pull(urgent=True, timeout=left):
                    raise TimeoutError(f"{self._label} has not answered within {timeout:g} s")
        finally:
            if answers.pop(tag) is None:
                host_operations.request(Operation.FORGET, str(tag))
        return self._answer(answer)

    async def call_async(self, make: Callable[[Address], Any], *, timeout: float | None = None) -> Any:
        """Call without blocking the event loop."""
        return await in_time(self._answered(make), timeout=timeout, words=f"{self._label} has not answered")

    async def _answered(self, make: Callable[[Address], Any]) -> Any:
        tag = next(_tags)
        answers, waiters = _state.answers, _state.answer_waiters
        answers[tag] = None
        try:
            if not self._sent(await self._post_async(make(_Reply(tag)), tag)):
                raise _ended(self._label, "", "it had ended before")
            while (answer := answers[tag]) is None:
                waiters[tag] = asyncio.get_running_loop().create_future()
                await waiters[tag]
        finally:
            waiters.pop(tag, None)
            if answers.pop(tag) is None:
                host_operations.request(Operation.FORGET, str(tag))
        return self._answer(answer)

    def _answer(self, answer: tuple[str, Any]) -> Any:
        kind, value = answer
        if kind == "d":
            raise _ended(self._label, value.reason, value.message)
        if kind == "!":
            raise value
        return value

    def send_after(self, seconds: float, value: Any) -> Timer:
        """Send a value *seconds* later, unless the returned timer's `cancel` is called before."""
        number, delay = str(self.number), max(float(seconds), 0.0)
        text, names, segments = _write(value)
        beside = transit.name(segments)
        payload = SendAfter(number, delay, names, beside, text).write()
        answer = host_operations.request(Operation.SEND_AFTER, payload)
        if answer == RefusalWord.TEXT:
            text, names, _ = _write(value, in_text=True)
            payload = SendAfter(number, delay, names, "", text).write()
            answer = host_operations.request(Operation.SEND_AFTER, payload)
        if answer.startswith("!"):
            raise self._error(answer)
        return Timer(answer)

    def __repr__(self) -> str:
        return f"<Address of {self._label}>"


class _Reply(Address):
    """The way back to this process for the answer to one call; it exists in messages only."""

    __slots__ = ()

    @property
    def told_as(self) -> str:
        """The handle's name in a message."""
        return f"r{self.number}"

    def send(self, value: Any, *, timeout: float | None = None) -> bool:  # noqa: ARG002 - as the base class
        raise CapsendError("an address for an answer is for the one who is called")


class Timer:
    """A message that will be sent later."""

    def __init__(self, reference: str) -> None:
        self._reference = reference

    def cancel(self) -> bool:
        """Cancel the message; return whether the cancellation came in time."""
        return host_operations.request(Operation.CANCEL, self._reference) == "1"


@dataclass(frozen=True, slots=True)
class Down:
    """The notice that a monitor leaves in the mailbox, once, when the monitored process or mailbox has ended."""

    address: Any
    reason: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class Exit:
    """The notice that a process which traps exits receives when a linked process ends."""

    address: Any
    reason: str
    message: str = ""


class Mailbox:
    """The one queue that a process receives from."""

    def __init__(self, *_: Any, **__: Any) -> None:
        raise CapsendError(
            "a process has one mailbox: the first parameter of its function, annotated Mailbox[...]. More are made in the host."
        )

    def __class_getitem__(cls, item: Any) -> Any:
        return types.GenericAlias(cls, item)

    @property
    def address(self) -> Address:
        """The address of the mailbox."""
        if _state.own is None:
            _state.own = handles.receive(codec.loads(host_operations.request(Operation.OWN, "")))[0]
        own: Address = _state.own
        return own

    def __len__(self) -> int:
        while _pull(urgent=False, timeout=0.0):
            pass
        return len(_state.saved)

    def receive(self, timeout: float | None = None, *, kind: Any = None) -> Any:
        """Take the next message out, waiting for it; with `kind`, the next that is of that class or for which the predicate is true."""
        state = _state
        at_once = kind is None and timeout is None and not state.saved and not state.alarms
        if at_once and (found := _next(state)) is not None:
            return found[0]
        check_timeout(timeout)
        end = None if timeout is None else time.monotonic() + timeout
        matches = matcher(kind)
        looked = 0
        while True:
            found = _take(state, matches, looked)
            if found is not None:
                return found[0]
            looked = len(state.saved)
            left = None if end is None else max(end - time.monotonic(), 0.0)
            if not _pull(urgent=False, timeout=left):
                raise TimeoutError(f"no message within {timeout:g} s")

    async def receive_async(self, timeout: float | None = None, *, kind: Any = None) -> Any:
        """Receive without blocking the event loop; a cancelled task takes no message."""
        check_timeout(timeout)
        return await in_time(self._received(matcher(kind)), timeout=timeout, words="no message")

    async def _received(self, matches: Callable[[Any], bool] | None) -> Any:
        state = _state
        while (found := _take(state, matches, 0)) is None:
            waiter = asyncio.get_running_loop().create_future()
            state.receivers.append(waiter)
            try:
                await waiter
            finally:
                if waiter in state.receivers:
                    state.receivers.remove(waiter)
        return found[0]

    def __iter__(self) -> Iterator[Any]:
        """Yield messages, for ever."""
        while True:
            yield self.receive()

    async def __aiter__(self) -> AsyncIterator[Any]:
        """Yield messages, for ever, without blocking the event loop."""
        while True:
            yield await self.receive_async()

    def monitor(self, peer: Any) -> None:
        """Ask for one `Down` when a process ends or a mailbox closes; it arrives at once if that has happened."""
        address = address_of(peer, kind=Address)
        answer = host_operations.request(Operation.MONITOR, str(address.number))
        if answer.startswith("!"):
            raise address._error(answer)  # noqa: SLF001 - its own module

    def demonitor(self, peer: Any) -> None:
        """Withdraw a monitor."""
        host_operations.request(Operation.DEMONITOR, str(address_of(peer, kind=Address).number))

    def link(self, peer: Any) -> None:
        """Link this process to another: when one ends for any reason but "normal", the other is killed, unless it traps exits."""
        address = address_of(peer, kind=Address)
        answer = host_operations.request(Operation.LINK, str(address.number))
        if answer.startswith("!"):
            raise address._error(answer)  # noqa: SLF001 - its own module

    def unlink(self, peer: Any) -> None:
        """Undo `link`."""
        host_operations.request(Operation.UNLINK, str(address_of(peer, kind=Address).number))

    @property
    def trap_exits(self) -> bool:
        """Whether ends of linked processes come as `Exit` messages instead of ending this process."""
        return _state.traps_exits

    @trap_exits.setter
    def trap_exits(self, value: bool) -> None:
        _state.traps_exits = bool(value)
        host_operations.request(Operation.TRAP, "1" if value else "0")

    def __repr__(self) -> str:
        return "<Mailbox of this process>"


def own_mailbox() -> Mailbox:
    """Return the mailbox of this process."""
    return Mailbox.__new__(Mailbox)


_PROBLEMS: Problems = {
    RefusalWord.FULL: (TimeoutError, "the mailbox of {0} was full, and had no room in time"),
    RefusalWord.REFUSED: (LimitExceeded, "the mailbox of {0} is full. Send less"),
    RefusalWord.LARGE: (LimitExceeded, "the message is larger than the mailbox of {0}. Send less at a time"),
    RefusalWord.HANDLE: (SerializationError, "message cannot be sent: {1}"),
    RefusalWord.FORGED: (CapsendError, "this process does not hold that address"),
    RefusalWord.RIGHT: (CapsendError, "this address of {0} does not allow to {1}"),
    RefusalWord.HANDLES: (LimitExceeded, "a message, or this process, holds too many handles"),
    RefusalWord.TIMERS: (LimitExceeded, "too many messages wait to be sent later"),
}


def _ended(label: str, reason: str, words: str) -> Exception:
    killed = reason == "killed"
    how = ": ".join(part for part in (reason, words) if part)
    text = f"{label} was killed before it answered" if killed else f"{label} ended before it answered ({how})"
    error: Exception = (ProcessKilled if killed else ProcessFailed)(text)
    return error


def _write(value: Any, *, in_text: bool = False) -> tuple[str, str, list[bytes]]:
    """Encode a message.

    Args:
        value: the message.
        in_text: whether it is to have no segments.

    Returns:
        (codec text, the handles in it, the bytes beside it).
    """
    segments: list[bytes] = []
    if type(value) in _PLAIN:
        return codec.encode(value), "", segments
    names: list[str] = []

    def external(thing: Any) -> Any:
        if isinstance(thing, Handle):
            names.append(thing.told_as)
            return {"h": len(names) - 1}
        return _state.program.message_name(thing) if _state.program is not None else None

    try:
        text = codec.encode(value, externals=external, segments=None if in_text else segments)
    except codec.NotEncodable as error:
        raise SerializationError(f"message{error.path} cannot be sent: {error.reason}") from error
    return text, ",".join(names), segments


def _read(kind: str, told: str, text: str) -> Any:
    segments: list[bytes] = []
    if kind in "HM":
        kind = kind.lower()
        text, segments = transit.received(text, has_segments=True)
    held = handles.receive(codec.loads(told)) if told else []
    if kind in "dx":
        reason, words = codec.loads(text)
        return (Down if kind == "d" else Exit)(held[0], reason, words)
    program = _state.program

    def resolve(reference: Any) -> Any:
        if "h" in reference and type(reference["h"]) is int and reference["h"] >= 0:
            return held[reference["h"]]
        if program is None or "c" not in reference:
            raise LookupError("it names nothing that this process has")
        return program.by_name(*reference["c"])

    if kind == "h":
        return codec.decode(text, resolve=resolve, segments=segments)
    return codec.decode(text, resolve=resolve, may_build=_may_build, limits=_LIMITS, segments=segments)


def _may_build(cls: type) -> bool:
    program = _state.program
    return program is not None and (program.has(cls) or not hasattr(cls, "__del__"))


def _take(state: _State, matches: Callable[[Any], bool] | None, start: int) -> tuple[Any] | None:
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


def _pull(*, urgent: bool, timeout: float | None) -> bool:
    """Get one frame from the host and put it in its place, or run a callback that is due; return False when the time is over."""
    due = _state.alarms[0][0] - time.monotonic() if _state.alarms else None
    if due is None or (timeout is not None and timeout < due):
        return _frame(urgent=urgent, timeout=timeout)
    if not _frame(urgent=urgent, timeout=max(due, 0.0)) and _state.alarms:
        heapq.heappop(_state.alarms)[2]()
    return True


def _frame(*, urgent: bool, timeout: float | None) -> bool:
    state = _state
    drops = handles.take_dropped()
    refused, state.refused = state.refused, 0
    head = Receive(urgent, timeout, len(state.saved), state.saved_size, refused, drops).write()
    frame = host_operations.request(Operation.RECEIVE, head)
    if not frame:
        return False
    _sort(frame)
    return True


def _next(state: _State) -> tuple[Any] | None:
    """Wait for a frame, when no message is set aside, and return the message in it.

    None for any frame but a message without handles; that frame has then been put in its place. This is the short way for most frames.
    """
    refused, state.refused = state.refused, 0
    frame = host_operations.request(Operation.RECEIVE, f"0 -1 0 0 {refused} {handles.take_dropped()}")
    if frame[1:6] == _ONLY_TEXT and frame[0] in "hm":
        try:
            return (_read(frame[0], "", frame[6:]),)
        except Exception:  # noqa: BLE001, S110 - reported below, as for every message that cannot be read
            pass
    if frame:
        _sort(frame)
    return None


def _sort(frame: str) -> None:
    _place(*Received.read(frame))


def _place(kind: str, tag: int, told: str, text: str) -> None:
    state = _state
    if (ended := state.ends.pop(tag, None)) is not None:
        ended()
        return
    try:
        message = _read(kind, told, text)
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
    """Wait, as an event loop does between its steps, for mail that a task waits for; return False when none does."""
    if _state.receivers:
        _pull(urgent=False, timeout=timeout)
    elif _state.answer_waiters or _state.ends or _state.alarms:
        _pull(urgent=True, timeout=timeout)
    else:
        return False
    return True


def await_end(child: children.Child, then: Callable[[], None]) -> None:
    """Have a function called when a child has ended, while this process waits for something; at once if the child has ended."""
    tag = next(_tags)
    children.await_end(child, tag)
    _state.ends[tag] = then


def wait(timeout: float | None = None) -> None:
    """Wait until a frame has come for a waiter other than the receiver of messages."""
    _pull(urgent=True, timeout=timeout)


def expects_ends() -> bool:
    """Return whether a callback is due when a child ends, or at some time."""
    return bool(_state.ends or _state.alarms)


def call_later(seconds: float, then: Callable[[], None]) -> None:
    """Have a function called *seconds* later, while this process waits for something."""
    heapq.heappush(_state.alarms, (time.monotonic() + seconds, next(_tags), then))


class _ToHost(logging.Handler):
    """Hands records to the host's logging, where a program has not set up its own."""

    def emit(self, record: logging.LogRecord) -> None:
        """Send one record."""
        try:
            name = record.name.replace(":", ".").replace(" ", "_")
            host_operations.request(Operation.RECORD, Record(record.levelno, name, self.format(record)).write())
        except Exception:  # noqa: BLE001 - as in every handler
            self.handleError(record)


_configure_as_told = logging.basicConfig


def _configure(**told: Any) -> None:
    """Set logging up as the program asks; a set-up without handlers, such as that of `logging.warning`, sends records to the host."""
    level = told.pop("level", None)
    if told:
        _configure_as_told(level=level, **told)
    elif level is not None:
        logging.getLogger().setLevel(level)


def install() -> None:
    """Let event loops wait for mail, and send log records to the host."""
    handles.KINDS["address"] = Address
    clock.poll_mail = poll
    logging.lastResort = _ToHost()
    logging.basicConfig = _configure
    Address.__module__, Mailbox.__module__, Timer.__module__ = (
        f"capsend.mailbox.{name}" for name in ("address", "mailbox", "timers")
    )
    Down.__module__ = Exit.__module__ = "capsend.mailbox"
