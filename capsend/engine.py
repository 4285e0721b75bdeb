"""The only module that talks to wasmtime: it loads templates, runs guests made from them and interrupts them."""
# ruff: noqa: SLF001 - the callbacks below belong to the classes of this module; wasmtime-py has no public way to consume

from __future__ import annotations

import contextlib
import ctypes
import functools
import itertools
import os
import re
import resource
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import wasmtime
from wasmtime import _bindings as ffi
from wasmtime import _ffi as ffi_constants
from wasmtime import component as wasm_component

from capsend.folders import LONGEST_PATH, MOST_LISTINGS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from capsend.folders import Mount

# ctypes objects have no useful static types: every `Any` in this module is a wasmtime handle or a C value.

THREAD_STACK: Final = 35_651_584
"""Bytes of stack that a thread needs to run a guest: wasmtime's own limit plus room for the host functions.

They are addresses and not memory until they are used. CPython inside counts its stack in linear memory, of which it has
1 MB; with this much of the other stack its own check comes first, and endless recursion in C is a `RecursionError`.
"""

_WASM_STACK: Final = 33_554_432
LARGEST_MEMORY: Final = 1 << 32
"""Bytes that a guest can address at most."""

_LARGEST_PAYLOAD: Final = 1 << 25  # as much as `capsend.guest.host.deliver` sends at once
_RAW_WAIT: Final = 0.02
_FIRST_WAIT: Final = 0.00002
_PROBE: Final = Path(__file__).with_name("probe.wat")
_RAW_OUTPUT_LIMIT: Final = 4_096
_TABLE_ELEMENTS: Final = 200_000

# wasmtime names its WASI interfaces by the version it implements; shadowing works under that name only.
_WASI: Final = "0.2.12"

_STRING: Final = ffi_constants.WASMTIME_COMPONENT_STRING.value
_LISTING: Final = 1
_U32: Final = ffi_constants.WASMTIME_COMPONENT_U32.value
_LIST: Final = ffi_constants.WASMTIME_COMPONENT_LIST.value
_ENUM: Final = ffi_constants.WASMTIME_COMPONENT_ENUM.value
_RESULT: Final = ffi_constants.WASMTIME_COMPONENT_RESULT.value


def _quick(name: str) -> Any:
    """A C function called without letting go of the GIL: for what takes less time than getting it back."""
    original = getattr(ffi, f"_{name}")
    function = _holding[name]
    function.restype, function.argtypes = original.restype, original.argtypes
    return function


_holding: Final = ctypes.PyDLL("wasmtime", handle=ffi_constants.dll._handle)
_store_new: Final = _quick("wasmtime_store_new")
_store_context: Final = _quick("wasmtime_store_context")
_store_limiter: Final = _quick("wasmtime_store_limiter")
_epoch_deadline_callback: Final = _quick("wasmtime_store_epoch_deadline_callback")
_set_epoch_deadline: Final = _quick("wasmtime_context_set_epoch_deadline")
_set_wasi: Final = _quick("wasmtime_context_set_wasi")
_wasi_config_new: Final = _quick("wasi_config_new")
_wasi_config_delete: Final = _quick("wasi_config_delete")
_get_func: Final = _quick("wasmtime_component_instance_get_func")
_byte_vec_new: Final = _quick("wasm_byte_vec_new")
_byte_vec_delete: Final = _quick("wasm_byte_vec_delete")
_val_vec_new: Final = _quick("wasmtime_component_vallist_new_uninit")
_val_new: Final = _quick("wasmtime_component_val_new")
_resource_drop: Final = _quick("wasmtime_component_resource_any_drop")


class Trapped(Exception):
    """A guest faulted, or ended itself; the instance is gone.

    Attributes:
        reason: one sentence without a full stop, such as "the wasm stack overflowed".
        details: what the guest's C code had written to its standard error, bounded; often empty.
    """

    def __init__(self, reason: str, details: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.details = details


class Interrupted(Exception):
    """A guest was stopped by `Guest.interrupt`."""


_lock = threading.Lock()
_engine: wasmtime.Engine | None = None
_owner = 0
_numbers = itertools.count(1)
_guests: dict[int, Guest] = {}
_running = threading.local()


def engine() -> wasmtime.Engine:
    """The one engine of this OS process, made when it is first asked for.

    Raises:
        RuntimeError: this OS process was forked from one that already had an engine, whose threads and memory maps
            did not survive the fork.
    """
    global _engine, _owner  # noqa: PLW0603 - one engine per OS process is the point
    if _engine is None:
        with _lock:
            if _engine is None:
                _owner = os.getpid()
                _engine = _make_engine()
    if os.getpid() != _owner:
        message = (
            "capsend was used before os.fork(), and its engine does not survive a fork. "
            "Start workers with the 'spawn' or 'forkserver' method, or use capsend only after the fork"
        )
        raise RuntimeError(message)
    return _engine


def _make_engine() -> wasmtime.Engine:
    config = wasmtime.Config()
    config.epoch_interruption = True
    # No call here is asynchronous, but wasmtime refuses a stack limit above the size of such calls' stacks.
    ffi.wasmtime_config_async_stack_size_set(config.ptr(), 2 * _WASM_STACK)
    config.max_wasm_stack = _WASM_STACK
    return wasmtime.Engine(config)


def compile_component(wasm: bytes) -> bytes:
    """Compile a component to the machine code of this CPU, in the form that `Template` loads.

    Raises:
        ValueError: the bytes are not a component.
    """
    try:
        return bytes(wasm_component.Component(engine(), wasm).serialize())
    except wasmtime.WasmtimeError as error:
        message = f"the component cannot be compiled: {_first_line(error)}"
        raise ValueError(message) from None


class Template:
    """A compiled component, loaded and ready to be instantiated any number of times, on any thread."""

    def __init__(self, path: Path) -> None:
        """Load a file that `compile_component` made.

        Loading maps machine code into this OS process: the caller vouches for the file.

        Raises:
            ValueError: the file was made by another wasmtime, with other settings, or for another CPU.
        """
        try:
            self._component = wasm_component.Component.deserialize_file(engine(), str(path))
            self._linker = _make_linker(engine(), shadowed=(*_SHADOWED, *_SHADOWED_OUTPUT))
        except wasmtime.WasmtimeError as error:
            message = f"{path} cannot be loaded: {_first_line(error)}"
            raise ValueError(message) from None
        export = self._component.get_export_index("run")
        if export is None:
            message = f"{path} has no function to run"
            raise ValueError(message)
        self._export = export

    @functools.cached_property
    def _writing_linker(self) -> wasm_component.Linker:
        """The linker of guests that may write files: streams of output are wasmtime's own."""
        return _make_linker(engine(), shadowed=_SHADOWED)

    @functools.cached_property
    def _probe(self) -> _Probe:
        return _Probe()


class _Probe:
    """A component of a few instructions that passes calls on to WASI functions which the guest itself does not reach."""

    def __init__(self) -> None:
        self.component = wasm_component.Component(engine(), _PROBE.read_text(encoding="ascii"))
        self.linker = wasm_component.Linker(engine())
        self.linker.add_wasip2()
        self.exports = {name: self.component.get_export_index(name) for name in ("ready", "open", "list", "entry")}


class Guest:
    """One instance with memory of its own; `run` calls into it, on one thread at a time.

    After `Trapped` or `Interrupted` the instance is dead and can only be closed.
    """

    def __init__(
        self,
        template: Template,
        *,
        memory: int,
        host: Callable[[int, str], str] | None = None,
        mounts: Sequence[Mount] = (),
    ) -> None:
        """Instantiate a template.

        Args:
            template: what it is an instance of.
            memory: bytes that it can have.
            host: the answer to its host operations.
            mounts: folders of the host that it sees.

        Raises:
            OSError: a folder cannot be opened.
        """
        self.host = host
        self._functions: dict[str, Any] = {}
        self._listings: dict[int, Any] = {}
        self._interrupted = False
        self._returned = False
        self._failure: BaseException | None = None
        self._raw_output = bytearray()
        self._wake = threading.Lock()
        self._wake.acquire()
        self._number = next(_numbers)
        self._store: Any = _store_new(engine().ptr(), None, _NO_FINALIZER)
        self._context: Any = _store_context(self._store)
        _guests[self._number] = self
        try:
            self._configure(memory, mounts)
            writes = any(mount.write for mount in mounts)
            linker = template._writing_linker if writes else template._linker
            instance = self._instantiate(linker, template._component)
            self._function = self._export(instance, template._export)
            if mounts:
                self._attach(template._probe)
        except BaseException:
            self.close()
            raise

    def limit(self, memory: int) -> None:
        """Let it have at most so many bytes from now on; what it has already stays."""
        _store_limiter(self._store, memory, _TABLE_ELEMENTS, -1, -1, -1)

    def _configure(self, memory: int, mounts: Sequence[Mount]) -> None:
        self.limit(memory)
        _epoch_deadline_callback(self._store, _on_epoch, self._number, _NO_FINALIZER)
        _set_epoch_deadline(self._context, 1)
        # A fresh configuration grants nothing: no files, arguments, variables or network, and nothing to read.
        config = _wasi_config_new()
        for mount in mounts:
            host, inside = (ctypes.create_string_buffer(os.fsencode(path)) for path in (mount.path, mount.inside))
            if not ffi._wasi_config_preopen_dir(config, host, inside, mount.write):
                _wasi_config_delete(config)
                raise OSError(
                    f"the folder {mount.path} cannot be opened any more: it is gone, or this program has no file descriptor left"
                )
        _check(_set_wasi(self._context, config))

    def _instantiate(self, linker: Any, component: Any) -> Any:
        instance = ffi.wasmtime_component_instance_t()
        _running.guest = self
        try:
            self._finish(
                ffi.wasmtime_component_linker_instantiate(
                    linker.ptr(), self._context, component.ptr(), ctypes.byref(instance)
                )
            )
        finally:
            _running.guest = None
        return instance

    def _export(self, instance: Any, index: Any) -> Any:
        function = ffi.wasmtime_component_func_t()
        _get_func(ctypes.byref(instance), self._context, index.ptr(), ctypes.byref(function))
        return function

    def _attach(self, probe: _Probe) -> None:
        """Give a guest with files what it takes to wait for them and to count them."""
        instance = self._instantiate(probe.linker, probe.component)
        self._functions = {name: self._export(instance, index) for name, index in probe.exports.items()}

    def _pass_on(self, name: str, arguments: Any, count: int) -> Any:
        """Call a function of the probe from within a host function; None when it failed."""
        result = ffi.wasmtime_component_val_t()
        function = self._functions[name]
        error = ffi.wasmtime_component_func_call(
            ctypes.byref(function), self._context, arguments, count, ctypes.byref(result), 1
        )
        if error:
            wasmtime.WasmtimeError._from_ptr(error)  # frees it
            return None
        error = ffi.wasmtime_component_func_post_return(ctypes.byref(function), self._context)
        if error:
            wasmtime.WasmtimeError._from_ptr(error)
        return result

    def _is_ready(self, pollable: Any) -> bool:
        """Tell whether what is waited for is there; it is, too, when it cannot be found out."""
        result = self._pass_on("ready", pollable, 1)
        return result is None or bool(result.of.boolean)

    def _wait_until(self, ready: Callable[[], bool]) -> None:
        """Wait until something is ready or the guest is interrupted."""
        pause = _FIRST_WAIT
        while not self._interrupted and not ready():
            self.sleep(pause)
            pause = min(2 * pause, _RAW_WAIT)

    def run(self, program: str, call: str) -> str:
        """Call the guest's one function; both texts and the answer are ASCII.

        The thread must have `THREAD_STACK` bytes of stack, unless the guest is trusted not to recurse deeply.

        Raises:
            Trapped: the guest faulted, exhausted its stack, or ended itself.
            Interrupted: `interrupt` was called, before or meanwhile.
        """
        if self._interrupted:
            raise Interrupted
        arguments = (ffi.wasmtime_component_val_t * 2)()
        # The buffers belong to these two bytes objects, which outlive the call: wasmtime copies them into the guest.
        texts = (program.encode("ascii"), call.encode("ascii"))
        for slot, text in zip(arguments, texts, strict=True):
            slot.kind = _STRING
            slot.of.string.size = len(text)
            slot.of.string.data = _address(text)
        result = ffi.wasmtime_component_val_t()
        _running.guest = self
        try:
            if self._returned:
                # Owed from the call before; most guests are called once and dropped.
                self._finish(ffi.wasmtime_component_func_post_return(ctypes.byref(self._function), self._context))
            self._finish(
                ffi.wasmtime_component_func_call(
                    ctypes.byref(self._function), self._context, arguments, 2, ctypes.byref(result), 1
                )
            )
            self._returned = True
        finally:
            _running.guest = None
        return _take_text(result.of.string)

    def interrupt(self) -> None:
        """Stop the guest, from any thread: a running one within milliseconds, one that sleeps at once.

        Does nothing when it was called before.
        """
        # No lock here: a handle may be collected, and its process stopped, at any point of any thread.
        if self._interrupted:
            return
        self._interrupted = True
        with contextlib.suppress(RuntimeError):  # two threads at once: the other one has released it
            self._wake.release()
        if _engine is not None:
            _engine.increment_epoch()

    @property
    def interrupted(self) -> bool:
        """Whether `interrupt` was called."""
        return self._interrupted

    def sleep(self, seconds: float) -> None:
        """Wait inside a host operation, until the time is over or the guest is interrupted."""
        end = time.monotonic() + max(seconds, 0.0)
        while not self._interrupted and (left := end - time.monotonic()) > 0:
            self.park(left)

    def park(self, seconds: float | None) -> None:
        """Wait inside a host operation until `unpark` was called since the last wait, the time is over, or the guest is interrupted.

        It may return early for no reason: whoever waits for something looks again. None waits for ever.
        """
        timeout = -1.0 if seconds is None else min(max(seconds, 0.0), threading.TIMEOUT_MAX)
        if self._wake.acquire(timeout=timeout) and self._interrupted:
            self._wake.release()

    def unpark(self) -> None:
        """End the wait of `park`, or the next one; from any thread."""
        with contextlib.suppress(RuntimeError):  # it has been released and nobody has waited since
            self._wake.release()

    def close(self) -> None:
        """Free the instance and its memory; does nothing when it was closed before."""
        store, self._store = self._store, None
        if store is not None:
            self._context = None
            while self._listings:
                ffi.wasmtime_component_resource_any_delete(self._listings.popitem()[1])
            ffi.wasmtime_store_delete(store)
            _guests.pop(self._number, None)

    def _finish(self, error: Any) -> None:
        """Turn what a wasmtime call returned into the exception that it means."""
        if not error:
            return
        failure, self._failure = self._failure, None
        problem = wasmtime.WasmtimeError._from_ptr(error)
        if self._interrupted:
            raise Interrupted
        if failure is not None:
            raise failure
        raise Trapped(_reason(problem), self._raw_output.decode("utf-8", "replace").strip())


_REASONS: Final = (
    ("call stack exhausted", "the wasm stack overflowed: the recursion in the process was too deep"),
    ("unreachable", "the interpreter inside aborted"),
    ("out of bounds memory access", "the process touched memory that it does not have"),
    ("indirect call type mismatch", "the process called a function through a wrong pointer"),
    ("undefined element", "the process called a function that does not exist"),
    ("uninitialized element", "the process called a function that does not exist"),
    ("concurrent limit", "too many processes are alive at once in this program"),
    ("concurrent memory limit", "too many processes are alive at once in this program"),
    ("memory minimum size", "the environment's memory is smaller than what the image needs to start"),
)


def _reason(error: wasmtime.WasmtimeError) -> str:
    if isinstance(error, wasmtime.ExitTrap):
        return "the process ended itself, as os._exit() does"
    text = str(error)
    for sign, reason in _REASONS:
        if sign in text:
            return reason
    return f"the process faulted: {_last_cause(text)}"


def _last_cause(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return re.sub(r"^\d+: ", "", lines[-1])[:300] if lines else "no reason given"


def _first_line(error: wasmtime.WasmtimeError) -> str:
    return str(error).split("\n", 1)[0]


def _check(error: Any) -> None:
    if error:
        raise wasmtime.WasmtimeError._from_ptr(error)


def _take_text(vector: Any) -> str:
    text = ctypes.string_at(vector.data, vector.size).decode("utf-8", "replace") if vector.size else ""
    _byte_vec_delete(ctypes.byref(vector))
    return text


_NO_FINALIZER: Final = ctypes.cast(0, ctypes.CFUNCTYPE(None, ctypes.c_void_p))
_ANY_POINTER: Final = ctypes.POINTER(ffi.wasmtime_component_resource_any_t)
_BYTE_POINTER: Final = ctypes.POINTER(ctypes.c_uint8)


def _error(text: str) -> int | None:
    """A new wasmtime error, handed over to wasmtime: returned from a host function, it ends the guest."""
    error = wasmtime.WasmtimeError(text)
    return ctypes.cast(error._consume(), ctypes.c_void_p).value


def _address(data: bytes) -> Any:
    return ctypes.cast(ctypes.c_char_p(data), _BYTE_POINTER)


def _host_function(function: Callable[..., int | None]) -> Any:
    return ffi.wasmtime_component_func_callback_t(function)


def _destructor(function: Callable[..., int | None]) -> Any:
    return ffi.wasmtime_component_resource_destructor_t(function)


def _epoch_callback(function: Callable[..., int | None]) -> Any:
    context, kind = ctypes.POINTER(ffi.wasmtime_context_t), ctypes.POINTER(ffi.wasmtime_update_deadline_kind_t)
    pointer = ctypes.POINTER(ctypes.c_uint64)
    return ctypes.CFUNCTYPE(ctypes.c_size_t, context, ctypes.c_void_p, pointer, kind)(function)


# The callbacks below never raise: an exception that leaves a ctypes callback is printed and forgotten, and one that
# goes through wasmtime-py's own wrapper is parked in a global that the next call on any thread would raise.


@_epoch_callback
def _on_epoch(_context: Any, number: int, delta: Any, _kind: Any) -> int | None:
    """Go on, unless it is this guest that has to stop: a tick of the epoch reaches every guest of the engine."""
    guest = _guests.get(number)
    if guest is None or guest._interrupted:
        return _error("interrupted")
    delta[0] = 1
    return 0


@_host_function
def _on_host(
    _data: Any, _context: Any, _type: Any, arguments: Any, _count: int, results: Any, _results: int
) -> int | None:
    """The world's one import: (operation, payload) -> answer."""
    guest = _running.guest
    if guest._interrupted or guest.host is None:
        return _error("interrupted")
    try:
        operation, payload = arguments[0].of.u32, arguments[1].of.string
        if payload.size > _LARGEST_PAYLOAD:
            return _error("it sent too much at once")
        text = ctypes.string_at(payload.data, payload.size).decode("utf-8", "replace") if payload.size else ""
        answer = guest.host(operation, text).encode("ascii")
    except BaseException as failure:  # noqa: BLE001 - raised again by `_finish`, on this side of wasmtime
        guest._failure = failure
        return _error("host function failed")
    if guest._interrupted:
        return _error("interrupted")
    results[0].kind = _STRING
    _byte_vec_new(ctypes.byref(results[0].of.string), len(answer), _address(answer))
    return 0


@_host_function
def _on_block(
    _data: Any, context: Any, _type: Any, arguments: Any, _count: int, _res: Any, _results: int
) -> int | None:
    """`wasi:io/poll.block`: can be interrupted.

    A guest without files waits for nothing but time: it wakes early, and looks at its clock again.
    """
    guest = _running.guest
    if guest._functions:
        guest._wait_until(lambda: guest._is_ready(arguments))
    else:
        guest.sleep(_RAW_WAIT)
    _resource_drop(context, arguments[0].of.resource)
    return _error("interrupted") if guest._interrupted else 0


@_host_function
def _on_poll(
    _data: Any, context: Any, _type: Any, arguments: Any, _count: int, results: Any, _results: int
) -> int | None:
    """`wasi:io/poll.poll`: can be interrupted; says after a moment that nothing is ready where only time is waited for."""
    pollables = arguments[0].of.list
    guest = _running.guest
    ready: list[int] = []
    if guest._functions and pollables.size:

        def look() -> bool:
            ready.extend(n for n in range(pollables.size) if guest._is_ready(ctypes.byref(pollables.data[n])))
            return bool(ready)

        guest._wait_until(look)
    else:
        guest.sleep(_RAW_WAIT)
    for index in range(pollables.size):
        _resource_drop(context, pollables.data[index].of.resource)
    results[0].kind = _LIST
    if ready:
        _val_vec_new(ctypes.byref(results[0].of.list), len(ready))
        for slot, index in enumerate(ready):
            results[0].of.list.data[slot].kind = _U32
            results[0].of.list.data[slot].of.u32 = index
    else:
        results[0].of.list.size = 0
        results[0].of.list.data = None
    return _error("interrupted") if guest._interrupted else 0


@_host_function
def _on_open(
    _data: Any, context: Any, _type: Any, arguments: Any, count: int, results: Any, _results: int
) -> int | None:
    """`descriptor.open-at`: WASI's own, unless this program would run out of files."""
    guest = _running.guest
    if arguments[2].of.string.size > LONGEST_PATH:
        answer = None
        refusal = b"name-too-long"
    else:
        refusal = b"insufficient-memory"
        answer = guest._pass_on("open", arguments, count) if _has_room_for_files() else None
    _resource_drop(context, arguments[0].of.resource)
    if answer is None:
        _refuse(results[0], refusal)
    else:
        results[0] = answer
    return _error("interrupted") if guest._interrupted else 0


@_host_function
def _on_list(
    _data: Any, context: Any, _type: Any, arguments: Any, count: int, results: Any, _results: int
) -> int | None:
    """`descriptor.read-directory`: WASI's own reads the whole folder into memory of the host, so only so many at a time."""
    guest = _running.guest
    answer = guest._pass_on("list", arguments, count) if len(guest._listings) < MOST_LISTINGS else None
    _resource_drop(context, arguments[0].of.resource)
    if answer is None:
        _refuse(results[0], b"insufficient-memory")
    else:
        if answer.of.result.is_ok:
            slot = answer.of.result.val.contents.of
            number = next(_numbers) & 0xFFFF_FFFF
            # A copy: what ctypes gives is a view of the slot, which is overwritten.
            guest._listings[number] = ctypes.cast(ctypes.cast(slot.resource, ctypes.c_void_p), _ANY_POINTER)
            slot.resource = _host_resource(context, number)
        results[0] = answer
    return _error("interrupted") if guest._interrupted else 0


def _host_resource(context: Any, number: int) -> Any:
    handle = ffi.wasmtime_component_resource_host_new(True, number, _LISTING)
    made = _ANY_POINTER()
    _check(ffi.wasmtime_component_resource_host_to_any(context, handle, ctypes.byref(made)))
    ffi.wasmtime_component_resource_host_delete(handle)
    return made


@_host_function
def _on_entry(
    _data: Any, context: Any, _type: Any, arguments: Any, count: int, results: Any, _results: int
) -> int | None:
    """`directory-entry-stream.read-directory-entry`: of the listing that the number stands for."""
    guest = _running.guest
    handle = ctypes.POINTER(ffi.wasmtime_component_resource_host_t)()
    error = ffi.wasmtime_component_resource_any_to_host(context, arguments[0].of.resource, ctypes.byref(handle))
    answer = None
    if error:
        wasmtime.WasmtimeError._from_ptr(error)  # frees it
        _resource_drop(context, arguments[0].of.resource)
    else:  # which gave back what was borrowed
        listing = ffi.wasmtime_component_val_t()
        listing.kind = arguments[0].kind
        listing.of.resource = guest._listings.get(ffi.wasmtime_component_resource_host_rep(handle))
        ffi.wasmtime_component_resource_host_delete(handle)
        answer = guest._pass_on("entry", ctypes.byref(listing), count) if listing.of.resource else None
    if answer is None:
        _refuse(results[0], b"bad-descriptor")
    else:
        results[0] = answer
    return _error("interrupted") if guest._interrupted else 0


@_destructor
def _on_listing_dropped(_data: Any, context: Any, number: int) -> int | None:
    """A guest has closed a listing."""
    listing = _running.guest._listings.pop(number, None)
    if listing is not None:
        error = _resource_drop(context, listing)
        if error:
            wasmtime.WasmtimeError._from_ptr(error)  # frees it
        ffi.wasmtime_component_resource_any_delete(listing)
    return 0


def _has_room_for_files() -> bool:
    """Tell whether less than three quarters of the files that this OS process may open are open.

    A new descriptor has the lowest free number.
    """
    try:
        number = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    os.close(number)
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return limit < 0 or number < limit * 3 // 4


@_host_function
def _on_write(
    _data: Any, context: Any, _type: Any, arguments: Any, _count: int, results: Any, _results: int
) -> int | None:
    """`output-stream.write`: keep the first few kilobytes, for the text of a trap."""
    _resource_drop(context, arguments[0].of.resource)
    guest, data = _running.guest, arguments[1].of.list
    room = _RAW_OUTPUT_LIMIT - len(guest._raw_output)
    guest._raw_output.extend(data.data[index].of.u8 for index in range(min(data.size, room)))
    results[0].kind = _RESULT
    results[0].of.result.is_ok = True
    results[0].of.result.val = None
    return _error("interrupted") if guest._interrupted else 0


@_host_function
def _on_create_socket(
    _data: Any, _ctx: Any, _type: Any, _args: Any, _count: int, results: Any, _results: int
) -> int | None:
    """`create-tcp-socket`, `create-udp-socket`: refused, since each would cost the host a descriptor."""
    _refuse(results[0], b"access-denied")
    return 0


def _refuse(result: Any, name: bytes) -> None:
    """Answer with an error code, by its name."""
    code = ffi.wasmtime_component_val_t()
    code.kind = _ENUM
    _byte_vec_new(ctypes.byref(code.of.enumeration), len(name), _address(name))
    result.kind = _RESULT
    result.of.result.is_ok = False
    result.of.result.val = _val_new(ctypes.byref(code))


_SHADOWED: Final = (
    (f"wasi:io/poll@{_WASI}", "[method]pollable.block", _on_block),
    (f"wasi:io/poll@{_WASI}", "poll", _on_poll),
    (f"wasi:filesystem/types@{_WASI}", "[method]descriptor.open-at", _on_open),
    (f"wasi:filesystem/types@{_WASI}", "[method]descriptor.read-directory", _on_list),
    (f"wasi:filesystem/types@{_WASI}", "[method]directory-entry-stream.read-directory-entry", _on_entry),
    (f"wasi:sockets/tcp-create-socket@{_WASI}", "create-tcp-socket", _on_create_socket),
    (f"wasi:sockets/udp-create-socket@{_WASI}", "create-udp-socket", _on_create_socket),
)
_SHADOWED_OUTPUT: Final = (
    (f"wasi:io/streams@{_WASI}", "[method]output-stream.write", _on_write),
    (f"wasi:io/streams@{_WASI}", "[method]output-stream.blocking-write-and-flush", _on_write),
)


def _make_linker(owner: wasmtime.Engine, *, shadowed: tuple[Any, ...]) -> wasm_component.Linker:
    """A linker with WASI, of which what blocks or costs the host is replaced, and the host function."""
    linker = wasm_component.Linker(owner)
    linker.allow_shadowing = True
    linker.add_wasip2()
    with linker.root() as root:
        _add_function(root, "host", _on_host)
        with root.add_instance(f"wasi:filesystem/types@{_WASI}") as instance:
            _add_listing(instance)
        for interface, name, callback in shadowed:
            with root.add_instance(interface) as instance:
                _add_function(instance, name, callback)
    return linker


def _add_listing(instance: wasm_component.LinkerInstance) -> None:
    """Put a resource of the engine's own in the place of `directory-entry-stream`."""
    name = b"directory-entry-stream"
    kind = ffi.wasmtime_component_resource_type_new_host(_LISTING)
    _check(
        ffi.wasmtime_component_linker_instance_add_resource(
            instance.ptr(), ctypes.create_string_buffer(name), len(name), kind, _on_listing_dropped, None, _NO_FINALIZER
        )
    )


def _add_function(instance: wasm_component.LinkerInstance, name: str, callback: Any) -> None:
    text = name.encode()
    _check(
        ffi.wasmtime_component_linker_instance_add_func(
            instance.ptr(), ctypes.create_string_buffer(text), len(text), callback, None, _NO_FINALIZER
        )
    )
