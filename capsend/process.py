"""The handle of a process: end, result and address, and the protocols of the life behind a handle and of the act that spawns."""

from __future__ import annotations

from typing import (
    TYPE_CHECKING,
    Any,
    Concatenate,
    Final,
    Generic,
    Literal,
    ParamSpec,
    Protocol,
    TypeAlias,
    TypeVar,
    overload,
)

import attrs

from capsend.exceptions import hide_own_frames, shown_at_caller

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator
    from types import TracebackType
    from typing import Self

    from capsend.mailbox.address import Address
    from capsend.mailbox.mailbox import Mailbox


P = ParamSpec("P")
R = TypeVar("R")
M = TypeVar("M")
R_co = TypeVar("R_co", covariant=True)
M_contra = TypeVar("M_contra", contravariant=True)
T = TypeVar("T")

_ACTS: Final = frozenset(("send", "send_async", "call", "call_async"))


ExitReason: TypeAlias = Literal["normal", "failed", "killed", "limit", "trap", "lost"]
"""The end of a process.

"normal": it returned a value. "failed": it raised. "killed": by `kill`. "limit": at one of its limits. "trap": by a
fault of the guest. "lost": together with its node.
"""


@attrs.frozen
class Stats:
    """The resources that a process has used.

    Attributes:
        cpu_seconds: processor time of its thread.
        memory: bytes of its memory at its last host operation, the interpreter's own included.
        sent, received: messages; answers to calls and notices are not counted.
        waiting: messages in its mailbox, including messages that a selective `receive` set aside.
        dropped: messages that were lost: see `Address.send`.
        output_bytes: bytes written to its standard output and standard error, log records included.
    """

    cpu_seconds: float
    memory: int
    sent: int
    received: int
    waiting: int
    dropped: int
    output_bytes: int


class Finished(Protocol):
    """The end of a process, as something to wait for."""

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the process has ended, for at most *timeout* seconds; return whether it has ended."""


class Mail(Protocol):
    """The messages and links of a process."""

    @property
    def port(self) -> Any:
        """The queue behind the address, as `link` takes it."""

    def grant(self) -> HandleMaker:
        """Return the right to send to the process."""

    def port_of(self, other: Any) -> Any:
        """Return the port behind an address."""

    def link(self, other: Any) -> None:
        """Link the process to another port."""

    def unlink(self, other: Any) -> None:
        """Undo a link."""


class HandleMaker(Protocol):
    """A right that can be handed out."""

    def handle(self) -> object:
        """Return the handle."""


class Life(Protocol):
    """The life behind a handle: on the host a thread and its guest, in a parent process the number of a child."""

    @property
    def number(self) -> int:
        """The number of the process."""

    @property
    def reason(self) -> ExitReason | None:
        """The reason of the end; None while the process runs."""

    @property
    def mail(self) -> Mail:
        """The messages and links of the process."""

    @property
    def finished(self) -> Finished:
        """The end, to wait for."""

    def stats(self) -> Stats:
        """Return the figures of the process."""

    def outcome(self, *, as_result: bool = False) -> Any:
        """Return the value or raise the error of a finished process."""

    def kill(self) -> None:
        """End the process at the request of a holder of its handle."""

    def abandon(self) -> None:
        """End the process because no handle of it is left."""

    def add_callback(self, callback: Callable[[], None]) -> None:
        """Call *callback* when the process has ended, or at once if it has."""


class Node(Protocol):
    """A place where processes run, elsewhere than in this program; `capsend.cluster` has them."""

    @property
    def name(self) -> str:
        """Its name."""


class ForeignFunction(Protocol[P, R_co]):
    """A function that is not written in Python: its process takes messages, whatever its parameters are."""

    @property
    def __capsend_handle__(self) -> Any:
        """The right to start it."""

    def __capsend_ship__(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Return a call of the callable, in the form that a new process reads."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Run the function in a new process and return its result."""
        ...


class Spawner(Protocol):
    """The act that starts a process in the default environment."""

    def __call__(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Process[Any]:
        """Start a process."""


_spawners: Final[list[Spawner]] = []


def register_spawner(spawner: Spawner) -> None:
    """Register the act by which handles start processes. `capsend.spawning`, a higher layer, registers `spawn` when it is imported."""
    _spawners[:] = [spawner]


def spawner() -> Spawner:
    """Return the registered act."""
    return _spawners[0]


class Process(Generic[R_co]):
    """The handle of a running or finished process.

    A process is an isolated WebAssembly instance with its own memory, not an OS process. It runs on its own thread and
    shares nothing with the host program. An unfinished process is killed when the last reference to its handle goes,
    and when the interpreter exits.

    Example:
        >>> import capsend
        >>> with capsend.spawn(sum, [1, 2, 3]) as p:
        ...     p.result()
        6
    """

    __slots__ = ("__weakref__", "_life", "_name")

    def __init__(self, life: Life, name: str) -> None:
        """Wrap a life; `spawn` calls this, users do not."""
        self._life = life
        self._name = name

    @property
    def id(self) -> int:
        """A number that no other process of the host program has; counted from 1."""
        return self._life.number

    @property
    def exit_reason(self) -> ExitReason | None:
        """The reason of the end: "normal", "failed", "killed", "limit", "trap" or "lost"; None while the process runs."""
        return self._life.reason

    @property
    def node(self) -> Node | None:
        """The node of a cluster on which the process runs or ran; None for a process of this program."""
        node: Node | None = getattr(self._life, "node", None)
        return node

    def done(self) -> bool:
        """Return whether the process has ended, for whatever reason."""
        return self._life.reason is not None

    @property
    def address(self) -> Address[Any]:
        """The address of the process, for messages and captures. A process without a mailbox can only be monitored and linked to through it."""
        address: Address[Any] = self._life.mail.grant().handle()  # type: ignore[assignment]  # the grant of a port is handed out as an address
        return address

    def link(self, other: Process[Any] | Address[Any]) -> None:
        """Link two processes: if one ends with a reason other than "normal", the other is killed unless it traps exits.

        Ordering:
            An `Exit` arrives behind all messages that the ended process had sent to the other before it ended.

        Raises:
            TypeError: *other* is neither a process nor, on the host, an address.
            CapsendError: the address lacks the right to link.

        Source:
            Links and trapped exits are Erlang/OTP's.
        """
        self._life.mail.link(self._port_of(other))

    def unlink(self, other: Process[Any] | Address[Any]) -> None:
        """Undo a link, whichever process requested it; do nothing when the two are not linked.

        Raises:
            TypeError, CapsendError: as `link`.
        """
        self._life.mail.unlink(self._port_of(other))

    def _port_of(self, other: Process[Any] | Address[Any]) -> Any:
        return other._life.mail.port if isinstance(other, Process) else self._life.mail.port_of(other)  # noqa: SLF001 - its own class

    @overload
    def spawn_linked(self, fn: ForeignFunction[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Actor[object, R]: ...
    @overload
    def spawn_linked(
        self, fn: Callable[P, Coroutine[Any, Any, R]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Process[R]: ...
    @overload
    def spawn_linked(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Process[R]: ...
    @overload
    def spawn_linked(
        self, fn: Callable[Concatenate[Mailbox[M], P], Coroutine[Any, Any, R]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Actor[M, R]: ...
    @overload
    def spawn_linked(
        self, fn: Callable[Concatenate[Mailbox[M], P], R], /, *args: P.args, **kwargs: P.kwargs
    ) -> Actor[M, R]: ...
    def spawn_linked(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Process[R]:
        """Run `fn(*args, **kwargs)` in a new process, in the default environment, and link the process to this one."""
        try:
            made: Process[R] = spawner()(fn, *args, **kwargs)
            self.link(made)
        except Exception as error:
            hide_own_frames(error)
            raise
        return made

    if not TYPE_CHECKING:

        def __getattr__(self, name):
            """Name the missing mailbox when a message is sent to a process that takes none."""
            if name in _ACTS:
                message = (
                    f"process {self.id} takes no messages, and has no {name}: its function has no mailbox. "
                    "Give it one as its first parameter, annotated Mailbox[...]"
                )
            else:
                message = f"{type(self).__name__!r} object has no attribute {name!r}"
            raise AttributeError(message, name=name, obj=self)

    def stats(self) -> Stats:
        """Return the resources that the process has used so far, or until its end."""
        return self._life.stats()

    @shown_at_caller
    def result(self, timeout: float | None = None) -> R_co:
        """Wait until the process ends, and return the value that its function returned.

        All output of the process has been delivered by then. Ctrl-C interrupts the wait and does not affect the process.

        Args:
            timeout: seconds to wait; for ever when None.

        Raises:
            TimeoutError: the process has not ended in time; it goes on running, and `result` can be called again.
            RuntimeError: the caller is a target of the process's output: the process would wait for itself.
            ProcessKilled: the process was killed.
            NodeLost: the node on which the process ran was lost.
            TimeLimitExceeded: the process ran longer than its environment's timeout.
            MemoryLimitExceeded: the process asked for more memory than its environment grants.
            OutputLimitExceeded: the process wrote or returned more than its environment allows.
            ProcessFailed: the process ended by a fault, or by an exception that cannot come back as itself.
            Exception: its function raised; the traceback in the guest is the `__cause__`. `SystemExit` and
                `KeyboardInterrupt` are raised as errors that are also `Exception`s.
        """
        if not self._life.finished.wait(timeout):
            message = f"process {self.id} is still running after {timeout:g} s of waiting"
            raise TimeoutError(message)
        value: R_co = self._life.outcome(as_result=True)
        return value

    def kill(self) -> None:
        """End the process, even in a busy loop, a sleep or a blocked host operation; do nothing if it has ended.

        Returns at once; `result` then raises `ProcessKilled`.
        """
        self._life.kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Kill a process that still runs, and wait for its end."""
        self._life.kill()
        self._life.finished.wait()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Kill a process that still runs, and wait for its end without blocking the event loop."""
        self._life.kill()
        await self._ended()

    def __await__(self) -> Generator[Any, None, R_co]:
        """Wait in an asyncio event loop, without blocking it; then return or raise as `result` does.

        A waiting task that is cancelled, by `asyncio.timeout` for instance, stops waiting, and the process goes on: it can be awaited
        again. `async with p:` kills the process when the block is left.
        """
        yield from self._ended().__await__()
        try:
            value: R_co = self._life.outcome()
        except Exception as error:
            hide_own_frames(error)
            raise
        return value

    async def _ended(self) -> None:
        from capsend.mailbox.wakeups import Event

        ended = Event()
        self._life.add_callback(ended.set)
        await ended.wait()

    def __del__(self) -> None:
        try:
            life = getattr(self, "_life", None)
            if life is not None and life.reason is None:
                life.abandon()
        except Exception:  # noqa: BLE001 - at the interpreter's exit, the names of modules go first
            return

    def __repr__(self) -> str:
        return f"<Process {self.id} {self._name}: {self.exit_reason or 'running'}>"


class Actor(Process[R_co], Generic[M_contra, R_co]):
    """The handle of a process that takes messages, because its function's first parameter is a `Mailbox[M]`."""

    __slots__ = ()

    @property
    def address(self) -> Address[M_contra]:
        """The address of its mailbox; an address keeps nothing alive."""
        return super().address

    @shown_at_caller
    def send(self, value: M_contra, *, timeout: float | None = None) -> bool:
        """Send a message to the process; see `Address.send`."""
        return self.address.send(value, timeout=timeout)

    async def send_async(self, value: M_contra, *, timeout: float | None = None) -> bool:
        """Send a message to the process; see `Address.send_async`."""
        return await self.address.send_async(value, timeout=timeout)

    @shown_at_caller
    def call(self, make: Callable[[Address[T]], M_contra], *, timeout: float | None = None) -> T:
        """Send a message to the process and wait for the answer; see `Address.call`."""
        return self.address.call(make, timeout=timeout)

    async def call_async(self, make: Callable[[Address[T]], M_contra], *, timeout: float | None = None) -> T:
        """Send a message to the process and wait for the answer; see `Address.call_async`."""
        return await self.address.call_async(make, timeout=timeout)
