"""The life of a session: one instance that runs cell after cell, with limits for each, and can be interrupted without ending."""

from __future__ import annotations

import queue
import threading
import time
from typing import TYPE_CHECKING, Any, Final

import attrs

from capsend.capabilities.handles import MOST_HANDLES, TooManyHandles
from capsend.codec.operations import Operation
from capsend.codec.text import Stopped
from capsend.deadlines import Deadlines
from capsend.exceptions import (
    CapsendError,
    GuestTraceback,
    LimitExceeded,
    OutputLimitExceeded,
    ProcessInterrupted,
    ProcessKilled,
    Rendering,
)
from capsend.runtime import admission
from capsend.runtime.endings import is_told, translated
from capsend.runtime.life import Life
from capsend.runtime.output import Lines
from capsend.runtime.time_limits import TimeLimits
from capsend.runtime.transit import charged
from capsend.source_text.shipment import TextShipment

if TYPE_CHECKING:
    from collections.abc import Callable

    from capsend.capabilities.handles import Grant, Handles
    from capsend.deadlines import Deadline
    from capsend.engine import Guest
    from capsend.engine.pictures import Picture
    from capsend.runtime.life import Operations
    from capsend.runtime.terms import Terms

GRACE: Final = 1.0
"""The seconds between a cell's reaching a limit and, if the cell does not end, the end of its session."""

_FIRST_GRACE: Final = 10.0
"""The same, if the memory words for interrupts have to be found first."""

_TOO_MANY: Final = (
    "session {} has been given {} host functions, addresses and folders, and can hold no more. "
    "Give it the same HostFunction again instead of a new one for each cell, or reset() the session"
)
_AGAIN: Final = "again "
_deadlines: Final = Deadlines()


def _ending(place: BaseException | None, error: BaseException) -> BaseException | None:
    """Return the place where a cell was interrupted, with the limit below the traceback, as the text mentions the limit only here."""
    if not isinstance(place, GuestTraceback):
        return place
    told = GuestTraceback(
        str(place), text=Rendering(lambda: f"{place.text.rstrip()}\n{type(error).__name__}: {error}\n")
    )
    told.__cause__, told.__context__, told.__suppress_context__ = (
        place.__cause__,
        place.__context__,
        place.__suppress_context__,
    )
    return told.with_traceback(place.__traceback__)


class Task:
    """One task of a session, and its outcome.

    Attributes:
        error: the error that ended it; None if it ended with a value, or not yet.
        value: the value that it ended with.
    """

    def __init__(self) -> None:
        self.value: Any = None
        self.error: BaseException | None = None
        self._callbacks: list[Callable[[], None]] = []
        self._done = threading.Event()
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Wait until the task has ended."""
        while not self._done.wait(0.2):  # in naps, so that no Ctrl-C is lost
            pass

    def add_callback(self, callback: Callable[[], None]) -> None:
        """Call *callback* when the task has ended, on the session's thread, or at once if it has; the callback must not raise."""
        with self._lock:
            if not self._done.is_set():
                self._callbacks.append(callback)
                return
        callback()

    def end(self, value: Any, error: BaseException | None) -> None:
        """End the task, once; later ends are ignored."""
        with self._lock:
            if self._done.is_set():
                return
            self.value, self.error = value, error
            self._done.set()
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()


class Look(Task):
    """A task that looks at the memory of a session: its value is a `Still`."""


@attrs.frozen
class Still:
    """The state of a session at one moment.

    Attributes:
        picture: its memory.
        handles: the session's table.
    """

    picture: Picture
    handles: Handles


@attrs.frozen
class StillShipment(TextShipment):
    """The shipment of a session that continues from a moment of another session."""

    still: Still = attrs.field(kw_only=True, repr=False)


class Call(Task):
    """A call of an entry of the session: a cell, or an operation on variables.

    Args:
        head: returns the text that chooses the entry, for given new handles.
        text: the arguments.
        passed_over: like `head`, for an entry that takes over the definitions of a call without running it.
        grants: the grants behind the new handles in the arguments.
        shipment: reads the answer.
        limits: the environment with its timeout, CPU time and output.
        targets: the targets of its standard output and standard error.
    """

    def __init__(
        self,
        head: Callable[[list[list[Any]]], str],
        text: str,
        *,
        passed_over: Callable[[list[list[Any]]], str],
        grants: tuple[Grant, ...],
        shipment: TextShipment,
        limits: Terms,
        targets: tuple[Callable[[str], object] | None, Callable[[str], object] | None],
    ) -> None:
        super().__init__()
        self.head = head
        self.text = text
        self.passed_over = passed_over
        self.is_wanted = True
        self.grants = grants
        self.shipment = shipment
        self.limits = limits
        self.out: Lines = Lines(targets[0])
        self.err: Lines = Lines(targets[1])
        self.exceeded: BaseException | None = None
        self.was_interrupted = False
        self.written = 0
        self.seconds: float = 0.0
        self.cpu_seconds: float = 0.0


class SessionLife(Life):
    """A life that waits for calls.

    Its environment's timeout, CPU time and output are limits of each call. Memory, handles and the resources shared by
    all its processes are limits of the whole session.
    """

    __slots__ = ("_current", "_grace", "_guard", "_requests", "_terms_of_calls")

    def __init__(
        self,
        shipment: Any,
        environment: Terms,
        *,
        operations: Operations,
        parent: Life | None = None,
        reserved: int = 0,
    ) -> None:
        self._requests: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        self._current: Call | None = None
        self._grace: Deadline | None = None
        self._guard = threading.Lock()
        super().__init__(
            shipment,
            environment.replace(timeout=None, cpu=None),
            operations=operations,
            parent=parent,
            reserved=reserved,
        )
        self._terms_of_calls = environment

    @property
    def terms_of_children(self) -> Terms:
        """The environment that limits its children: they continue after the call that spawned them, but not for ever."""
        return self._terms_of_calls

    # --- from any thread ---

    def add(self, call: Task) -> None:
        """Do a task as soon as all earlier tasks are done.

        Ordering:
            Tasks are done one after the other, in the order of these calls.
        """
        self._requests.put(call)
        if self.reason is not None:
            self._end_waiting()

    def close(self) -> None:
        """End the session once all tasks added so far are done."""
        self._requests.put(None)

    def stop_alone(self, error: BaseException) -> None:
        """End the session with this error, without its descendants; return at once."""
        super().stop_alone(error)
        self._requests.put(None)

    def interrupt(self) -> bool:
        """Raise `KeyboardInterrupt` in the running call; return whether a call was running."""
        with self._guard:
            return self._interrupt()

    def _interrupt(self) -> bool:
        call, guest = self._current, self.guest
        if call is None or guest is None:
            return False
        call.was_interrupted = True
        guest.disturb()
        return True

    def withdraw(self, task: Task) -> None:
        """Interrupt a running task, or drop a waiting one: its caller no longer waits for it."""
        with self._guard:
            if self._current is task:
                self._interrupt()
            elif isinstance(task, Call):
                task.is_wanted = False

    def _exceed(self, error: BaseException) -> None:
        """Interrupt the running call because of a limit; the session continues if the call ends in time."""
        with self._guard:
            call, guest = self._current, self.guest
            if call is None or guest is None or call.exceeded is not None:
                return
            call.exceeded = error
            grace = GRACE if guest.template.knows_signals else _FIRST_GRACE
            self._grace = _deadlines.add(grace, lambda: self.stop(error))
            guest.disturb()

    # --- on its thread ---

    def _run(self, guest: Guest, shipment: Any) -> None:
        if isinstance(shipment, StillShipment):
            self.handles: Handles = shipment.still.handles.copy()
            if not guest.put_picture(shipment.still.picture):
                message = "the session cannot continue from a snapshot on this system: it must be Linux, with a readable /proc/self/pagemap"
                raise CapsendError(message)
        else:
            guest.find_memory()
            self._receive(shipment, guest.run(self._program(shipment), shipment.call))
        admission.leave(self)  # from now on it waits, most of the time
        while (task := self._requests.get()) is not None and self._stop is None:
            if isinstance(task, Call):
                self._serve(guest, task)
            else:
                task.end(*self._look(guest))

    def _look(self, guest: Guest) -> tuple[Still | None, BaseException | None]:
        """Return (the session's state, None), or (None, the reason why it cannot be taken)."""
        if self.anchors is not None:
            message = "a session that was given a Dir cannot be copied: the copy would not have the folder open. Pass the content"
            return None, CapsendError(message)
        picture = guest.take_picture()
        if picture is None:
            message = "a session cannot be copied on this system: it must be Linux, with a readable /proc/self/pagemap"
            return None, CapsendError(message)
        return Still(picture, self.handles.copy()), None

    def _serve(self, guest: Guest, call: Call) -> None:
        """Do one call; raise only errors that end the session."""
        self._out, self._err = call.out, call.err
        used = self.branch.used("output")
        self.branch.charge("output", -used)
        before, began = self.branch.cpu_seconds(), time.monotonic()
        with self._guard:
            guest.disturbed = False
            self._current = call
            head = call.head if call.is_wanted else call.passed_over
        limits = TimeLimits(call.limits, number=self.number, stop=self._exceed)
        limits.begin()
        self._ahead.clear()  # left over from an earlier call that was interrupted in its answer
        refusal: LimitExceeded | None = None
        handles: list[list[Any]] = []
        try:
            handles = self.handles.deliver(call.grants)
        except TooManyHandles:
            refusal = LimitExceeded(_TOO_MANY.format(self.number, MOST_HANDLES), limit=MOST_HANDLES)
            head = call.passed_over  # later calls build on the classes that it brings
        try:
            limits.watch_cpu(self.branch)
            answer = guest.run(head(handles), _AGAIN + call.text)
        finally:
            limits.cancel()
            with self._guard:
                if self._grace is not None:
                    self._grace.cancel()
                    self._grace = None
            call.seconds = time.monotonic() - began
            call.cpu_seconds = self.branch.cpu_seconds() - before
        value, error = (None, refusal) if refusal is not None else self._received(call, answer)
        if self._stop is not None:
            raise Stopped  # the call is still the current one, and is ended together with all others
        with self._guard:
            self._current = None
        call.end(value, error)

    def _received(self, call: Call, answer: str) -> tuple[Any, BaseException | None]:
        """Return the value and the error of a call."""
        segments, self._given = self._given, []
        try:
            self._out.close()
            self._err.close()
            if isinstance(call.exceeded, OutputLimitExceeded):
                return None, call.exceeded
            if self._ahead:
                answer = "".join((*self._ahead, answer))
                self._ahead.clear()
            self._check_size(charged(answer, segments))
            value = call.shipment.receive(
                answer,
                self.number,
                handles=self.handles,
                is_unwanted=lambda: self._stop is not None,
                segments=segments,
            )
        except BaseException as error:  # noqa: BLE001 - the error is for the waiter for the call
            return None, self._told(call, error)
        return value, None

    def _told(self, call: Call, error: BaseException) -> BaseException:
        """Return the caller's error for a call that ended by *error*."""
        if is_told(error):
            error.__traceback__ = None  # the error's cause shows where it was raised
        error = translated(error, number=self.number, limit=self.environment.memory)
        if not isinstance(error, ProcessInterrupted) or not (call.exceeded or call.was_interrupted):
            return error
        told = call.exceeded or ProcessInterrupted(
            f"the cell was interrupted; session {self.number} continues",
            type_name=error.type_name,
            guest_message=error.guest_message,
        )
        told.__cause__ = _ending(error.__cause__, told) if call.exceeded else error.__cause__
        return told

    def _room(self, size: int) -> int:
        call = self._current
        if call is None:
            return super()._room(size)
        self._written += size
        call.written += size
        room = self.branch.take_most("output", size)
        limit = call.limits.output
        room = min(room, max(limit - call.written + size, 0))
        if room < size:
            message = f"the cell wrote more than the {limit} bytes of output that it may. Write less, or allow more: Environment(output=...)"
            self._exceed(OutputLimitExceeded(message, limit=limit))
        return room

    def _refuse_ahead(self, error: OutputLimitExceeded) -> None:
        if self._current is None:
            super()._refuse_ahead(error)
            return
        self._ahead.clear()
        self._given.clear()
        limit = self.environment.result
        message = f"the cell ended with a value of more than the {limit} bytes in transit that its environment allows. "
        self._exceed(OutputLimitExceeded(f"{message}Return less, or allow more: Environment(result=...)", limit=limit))

    def _answer(self, operation: int, payload: str) -> str:
        answer = super()._answer(operation, payload)
        guest = self.guest
        return "!" if operation == Operation.SLEEP and guest is not None and guest.disturbed else answer

    def _finish(self) -> None:
        super()._finish()
        self._end_waiting()

    def _end_waiting(self) -> None:
        """End all waiting tasks together with the session."""
        call, self._current = self._current, None
        waiting: list[Task] = [] if call is None else [call]
        while True:
            try:
                waiting += filter(None, [self._requests.get_nowait()])
            except queue.Empty:
                break
        for each in waiting:
            each.end(None, self._error or ProcessKilled(f"session {self.number} was closed"))
