"""The life of a process: one isolated instance on its own thread, from the start to the last line of output."""

from __future__ import annotations

import functools
import itertools
import logging
import threading
import time
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

from capsend.capabilities.folders import Anchors, mounts_of
from capsend.capabilities.handles import Handles
from capsend.codec.operations import MAIL, Operation, RefusalWord
from capsend.codec.segments import size_of
from capsend.codec.text import Stopped, dumps
from capsend.exceptions import OutputLimitExceeded, ProcessKilled
from capsend.process import Stats
from capsend.runtime import admission
from capsend.runtime.call_limits import Turns
from capsend.runtime.completion import Completion
from capsend.runtime.endings import fault_of, is_told, reason_of, translated, words_of
from capsend.runtime.home import THIS_PROGRAM
from capsend.runtime.mail_operations import Mail
from capsend.runtime.output import Lines
from capsend.runtime.time_limits import TimeLimits
from capsend.runtime.transit import Transit, charged
from capsend.runtime.tree import Branch, NoRoom, budget_of
from capsend.shipping.outcomes import ChildRaised
from capsend.waiting import give_way

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from capsend.capabilities.folders import Mount
    from capsend.engine import Guest, Template
    from capsend.runtime.home import Calls, Home
    from capsend.runtime.terms import Terms
    from capsend.shipping.reuse import Reuse
    from capsend.shipping.ship import Shipment

_SMALL_PART: Final = 65_536


_numbers = itertools.count(1)


def next_number() -> int:
    """Return a number that this program has given to no other process."""
    return next(_numbers)


def count_from(number: int) -> None:
    """Number the processes of this program from *number* on: programs that run processes together must not use a number twice."""
    global _numbers  # noqa: PLW0603 - one OS process, one sequence
    _numbers = itertools.count(number)


class Answerer(Protocol):
    """The host operations of one range of numbers for one process."""

    def answer(self, operation: int, payload: str) -> str:
        """Do one operation."""


Operations: TypeAlias = "Sequence[tuple[range, Callable[[Life], Answerer]]]"
"""[(range of numbers, maker of the object that does these operations)], for host operations that a life does not do itself."""


class Life(Completion):
    """The state shared by a process's thread and its handle.

    The thread holds the life, not the handle. So a handle without references can be collected, which ends its process.
    """

    value: Any

    __slots__ = (
        "_ahead",
        "_asked",
        "_before",
        "_clock",
        "_err",
        "_given",
        "_made",
        "_memory",
        "_out",
        "_seconds",
        "_stop",
        "_time_limits",
        "_written",
        "anchors",
        "branch",
        "calls",
        "environment",
        "guest",
        "handles",
        "home",
        "mail",
        "name",
        "operations",
        "parent",
        "shipment",
        "template",
        "transit",
        "turns",
    )

    def __init__(
        self,
        shipment: Shipment,
        environment: Terms,
        *,
        operations: Operations,
        parent: Life | None = None,
        reserved: int = 0,
        number: int | None = None,
        home: Home = THIS_PROGRAM,
    ) -> None:
        """Begin a life; arguments as those of `capsend.runtime.running.start`."""
        super().__init__(next_number() if number is None else number)
        self.shipment: Shipment | None = shipment
        self.environment: Terms = environment
        self.home: Home = home if parent is None else parent.home
        self.name: str = shipment.name
        self.guest: Guest | None = None
        self.template: Template | None = None
        self.parent: int | None = None if parent is None else parent.number
        self.handles: Handles = Handles()
        self.transit: Transit = Transit()
        self.mail: Mail = Mail(
            self.number,
            environment,
            self.handles,
            transit=self.transit,
            stop=self._stop_linked,
            charge=self._charge,
            record=self.home.record,
        )
        self.mail.open(shipment)
        self.calls: Calls | None = None
        self.operations: Operations = operations
        self._made: dict[range, Answerer] = {}
        self._stop: BaseException | None = None
        self._out = Lines(environment.stdout)
        self._err = Lines(environment.stderr)
        self._written = 0
        self._memory = 0
        self.anchors: Anchors | None = None if parent is None else parent.anchors
        self._asked: Reuse | None = None  # the program whose compiled functions the process is asked for
        self._ahead: list[str] = []  # parts of the answer that arrived before it
        self._given: list[bytes] = []  # segments of the answer
        self._clock: int | None = None  # the CPU clock of its thread, while the thread runs
        self._before = 0.0  # CPU time that its thread had used for earlier processes
        self._seconds = 0.0  # CPU time that its thread has used for this process, once it has ended
        above: Branch | None = None if parent is None else parent.branch
        self.mail.port.account = above
        self.turns: Turns = Turns() if parent is None else parent.turns
        self.branch: Branch = Branch(self, budget_of(environment), parent=above, memory=reserved)
        self._time_limits = TimeLimits(environment, number=self.number, stop=self.stop)

    # --- called from the handle ---

    def stop(self, error: BaseException) -> None:
        """End the process and its descendants with this error; do nothing if it has ended or is being stopped. Returns at once."""
        self.stop_alone(error)
        self._stop_descendants()

    def stop_alone(self, error: BaseException) -> None:
        """End the process with this error, without its descendants; return at once."""
        if self._stop is None and self.reason is None:
            self._stop = error
        guest = self.guest
        if guest is not None:
            guest.interrupt()
        else:
            admission.hasten()

    def _stop_descendants(self) -> None:
        for life in self.branch.descendants():
            why = f"process {self.number}, below which it was spawned, ended"
            life.stop_alone(ProcessKilled(f"process {life.number} was killed: {why}"))

    @property
    def is_ending(self) -> bool:
        """True once the process is being stopped or has ended."""
        return self._stop is not None or self.reason is not None

    def kill(self) -> None:
        """End the process at the request of a holder of its handle."""
        self.stop(ProcessKilled(f"process {self.number} was killed"))

    def abandon(self) -> None:
        """End the process because no handle of it is left."""
        self.stop(ProcessKilled(f"process {self.number} was killed: its last handle was dropped"))

    def _stop_linked(self, words: str) -> None:
        """End the process because a linked process or mailbox has ended."""
        self.stop(ProcessKilled(f"process {self.number} was killed: {words}"))

    def forget(self) -> None:
        """Discard a life that could not begin."""
        self.branch.end()
        self._time_limits.cancel()

    def stats(self) -> Stats:
        """Return the resources that the process has used."""
        mail, guest = self.mail, self.guest
        return Stats(
            cpu_seconds=self.cpu_seconds(),
            memory=self._memory if guest is None else guest.memory,
            sent=mail.sent,
            received=mail.port.received,
            waiting=len(mail.port),
            dropped=mail.port.dropped,
            output_bytes=self._written,
        )

    @property
    def terms_of_children(self) -> Terms:
        """The environment that limits the children of the process."""
        return self.environment

    def cpu_seconds(self) -> float:
        """Return the processor time of its thread."""
        clock = self._clock
        try:
            return self._seconds if clock is None else time.clock_gettime(clock) - self._before
        except OSError:  # the thread has just ended
            return self._seconds

    # --- called on the thread ---

    def live(self, template: Template | Callable[[], Template]) -> None:
        """Run the process from its beginning to its end.

        Args:
            template: the template of its guest, or a function that returns it; an error of the function ends the
                process.
        """
        from capsend import engine

        guest: Guest | None = None
        self._before = time.thread_time()
        self.finished.thread = threading.get_ident()
        if hasattr(time, "pthread_getcpuclockid"):
            # Only the thread itself asks for it: the identifier of an ended thread must not be used.
            self._clock = time.pthread_getcpuclockid(threading.get_ident())
        try:
            try:
                if self._stop is not None:
                    raise engine.Interrupted  # noqa: TRY301 - stopped before it was its turn
                self._time_limits.begin()
                self.template = template() if callable(template) else template
                guest = self._make_guest(self.template)
                self.guest = self.transit.guest = guest
                guest.on_wait = functools.partial(admission.leave, self)
                self.mail.start(guest)
                self._time_limits.watch_cpu(self.branch)
                if self._stop is not None:
                    raise engine.Interrupted  # noqa: TRY301 - stopped before there was a guest to interrupt
                shipment = self.shipment
                if shipment is not None:
                    self._run(guest, shipment)
                if self._stop is not None:
                    raise engine.Interrupted  # noqa: TRY301 - stopped while its answer was read
            except (engine.Interrupted, Stopped):
                self._fail(self._stop or ProcessKilled(f"process {self.number} was killed"))
            except engine.Trapped as fault:
                self._fail(fault_of(fault, number=self.number))
            except BaseException as error:  # noqa: BLE001 - the error is for the waiter for the result
                self._fail(error)
            self._close_output()
        finally:
            if guest is not None and (self.parent is not None or self.anchors is not None):
                # The guest's resources, above all its files, are free before others are notified, as they may spawn the
                # next process at once.
                guest.close()
            self._finish()
            # A scheduler often wakes the waiter on this processor, where it would wait while the guest's memory is cleaned.
            give_way()
            if guest is not None:
                self._memory = guest.memory
                guest.close()
                self.guest = None
                self._tell_end()

    def _tell_end(self) -> None:
        from capsend.runtime import pool

        if self.template is not None:
            pool.ended(self.template)

    @property
    def stack(self) -> int:
        """Bytes of stack that its thread needs."""
        from capsend.engine import THREAD_STACK

        return THREAD_STACK

    def _run(self, guest: Guest, shipment: Shipment) -> None:
        self._receive(shipment, guest.run(self._program(shipment), shipment.call))

    def _make_guest(self, template: Template) -> Guest:
        from capsend import engine
        from capsend.runtime import pool

        memory = self.environment.memory
        mounts = self._mounts()
        # A process with folders needs a new instance: folders are set when an instance is made, and ready instances
        # have none.
        guest = None if mounts else pool.take(template)
        if guest is None:
            guest = engine.Guest(template, memory=memory, host=self._answer, mounts=mounts)
            guest.prefault()
            return guest
        guest.limit(memory)
        guest.host = self._answer
        return guest

    def _mounts(self) -> list[Mount]:
        """Return the folders of the process, each by a path that can only lead to the folder granted to the tree."""
        mounts = mounts_of(self.shipment.grants) if self.shipment is not None else ()
        if mounts and self.anchors is None:
            self.anchors = Anchors(mounts)
        return self.anchors.held(mounts) if self.anchors is not None else []

    def _program(self, shipment: Shipment) -> str:
        """Return the program with the handles of the process's start."""
        start = ""
        if shipment.grants:
            start += f'"handles":{dumps(self.handles.deliver(shipment.grants))},'
        if self.environment.env:
            start += f'"variables":{dumps(dict(self.environment.env))},'
        if shipment.segments:
            start += f'"segments":"{self.transit.hand_out(shipment.segments)}",'
        if not self.transit.is_in_place:
            start += '"by_text":1,'
        if shipment.takes_mailbox:
            start += '"mailbox":1,'
        if (level := self.home.log_level) != logging.WARNING:
            start += f'"logging":{level},'
        if (reuse := shipment.reuse) is not None:
            if reuse.code:
                start += f'"code":"{reuse.code}",'
            elif reuse.is_code_wanted:
                start += '"compile":1,'
                self._asked = reuse
        return f"{{{start}{shipment.program[1:]}" if start else shipment.program

    def _receive(self, shipment: Shipment, text: str) -> None:
        if self._ahead:
            text = "".join((*self._ahead, text))
            self._ahead.clear()
        segments, self._given = self._given, []
        self._check_size(charged(text, segments))
        self.value = shipment.receive(
            text,
            self.number,
            handles=self.handles,
            is_unwanted=lambda: self._stop is not None,
            segments=segments,
        )

    def _receive_ahead(self, part: str) -> None:
        """Keep a part of a large result; refuse a result above the limit as soon as its parts exceed it."""
        if self._ahead and len(self._ahead[-1]) < _SMALL_PART:
            self._ahead[-1] += part  # the list must not grow by tiny parts
        else:
            self._ahead.append(part)
        try:
            self._check_size(self._size_ahead())
        except OutputLimitExceeded as error:
            self._refuse_ahead(error)

    def _receive_segments(self, names: str) -> str:
        """Keep segments of a result; refuse segments above the limit before they are copied."""
        before = self._size_ahead()
        try:
            if names.startswith("+"):  # the rest of a segment that was sent as text
                more = self.transit.read(f"={names[1:]}", charge=lambda size: self._check_size(before + size))
                self._given[-1] += more[0]
            else:
                self._given += self.transit.read(names, charge=lambda size: self._check_size(before + size))
        except OutputLimitExceeded as error:
            self._refuse_ahead(error)
        except (ValueError, LookupError):
            return RefusalWord.MALFORMED
        return ""

    def _take_segments(self, places: str) -> str:
        try:
            return self.transit.take(places)
        except ValueError:
            return RefusalWord.MALFORMED

    def _size_ahead(self) -> int:
        return sum(map(len, self._ahead)) + size_of(self._given)

    def _refuse_ahead(self, error: OutputLimitExceeded) -> None:
        """End the process because of the size of its result."""
        self.stop(error)

    def _check_size(self, size: int) -> None:
        limit = self.environment.result
        if size > limit:
            message = (
                f"process {self.number} ended with a result of more than the {limit} bytes in transit that its environment "
                "allows. Return less, or allow more: Environment(result=...)"
            )
            raise OutputLimitExceeded(message, limit=limit)
        try:
            self.branch.hold_result(size)
        except NoRoom as lack:
            message = f"the result of process {self.number} has no room beside the other results that wait to be taken: {lack}"
            raise OutputLimitExceeded(f"{message}. Take results as they come", limit=limit) from None

    def _fail(self, error: BaseException) -> None:
        self.value = None
        if is_told(error):
            # The cause shows where the error was raised; this thread's frames would keep the whole process alive.
            error.__traceback__ = None
        self._error = translated(error, number=self.number, limit=self.environment.memory)

    def _answer(self, operation: int, payload: str) -> str:
        """Do a host operation, by number; an unknown number does nothing."""
        # Only the first request of a process can bring compiled code: the image makes it, before the program can make one.
        asked, self._asked = self._asked, None
        if operation in MAIL:  # first: messages are frequent
            return self.mail.answer(operation, payload)
        if operation in {Operation.STDOUT, Operation.STDERR}:
            self._write(self._out if operation == Operation.STDOUT else self._err, payload)
        elif operation == Operation.SLEEP and self.guest is not None:
            self.guest.sleep(_seconds(payload))
        elif operation == Operation.ANSWER:
            self._receive_ahead(payload)
        elif operation == Operation.GIVE:
            return self._receive_segments(payload)
        elif operation == Operation.TAKE:
            return self._take_segments(payload)
        elif operation == Operation.FLUSH:
            (self._out if payload == str(Operation.STDOUT.value) else self._err).flush()
        elif operation == Operation.CPU:
            return repr(self.cpu_seconds())
        elif operation == Operation.WARN:
            return self._warn(payload)
        elif operation == Operation.CALL:
            return self._call(payload)
        elif operation == Operation.CODE and asked is not None:
            asked.take_code(payload)
        else:
            return self._answer_by_table(operation, payload)
        return ""

    def _answer_by_table(self, operation: int, payload: str) -> str:
        """Do an operation by the table given to the life."""
        for numbers, make in self.operations:
            if operation in numbers:
                made = self._made.get(numbers)
                if made is None:
                    made = self._made[numbers] = make(self)
                return made.answer(operation, payload)
        return ""

    def _call(self, payload: str) -> str:
        """Call a host function."""
        if self.calls is None:
            self.calls = self.home.calls_of(self)
        return self.calls.answer(self.guest, payload)

    def _warn(self, payload: str) -> str:
        """Forward a warning; its text counts as output."""
        if self.environment.stderr is None or self.shipment is None or not self._charge(len(payload)):
            return ""
        return self.home.warn(self, payload)

    def _charge(self, size: int) -> bool:
        """Count bytes of output; if they exceed the limit, end the process and return False."""
        return self._room(size) == size

    def _room(self, size: int) -> int:
        """Count bytes of output.

        Returns:
            The number of bytes that may be written; if it is smaller than *size*, the process ends.
        """
        self._written += size
        room = self.branch.take_most("output", size)
        if room < size:
            limit = self.environment.output
            also = "" if self.parent is None else ", or more than is left for all that was spawned with it"
            message = (
                f"process {self.number} wrote more than the {limit} bytes of output that its environment allows{also}"
            )
            self.stop(
                OutputLimitExceeded(f"{message}. Write less, or allow more: Environment(output=...)", limit=limit)
            )
        return room

    def _write(self, lines: Lines, text: str) -> None:
        # ASCII text has as many bytes as characters, and most output is ASCII.
        size = len(text) if text.isascii() else len(text.encode("utf-8", "replace"))
        room = self._room(size)
        lines.write(text if room == size else text.encode("utf-8", "replace")[:room].decode("utf-8", "ignore"))

    def _close_output(self) -> None:
        try:
            self._out.close()
            self._err.close()
        except BaseException as error:  # noqa: BLE001 - the error of a target of output is for the waiter for the result
            self._fail(error)

    def _finish(self) -> None:
        self._time_limits.cancel()
        self.shipment = None
        self.anchors = None
        self._ahead.clear()
        self._given.clear()
        self.transit.guest = None
        self.transit.hand_out(())
        if self.calls is not None:
            self.calls.close()
        self._stop_descendants()
        self._made.clear()
        self.handles.close()
        self._seconds, self._clock = time.thread_time() - self._before, None
        if self._error is not None and not isinstance(self._error, ChildRaised):
            self.branch.drop_result()
        self.branch.end()
        reason = reason_of(self._error, stop=self._stop)
        words = "" if self._error is None or reason == "normal" else words_of(self._error)
        self._complete(reason, lambda: self.mail.close(reason, words))


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        return 0.0
    return seconds if seconds > 0 else 0.0
