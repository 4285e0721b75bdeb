"""The handle of a process: its end, its result, its address, and the protocols of the life behind the handle and of the act that spawns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Generic, Literal, ParamSpec, Protocol, TypeAlias, TypeVar

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from types import TracebackType
    from typing import Self

    from capsend.mailbox.address import Address


P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
M_contra = TypeVar("M_contra", contravariant=True)
T = TypeVar("T")

_ACTS: Final = frozenset(("send", "send_async", "call", "call_async"))


ExitReason: TypeAlias = Literal["normal", "failed", "killed", "limit", "trap"]
"""How a process ended: with a value; by an exception; by `kill`; at a limit; by a fault of the guest."""


@attrs.frozen
class Stats:
    """What a process has used.

    Attributes:
        cpu_seconds: processor time of its thread.
        memory: bytes of memory that it had when it last asked the host for something, the interpreter's own included.
        sent, received: messages; answers to calls and notices are not counted.
        waiting: messages in its mailbox, those put by for later included.
        dropped: messages that were lost: see `Address.send`.
        output_bytes: what it wrote, log records included.
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
        """Wait until the process has ended, or so many seconds; return whether it has ended."""


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
    """The life behind a handle: on the host a thread and its guest, in a process the number of a child."""

    @property
    def number(self) -> int:
        """The number of the process."""

    @property
    def reason(self) -> ExitReason | None:
        """How the process ended; None while it runs."""

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
        """End the process because its user said so."""

    def abandon(self) -> None:
        """End the process because nobody can ask for its result any more."""

    def add_callback(self, callback: Callable[[], None]) -> None:
        """Call when the process has ended, or at once if it has."""


class Spawner(Protocol):
    """The act that starts a process in the default environment."""

    def __call__(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Process[Any]:
        """Start a process."""


_spawners: Final[list[Spawner]] = []


def register_spawner(spawner: Spawner) -> None:
    """Let handles start processes: `capsend.spawning`, which stands above this module, registers `spawn` when it is imported."""
    _spawners[:] = [spawner]


def spawner() -> Spawner:
    """Return the act that was registered."""
    return _spawners[0]


class Process(Generic[R_co]):
    """The handle of a running or finished process.

    A process is an isolated WebAssembly instance with memory of its own, not an OS process. It runs on a thread of its
    own and shares nothing with this program. When the last reference to an unfinished process's handle goes, it is
    killed; so are all when the interpreter exits.

    Example:
        >>> import capsend
        >>> with capsend.spawn(sum, [1, 2, 3]) as p:
        ...     p.result()
        6
    """

    __slots__ = ("__weakref__", "_life", "_name")

    def __init__(self, life: Life, name: str) -> None:
        """Made by `spawn`; not to be called."""
        self._life = life
        self._name = name

    @property
    def id(self) -> int:
        """A number that no other process of this program has; counted from 1."""
        return self._life.number

    @property
    def exit_reason(self) -> ExitReason | None:
        """How it ended: "normal", "failed", "killed", "limit" or "trap"; None while it runs."""
        return self._life.reason

    def done(self) -> bool:
        """Whether it has ended, in whatever way."""
        return self._life.reason is not None

    @property
    def address(self) -> Address[Any]:
        """What stands for it in messages and captures; without a mailbox, it can only be monitored and linked to."""
        address: Address[Any] = self._life.mail.grant().handle()  # type: ignore[assignment]  # what a port is handed out as
        return address

    def link(self, other: Process[Any] | Address[Any]) -> None:
        """Link two processes: when one ends in any way but normally, the other is killed, unless it traps exits.

        Raises:
            TypeError: the other is neither a process nor, outside, an address.
            CapsendError: the address does not allow it.
        """
        self._life.mail.link(self._port_of(other))

    def unlink(self, other: Process[Any] | Address[Any]) -> None:
        """Undo a link, whichever of the two asked for it; does nothing when there is none.

        Raises:
            TypeError, CapsendError: as `link`.
        """
        self._life.mail.unlink(self._port_of(other))

    def _port_of(self, other: Process[Any] | Address[Any]) -> Any:
        return other._life.mail.port if isinstance(other, Process) else self._life.mail.port_of(other)  # noqa: SLF001 - its own class

    def spawn_linked(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Process[R]:
        """Spawn a process in the default environment that is linked to this one from its first moment."""
        made: Process[R] = spawner()(fn, *args, **kwargs)
        self.link(made)
        return made

    if not TYPE_CHECKING:

        def __getattr__(self, name):
            """Say what is missing when a process that takes no messages is sent one."""
            if name in _ACTS:
                message = (
                    f"process {self.id} takes no messages, and has no {name}: its function has no mailbox. "
                    "Give it one as its first parameter, annotated Mailbox[...]"
                )
            else:
                message = f"{type(self).__name__!r} object has no attribute {name!r}"
            raise AttributeError(message, name=name, obj=self)

    def stats(self) -> Stats:
        """What it has used so far, or used until its end."""
        return self._life.stats()

    def result(self, timeout: float | None = None) -> R_co:
        """Wait until the process ends, and return what its function returned.

        All output of the process has been delivered by then. Waiting can be interrupted by Ctrl-C and does not affect
        the process.

        Args:
            timeout: seconds to wait; for ever when None.

        Raises:
            TimeoutError: it has not ended in time; it goes on running, and `result` can be called again.
            ProcessKilled: it was killed.
            TimeLimitExceeded: it ran longer than its environment's timeout.
            MemoryLimitExceeded: it asked for more memory than its environment grants.
            OutputLimitExceeded: it wrote or returned more than its environment allows.
            ProcessFailed: it ended by a fault, or by an exception that cannot come back as itself.
            Exception: what its function raised, with the traceback from inside as the cause; `SystemExit` and
                `KeyboardInterrupt` come as errors that are `Exception`s as well.
        """
        if not self._life.finished.wait(timeout):
            message = f"process {self.id} is still running after {timeout:g} s of waiting"
            raise TimeoutError(message)
        value: R_co = self._life.outcome(as_result=True)
        return value

    def kill(self) -> None:
        """End it: a busy loop, a sleep and a blocked host operation alike; does nothing when it has ended.

        Returns at once; `result` then raises `ProcessKilled`.
        """
        self._life.kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Kill it if it has not ended, and wait until it has."""
        self._life.kill()
        self._life.finished.wait()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Kill it if it has not ended, and wait until it has, without blocking the event loop."""
        self._life.kill()
        await self._ended()

    def __await__(self) -> Generator[Any, None, R_co]:
        """Wait in an asyncio event loop, without blocking it; then as `result`.

        A waiting task that is cancelled, by `asyncio.timeout` for instance, stops waiting, and the process goes on: it can be awaited again.
        `async with p:` kills it on the way out.
        """
        yield from self._ended().__await__()
        value: R_co = self._life.outcome()
        return value

    async def _ended(self) -> None:
        import asyncio

        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()

        def wake() -> None:
            if not future.done():
                future.set_result(None)

        def wake_from_thread() -> None:
            try:
                loop.call_soon_threadsafe(wake)
            except RuntimeError:
                return  # the loop was closed meanwhile: nobody waits any more

        self._life.add_callback(wake_from_thread)
        await future

    def __del__(self) -> None:
        try:
            life = getattr(self, "_life", None)
            if life is not None and life.reason is None:
                life.abandon()
        except Exception:  # noqa: BLE001 - when the interpreter goes, the names of modules go first
            return

    def __repr__(self) -> str:
        return f"<Process {self.id} {self._name}: {self.exit_reason or 'running'}>"


class Actor(Process[R_co], Generic[M_contra, R_co]):
    """The handle of a process that takes messages, because its function's first parameter is a `Mailbox[M]`."""

    __slots__ = ()

    @property
    def address(self) -> Address[M_contra]:
        """Where to send its messages to; keeps nothing alive."""
        return super().address

    def send(self, value: M_contra, *, timeout: float | None = None) -> bool:
        """Send it a message; see `Address.send`."""
        return self.address.send(value, timeout=timeout)

    async def send_async(self, value: M_contra, *, timeout: float | None = None) -> bool:
        """Send it a message; see `Address.send_async`."""
        return await self.address.send_async(value, timeout=timeout)

    def call(self, make: Callable[[Address[T]], M_contra], *, timeout: float | None = None) -> T:
        """Send it a message and wait for the answer; see `Address.call`."""
        return self.address.call(make, timeout=timeout)

    async def call_async(self, make: Callable[[Address[T]], M_contra], *, timeout: float | None = None) -> T:
        """Send it a message and wait for the answer; see `Address.call_async`."""
        return await self.address.call_async(make, timeout=timeout)
