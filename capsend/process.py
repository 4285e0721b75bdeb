"""Processes and how they are spawned: the handle, `spawn`, functions made to be spawned, and the check of captures."""

from __future__ import annotations

import functools
import types
from typing import TYPE_CHECKING, Any, Final, Generic, ParamSpec, TypeVar, final

from capsend.exceptions import CaptureError, SerializationError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from types import TracebackType
    from typing import Self

    from capsend.life import ExitReason, Life
    from capsend.mailbox import Address
    from capsend.stats import Stats

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
M_contra = TypeVar("M_contra", contravariant=True)
T = TypeVar("T")

_ACTS: Final = frozenset(("send", "send_async", "call", "call_async"))


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
        made = spawn(fn, *args, **kwargs)
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


@final
class Spawnable(Generic[P, R]):
    """A function made to be spawned, by `@process`; an ordinary call runs it here."""

    def __init__(self, function: Callable[P, R]) -> None:
        # Directly, because attributes cannot be assigned.
        names = (name for name in functools.WRAPPER_ASSIGNMENTS if hasattr(function, name))
        self.__dict__.update({name: getattr(function, name) for name in names}, __wrapped__=function)

    @property
    def __capsend_function__(self) -> Callable[P, R]:
        """The function as it was written."""
        function: Callable[P, R] = self.__dict__["__wrapped__"]
        return function

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function here, in this program."""
        return self.__capsend_function__(*args, **kwargs)

    def spawn(self, *args: P.args, **kwargs: P.kwargs) -> Process[R]:
        """Run the function in a new process, in the default environment."""
        return spawn(self.__capsend_function__, *args, **kwargs)

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        """Bind it to an instance, as a method; the bound function is spawnable too, if the instance can go along."""
        if instance is None:
            return self
        bind = getattr(self.__capsend_function__, "__get__", None)
        return Spawnable(bind(instance, owner) if bind else types.MethodType(self.__capsend_function__, instance))

    def __setattr__(self, name: str, value: object) -> None:
        message = f"a Spawnable cannot be changed: {name} stays as it is"
        raise AttributeError(message)

    def __repr__(self) -> str:
        return f"<Spawnable {getattr(self, '__qualname__', repr(self.__capsend_function__))}>"


@final
class _Spawn:
    """The type of `spawn`, so that type checkers and their plugins see an object with one signature."""

    def __call__(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Process[R]:
        """Run `fn(*args, **kwargs)` in a new process, in the default `Environment`, and return its handle at once.

        What `fn` captures must be `ProcessSend`; arguments and the result must be `Serializable` and are copied. Both
        are checked before the process starts, and so is the number of arguments. On an `async def` function the
        coroutine is run on an event loop inside, and the result is what it returns.

        Raises:
            TypeError: `fn` is not a function, or the arguments do not fit its signature.
            CaptureError: something that `fn` captures cannot go along; lists all of it.
            SerializationError: an argument cannot be sent by value.
            ImageError: the image cannot be built, or lacks a module that `fn` needs.

        Example:
            >>> import capsend
            >>> numbers = (1, 2, 3)
            >>> capsend.spawn(lambda: sum(numbers)).result()
            6
        """
        from capsend.environment import default

        try:
            return default().spawn(fn, *args, **kwargs)
        except (CaptureError, SerializationError, SyntaxError) as error:
            raise error.with_traceback(None) from error.__cause__  # the caller's line and this one are enough

    def __repr__(self) -> str:
        return "<capsend.spawn>"


spawn: Final = _Spawn()


def process(fn: Callable[P, R], /) -> Spawnable[P, R]:
    """Declare a function that is made to be spawned, and check here, at its definition, what it captures.

    Names that are not defined yet are checked when it is spawned.

    Raises:
        TypeError: `fn` is not a function.
        CaptureError: something that `fn` captures cannot go along; lists all of it.

    Example:
        >>> import capsend
        >>> @capsend.process
        ... def square(n: int) -> int:
        ...     return n * n
        >>> square(3), square.spawn(3).result()
        (9, 9)
    """
    try:
        _check(fn, defining=True)
    except CaptureError as error:
        raise error.with_traceback(None) from error.__cause__
    return Spawnable(fn)


def check(fn: Callable[..., object], /) -> None:
    """Raise what `spawn` would raise for this function's captures, without running it.

    Raises:
        TypeError: `fn` is not a function.
        CaptureError: something that `fn` captures cannot go along; lists all of it.

    Example:
        >>> import capsend
        >>> box = []
        >>> capsend.check(lambda: box.append(1))
        Traceback (most recent call last):
            ...
        capsend.exceptions.CaptureError: ...
    """
    try:
        _check(fn, defining=False)
    except (CaptureError, SerializationError, SyntaxError) as error:
        raise error.with_traceback(None) from error.__cause__


def _check(fn: Callable[..., object], *, defining: bool) -> None:
    if hasattr(type(fn), "__capsend_ship__"):
        return  # a function of a module in another language captures nothing
    from_text = getattr(type(fn), "__capsend_check__", None)
    if from_text is not None:
        from_text(fn)
        return
    from capsend import shipping
    from capsend.environment import default

    shipping.check(fn, knows=default().image.knows, defining=defining)
