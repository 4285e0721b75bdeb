"""The mailbox of a process, by host operations."""

from __future__ import annotations

import asyncio
import time
import types
from typing import TYPE_CHECKING, Any

from capsend import codec
from capsend.codec.operations import Operation
from capsend.exceptions import CapsendError
from capsend.mailbox.receiving import address_of, check_timeout, in_time, matcher

from . import clock, handles, host_operations, inbox
from .address import Address, Timer
from .messages import Down, Exit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator


class Mailbox:
    """The one queue from which a process receives messages."""

    def __init__(self, *_: Any, **__: Any) -> None:
        raise CapsendError(
            "a process has one mailbox: the first parameter of its function, annotated Mailbox[...]. More are made in the host."
        )

    def __class_getitem__(cls, item: Any) -> Any:
        return types.GenericAlias(cls, item)

    @property
    def address(self) -> Address:
        """The address of the mailbox."""
        if inbox.state.own is None:
            inbox.state.own = handles.receive(codec.loads(host_operations.request(Operation.OWN, "")))[0]
        own: Address = inbox.state.own
        return own

    def __len__(self) -> int:
        while inbox.pull(urgent=False, timeout=0.0):
            pass
        return len(inbox.state.saved)

    def receive(self, timeout: float | None = None, *, kind: Any = None) -> Any:
        """Take the next message out; wait until there is one.

        With `kind`, the next message of that class, or for which the predicate is true.
        """
        state = inbox.state
        at_once = kind is None and timeout is None and not state.saved and not state.alarms
        if at_once and (found := inbox.next_message(state)) is not None:
            return found[0]
        check_timeout(timeout)
        end = None if timeout is None else time.monotonic() + timeout
        matches = matcher(kind)
        looked = 0
        while True:
            found = inbox.take(state, matches, looked)
            if found is not None:
                return found[0]
            looked = len(state.saved)
            left = None if end is None else max(end - time.monotonic(), 0.0)
            if not inbox.pull(urgent=False, timeout=left):
                raise TimeoutError(f"no message within {timeout:g} s")

    async def receive_async(self, timeout: float | None = None, *, kind: Any = None) -> Any:
        """Receive without blocking the event loop; a cancelled task takes no message."""
        check_timeout(timeout)
        return await in_time(self._received(matcher(kind)), timeout=timeout, words="no message")

    async def _received(self, matches: Callable[[Any], bool] | None) -> Any:
        state = inbox.state
        while (found := inbox.take(state, matches, 0)) is None:
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
        _require(Operation.MONITOR, peer)

    def demonitor(self, peer: Any) -> None:
        """Withdraw a monitor."""
        host_operations.request(Operation.DEMONITOR, str(address_of(peer, kind=Address).number))

    def link(self, peer: Any) -> None:
        """Link this process to another: when one ends for any reason but "normal", the other is killed, unless it traps exits."""
        _require(Operation.LINK, peer)

    def unlink(self, peer: Any) -> None:
        """Undo `link`."""
        host_operations.request(Operation.UNLINK, str(address_of(peer, kind=Address).number))

    @property
    def trap_exits(self) -> bool:
        """True if ends of linked processes come as `Exit` messages instead of ending this process."""
        return inbox.state.traps_exits

    @trap_exits.setter
    def trap_exits(self, value: bool) -> None:
        inbox.state.traps_exits = bool(value)
        host_operations.request(Operation.TRAP, "1" if value else "0")

    def __repr__(self) -> str:
        return "<Mailbox of this process>"


def own_mailbox() -> Mailbox:
    """Return the mailbox of this process."""
    return Mailbox.__new__(Mailbox)


def install() -> None:
    """Let event loops wait for mail, and give the classes their names on the host."""
    handles.KINDS["address"] = Address
    clock.poll_mail = inbox.poll
    Address.__module__, Mailbox.__module__, Timer.__module__ = (
        f"capsend.mailbox.{name}" for name in ("address", "mailbox", "timers")
    )
    Down.__module__ = Exit.__module__ = "capsend.mailbox"


def _require(operation: Operation, peer: Any) -> None:
    """Do a host operation on a process or mailbox; raise the exception for the host's refusal."""
    address = address_of(peer, kind=Address)
    answer = host_operations.request(operation, str(address.number))
    if answer.startswith("!"):
        raise address.error(answer)
