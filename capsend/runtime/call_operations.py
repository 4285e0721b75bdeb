"""Calls of host functions by one process: permission, limits, arguments, thread and answer."""

from __future__ import annotations

import logging
import queue
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from capsend.capabilities.handles import TooManyHandles, grant_of
from capsend.capabilities.host_functions import FunctionGrant
from capsend.capabilities.host_functions import HostCall as Report
from capsend.codec import wire
from capsend.codec.headers import Call
from capsend.codec.text import NotEncodable, dumps
from capsend.exceptions import CapsendError, LimitExceeded, SerializationError
from capsend.shipping import host_errors
from capsend.traits.judge import declared_refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from capsend.capabilities.handles import Grant, Handles
    from capsend.capabilities.host_functions import HostFunction
    from capsend.runtime.call_limits import Turns
    from capsend.runtime.transit import Transit
    from capsend.shipping.ship import Shipment

MOST_ARGUMENTS: Final = 16 << 20
"""The most characters of one call's arguments in transit."""

_LIMITS: Final = wire.LIMITS._replace(max_chars=MOST_ARGUMENTS)
_log: Final = logging.getLogger("capsend.host_function")


class HostCalls:
    """The calls of host functions by one process; used only on the process's thread.

    Args:
        number: the process's number.
        handles: the process's table.
        shipment: the call that the process runs; it resolves the names of classes.
        turns: the calls of the process's tree.
        transit: the process's segments.
    """

    def __init__(self, number: int, handles: Handles, shipment: Shipment, *, turns: Turns, transit: Transit) -> None:
        self._number = number
        self._handles = handles
        self._shipment = shipment
        self._turns = turns
        self._transit = transit
        self._worker: _Worker | None = None

    def answer(self, guest: Any, payload: str) -> str:
        """Do `number segments:arguments`.

        Returns:
            One of three: "v", the length of the handles in hexadecimal, a colon, the handles, the result; for a result
            with segments "V", the sizes of the segments, a colon, and the same; or "e" and the exception.
        """
        name, beside, text = Call.read(payload)
        grant = self._handles.get(int(name)) if name.isdecimal() and len(name) < 10 else None
        if not isinstance(grant, FunctionGrant):
            return raised_text(PermissionError("this process holds no such function of the host"), None)
        call = HostCall(grant.function, text, self)
        try:
            call.segments = self._transit.read(beside, charge=check_size)
        except LimitExceeded as refusal:
            call.refusal = refusal
        except ValueError:
            return raised_text(TypeError(f"the arguments of {grant.function.name} are malformed"), None)
        if not self.make(guest, grant, call):
            return ""
        if call.too_late:
            return call.too_late
        try:
            told = dumps(self._handles.deliver(call.grants))
        except TooManyHandles:
            return raised_text(LimitExceeded("the result holds more handles than this process can have"), None)
        if call.answer.startswith("e"):
            return call.answer
        if call.result_segments:
            return f"V{len(told):x}:{told}{self._transit.hand_out(call.result_segments)}:{call.answer}"
        return f"v{len(told):x}:{told}{call.answer}"

    def make(self, guest: Any, grant: FunctionGrant, call: HostCall) -> bool:
        """Make a call when the limits permit it, and wait for its end; return False if the process is stopped meanwhile."""
        try:
            if call.refusal is None:
                self._wait_for_turn(guest, grant)
        except LimitExceeded as refusal:
            call.refusal = refusal
        if guest.interrupted:
            return False  # the process was stopped while it waited for permission
        worker = self._worker = self._worker or _Worker()
        worker.begin(call, guest.unpark)
        return self._wait(guest, call)

    def close(self) -> None:
        """End together with the process: its running calls are cancelled if possible."""
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.end()
            if worker.is_busy:
                self._turns.go_on(worker)

    def _wait_for_turn(self, guest: Any, grant: FunctionGrant) -> None:
        """Count a call, and wait for as long as the function's rate requires.

        Raises:
            LimitExceeded: the call cannot be made.
        """
        end = time.monotonic() + self._turns.take(grant)
        while not guest.interrupted and not guest.disturbed and (left := end - time.monotonic()) > 0:
            guest.park(left)

    def _wait(self, guest: Any, call: HostCall) -> bool:
        """Wait until a call has ended or its time is over; return False if the process is stopped first."""
        limit = call.function.limits.timeout
        end = None if limit is None else time.monotonic() + limit
        while not call.done:
            if guest.interrupted:
                return False
            if guest.disturbed:
                # The guest will raise KeyboardInterrupt itself; until then this is its answer.
                call.too_late = raised_text(TimeoutError(f"{call.function.name} was interrupted"), None)
                self.close()
                return True
            left = None if end is None else end - time.monotonic()
            if left is not None and left <= 0:
                # Not `call.answer`, which the worker writes now that the call is cancelled.
                late = call.refusal or TimeoutError(f"{call.function.name} took longer than {limit:g} s")
                call.too_late = raised_text(late, None)
                self.close()
                return True
            guest.park(left)
        return True

    # --- on the worker's thread ---

    def decode(self, text: str, segments: Sequence[bytes]) -> Any:
        """Return the arguments of a call.

        Raises:
            CapsendError: the text is not a message, or names an object that the process does not have.
        """

        def resolve(reference: Any) -> object:
            number = reference.get("h") if type(reference) is dict else None
            grant = self._handles.get(number) if type(number) is int else None
            return self._shipment.resolve(reference) if grant is None else grant.handle()

        return wire.decode_value(text, resolve=resolve, limits=_LIMITS, segments=segments)

    def encode(self, value: object, name: str) -> tuple[str, list[Grant], list[bytes]]:
        """Encode the result of a call.

        Returns:
            (text, the grants behind its handles, the segments next to the text).

        Raises:
            SerializationError: a part of the result cannot be sent.
        """
        grants: list[Grant] = []

        def external(thing: object) -> object:
            grant = grant_of(thing)
            if grant is None:
                if refusal := declared_refusal(thing):
                    why = f"{refusal[0]}. Instead: {refusal[1]}"
                    raise SerializationError(f"the result of {name} cannot be sent: {why}", path="result")
                return self._shipment.message_name(thing)
            if why := self.refuses(grant):
                raise SerializationError(f"the result of {name} cannot be sent: {why}", path="result")
            grants.append(grant)
            return {"h": len(grants) - 1}

        pickled, segments = self._shipment.reads_pickles, list[bytes]()
        text = wire.encode_value(
            value,
            externals=external,
            name=f"the result of {name}",
            pickled=pickled,
            segments=segments if pickled else None,
        )
        return text, grants, segments

    def refuses(self, grant: Grant) -> str:
        """Return the reason why a grant cannot be part of a result; empty when it can."""
        return grant.refusal

    def audit(self, name: str, arguments: dict[str, Any]) -> None:
        """Raise the audit event of a call; an exception of an audit hook refuses the call."""
        sys.audit("capsend.host_call", self._number, name, arguments)

    def report(self, call: HostCall, outcome: Any, error: BaseException | None, seconds: float) -> None:
        """Report the end of a call to the function's `log`."""
        log = call.function.limits.log
        if log is None:
            return
        try:
            log(Report(self._number, call.function.name, call.arguments, outcome, error, seconds))
        except Exception:  # noqa: BLE001 - no caller could handle the exception
            _log.exception("the log of %s raised an exception", call.function.name)

    def name_of(self, thing: object) -> object:
        """Return the process's name for a class.

        Raises:
            NotEncodable: the object is an instance of a class that is declared not sendable.
        """
        if refusal := declared_refusal(thing):
            raise NotEncodable(thing, refusal[0])
        return self._shipment.message_name(thing)


class HostCall:
    """One call: its request, and its outcome."""

    def __init__(self, function: HostFunction[Any, Any], text: str, calls: HostCalls) -> None:
        self.function: HostFunction[Any, Any] = function
        self.arguments: dict[str, Any] = {}
        self.refusal: Exception | None = None
        self.too_late: str = ""
        self.done: bool = False
        self.answer: str = ""
        self.grants: list[Grant] = []
        self.segments: list[bytes] = []
        self.result_segments: list[bytes] = []
        self._text = text
        self._calls = calls

    def run(self, run: Callable[[Any], Any]) -> None:
        """Make the call, from decoding the arguments to encoding the answer; *run* awaits the coroutine of an asynchronous function."""
        outcome, error = "refused", None
        began = time.monotonic()
        try:
            bound = self._arguments()
            outcome = "raised"
            result = self.function.__wrapped__(*bound.args, **bound.kwargs)
            if self.function.is_async:
                result = run(result)
            problem = self.function.signature.result(result)
            if problem:
                raise TypeError(f"the result of {self.function.name}{problem}")  # noqa: TRY301 - the error is the function's
            self.answer, self.grants, self.result_segments = self._calls.encode(result, self.function.name)
            outcome = "returned"
        except BaseException as raised:  # noqa: BLE001 - the error belongs to the calling process
            error = raised
            self.answer = raised_text(raised, self._calls)
        self._calls.report(self, outcome, error, time.monotonic() - began)

    def _arguments(self) -> Any:
        if self.refusal is not None:
            raise self.refusal
        name = self.function.name
        try:
            decoded = self._calls.decode(self._text, self.segments)
        except CapsendError as error:
            raise TypeError(f"the arguments of {name} are not acceptable: {error}") from error
        if not _is_call(decoded):
            raise TypeError(f"the arguments of {name} are malformed")
        try:
            bound = self.function.signature.bind(*decoded)
        except TypeError as error:
            raise TypeError(f"{self.function.signature.text} cannot be called like this: {error}") from None
        self.arguments = dict(bound.arguments)
        self._calls.audit(name, self.arguments)
        return bound


def check_size(size: int) -> None:
    """Refuse arguments that are too large.

    Raises:
        LimitExceeded: the arguments are larger than the limit.
    """
    if size > MOST_ARGUMENTS:
        raise LimitExceeded(
            f"the arguments take {size} bytes in transit, and those of a call can take {MOST_ARGUMENTS}"
        )


def _is_call(decoded: Any) -> bool:
    if type(decoded) is not tuple or len(decoded) != 2:
        return False
    args, kwargs = decoded
    return type(args) is tuple and type(kwargs) is dict and all(type(name) is str for name in kwargs)


def raised_text(error: BaseException, calls: HostCalls | None) -> str:
    """Encode an exception for the process."""
    return "e" + (
        host_errors.describe(error) if calls is None else host_errors.describe(error, externals=calls.name_of)
    )


class _Worker:
    """A thread that makes calls one at a time; the process waits on its own thread and can be ended meanwhile."""

    def __init__(self) -> None:
        self.is_busy = False
        self._ended = False
        self._running: Any = None  # (event loop, task) of an asynchronous call
        self._runner: Any = None  # made at the first asynchronous call
        self._lock = threading.Lock()
        self._jobs: queue.SimpleQueue[tuple[HostCall, Callable[[], None]] | None] = queue.SimpleQueue()
        # A daemon: a function that hangs must not keep the interpreter from exiting.
        threading.Thread(target=self._work, name="capsend host functions", daemon=True).start()

    def begin(self, call: HostCall, wake: Callable[[], None]) -> None:
        """Make a call, and wake the process when the call has ended."""
        self.is_busy = True
        self._jobs.put((call, wake))

    def end(self) -> None:
        """Cancel an asynchronous call, and end the thread once no call is running."""
        with self._lock:
            self._ended = True
            self._cancel()
        self._jobs.put(None)

    def _cancel(self) -> None:
        if self._running is not None:
            loop, task = self._running
            try:
                loop.call_soon_threadsafe(task.cancel)
            except RuntimeError:
                return  # the call has just ended

    def _started(self, running: Any) -> None:
        with self._lock:
            self._running = running
            if self._ended:
                self._cancel()

    def _await(self, awaitable: Any) -> Any:
        import asyncio  # loaded since an asynchronous function became a `HostFunction`

        async def watched() -> Any:
            self._started((asyncio.get_running_loop(), asyncio.current_task()))
            return await awaitable

        if self._runner is None:
            self._runner = asyncio.Runner()
        return self._runner.run(watched())

    def _work(self) -> None:
        try:
            while (job := self._jobs.get()) is not None:
                call, wake = job
                call.run(self._await)
                with self._lock:
                    self._running = None
                self.is_busy = False
                call.done = True
                wake()
                del job, call, wake  # the objects that they hold must not live until the next call
        finally:
            if self._runner is not None:
                self._runner.close()
