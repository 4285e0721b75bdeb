"""The life of a child as seen by its parent in the guest; the actual life is on the host."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import attrs
from capsend_guest import children, inbox

from capsend import codec, exceptions
from capsend.exceptions import CapsendError, raised_by_result
from capsend.process import Stats

if TYPE_CHECKING:
    from collections.abc import Callable

    from capsend.shipping.ship import Shipment

ExitReason: TypeAlias = Literal["normal", "failed", "killed", "limit", "trap", "lost"]


@attrs.frozen
class Held:
    """Represents a handle in a result."""

    thing: Any

    def handle(self) -> Any:
        """Return the handle."""
        return self.thing


class _Finished:
    """The end of a process, as something to wait for."""

    def __init__(self, life: Life) -> None:
        self._life = life

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the end, for at most *timeout* seconds; return whether it has come."""
        return self._life.join(timeout)


class _Mail:
    """The address and the links of a child."""

    def __init__(self, child: Any) -> None:
        self._child = child

    @property
    def port(self) -> int:
        """The number that `link` takes."""
        number: int = self._child.number
        return number

    def grant(self) -> Held:
        """Return the maker of the child's address."""
        return Held(children.address(self._child))

    def port_of(self, other: object) -> int:
        """Refuse: in a guest, children are linked by their handles."""
        raise TypeError(
            f"in a process, a child can be linked to another process, not to {other!r}. "
            "To link this process itself, write inbox.link(address)"
        )

    def link(self, other: int) -> None:
        """Link the child to another child."""
        children.link(self._child, other)

    def unlink(self, other: int) -> None:
        """Undo the link with another child."""
        children.unlink(self._child, other)


class Life:
    """A child: its handle, and its end once it has been reported."""

    def __init__(self, child: Any, shipment: Shipment) -> None:
        self.child = child
        self.number: int = child.process_id
        self._shipment: Shipment | None = shipment
        self._reason: ExitReason | None = None
        self._joined = False
        self._is_watched = False
        self._is_over = False
        self._value: Any = None
        self._error: BaseException | None = None
        self._callbacks: list[Callable[[], None]] = []

    # Made on demand: the handle must not be part of a reference cycle, since dropping it ends the process.

    @property
    def finished(self) -> _Finished:
        """The end of the child, as something to wait for."""
        return _Finished(self)

    @property
    def mail(self) -> _Mail:
        """The child's messages and links."""
        return _Mail(self.child)

    @property
    def reason(self) -> ExitReason | None:
        """The reason of the end; None while the child runs."""
        if self._reason is None:
            self._reason = children.stats(self.child)["reason"]
        return self._reason

    def stats(self) -> Stats:
        """Return the resources that the child has used."""
        told = children.stats(self.child)
        return Stats(**{field.name: told[field.name] for field in attrs.fields(Stats)})

    def kill(self) -> None:
        """End the child."""
        children.kill(self.child)

    def abandon(self) -> None:
        """End the child because no handle of it is left."""
        children.kill(self.child)

    def join(self, timeout: float | None) -> bool:
        """Wait for the end, and take the outcome."""
        if not self._joined and inbox.expects_ends():
            timeout = self._watch(timeout)
        return self._joined or self._fetch(timeout)  # a supervisor may have taken it meanwhile

    def _fetch(self, timeout: float | None) -> bool:
        answer = children.join(self.child, timeout)
        if answer is None:
            return False
        self._joined = True
        self._take(*answer)
        return True

    def _watch(self, timeout: float | None) -> float | None:
        """Wait for this child's end and run the callbacks of other children meanwhile.

        Returns:
            0.0 after the timeout, None once the child has ended.
        """
        limit = None if timeout is None else time.monotonic() + timeout
        if not self._is_watched:
            self._is_watched = True
            self.add_callback(self._note_end)
        while not self._is_over:
            left = None if limit is None else limit - time.monotonic()
            if left is not None and left <= 0:
                return 0.0
            inbox.wait(left)
        return None

    def _note_end(self) -> None:
        self._is_over = True

    def _take(self, kind: str, held: list[Any], text: str) -> None:
        shipment, self._shipment = self._shipment, None
        assert shipment is not None
        if kind == "x":
            name, message, self._reason, *details = codec.loads(text)
            self._error = _ended(name, message, *details)
            return
        self._reason = "normal" if kind == "v" else "failed"
        try:
            table: Any = _Table(held)  # for the decoder it is a table of handles
            self._value = shipment.receive(kind + text, self.number, handles=table)
        except BaseException as error:  # noqa: BLE001 - the error is for the waiter for the result
            self._reason = "normal" if exceptions.is_normal_exit(error) else "failed"
            if isinstance(error, CapsendError) or isinstance(error.__cause__, exceptions.GuestTraceback):
                error.__traceback__ = None  # the error's cause shows where it was raised
            self._error = error

    def outcome(self, *, as_result: bool = False) -> Any:
        """Return the value or raise the error of a finished process."""
        self.join(None)
        if self._error is not None:
            raise raised_by_result(self._error) if as_result else self._error
        return self._value

    def add_callback(self, callback: Callable[[], None]) -> None:
        """Call *callback* when the child has ended, while the parent waits for something, or at once if it has ended."""
        if self.reason is not None:
            callback()
            return
        self._callbacks.append(callback)
        if len(self._callbacks) > 1:
            return
        try:
            inbox.await_end(self.child, self._has_ended)
        except CapsendError:
            # Too many ends are awaited: this one could not be reported later, so the callback runs now.
            self.kill()
            self._fetch(None)
            self._has_ended()
            raise

    def _has_ended(self) -> None:
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()


class _Table:
    """The handles of a result, by their position in it."""

    def __init__(self, held: list[Any]) -> None:
        self._held = held

    def get(self, number: int) -> Held | None:
        """Return the representative of a handle."""
        return Held(self._held[number]) if 0 <= number < len(self._held) else None


def _ended(name: str, message: str, details: dict[str, Any] | None = None) -> BaseException:
    cls: Any = vars(exceptions).get(name, exceptions.ProcessFailed)
    error: BaseException = cls(message)
    for key, value in (details or {}).items():
        setattr(error, key, value)
    return error
