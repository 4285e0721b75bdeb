"""Addresses in a guest: sending messages, now or later, and calls, by host operations."""

from __future__ import annotations

import asyncio
import time
import types
from typing import TYPE_CHECKING, Any, Final

from capsend import codec
from capsend.codec.headers import Pair, Send, SendAfter, plain_send
from capsend.codec.operations import Operation, RefusalWord
from capsend.exceptions import CapsendError, LimitExceeded, ProcessFailed, ProcessKilled, SerializationError
from capsend.mailbox.receiving import in_time

from . import handles, host_operations, inbox, messages, transit
from .handles import Handle
from .refusals import Problems, refusal_of

if TYPE_CHECKING:
    from collections.abc import Callable

_FIRST_PAUSE, _LONGEST_PAUSE = 0.001, 0.05

_NOBODY: Final = (1 << 31) - 1
"""A number that is never a handle's: the host refuses every operation on it."""


class Address(Handle):
    """The right to send messages to a mailbox; see `capsend.Address` on the host."""

    __slots__ = ("_label", "_monitor", "_send")

    def __init__(self, number: int, description: Any = ("", True, True)) -> None:
        super().__init__(number)
        self._label, self._send, self._monitor = description

    def __class_getitem__(cls, item: Any) -> Any:
        return types.GenericAlias(cls, item)

    @property
    def alive(self) -> bool:
        """True while the mailbox is open, or, if the process has no mailbox, while the process runs."""
        return self._asked(Operation.ALIVE, str(self.number)) == "1"

    def send_only(self) -> Address:
        """Return a weaker address, which cannot be used to monitor or link."""
        return self._weaker("send")

    def monitor_only(self) -> Address:
        """Return a weaker address, which can only be used to monitor."""
        return self._weaker("monitor")

    def _weaker(self, right: str) -> Address:
        answer = self._asked(Operation.WEAKEN, Pair(str(self.number), right).write())
        weaker: Address = handles.receive(codec.loads(answer))[0]
        return weaker

    def _asked(self, operation: Operation, payload: str) -> str:
        answer = host_operations.request(operation, payload)
        if answer.startswith("!"):
            raise self.error(answer)
        return answer

    def send(self, value: Any, *, timeout: float | None = None) -> bool:
        """Send a copy of a value; return whether the mailbox took it."""
        if type(value) in messages.PLAIN and timeout is None:  # the short way for frequent messages
            answer = host_operations.request(Operation.SEND, plain_send(self.number, codec.encode(value)))
        else:
            answer = self._post(value, timeout)
        return not answer or self._sent(answer)

    async def send_async(self, value: Any, *, timeout: float | None = None) -> bool:
        """Send a copy of a value; wait for room without blocking the event loop."""
        words = f"the mailbox of {self._label} was full, and had no room"
        return self._sent(await in_time(self._post_async(value, 0), timeout=timeout, words=words))

    async def _post_async(self, value: Any, tag: int) -> str:
        written, pause = messages.write(value, inbox.state.program), _FIRST_PAUSE
        while (answer := self._offer(written, 0.0, tag)) in {RefusalWord.FULL, RefusalWord.TEXT}:
            if answer == RefusalWord.TEXT:
                written = messages.write(value, inbox.state.program, in_text=True)
                continue
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
        return answer

    def _post(self, value: Any, timeout: float | None, tag: int = 0) -> str:
        answer = self._offer(messages.write(value, inbox.state.program), timeout, tag)
        return (
            self._offer(messages.write(value, inbox.state.program, in_text=True), timeout, tag)
            if answer == RefusalWord.TEXT
            else answer
        )

    def _offer(self, written: tuple[str, str, list[bytes]], timeout: float | None, tag: int) -> str:
        text, names, segments = written
        if names or segments or tag or timeout is not None:
            beside = transit.name(segments) if segments else ""
            payload = Send(str(self.number), timeout, tag, names, beside, text).write()
        else:
            payload = plain_send(self.number, text)
        return host_operations.request(Operation.SEND, payload)

    def _sent(self, answer: str) -> bool:
        if answer in {"", RefusalWord.CLOSED}:
            return not answer
        raise self.error(answer)

    def error(self, answer: str) -> Exception:
        """Return the exception for a refusal by the host."""
        return refusal_of(answer, _PROBLEMS, self._label)

    def call(self, make: Callable[[Address], Any], *, timeout: float | None = None) -> Any:
        """Send a message that contains an address for the answer, and return the answer."""
        end = None if timeout is None else time.monotonic() + timeout
        tag = next(inbox.tags)
        answers = inbox.state.answers
        answers[tag] = None
        try:
            if not self._sent(self._post(make(_Reply(tag)), timeout, tag)):
                raise _ended(self._label, "", "it had ended before")
            while (answer := answers[tag]) is None:
                left = None if end is None else end - time.monotonic()
                if (left is not None and left <= 0) or not inbox.pull(urgent=True, timeout=left):
                    raise TimeoutError(f"{self._label} has not answered within {timeout:g} s")
        finally:
            if answers.pop(tag) is None:
                host_operations.request(Operation.FORGET, str(tag))
        return self._answer(answer)

    async def call_async(self, make: Callable[[Address], Any], *, timeout: float | None = None) -> Any:
        """Call without blocking the event loop."""
        return await in_time(self._answered(make), timeout=timeout, words=f"{self._label} has not answered")

    async def _answered(self, make: Callable[[Address], Any]) -> Any:
        tag = next(inbox.tags)
        answers, waiters = inbox.state.answers, inbox.state.answer_waiters
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
        text, names, segments = messages.write(value, inbox.state.program)
        beside = transit.name(segments)
        payload = SendAfter(number, delay, names, beside, text).write()
        answer = host_operations.request(Operation.SEND_AFTER, payload)
        if answer == RefusalWord.TEXT:
            text, names, _ = messages.write(value, inbox.state.program, in_text=True)
            payload = SendAfter(number, delay, names, "", text).write()
            answer = host_operations.request(Operation.SEND_AFTER, payload)
        if answer.startswith("!"):
            raise self.error(answer)
        return Timer(answer)

    def __repr__(self) -> str:
        return f"<Address of {self._label}>"


class _Reply(Address):
    """The right to answer one call of this process; it exists only in messages, and this process cannot use it."""

    __slots__ = ("_tag",)

    def __init__(self, tag: int) -> None:
        super().__init__(_NOBODY)
        self._tag = tag

    @property
    def told_as(self) -> str:
        """The handle's name in a message."""
        return f"r{self._tag}"

    def send(self, value: Any, *, timeout: float | None = None) -> bool:  # noqa: ARG002 - as the base class
        raise CapsendError("only the process that is called can use an address for an answer")


class Timer:
    """A message that will be sent later."""

    def __init__(self, reference: str) -> None:
        self._reference = reference

    def cancel(self) -> bool:
        """Cancel the message; return whether the cancellation came in time."""
        return host_operations.request(Operation.CANCEL, self._reference) == "1"


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
