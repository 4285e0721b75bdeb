"""Process groups: several processes with one lifetime, as in structured concurrency."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar, final, overload

from capsend.exceptions import ProcessKilled, hide_own_frames, shown_at_caller
from capsend.waiting import Condition

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from types import TracebackType

    from capsend.environment import Environment
    from capsend.mailbox.mailbox import Mailbox
    from capsend.process import Actor, ForeignFunction, Process

P = ParamSpec("P")
R = TypeVar("R")
M = TypeVar("M")


@final
class ProcessGroup:
    """A group of processes, none of which outlives the group's `with` or `async with` block.

    Leaving the block waits for all processes. The first process that fails kills the others, and the failures are
    raised in an `ExceptionGroup`. A killed process has not failed, just as a cancelled task has not: when one result is
    enough, kill the other processes. If a process fails while the body of an `async with` block is still waiting, the
    body is cancelled. When the body raises, all processes are killed; the exception is then raised as it is, or in the
    group if processes had failed too.

    Ordering:
        The `ExceptionGroup` lists the block's own exception first, then the failures in the order in which the processes ended.

    Args:
        environment: limits of each process; the default environment when None.

    Example:
        >>> import capsend
        >>> with capsend.ProcessGroup() as group:
        ...     squares = [group.spawn(pow, n, 2) for n in range(3)]
        >>> [p.result() for p in squares]
        [0, 1, 4]

    Source:
        Structured concurrency, as in Trio's nurseries and `asyncio.TaskGroup`; `ExceptionGroup` is PEP 654's.
    """

    __slots__ = (
        "_block",
        "_changed",
        "_ended",
        "_entered",
        "_environment",
        "_failed",
        "_killed",
        "_running",
        "_victims",
    )

    def __init__(self, environment: Environment | None = None) -> None:
        self._environment = environment
        self._changed = Condition()
        self._running: set[Process[Any]] = set()
        self._failed: list[Process[Any]] = []
        self._killed = False
        self._entered = False
        self._ended: list[Callable[[], None]] = []
        self._victims: list[Process[Any]] = []
        self._block: _Block | None = None

    @overload
    def spawn(self, fn: ForeignFunction[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Actor[object, R]: ...
    @overload
    def spawn(self, fn: Callable[P, Coroutine[Any, Any, R]], /, *args: P.args, **kwargs: P.kwargs) -> Process[R]: ...
    @overload
    def spawn(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Process[R]: ...
    @overload
    def spawn(
        self, fn: Callable[Concatenate[Mailbox[M], P], Coroutine[Any, Any, R]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Actor[M, R]: ...
    @overload
    def spawn(
        self, fn: Callable[Concatenate[Mailbox[M], P], R], /, *args: P.args, **kwargs: P.kwargs
    ) -> Actor[M, R]: ...
    def spawn(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Process[R]:
        """Run `fn(*args, **kwargs)` in a process of this group, as `capsend.spawn` does.

        Raises:
            RuntimeError: the group was not entered, has been left, or one of its processes has failed.
        """
        from capsend.environment import default, started

        try:
            self._check_open()
            made: Process[R] = started(self._environment or default(), fn, args, kwargs)
        except Exception as error:
            hide_own_frames(error)
            raise
        with self._changed:
            self._running.add(made)
            if self._killed:
                made.kill()
        made._life.add_callback(lambda: self._end(made))  # noqa: SLF001 - same layer
        return made

    def _check_open(self) -> None:
        if not self._entered or self._killed:
            state = "is being shut down" if self._killed else "has not been entered, or has been left"
            raise RuntimeError(f"no process can be spawned in a group that {state}")

    def kill(self) -> None:
        """Kill all processes of the group; leaving the block then raises no error for them."""
        with self._changed:
            self._killed = True
            running = list(self._running)
        for p in running:
            p.kill()

    def _end(self, p: Process[Any]) -> None:
        """Count the end of a process; runs on the thread of that process."""
        with self._changed:
            self._running.discard(p)
            if p.exit_reason == "killed":
                self._victims.append(p)
            elif p.exit_reason != "normal":
                self._failed.append(p)
            first = p in self._failed and not self._killed
            if first:
                self.kill()
            if first and self._block is not None:
                self._block.interrupt()
            done = [] if self._running else list(self._ended)
            self._changed.notify_all()
        for wake in done:
            wake()

    def __enter__(self) -> ProcessGroup:
        if self._entered:
            raise RuntimeError("a group can be entered once")
        self._entered = True
        return self

    @shown_at_caller
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Wait until all processes have ended, and raise the failures."""
        if error is not None:
            self.kill()
        try:
            with self._changed:
                self._changed.wait_for(lambda: not self._running)
        except BaseException:
            self.kill()  # Ctrl-C while waiting
            with self._changed:
                self._changed.wait_for(lambda: not self._running)
            raise
        self._leave(error)

    async def __aenter__(self) -> ProcessGroup:
        self.__enter__()
        self._block = _Block()
        return self

    @shown_at_caller
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Wait until all processes have ended, without blocking the event loop, and raise the failures; a cancellation kills the processes."""
        import asyncio

        block, self._block = self._block, None
        if block is not None and block.leave(error):
            error = None  # the failures of processes are raised instead
        if error is not None:
            self.kill()
        cancelled: asyncio.CancelledError | None = None
        while self._running:
            try:
                await self._all_ended()
            except asyncio.CancelledError as cancellation:
                cancelled = cancellation
                self.kill()
        if cancelled is not None:
            self._entered = False
            raise cancelled
        self._leave(error)

    async def _all_ended(self) -> None:
        from capsend.mailbox.wakeups import Event

        event = Event()
        with self._changed:
            if not self._running:
                return
            self._ended.append(event.set)
        try:
            await event.wait()
        finally:
            self._ended.remove(event.set)

    def _leave(self, error: BaseException | None) -> None:
        self._entered = False
        errors: list[BaseException] = [_error_of(p) for p in self._failed]
        if not errors:
            return
        if error is not None:
            errors = [each for each in errors if each is not error]
            # The block may have waited for a process that the group killed: its end is no news.
            if not (isinstance(error, ProcessKilled) and any(error is _error_of(p) for p in self._victims)):
                errors.insert(0, error)
        raise BaseExceptionGroup("processes of a group failed", errors)

    def __repr__(self) -> str:
        return f"<ProcessGroup of {len(self._running)} running processes>"


class _Block:
    """The task in an `async with` block, to be cancelled once when a process fails, as `asyncio.TaskGroup` does."""

    def __init__(self) -> None:
        import asyncio

        self._task = asyncio.current_task()
        self._loop = asyncio.get_running_loop()
        self._cancellations = 0 if self._task is None else self._task.cancelling()
        self._is_over = self._is_cancelled = False

    def interrupt(self) -> None:
        """Cancel the task, from any thread."""
        with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
            self._loop.call_soon_threadsafe(self._cancel)

    def _cancel(self) -> None:
        if self._task is not None and not self._is_over:
            self._is_cancelled = self._task.cancel()

    def leave(self, error: BaseException | None) -> bool:
        """End the block.

        Returns:
            True if *error* is the group's own cancellation and no other cancellation was requested.
        """
        import asyncio

        self._is_over = True
        if self._task is None or not self._is_cancelled:
            return False
        others = self._task.uncancel() > self._cancellations
        return isinstance(error, asyncio.CancelledError) and not others


def _error_of(p: Process[Any]) -> BaseException:
    try:
        p._life.outcome(as_result=True)  # noqa: SLF001 - same layer; it has ended
    except BaseException as error:  # noqa: BLE001 - the error becomes part of a group
        hide_own_frames(error)
        return error
    raise AssertionError(f"{p!r} had failed")
