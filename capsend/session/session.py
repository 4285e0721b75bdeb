"""Sessions: a live process that runs pieces of source text one after the other and keeps its variables in between."""

from __future__ import annotations

import copy
import threading
from typing import TYPE_CHECKING, Any, Final, final

import attrs

from capsend.capabilities.handles import Handles
from capsend.closing import Closing
from capsend.environment import Environment, default
from capsend.exceptions import raised_by_result, shown_at_caller
from capsend.mailbox.wakeups import Event
from capsend.process import Process
from capsend.runtime.operations import OPERATIONS
from capsend.runtime.running import start
from capsend.session import snapshot_file
from capsend.session.kept_output import OF_ENVIRONMENT, KeptOutput
from capsend.session.life import Call, Look, SessionLife, Still, StillShipment, Task
from capsend.session.snapshot_file import Contents
from capsend.source_text.shipment import LONGEST_SHOWN, Entries
from capsend.source_text.source import Source, check_globals

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping

    from capsend.outcome import Outcome
    from capsend.session.kept_output import Target
    from capsend.source_text.shipment import TextShipment


_ENTRIES: Final = (
    "open_session",
    "run_cell",
    "assign",
    "fetch",
    "delete",
    "names",
    "renewal.renew",
    "resume",
    "display_cell",
    "pass_over",
)
_MOST_TEXTS: Final = 50
"""The most cells whose lines appear in tracebacks: the newest ones, with at most `LONGEST_SHOWN` characters together."""


@final
class Session(Closing):
    r"""A live process that runs cells of source text in one namespace, like the kernel of a notebook.

    The environment's `timeout`, `cpu` and `output` are limits of each cell; its memory, and its limits of handles,
    messages and processes, are limits of the whole session. A cell that reaches one of its limits is interrupted, and
    the session keeps its variables. If the cell has not ended a second later, the session ends; it also ends with a
    fault of the guest.

    Ordering:
        Cells and operations on variables, from any number of threads, are done one after the other, in the order of the
        calls.

    Args:
        environment: the environment; the default one when None.
        grants: the first globals: data, by value, and capabilities, such as host functions and `Dir`s.

    Example:
        >>> import capsend
        >>> with capsend.Session(rate=2) as session:
        ...     session.run("prices = [1, 2, 3]")
        ...     session["extra"] = 1
        ...     session.run("total = sum(prices) * rate + extra\ntotal"), session["total"]
        (13, 13)

    Source:
        The kernels of Jupyter: cells, interrupts, and MIME types for the display of a value.
    """

    @shown_at_caller
    def __init__(self, environment: Environment | None = None, /, **grants: Any) -> None:
        """Start a session.

        Raises:
            TypeError: a grant cannot be a global.
            CapsendError: a grant cannot be sent.
            ImageError: the image cannot be built.
        """
        check_globals(grants, "a session")
        self._begin(environment or default(), grants)
        self._open()

    def _begin(self, environment: Environment, grants: dict[str, Any]) -> None:
        environment.check_python()
        if environment.on is not None:
            message = (
                "a Session runs in this program. Give it an environment without `on`: environment.replace(on=None)"
            )
            raise ValueError(message)
        self._environment = environment
        self._grants = grants
        self._next_cell = 1
        self._texts: dict[str, str] = {}
        self._lock = threading.Lock()

    def _open(self) -> None:
        entries = Entries(*_ENTRIES, knows=self._environment.image.knows)
        call = entries.call("open_session", (), self._grants, name="session", texts={})
        self._start(entries, call.shipment)

    def _start(self, entries: Entries, shipment: TextShipment) -> None:
        self._entries = entries
        template = self._environment.image.template()
        life = start(shipment, self._environment, template, operations=OPERATIONS, kind=SessionLife)
        assert isinstance(life, SessionLife)
        self._life = life
        self._process: Process[None] = Process(life, "session")

    @property
    def process(self) -> Process[None]:
        """The process of the session, with `id`, `stats()`, `exit_reason` and `kill()`; `reset` starts another one."""
        return self._process

    # --- cells ---

    @shown_at_caller
    def run(
        self,
        text: str | Source,
        /,
        *,
        inputs: Mapping[str, Any] | None = None,
        timeout: float | None = OF_ENVIRONMENT,
        stdout: Callable[[str], object] | None = OF_ENVIRONMENT,
        stderr: Callable[[str], object] | None = OF_ENVIRONMENT,
        display: bool = False,
    ) -> Any:
        """Run a cell, wait for its end, and return the value of its final expression.

        Ctrl-C during the wait also interrupts the cell.

        Args:
            text: the cell; give a `Source` to choose the name in tracebacks.
            inputs: {name: value} of globals to set before it runs.
            timeout: the most seconds that it may take; the environment's by default, None for no limit.
            stdout: called with its output, whole lines, while it runs; the environment's target by default.
            stderr: the same for standard error.
            display: True to return the value as a notebook shows it, `{MIME type: text}`, or None if the value is None.

        Raises:
            SyntaxError: the cell cannot be compiled.
            TimeLimitExceeded: the cell took longer than *timeout*; the session continues.
            OutputLimitExceeded: the cell wrote more than the environment allows; the session continues.
            MemoryLimitExceeded: the cell asked for more memory than the session has; the session continues.
            KeyboardInterrupt: the cell was interrupted; the error is also an `Exception`.
            ProcessKilled, ProcessFailed: the session has ended.
            Exception: the cell raised it.
        """
        call = self._cell(text, inputs, timeout, (stdout, stderr), display=display)
        self._wait(call)
        if call.error is not None:
            raise raised_by_result(call.error)
        return call.value

    @shown_at_caller
    async def run_async(
        self,
        text: str | Source,
        /,
        *,
        inputs: Mapping[str, Any] | None = None,
        timeout: float | None = OF_ENVIRONMENT,
        stdout: Callable[[str], object] | None = OF_ENVIRONMENT,
        stderr: Callable[[str], object] | None = OF_ENVIRONMENT,
        display: bool = False,
    ) -> Any:
        """Run a cell as `run` does, without blocking the event loop.

        Cancelling the waiting task interrupts the cell, or prevents its start; the cells of other tasks continue.
        """
        call = self._cell(text, inputs, timeout, (stdout, stderr), display=display)
        await self._ended(call)
        if call.error is not None:
            raise call.error
        return call.value

    @shown_at_caller
    def execute(
        self,
        text: str | Source,
        /,
        *,
        inputs: Mapping[str, Any] | None = None,
        timeout: float | None = OF_ENVIRONMENT,
        stdout: Callable[[str], object] | None = OF_ENVIRONMENT,
        stderr: Callable[[str], object] | None = OF_ENVIRONMENT,
        display: bool = False,
    ) -> Outcome[Any]:
        """Run a cell as `run` does, wait for its end, and return its `Outcome`, whose `error` is the cell's exception.

        The outcome has all output. *stdout* and *stderr* get it too, while the cell runs; by default the environment's
        targets do, unless they are those of this program.
        """
        kept = KeptOutput(self._environment, stdout, stderr)
        call = self._cell(text, inputs, timeout, (kept.stdout, kept.stderr), display=display)
        self._wait(call)
        return kept.outcome(call, self._life)

    @shown_at_caller
    async def execute_async(
        self,
        text: str | Source,
        /,
        *,
        inputs: Mapping[str, Any] | None = None,
        timeout: float | None = OF_ENVIRONMENT,
        stdout: Callable[[str], object] | None = OF_ENVIRONMENT,
        stderr: Callable[[str], object] | None = OF_ENVIRONMENT,
        display: bool = False,
    ) -> Outcome[Any]:
        """Run a cell as `execute` does, without blocking the event loop.

        Cancelling the waiting task interrupts the cell, or prevents its start; the cells of other tasks continue.
        """
        kept = KeptOutput(self._environment, stdout, stderr)
        call = self._cell(text, inputs, timeout, (kept.stdout, kept.stderr), display=display)
        await self._ended(call)
        return kept.outcome(call, self._life)

    def interrupt(self) -> bool:
        """Raise `KeyboardInterrupt` in the running cell; return whether one was running.

        The interrupt reaches a busy loop, a regular expression, a sleep, and a wait for the host. It does not reach a
        single long operation of the interpreter, such as `10**10**8`, and code may catch it. The session keeps its
        variables.
        """
        return self._life.interrupt()

    # --- variables ---

    @shown_at_caller
    def __getitem__(self, name: str) -> Any:
        """Return a copy of a global.

        Raises:
            KeyError: the session has no global of that name.
            SerializationError: the value cannot be sent.
        """
        return self._do("fetch", (name,), {})

    @shown_at_caller
    def __setitem__(self, name: str, value: object) -> None:
        """Set a global to a copy of a value, or to a capability.

        Raises:
            TypeError: the name cannot be a global's.
            CapsendError: the value cannot be sent.
        """
        check_globals({name: value}, "a session")
        self._do("assign", (), {name: value})

    @shown_at_caller
    def __delitem__(self, name: str) -> None:
        """Delete a global.

        Raises:
            KeyError: the session has no global of that name.
        """
        self._do("delete", (name,), {})

    @shown_at_caller
    def __contains__(self, name: object) -> bool:
        return name in self._do("names", (), {})

    @shown_at_caller
    def names(self) -> list[str]:
        """Return the names of the session's globals, except those that Python makes: `[name, ...]`."""
        found: list[str] = self._do("names", (), {})
        return found

    # --- its life ---

    @shown_at_caller
    def reset(self) -> None:
        """Start again in a new process, with only the grants of the start."""
        with self._lock:
            self._process.kill()
            self._open()

    @shown_at_caller
    def snapshot(self) -> Snapshot:
        """Return a snapshot of the session once the earlier cells have ended; any number of sessions can start from it.

        Raises:
            CapsendError: the session was given a `Dir`, or the system is not Linux.
            ProcessKilled, ProcessFailed: the session has ended.
        """
        self._do("names", (), {})  # then the size of the memory is known
        look = Look()
        with self._lock:
            state = State(copy.copy(self._entries), self._environment, self._grants, dict(self._texts), self._next_cell)
            self._life.add(look)
        self._wait(look)
        if look.error is not None:
            raise look.error
        return Snapshot(look.value, state)

    @shown_at_caller
    def fork(self) -> Session:
        """Return a new session that continues from the state of this one; from then on their variables are independent.

        Raises:
            CapsendError: as for `snapshot`.
        """
        return self.snapshot().start()

    def close(self) -> None:
        """End the session at once, and wait for its end."""
        self._process.kill()
        self._life.finished.wait()

    async def _close_async(self) -> None:
        await self._process.__aexit__(None, None, None)

    def __repr__(self) -> str:
        return f"<Session in process {self._process.id}: {self._process.exit_reason or 'running'}>"

    # --- the mechanism ---

    def _cell(
        self,
        text: str | Source,
        inputs: Mapping[str, Any] | None,
        timeout: float | None,
        targets: tuple[Target, Target],
        *,
        display: bool,
    ) -> Call:
        source = text if isinstance(text, Source) else Source(text, name=f"<cell {self._number_of_cell()}>")
        check_globals(dict(inputs or {}), source.name)
        limits = self._environment if timeout is OF_ENVIRONMENT else self._environment.replace(timeout=timeout)
        own = (self._environment.stdout, self._environment.stderr)
        stdout, stderr = (mine if given is OF_ENVIRONMENT else given for given, mine in zip(targets, own, strict=True))
        args = (source.text, source.name)
        entry = "display_cell" if display else "run_cell"
        return self._add(entry, args, inputs or {}, limits, source=source, targets=(stdout, stderr))

    def _number_of_cell(self) -> int:
        with self._lock:
            number, self._next_cell = self._next_cell, self._next_cell + 1
        return number

    def _do(self, entry: str, args: tuple[str | int, ...], kwargs: dict[str, Any]) -> Any:
        call = self._add(entry, args, kwargs, self._environment)
        self._wait(call)
        if call.error is not None:
            raise raised_by_result(call.error)
        return call.value

    def _add(
        self,
        entry: str,
        args: tuple[str | int, ...],
        kwargs: Mapping[str, Any],
        limits: Environment,
        *,
        source: Source | None = None,
        targets: tuple[Target, Target] | None = None,
    ) -> Call:
        name = "session" if source is None else source.name
        stdout, stderr = targets or (self._environment.stdout, self._environment.stderr)
        with self._lock:
            if source is not None:
                self._texts.pop(source.name, None)
                self._texts[source.name] = source.text
                while len(self._texts) > _MOST_TEXTS or sum(map(len, self._texts.values())) > LONGEST_SHOWN:
                    del self._texts[next(iter(self._texts))]
            packed = self._entries.call(entry, args, kwargs, name=name, texts=dict(self._texts))
            call = Call(
                packed.head,
                packed.text,
                passed_over=attrs.evolve(packed, entry=self._entries.numbers["pass_over"]).head,
                grants=packed.grants,
                shipment=packed.shipment,
                limits=limits,
                targets=(stdout, stderr),
            )
            self._life.add(call)
        return call

    def _wait(self, call: Task) -> None:
        self._life.finished.check_waiter()
        try:
            call.wait()
        except BaseException:
            self._life.withdraw(call)  # Ctrl-C during the wait
            raise

    async def _ended(self, call: Task) -> None:
        import asyncio

        ended = Event()
        call.add_callback(ended.set)
        try:
            await ended.wait()
        except asyncio.CancelledError:
            self._life.withdraw(call)
            raise


@attrs.frozen
class State:
    """The part of a session that its host program keeps.

    Attributes:
        entries: the program of its calls.
        environment: its environment.
        grants: the globals with which it begins.
        texts: {name: text} of its last cells.
        next_cell: the number of its next cell.
        is_foreign: True if another program made the session, so that this program did not send its objects.
    """

    entries: Entries
    environment: Environment
    grants: dict[str, Any]
    texts: Mapping[str, str]
    next_cell: int
    is_foreign: bool = False


@final
class Snapshot:
    """A session at one moment, from which any number of sessions can start.

    Made by `Session.snapshot`, or loaded from a file. The sessions share the memory that they do not write to.

    Example:
        >>> import capsend, pathlib, tempfile
        >>> file = pathlib.Path(tempfile.mkdtemp(), "prices.snapshot")
        >>> with capsend.Session() as session:
        ...     session.run("prices = [1, 2, 3]")
        ...     session.snapshot().save(file)
        >>> with capsend.Snapshot.load(file, rate=2).start() as session:  # in another program, perhaps
        ...     session.run("sum(prices) * rate")
        12
    """

    def __init__(self, still: Still, state: State) -> None:
        """Wrap a state; `Session.snapshot` calls this, users do not."""
        self._still = still
        self._state = state

    @property
    def size(self) -> int:
        """The bytes of memory that it keeps: the pages that the session had written."""
        return self._still.picture.stored

    @shown_at_caller
    def start(self, environment: Environment | None = None) -> Session:
        """Return a session that continues from the snapshot, in its environment or another one with the same image.

        Raises:
            ValueError: the environment has another image.
            MemoryLimitExceeded: the environment grants less memory than the session had.
            CapsendError: a grant of `load` cannot be sent, or the loaded memory is not a session's.
        """
        environment = environment or self._state.environment
        if environment.image != self._state.environment.image:
            message = "a snapshot can only be started in an environment with the image that it was made with"
            raise ValueError(message)
        if environment.memory < self._still.picture.size:
            raise snapshot_file.too_large(self._still.picture.size, environment.memory)
        return _started(self._still, attrs.evolve(self._state, environment=environment))

    @shown_at_caller
    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the snapshot to *path*, readable only by this user: the file contains everything that the session did, secrets included.

        An existing file is replaced once the new one is complete.

        Raises:
            OSError: the file cannot be written.
        """
        image = self._state.environment.image.record.digest
        handle = self._still.handles.next_number
        contents = Contents(image, self._still.picture, handle, self._state.next_cell, self._state.texts)
        snapshot_file.write(path, contents)

    @classmethod
    @shown_at_caller
    def load(cls, path: str | os.PathLike[str], environment: Environment | None = None, /, **grants: Any) -> Snapshot:
        """Read a snapshot from a file, which may come from an untrusted author: its sessions are contained like any hostile code.

        The sessions have the variables of the snapshot, and only these grants as capabilities. Instances of classes
        that the saving program had sent become records, as do those of classes defined in the session.

        Args:
            path: the file written by `save`, with the same image.
            environment: the environment; the default one when None.
            grants: globals to set: data, by value, and capabilities.

        Raises:
            SnapshotError: the file is not a snapshot, is damaged or incomplete, or was made with another image.
            MemoryLimitExceeded: the environment grants less memory than the session had.
            OSError: the file cannot be read.
            TypeError: a grant cannot be a global.
        """
        check_globals(grants, "a session")
        environment = environment or default()
        environment.check_python()
        environment.image.ensure()
        read = snapshot_file.read(path, image=environment.image.record.digest, memory=environment.memory)
        entries = Entries(*_ENTRIES, knows=environment.image.knows)
        state = State(entries, environment, grants, read.texts, read.next_cell, is_foreign=True)
        return cls(Still(read.picture, Handles(read.next_handle)), state)

    def __repr__(self) -> str:
        return f"<Snapshot of a session, {self.size} bytes>"


def _started(still: Still, state: State) -> Session:
    """Return a session that continues from a moment of another one."""
    session, entries = Session.__new__(Session), copy.copy(state.entries)
    session._begin(state.environment, state.grants)  # noqa: SLF001 - its own module
    session._next_cell = state.next_cell  # noqa: SLF001 - as above
    session._texts.update(state.texts)  # noqa: SLF001 - as above
    shipment = StillShipment(
        entries.text, "", "session", entries.program.objects, frozenset(), (), entries.origins, texts={}, still=still
    )
    session._start(entries, shipment)  # noqa: SLF001 - as above
    try:
        if state.is_foreign:
            session._do("resume", (len(_ENTRIES),), {})  # noqa: SLF001 - as above
            session._do("assign", (), state.grants)  # noqa: SLF001 - as above
        session._do("renewal.renew", (), {})  # noqa: SLF001 - as above: new random numbers
    except BaseException:
        session.close()
        raise
    return session
