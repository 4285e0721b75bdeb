"""The common part of all guests: a separate store with limits, interruption, and waiting in host operations."""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import math
import os
import queue
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any, ClassVar, Final

import wasmtime
from wasmtime import _bindings as ffi

from capsend.engine import capi, creator

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from capsend.capabilities.folders import Mount

THREAD_STACK: Final = 69_206_016
"""Bytes of stack that a thread needs to run a guest: wasmtime's limit plus room for the host functions.

They are addresses, not memory, until they are used. CPython in the guest counts its stack in linear memory, of which it
has 1 MB; with this much native stack CPython's check comes first, and endless recursion in C raises `RecursionError`.
"""

SMALL_STACK: Final = 3_145_728
"""The same for guests in other languages, which get less stack; host functions run on the rest."""

_WASM_STACK: Final = 67_108_864
_SMALL_WASM_STACK: Final = 1_048_576
REFUSED_FEATURES: Final = (
    "wasm_threads", "wasm_memory64", "wasm_multi_memory", "wasm_gc", "wasm_function_references", "wasm_exceptions",
    "wasm_stack_switching", "shared_memory", "wasm_component_model_async", "wasm_component_model_more_async_builtins",
    "wasm_component_model_async_stackful",
)  # fmt: skip
"""The features that modules may not use, by wasmtime's names: each would escape a limit, or is useless with one thread."""

LARGEST_MEMORY: Final = 1 << 32
"""The most bytes that a guest can address."""

_TABLE_ELEMENTS: Final = 200_000


class Trapped(Exception):
    """A guest faulted or ended itself; its instance is gone.

    Attributes:
        reason: one sentence without a full stop, such as "the wasm stack overflowed".
        details: text that the guest's C code wrote to its standard error, bounded, and the functions in which the guest faulted; often empty.
    """

    def __init__(self, reason: str, details: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.details = details


class Interrupted(Exception):
    """A guest was stopped by `Instance.interrupt`."""


class Exited(Exception):
    """A guest ended itself, as the `proc_exit` of WASI does.

    Attributes:
        code: the guest's exit code; 0 is success.
    """

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class OutOfBounds(Exception):
    """A guest passed a pointer and a length that are not within its memory."""


_lock = threading.Lock()
_engines: dict[bool, wasmtime.Engine] = {}
_owner = 0
_interrupted: Final[queue.SimpleQueue[weakref.ref[Instance]]] = queue.SimpleQueue()
_ticks: Final[dict[int, float]] = {}
_TICK: Final = 0.002
"""Seconds within which interrupts of several guests advance the epoch once."""

_FIRST_PAUSE: Final = 0.02
_LONGEST_PAUSE: Final = 1.0
"""Seconds between two advances of the epoch for the same interrupted guests."""
numbers: Final = itertools.count(1)
guests: dict[int, Instance] = {}
running: Final = threading.local()


FORKED: Final = (
    "capsend was used before os.fork(), and its engine does not survive a fork. "
    "Start workers with the 'spawn' or 'forkserver' method, or use capsend only after the fork"
)
"""The message in an OS process forked from one that had used capsend."""


def engine(*, small: bool = False) -> wasmtime.Engine:
    """Return one of the two engines of this OS process, made at the first call.

    Args:
        small: True for the engine of guests in other languages, whose threads have less stack; False for the engine of
            Python images.

    Raises:
        RuntimeError: this OS process was forked from a process with an engine; the engine's threads and memory maps did
            not survive the fork.
    """
    global _owner  # noqa: PLW0603 - the engines belong to one OS process
    found = _engines.get(small)
    if found is None:
        with _lock:
            found = _engines.get(small)
            if found is None:
                if not _owner:
                    _owner = os.getpid()
                    threading.Thread(target=_insist, name="capsend interrupts", daemon=True).start()
                found = _engines[small] = _make_engine(small=small)
    if os.getpid() != _owner:
        raise RuntimeError(FORKED)
    return found


def _make_engine(*, small: bool) -> wasmtime.Engine:
    config = wasmtime.Config()
    config.epoch_interruption = True
    stack = _SMALL_WASM_STACK if small else _WASM_STACK
    # capsend makes no asynchronous call, but wasmtime refuses a stack limit above the stack size of such calls.
    ffi.wasmtime_config_async_stack_size_set(config.ptr(), 2 * stack)
    config.max_wasm_stack = stack
    # Nothing is concurrent in one store, and wasmtime's bookkeeping for concurrency costs time at every instantiation
    # and call.
    ffi.wasmtime_config_concurrency_support_set(config.ptr(), False)
    if not small and creator.has_slots():
        creator.install(config)
    if small:
        for name in REFUSED_FEATURES:
            getattr(ffi, f"wasmtime_config_{name}_set")(config.ptr(), False)
    return wasmtime.Engine(config)


def _tick(owner: wasmtime.Engine) -> None:
    """Have the guests of an engine look whether they are interrupted, unless they have just been told so."""
    # Every running guest looks, under the GIL: many kills at once would cost the square of their number. `_insist` tells them again.
    now = time.monotonic()
    if now - _ticks.get(id(owner), -math.inf) > _TICK:
        _ticks[id(owner)] = now
        owner.increment_epoch()


def _insist() -> None:
    """Advance the epoch again and again until each interrupted guest has ended; runs on a thread of its own.

    The deadline of a guest is renewed after `_on_epoch` has returned. An interrupt in between advances the epoch before the guest looks, and
    would be lost.
    """
    while True:
        waiting, pause = [_interrupted.get()], _FIRST_PAUSE
        while waiting:
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
            while not _interrupted.empty():
                waiting.append(_interrupted.get())
                pause = _FIRST_PAUSE
            alive = [(each, guest) for each in waiting if (guest := each()) is not None and guest.store is not None]
            waiting = [each for each, _ in alive]
            for owner in {id(guest.engine): guest.engine for _, guest in alive}.values():
                owner.increment_epoch()
            alive.clear()


REASONS: Final = (
    ("call stack exhausted", "the wasm stack overflowed: the recursion in the process was too deep"),
    ("unreachable", "the interpreter of the guest aborted"),
    ("out of bounds memory access", "the process touched memory that it does not have"),
    ("indirect call type mismatch", "the process called a function through a wrong pointer"),
    ("undefined element", "the process called a function that does not exist"),
    ("uninitialized element", "the process called a function that does not exist"),
    ("concurrent limit", "too many processes are alive at once in this program"),
    ("concurrent memory limit", "too many processes are alive at once in this program"),
    ("memory minimum size", "the environment's memory is smaller than the image needs to start"),
)
"""[(part of a wasmtime message, its meaning)]."""


class Instance:
    """A store with one instance. It runs on one thread at a time.

    After `Trapped` or `Interrupted` the instance is dead and can only be closed.

    Attributes:
        afterwards: functions to call at the end of the guest's host operation: by then a thread that they wake finds
            the GIL free.
        on_wait: called once, when the instance waits for the first time.
        is_running: True while the instance runs code or is about to, and is not waiting.
        began: nanoseconds of processor time that its thread had used when the instance was made.
    """

    reasons: ClassVar[tuple[tuple[str, str], ...]] = REASONS
    exits: ClassVar[bool] = False
    """True if the guest is a whole program: it may end itself with an exit code, and its function names help its author."""

    def __init__(self, owner: wasmtime.Engine) -> None:
        self.engine = owner
        self.began: int = time.thread_time_ns()
        self._interrupted = False
        self.disturbed: bool = False
        self.on_disturbance: Callable[[], object] | None = None
        self.on_wait: Callable[[], object] | None = None
        self.failure: BaseException | None = None
        self.raw_output: bytearray = bytearray()
        self._wake = threading.Lock()
        self._wake.acquire()
        self.is_running: bool = True
        self.afterwards: list[Callable[[], object]] = []
        self._number = next(numbers)
        self.store: Any = capi.store_new(owner.ptr(), None, capi.NO_FINALIZER)
        self.context: Any = capi.store_context(self.store)
        guests[self._number] = self

    def limit(self, memory: int) -> None:
        """Limit the guest to *memory* bytes from now on; memory that it already has stays."""
        capi.store_limiter(self.store, memory, _TABLE_ELEMENTS, -1, -1, -1)

    def configure(self, memory: int, mounts: Sequence[Mount]) -> None:
        """Set the guest's limits and the host folders that it sees."""
        self.limit(memory)
        self.watch()
        self.set_wasi(mounts)

    def watch(self) -> None:
        """Let `interrupt` reach the guest while it runs."""
        capi.epoch_deadline_callback(self.store, _on_epoch, self._number, capi.NO_FINALIZER)
        capi.set_epoch_deadline(self.context, 1)

    def set_wasi(self, mounts: Sequence[Mount], variables: Mapping[str, str] | None = None) -> None:
        """Give the guest WASI with only these folders and environment variables."""
        # A fresh configuration grants nothing: no files, arguments, variables, network or input.
        config = capi.wasi_config_new()
        for mount in mounts:
            host, inside = (ctypes.create_string_buffer(os.fsencode(path)) for path in (mount.path, mount.inside))
            if not capi.preopen_dir(config, host, inside, mount.write):
                capi.wasi_config_delete(config)
                raise OSError(
                    f"the folder {mount.path} cannot be opened any more: it is gone, or this program has no file descriptor left"
                )
        if variables:
            capi.set_env(config, len(variables), capi.texts(variables), capi.texts(variables.values()))
        capi.check(capi.set_wasi(self.context, config))

    def interrupt(self) -> None:
        """Stop the guest, from any thread: a running guest within milliseconds, a sleeping one at once.

        A second call does nothing.
        """
        # No lock: a handle may be collected, and its process stopped, at any point in any thread.
        if self._interrupted:
            return
        self._interrupted = True
        with contextlib.suppress(RuntimeError):  # two threads at once: the other one has released it
            self._wake.release()
        _tick(self.engine)
        _interrupted.put(weakref.ref(self))  # its `put` may itself be interrupted by a `put`, as of a collected handle

    def disturb(self) -> None:
        """Call `on_disturbance` on the thread that runs the guest, and end the guest's wait; from any thread.

        `disturbed` is true, which ends waits, until the guest runs again.
        """
        self.disturbed = True
        self.unpark()
        self.engine.increment_epoch()

    def call_afterwards(self) -> None:
        """Make the calls of `afterwards`; on the thread that runs the guest."""
        while self.afterwards:
            self.afterwards.pop(0)()

    def tell_disturbance(self) -> None:
        """Call `on_disturbance`; on the thread that runs the guest."""
        self.disturbed = False
        if self.on_disturbance is not None:
            self.on_disturbance()

    @property
    def interrupted(self) -> bool:
        """True once `interrupt` was called."""
        return self._interrupted

    def sleep(self, seconds: float) -> None:
        """Wait in a host operation until the time is over or the guest is interrupted."""
        end = time.monotonic() + max(seconds, 0.0)
        while not self.interrupted and not self.disturbed and (left := end - time.monotonic()) > 0:
            self.park(left)

    def park(self, seconds: float | None) -> None:
        """Wait in a host operation until `unpark` is called, the time is over, or the guest is interrupted.

        An `unpark` since the last wait ends this wait at once.

        A wait may also end early without a cause: the caller checks again. None waits for ever.
        """
        on_wait, self.on_wait = self.on_wait, None
        if on_wait is not None:
            on_wait()
        timeout = -1.0 if seconds is None else min(max(seconds, 0.0), threading.TIMEOUT_MAX)
        self.is_running = False
        if self._wake.acquire(timeout=timeout) and self.interrupted:
            self._wake.release()
        self.is_running = True

    def unpark(self) -> None:
        """End the present or next wait of `park`; from any thread."""
        try:
            self._wake.release()
        except RuntimeError:
            return  # it was released before, and no wait has happened since

    def close(self) -> None:
        """Free the instance and its memory; a second call does nothing."""
        store, self.store = self.store, None
        if store is not None:
            self.context = None
            self.release()
            self.delete_store(store)
            guests.pop(self._number, None)

    def delete_store(self, store: Any) -> None:
        """Free the store, and the memories of its instances."""
        ffi.wasmtime_store_delete(store)

    def _reason(self, problem: Exception) -> str:
        if isinstance(problem, wasmtime.ExitTrap):
            return "the process ended itself, as os._exit() does"
        text = str(problem)
        for sign, reason in self.reasons:
            if sign in text:
                return reason
        return f"the process faulted: {capi.last_cause(text)}"

    def release(self) -> None:
        """Free the resources that the instance holds in addition to the store."""

    def finish(self, error: Any, trap: Any = None) -> None:
        """Raise the exception for the result of a wasmtime call, if it is an error or a trap."""
        if not error and not trap:
            return
        failure, self.failure = self.failure, None
        problem = capi.problem(error) if error else capi.trapped(trap)
        if self.interrupted:
            raise Interrupted
        if failure is not None:
            raise failure
        if self.exits and isinstance(problem, wasmtime.ExitTrap):
            raise Exited(problem.code)
        details = [self.raw_output.decode("utf-8", "replace").strip()]
        if self.exits:
            details += [f"  in {name}" for name in capi.functions_in(problem)]
        raise Trapped(self._reason(problem), "\n".join(filter(None, details)))


# The callbacks below never raise. An exception that leaves a ctypes callback is printed and dropped, and one that
# passes wasmtime-py's wrapper is kept in a global from which the next call on any thread would raise it.


@capi.epoch_callback
def _on_epoch(_context: Any, number: int, delta: Any, _kind: Any) -> int | None:
    """Let the guest continue, unless it must stop: a tick of the epoch reaches every guest of the engine."""
    guest = guests.get(number)
    if guest is None or guest.interrupted:
        return capi.error("interrupted")
    if guest.disturbed:
        guest.tell_disturbance()
    delta[0] = 1
    return 0
