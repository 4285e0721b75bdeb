"""A `concurrent.futures.Executor` whose every task runs in a fresh process."""

from __future__ import annotations

import atexit
import collections
import copy
import itertools
import os
import threading
import time
import weakref
from concurrent.futures import Executor as _BaseExecutor
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar, overload

from capsend.environment import Environment, default, prepare
from capsend.exceptions import hide_own_frames
from capsend.runtime.running import register_exit

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Iterator

    from capsend.environment import Prepared, PreparedForeign
    from capsend.mailbox.mailbox import Mailbox
    from capsend.process import Process

P = ParamSpec("P")
R = TypeVar("R")
M = TypeVar("M")

_all_workers: weakref.WeakSet[_Workers] = weakref.WeakSet()
_registered_by = 0


class ProcessFuture(Future[R]):
    """The future of a task, whose process can be killed."""

    def __init__(self) -> None:
        super().__init__()
        self._process: Process[Any] | None = None
        self._killed = False

    def kill(self) -> None:
        """End the task, even a running one, which `cancel` cannot end; do nothing if it has ended.

        Returns at once. A running task fails with `ProcessKilled`, a waiting task is cancelled.
        """
        if not self.cancel():
            self._killed = True
            if self._process is not None:
                self._process.kill()

    def _runs_in(self, process: Process[Any]) -> None:
        self._process = process
        if self._killed:
            process.kill()


class Executor(_BaseExecutor):
    """An executor that runs each submitted call in its own process, at most `max_workers` at a time.

    It is a `concurrent.futures.Executor`: `submit`, `map` and `shutdown` are as the standard library documents them. Captures and arguments are
    judged in `submit`, which raises the errors of `spawn`. No task sees traces of another task, and a process that dies fails its own
    future and nothing else.

    Args:
        max_workers: processes that run at once; the number of CPUs when None, of those of the cluster that the environment names.
        environment: limits of each process; the default environment when None.
        initializer: refused with a cure: no worker lives for more than one task, so none can be initialized.
        initargs: arguments of `initializer`.

    Example:
        >>> import capsend
        >>> with capsend.Executor() as executor:
        ...     list(executor.map(lambda n: n * n, range(4)))
        [0, 1, 4, 9]

    Source:
        The executors of PEP 3148, with a process for each task where these keep workers.
    """

    def __init__(
        self,
        max_workers: int | None = None,
        *,
        environment: Environment | None = None,
        initializer: None = None,
        initargs: tuple[()] = (),
    ) -> None:
        if max_workers is None:
            place = getattr(environment, "on", None)
            max_workers = (getattr(os, "process_cpu_count", os.cpu_count)() or 1) if place is None else place.cpus
        _check_arguments(max_workers, environment, (initializer, initargs) != (None, ()))
        self._environment = environment or default()
        self._workers = _Workers(max_workers)
        _register(self._workers)

    def within(self, environment: Environment) -> Executor:
        """Return this executor with other limits: tasks run in *environment*, on the same workers, which are shut down together.

        Example:
            >>> import capsend
            >>> with capsend.Executor() as executor:
            ...     executor.within(capsend.Environment(timeout=5)).submit(pow, 2, 10).result()
            1024
        """
        _check_environment(environment)
        other = copy.copy(self)
        other._environment = environment  # noqa: SLF001 - its own class
        return other

    @overload
    def submit(
        self, fn: Callable[P, Coroutine[Any, Any, R]], /, *args: P.args, **kwargs: P.kwargs
    ) -> ProcessFuture[R]: ...
    @overload
    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> ProcessFuture[R]: ...
    @overload
    def submit(
        self, fn: Callable[Concatenate[Mailbox[M], P], Coroutine[Any, Any, R]], /, *args: P.args, **kwargs: P.kwargs
    ) -> ProcessFuture[R]: ...
    @overload
    def submit(
        self, fn: Callable[Concatenate[Mailbox[M], P], R], /, *args: P.args, **kwargs: P.kwargs
    ) -> ProcessFuture[R]: ...
    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> ProcessFuture[R]:
        """Run `fn(*args, **kwargs)` in a process as soon as one of the workers is free, and return its future.

        Raises:
            RuntimeError: the executor was shut down.
            TypeError: `fn` is not a function, or the arguments do not fit its signature.
            CaptureError: a capture of `fn` cannot be sent; the error lists all such captures.
            SerializationError: an argument cannot be sent by value.
            ImageError: the image cannot be built, or lacks a module that `fn` needs.
        """
        try:
            return self._submitted(fn, args, kwargs)
        except Exception as error:
            hide_own_frames(error)
            raise

    def _submitted(
        self, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any] | None = None
    ) -> ProcessFuture[Any]:
        self._workers.check_open()
        return self._workers.add(prepare(self._environment, fn, args, kwargs or {}))

    def map(
        self,
        fn: Callable[..., R],
        /,
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
        buffersize: int | None = None,
    ) -> Iterator[R]:
        """Call `fn` on the elements of the iterables, in parallel, and yield the results in their order.

        Ordering:
            Results come in the order of the elements, whichever process ends first.

        Args:
            fn: the function; each call of it runs in a new process.
            iterables: one for each argument of `fn`.
            timeout: seconds from this call on, after which waiting for the next result raises `TimeoutError`.
            chunksize: accepted so that code written for other executors works; a chunk is always one element.
            buffersize: calls that may be submitted whose results have not been yielded; all at once when None.

        Returns:
            An iterator of the results; it raises the exception of a call at that call's place.

        Raises:
            TypeError: `buffersize` is not an int.
            ValueError: `chunksize` or `buffersize` is less than 1.
        """
        try:
            _check_sizes(chunksize, buffersize)
            end = None if timeout is None else time.monotonic() + timeout
            calls = zip(*iterables, strict=False)
            futures = collections.deque(self._submitted(fn, args) for args in itertools.islice(calls, buffersize))
        except Exception as error:
            hide_own_frames(error)
            raise
        return self._results(fn, calls, futures, end)

    def _results(
        self,
        fn: Callable[..., R],
        calls: Iterator[Any],
        futures: collections.deque[ProcessFuture[R]],
        end: float | None,
    ) -> Iterator[R]:
        try:
            while futures:
                futures.extend(self._submitted(fn, args) for args in itertools.islice(calls, 1))
                yield _result_of(futures.popleft(), end)
        except Exception as error:
            hide_own_frames(error)
            raise
        finally:
            for future in futures:
                future.cancel()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Accept no more tasks; submitted tasks run to their end.

        A callback of a future may call it, too: the callback's own task has ended and is not waited for.

        Args:
            wait: return only when all tasks have ended.
            cancel_futures: cancel the tasks that have not started.
        """
        self._workers.close(cancel=cancel_futures)
        if wait:
            self._workers.wait()

    def kill_workers(self) -> None:
        """Accept no more tasks, cancel the waiting ones and kill the running ones; return at once."""
        self._workers.close(cancel=True)
        self._workers.kill()


def _result_of(future: ProcessFuture[R], end: float | None) -> R:
    """Wait for a result and hold no reference to it afterwards, for generators that yield it."""
    try:
        error = future.exception(None if end is None else end - time.monotonic())
        if error is not None:
            raise error
        return future.result()
    finally:
        future.cancel()


class _Workers:
    """The waiting and the running tasks, at most `max_workers` of them running."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._changed = threading.Condition(threading.RLock())
        self._waiting: collections.deque[tuple[ProcessFuture[Any], Prepared | PreparedForeign]] = collections.deque()
        self._running: set[ProcessFuture[Any]] = set()
        self._shut_down = False
        self._ending = threading.local()

    def check_open(self) -> None:
        """Raise the error of the standard library after a shutdown."""
        if self._shut_down:
            message = "cannot schedule new futures after shutdown"
            raise RuntimeError(message)

    def add(self, prepared: Prepared | PreparedForeign) -> ProcessFuture[Any]:
        """Run a call as soon as a worker is free; return its future."""
        future: ProcessFuture[Any] = ProcessFuture()
        with self._changed:
            self.check_open()
            self._waiting.append((future, prepared))
        self._start_waiting()
        return future

    def close(self, *, cancel: bool) -> None:
        """Accept no more tasks."""
        with self._changed:
            self._shut_down = True
            cancelled = [future for future, _ in self._waiting] if cancel else []
            if cancel:
                self._waiting.clear()
        for future in cancelled:
            future.cancel()
            future.set_running_or_notify_cancel()

    def wait(self) -> None:
        """Wait until all tasks have ended."""
        own = getattr(self._ending, "future", None)
        if own is not None:
            # The caller is a callback of a future: its own task has ended, and the next task needs the place.
            self._forget(own)
            self._start_waiting()
        with self._changed:
            self._changed.wait_for(lambda: not self._running and not self._waiting)

    def kill(self) -> None:
        """Kill all running tasks."""
        with self._changed:
            running = list(self._running)
        for future in running:
            future.kill()

    def _start_waiting(self) -> None:
        """Start waiting tasks, as far as workers are free."""
        while True:
            with self._changed:
                if not self._waiting or len(self._running) >= self._most:
                    return
                future, prepared = self._waiting.popleft()
                if not future.set_running_or_notify_cancel():
                    self._changed.notify_all()
                    continue
                self._running.add(future)
            self._start(future, prepared)

    def _start(self, future: ProcessFuture[Any], prepared: Prepared | PreparedForeign) -> None:
        try:
            process = prepared.start()
        except BaseException as error:  # noqa: BLE001 - the user looks for the error in the future
            self._tell(future, None, error)
            return
        future._runs_in(process)  # noqa: SLF001 - its own module
        # Two callbacks, so that no part of a result is held while the next process starts.
        process._life.add_callback(lambda: self._end(future, process))  # noqa: SLF001 - same layer
        process._life.add_callback(self._start_waiting)  # noqa: SLF001 - same layer

    def _end(self, future: ProcessFuture[Any], process: Process[Any]) -> None:
        try:
            value = process._life.outcome()  # noqa: SLF001 - same layer
        except BaseException as error:  # noqa: BLE001 - the future is where its user looks
            self._tell(future, None, error)
        else:
            self._tell(future, value, None)

    def _tell(self, future: ProcessFuture[Any], value: object, error: BaseException | None) -> None:
        outer, self._ending.future = getattr(self._ending, "future", None), future
        try:
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(value)
        finally:
            self._ending.future = outer
            # Last: a caller that waits in `shutdown` may rely on every future being done.
            self._forget(future)

    def _forget(self, future: ProcessFuture[Any]) -> None:
        with self._changed:
            self._running.discard(future)
            self._changed.notify_all()


def _check_arguments(max_workers: Any, environment: Any, initializer: Any) -> None:
    """Refuse arguments that make no sense; callers without a type checker may pass anything."""
    if not isinstance(max_workers, int) or isinstance(max_workers, bool):
        message = f"max_workers must be an int, or None for the number of CPUs, not {max_workers!r}"
        raise TypeError(message)
    if max_workers < 1:
        message = f"max_workers must be greater than 0, not {max_workers}"
        raise ValueError(message)
    if environment is not None:
        _check_environment(environment)
    if initializer:
        message = (
            "an Executor takes no initializer: each task runs in a fresh process, which nothing prepared. Call the initializer in the function "
            "itself, pass its result as an argument, and name packages that take long to import in the environment's Image(packages=[...])"
        )
        raise TypeError(message)


def _check_environment(environment: Any) -> None:
    if not isinstance(environment, Environment):
        message = f"environment must be an Environment, or None for the default one, not {environment!r}"
        raise TypeError(message)


def _check_sizes(chunksize: Any, buffersize: Any) -> None:
    """Refuse senseless sizes, in the words of the standard library."""
    if chunksize < 1:
        message = "chunksize must be >= 1."
        raise ValueError(message)
    if buffersize is not None and not isinstance(buffersize, int):
        message = "buffersize must be an integer or None"
        raise TypeError(message)
    if buffersize is not None and buffersize < 1:
        message = "buffersize must be None or > 0"
        raise ValueError(message)


def _register(workers: _Workers) -> None:
    """Run submitted tasks before the interpreter exits, as other executors do."""
    global _registered_by  # noqa: PLW0603 - once per OS process
    _all_workers.add(workers)
    if _registered_by != os.getpid():
        _registered_by = os.getpid()
        register_exit()  # first: the callback registered first runs last, and it ends all processes
        atexit.register(_finish_all)


def _finish_all() -> None:
    if _registered_by == os.getpid():
        for workers in list(_all_workers):
            workers.close(cancel=False)
            workers.wait()
