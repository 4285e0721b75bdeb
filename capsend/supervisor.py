"""Supervisors: they restart processes that end, by a strategy and within limits."""

from __future__ import annotations

import collections
import contextlib
import functools
import itertools
import time
from typing import TYPE_CHECKING, Any, Final, Literal, ParamSpec, TypeAlias, TypeVar, final, get_args

import attrs

from capsend.exceptions import CapsendError, shown_at_caller
from capsend.waiting import Condition, Worker

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from capsend.environment import Environment
    from capsend.mailbox.address import Address
    from capsend.process import Process

P = ParamSpec("P")
R = TypeVar("R")

Strategy: TypeAlias = Literal["one_for_one", "one_for_all", "rest_for_one"]
Restart: TypeAlias = Literal["permanent", "transient", "temporary"]
"""The ends after which a child is started again: all; all but "normal"; none."""

_STRATEGIES: Final[tuple[str, ...]] = get_args(Strategy)
_RESTARTS: Final[tuple[str, ...]] = get_args(Restart)
_STARTING: Final = 1.0
_SHORTEST: Final = 0.01
_MOST_DOUBLINGS: Final = 60


@attrs.define(eq=False)
class _Child:
    name: str
    start: Callable[[], Process[Any] | Supervisor]
    restart: Restart
    stop: Callable[[Any], object] | None = None
    process: Process[Any] | Supervisor | None = None
    failures: int = 0
    """Consecutive ends without a quiet period before them."""
    started: float = 0.0
    is_starting: bool = False
    round: _Round | None = None

    def kill(self) -> None:
        """End the child's process and the processes of all children below it, without waiting."""
        if self.process is not None:
            _kill(self.process)


def _kill(p: Process[Any] | Supervisor) -> None:
    if isinstance(p, Supervisor):
        for child in p._leave():  # noqa: SLF001 - its own module
            child.kill()
    else:
        p.kill()


@attrs.define(eq=False)
class _Round:
    """Children that are being restarted, and the ends of other children meanwhile, which are handled afterwards."""

    children: list[_Child]
    later: list[Callable[[], None]] = attrs.field(factory=list)


class RestartsExceeded(CapsendError):
    """The children of a supervisor ended more often than its limit of restarts allows; the supervisor has ended all of them."""


@final
class Supervisor:
    """A supervisor: it starts children and restarts them when they end.

    It works on its own thread, from the first `spawn` until it is closed. A process has one thread: in a guest the
    supervisor works while the process waits for messages, answers or results, in `wait` or on an event loop, but not in
    `time.sleep`. When children end more than `restarts` times within `period` seconds, the supervisor gives up: it ends
    all of them, in reverse order, and `wait` or leaving the block raises `RestartsExceeded`. A child can itself be a
    supervisor; it ends when it gives up.

    Ordering:
        Ends of children are handled one after the other, in the order in which they arrive. Children that one end restarts ("one_for_all",
        "rest_for_one") are ended in the reverse order of their addition and started again in that order, each after the one before. `close`
        ends all children in reverse order, each before the next.

    Args:
        strategy: "one_for_one" restarts the child that ended; "one_for_all" kills the others and restarts all; "rest_for_one" does that
            with the children that were added after it.
        restarts: restarts that are allowed within the period.
        period: seconds.
        backoff: seconds to wait before a child is restarted; other children are not delayed. It doubles with each end
            that follows within the period, up to `longest_backoff`, and starts anew once the child has run for longer
            than the period.
        longest_backoff: seconds.
        shutdown: seconds that a child which has a `stop` function gets to end before it is killed.
        environment: limits of each child; the default environment when None.
        on_give_up: called, on the supervisor's thread, with the error, when the supervisor gives up.

    Example:
        >>> import capsend
        >>> with capsend.Supervisor(strategy="one_for_one") as supervisor:
        ...     name = supervisor.spawn(print, "done", restart="transient")
        ...     supervisor.wait(timeout=10)
        done

    Source:
        Strategies, restart kinds and the limit of restarts within a period are those of Erlang/OTP's `supervisor`.
    """

    def __init__(  # noqa: PLR0913 - options of one thing, all by keyword
        self,
        *,
        strategy: Strategy = "one_for_one",
        restarts: int = 3,
        period: float = 5.0,
        backoff: float = 0.0,
        longest_backoff: float = 30.0,
        shutdown: float = 5.0,
        environment: Environment | None = None,
        on_give_up: Callable[[BaseException], object] | None = None,
    ) -> None:
        if strategy not in _STRATEGIES:
            raise ValueError(f"strategy must be one of {', '.join(_STRATEGIES)}, not {strategy!r}")
        if restarts < 0 or period <= 0 or backoff < 0:
            raise ValueError("restarts and backoff must not be negative, and period must be more than 0")
        self._strategy = strategy
        self._restarts = restarts
        self._period = period
        self._backoff = backoff
        self._longest_backoff = longest_backoff
        self._shutdown = shutdown
        self._environment = environment
        self._on_give_up = on_give_up
        self._changed = Condition()
        self._children: dict[str, _Child] = {}
        self._names = itertools.count(1)
        self._recent: collections.deque[float] = collections.deque()
        self._worker: Worker[Callable[[], None]] = Worker(
            lambda act: act(), condition=self._changed, name="capsend supervisor"
        )
        self._callbacks: list[Callable[[], None]] = []
        self._waiting: list[Callable[[], None]] = []
        self._closed = False
        self._error: BaseException | None = None
        self.restarted: int = 0

    @shown_at_caller
    def spawn(
        self,
        fn: Callable[..., Any],
        /,
        *args: Any,
        name: str | None = None,
        restart: Restart = "permanent",
        stop: Callable[[Any], object] | None = None,
        **kwargs: Any,
    ) -> str:
        """Start a child that runs `fn(*args, **kwargs)`, and return its name; each start judges and encodes the call anew.

        Raises:
            CaptureError, SerializationError, TypeError: as `capsend.spawn`; no child is added then.
        """
        from capsend.environment import default, started

        environment = self._environment or default()
        return self._added(lambda: started(environment, fn, args, kwargs), name, restart, stop)

    @shown_at_caller
    def add(
        self,
        start: Callable[[], Process[Any] | Supervisor],
        *,
        name: str | None = None,
        restart: Restart = "permanent",
        stop: Callable[[Any], object] | None = None,
    ) -> str:
        """Start a child by calling a function that spawns a process, now and at each restart; return the child's name.

        Args:
            start: returns the process, or a supervisor that has its own children. A start that raises counts as one
                more end of the child. A slow `start` delays no other child on the host; in a guest, which has one
                thread, it does.
            name: name of the child; made up when None.
            restart: the ends after which the child is started again.
            stop: asks the process to end, for example by sending it a message; a child without `stop` is killed at once.

        Raises:
            RuntimeError: the supervisor was closed, or has given up.
            ValueError: the name belongs to another child.
        """
        return self._added(start, name, restart, stop)

    def _added(
        self,
        start: Callable[[], Process[Any] | Supervisor],
        name: str | None,
        restart: Restart,
        stop: Callable[[Any], object] | None,
    ) -> str:
        if restart not in _RESTARTS:
            raise ValueError(f"restart must be one of {', '.join(_RESTARTS)}, not {restart!r}")
        with self._changed:
            self._check_open()
            name = name if name is not None else f"child {next(self._names)}"
            if name in self._children:
                raise ValueError(f"there is a child named {name!r} already")
            child = self._children[name] = _Child(name, start, restart, stop)
        try:
            if not self._start(child):
                self._check_open()
        except BaseException as error:
            self._pop(name)
            error.add_note(f"while the child {name!r} of a supervisor was started")
            raise
        self._worker.start()
        return name

    def remove(self, name: str) -> None:
        """End a child and stop supervising it; do nothing when no child has the name."""
        child = self._pop(name)
        if child is not None:
            self._end(child)

    async def remove_async(self, name: str) -> None:
        """Remove a child as `remove` does, without blocking the event loop; when the waiting task is cancelled, the child is killed."""
        child = self._pop(name)
        if child is not None:
            await self._end_async(child)

    def _pop(self, name: str) -> _Child | None:
        with self._changed:
            child = self._children.pop(name, None)
            self._tell()
        return child

    def process(self, name: str) -> Process[Any] | None:
        """Return the child's process of this moment; None while the child waits for its restart, and when no child has that name.

        If the child is being started, the call waits for that, for a second at most.
        """
        p = self._of_this_moment(name)
        return None if isinstance(p, Supervisor) else p

    def supervisor(self, name: str) -> Supervisor | None:
        """Return the child's supervisor of this moment; None when the child is a process, or has ended."""
        s = self._of_this_moment(name)
        return s if isinstance(s, Supervisor) else None

    def _of_this_moment(self, name: str) -> Process[Any] | Supervisor | None:
        with self._changed:
            child = self._children.get(name)
            # The child's messages may arrive before its `start` has returned.
            if child is not None and child.is_starting:
                self._changed.wait_for(lambda: not child.is_starting, _STARTING)
            return None if child is None else child.process

    def address(self, name: str) -> Address[Any] | None:
        """Return the address of the child's process of this moment; None as for `process`."""
        p = self.process(name)
        return None if p is None else p.address

    @property
    def children(self) -> tuple[str, ...]:
        """The names of all children that run or will be started again, in the order of their addition."""
        with self._changed:
            return tuple(self._children)

    @shown_at_caller
    def wait(self, timeout: float | None = None) -> None:
        """Wait until every child has ended and none will be restarted.

        Args:
            timeout: seconds to wait; for ever when None.

        Raises:
            TimeoutError: children are left after *timeout* seconds.
            RestartsExceeded: the supervisor has given up; the `__cause__` is the last child's error.
        """
        with self._changed:
            ended = self._changed.wait_for(lambda: not self._children or self._error is not None, timeout)
        self._raise_error()
        if not ended:
            raise TimeoutError(f"there are still {len(self._children)} children after {timeout:g} s")

    def _raise_error(self) -> None:
        if self._error is not None:
            raise self._error

    @shown_at_caller
    async def wait_async(self) -> None:
        """Wait as `wait` does, without blocking the event loop; cancelling the waiting task leaves the children alone."""
        from capsend.mailbox.wakeups import Event

        changed = Event()
        self._waiting.append(changed.set)
        try:
            while self._children and self._error is None:
                await changed.wait()
        finally:
            self._waiting.remove(changed.set)
        self._raise_error()

    def close(self) -> None:
        """End the children one after the other, the last one first, and wait until all have ended."""
        for child in self._leave():
            self._end(child)
        self._worker.join()
        self._closed_now()

    async def close_async(self) -> None:
        """Close as `close` does, without blocking the event loop; when the waiting task is cancelled, the children are killed."""
        children = self._leave()
        try:
            for child in children:
                await self._end_async(child)
        finally:
            for child in children:
                child.kill()
            self._closed_now()

    def _leave(self) -> list[_Child]:
        """End the supervision; return the children in the order in which to end them."""
        self._worker.stop()
        with self._changed:
            children = list(self._children.values())
            self._children.clear()
            self._tell()
        return children[::-1]

    def _closed_now(self) -> None:
        with self._changed:
            callbacks, self._callbacks = self._callbacks, []
            self._closed = True
        for tell in callbacks:
            tell()

    @property
    def exit_reason(self) -> str | None:
        """None until the supervisor is closed; then "failed" if it gave up, else "normal"."""
        if not self._closed:
            return None
        return "failed" if self._error is not None else "normal"

    def _when_closed(self, tell: Callable[[], None]) -> None:
        with self._changed:
            if not self._closed:
                self._callbacks.append(tell)
                return
        tell()

    def __enter__(self) -> Supervisor:
        return self

    @shown_at_caller
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close; raise `RestartsExceeded` if the supervisor gave up and the block raised nothing."""
        self.close()
        if error is None:
            self._raise_error()

    async def __aenter__(self) -> Supervisor:
        return self

    @shown_at_caller
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close without blocking the event loop; raises as `__exit__` does."""
        await self.close_async()
        if error is None:
            self._raise_error()

    def _tell(self) -> None:
        """Wake all threads and tasks that wait for a change."""
        self._changed.notify_all()
        for wake in tuple(self._waiting):
            wake()

    def _check_open(self) -> None:
        if self._worker.is_stopping:
            raise RuntimeError("no child can be added to a supervisor that was closed or has given up")

    def _start(self, child: _Child) -> bool:
        """Start a child's process; return False, and kill the process, if the child was removed or the supervisor closed meanwhile."""
        child.is_starting = True
        try:
            return self._started(child, child.start())
        finally:
            with self._changed:
                child.is_starting = False
                self._changed.notify_all()

    def _started(self, child: _Child, p: Any) -> bool:
        if not hasattr(p, "_when_closed") and not hasattr(p, "_life"):
            raise TypeError(
                f"the start function of {child.name} must return a process or a Supervisor, not {p!r}. Write lambda: spawn(...)"
            )
        with self._changed:
            is_wanted = self._children.get(child.name) is child and not self._worker.is_stopping
            if is_wanted:
                child.process = p
                child.started = time.monotonic()
        if not is_wanted:
            _kill(p)
            return False
        when_ended = p._when_closed if isinstance(p, Supervisor) else p._life.add_callback  # noqa: SLF001 - same layer
        when_ended(lambda: self._worker.put(lambda: self._ended(child, p)))
        return True

    def _end(self, child: _Child) -> None:
        """End a child's process and wait until it has ended."""
        p = child.process
        if isinstance(p, Supervisor):
            p.close()
        elif p is not None:
            if child.stop is not None and not p.done():
                try:
                    child.stop(p)
                except Exception:  # noqa: BLE001 - the process is killed then
                    p.kill()
                p._life.finished.wait(self._shutdown)  # noqa: SLF001 - same layer
            p.kill()
            p._life.finished.wait()  # noqa: SLF001 - same layer

    async def _end_async(self, child: _Child) -> None:
        """End a child's process as `_end` does; the process is killed at once when the waiting task is cancelled."""
        p = child.process
        if isinstance(p, Supervisor):
            await p.close_async()
        elif p is not None:
            try:
                if child.stop is not None and not p.done():
                    await self._asked(child.stop, p)
            finally:
                p.kill()
            await p._ended()  # noqa: SLF001 - same layer

    async def _asked(self, stop: Callable[[Any], object], p: Process[Any]) -> None:
        import asyncio

        try:
            stop(p)
        except Exception:  # noqa: BLE001 - the process is killed then
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._shutdown):
                await p._ended()  # noqa: SLF001 - same layer

    # --- on the thread of the supervisor ---

    def _ended(self, child: _Child, p: Process[Any] | Supervisor) -> None:
        with self._changed:
            is_current = self._children.get(child.name) is child and child.process is p
        if not is_current:
            return
        again = child.restart == "permanent" or (child.restart == "transient" and p.exit_reason != "normal")
        if not again:
            with self._changed:
                self._children.pop(child.name, None)
                self._tell()
            return
        concerned = self._concerned(child)
        busy = next((other.round for other in concerned if other.round is not None), None)
        if busy is not None:
            busy.later.append(lambda: self._ended(child, p))
        elif not self._may_restart():
            self._give_up(child, p)
        else:
            self._begin(child, concerned)

    def _begin(self, child: _Child, concerned: list[_Child]) -> None:
        """Start children again, after the back-off of the child that ended."""
        quiet = time.monotonic() - child.started > self._period
        child.failures = 1 if quiet else child.failures + 1
        wait = self._wait_of(child) if self._backoff else 0.0
        this = _Round(concerned)
        for other in concerned:
            other.round = this
        if concerned == [child]:
            child.process = None
            self._worker.put(lambda: self._worker.aside(lambda: self._start_all(this, 0)), after=wait)
        else:
            self._worker.aside(lambda: self._end_all(this, wait))

    def _concerned(self, child: _Child) -> list[_Child]:
        """Return the children to be started again, in the order of their addition."""
        with self._changed:
            children = list(self._children.values())
        if self._strategy == "one_for_one":
            return [child]
        return children if self._strategy == "one_for_all" else children[children.index(child) :]

    def _wait_of(self, child: _Child) -> float:
        wait: float = max(self._backoff, _SHORTEST) * 2 ** min(child.failures - 1, _MOST_DOUBLINGS)
        return min(wait, self._longest_backoff)

    def _start_failed(self, this: _Round, position: int, error: BaseException) -> None:
        """Retry later: a child that cannot be started counts as a child that ended."""
        child = this.children[position]
        if not self._may_restart():
            self._stop(error, child.name)
            return
        child.failures += 1
        self._worker.put(
            lambda: self._worker.aside(lambda: self._start_all(this, position)), after=self._wait_of(child)
        )

    def _over(self, this: _Round) -> None:
        for child in this.children:
            child.round = None
        for event in this.later:
            event()

    def _may_restart(self) -> bool:
        now = time.monotonic()
        self._recent.append(now)
        while self._recent and self._recent[0] < now - self._period:
            self._recent.popleft()
        return len(self._recent) <= self._restarts

    def _give_up(self, child: _Child, p: Process[Any] | Supervisor) -> None:
        cause: BaseException | None = None
        try:
            if isinstance(p, Supervisor):
                p.wait()
            else:
                p.result()
        except BaseException as error:  # noqa: BLE001 - the error becomes the cause
            cause = error
        self._stop(cause, child.name)

    def _stop(self, cause: BaseException | None, name: str) -> None:
        error = RestartsExceeded(
            f"the supervisor has given up: its children ended more than {self._restarts} times within "
            f"{self._period:g} s, {name} last. Allow more restarts, or fix the child"
        )
        error.__cause__ = cause
        with self._changed:
            self._error = error
        self.close()
        with self._changed:
            self._tell()
        if self._on_give_up is not None:
            self._on_give_up(error)

    # --- on other threads: these may take as long as the user's functions do ---

    def _end_all(self, this: _Round, wait: float) -> None:
        for child in reversed(this.children):
            self._end(child)
            child.process = None
            if child.restart == "temporary":
                with self._changed:
                    self._children.pop(child.name, None)
        self._worker.put(lambda: self._worker.aside(lambda: self._start_all(this, 0)), after=wait)

    def _start_all(self, this: _Round, position: int) -> None:
        """Start the children of a round, from *position* on, each after the one before."""
        for child in this.children[position:]:
            with self._changed:
                is_wanted = self._children.get(child.name) is child and not self._worker.is_stopping
            try:
                if is_wanted and self._start(child):
                    with self._changed:
                        self.restarted += 1
            except BaseException as error:  # noqa: BLE001 - supervisors exist to handle starts that fail
                failed = functools.partial(self._start_failed, this, this.children.index(child), error)
                self._worker.put(failed)
                return
        self._worker.put(lambda: self._over(this))
