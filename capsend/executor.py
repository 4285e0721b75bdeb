"""A `concurrent.futures.Executor` whose every task runs in a fresh process."""

from __future__ import annotations

import atexit
import collections
import os
import threading
import weakref
from concurrent.futures import Executor as _BaseExecutor
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from capsend.environment import Environment, default, prepare
from capsend.running import register_exit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from capsend.environment import Prepared, PreparedForeign
    from capsend.process import Process

P = ParamSpec("P")
R = TypeVar("R")

_executors: weakref.WeakSet[Executor] = weakref.WeakSet()
_registered_by = 0


class Executor(_BaseExecutor):
    """Runs each submitted call in a process of its own, so many at a time.

    It is a `concurrent.futures.Executor`: `submit`, `map` and `shutdown` do what the standard library says. Captures
    and arguments are judged in `submit`, which raises what `spawn` would. No task sees what another left behind, and a
    process that dies fails its own future and nothing else.

    Args:
        max_workers: how many processes run at once; as many as there are CPUs when None.
        environment: what each may use; the default environment when None.

    Example:
        >>> import capsend
        >>> with capsend.Executor() as executor:
        ...     list(executor.map(lambda n: n * n, range(4)))
        [0, 1, 4, 9]
    """

    def __init__(self, max_workers: int | None = None, *, environment: Environment | None = None) -> None:
        if max_workers is None:
            max_workers = getattr(os, "process_cpu_count", os.cpu_count)() or 1
        _check_arguments(max_workers, environment)
        self._max_workers = max_workers
        self._environment = environment or default()
        self._changed = threading.Condition(threading.RLock())
        self._waiting: collections.deque[tuple[Future[Any], Prepared | PreparedForeign]] = collections.deque()
        self._running: dict[Future[Any], Process[Any] | None] = {}
        self._shut_down = False
        _register(self)

    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """Run `fn(*args, **kwargs)` in a process as soon as one of the workers is free, and return its future.

        Raises:
            RuntimeError: the executor was shut down.
            TypeError: `fn` is not a function, or the arguments do not fit its signature.
            CaptureError: something that `fn` captures cannot go along; lists all of it.
            SerializationError: an argument cannot be sent by value.
            ImageError: the image cannot be built, or lacks a module that `fn` needs.
        """
        self._check_open()
        prepared = prepare(self._environment, fn, args, kwargs)
        future: Future[R] = Future()
        with self._changed:
            self._check_open()
            self._waiting.append((future, prepared))
        self._start_waiting()
        return future

    def map(  # type: ignore[override] # more: `buffersize`, which the base class has from Python 3.14 on
        self,
        fn: Callable[..., R],
        /,
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
        **more: Any,
    ) -> Iterator[R]:
        """Call `fn` on the elements of the iterables, in parallel, and yield the results in their order.

        Args:
            fn: the function; each call of it runs in a process of its own.
            iterables: one for each of its arguments.
            timeout: seconds from this call on, after which waiting for the next result raises `TimeoutError`.
            chunksize: accepted so that code written for other executors works; a chunk is always one element here.
            more: what the base class of newer Pythons takes.

        Raises:
            ValueError: `chunksize` is less than 1.
        """
        if chunksize < 1:
            message = "chunksize must be >= 1."
            raise ValueError(message)
        return super().map(fn, *iterables, timeout=timeout, **more)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Accept no more tasks; those that were submitted run to their end.

        Args:
            wait: return only when all have ended.
            cancel_futures: cancel those that have not started.
        """
        with self._changed:
            self._shut_down = True
            cancelled = [future for future, _ in self._waiting] if cancel_futures else []
            if cancel_futures:
                self._waiting.clear()
        for future in cancelled:
            future.cancel()
            future.set_running_or_notify_cancel()
        if wait:
            with self._changed:
                self._changed.wait_for(lambda: not self._running and not self._waiting)

    def _check_open(self) -> None:
        if self._shut_down:
            message = "cannot schedule new futures after shutdown"
            raise RuntimeError(message)

    def _start_waiting(self) -> None:
        """Start what is waiting, as far as workers are free."""
        while True:
            with self._changed:
                if not self._waiting or len(self._running) >= self._max_workers:
                    return
                future, prepared = self._waiting.popleft()
                if not future.set_running_or_notify_cancel():
                    self._changed.notify_all()
                    continue
                self._running[future] = None
            self._start(future, prepared)

    def _start(self, future: Future[Any], prepared: Prepared | PreparedForeign) -> None:
        try:
            process = prepared.start()
        except BaseException as error:  # noqa: BLE001 - the future is where its user looks
            future.set_exception(error)
            self._forget(future)
            return
        self._running[future] = process
        process._life.add_callback(lambda: self._end(future, process))  # noqa: SLF001 - same layer

    def _end(self, future: Future[Any], process: Process[Any]) -> None:
        try:
            value = process._life.outcome()  # noqa: SLF001 - same layer
        except BaseException as error:  # noqa: BLE001 - the future is where its user looks
            future.set_exception(error)
        else:
            future.set_result(value)
        # Only now: whoever waits in `shutdown` may rely on every future being done.
        self._forget(future)
        self._start_waiting()

    def _forget(self, future: Future[Any]) -> None:
        with self._changed:
            self._running.pop(future, None)
            self._changed.notify_all()


def _check_arguments(max_workers: Any, environment: Any) -> None:
    """Refuse what cannot be meant; callers without a type checker may pass anything."""
    if not isinstance(max_workers, int) or isinstance(max_workers, bool):
        message = f"max_workers must be an int, or None for the number of CPUs, not {max_workers!r}"
        raise TypeError(message)
    if max_workers < 1:
        message = f"max_workers must be greater than 0, not {max_workers}"
        raise ValueError(message)
    if environment is not None and not isinstance(environment, Environment):
        message = f"environment must be an Environment, or None for the default one, not {environment!r}"
        raise TypeError(message)


def _register(executor: Executor) -> None:
    """See to it that the interpreter does not exit before submitted tasks have run, as for other executors."""
    global _registered_by  # noqa: PLW0603 - once per OS process
    _executors.add(executor)
    if _registered_by != os.getpid():
        _registered_by = os.getpid()
        register_exit()  # first: what is registered first runs last, and it ends all processes
        atexit.register(_finish_all)


def _finish_all() -> None:
    if _registered_by == os.getpid():
        for executor in list(_executors):
            executor.shutdown(wait=True)
