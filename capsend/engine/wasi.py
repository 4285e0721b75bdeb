"""WASI for components: wasmtime's implementation, except for functions that block, write or cost the host much."""

from __future__ import annotations

import ctypes
import functools
import os
from typing import Any, Final

import wasmtime
from wasmtime import _bindings as ffi
from wasmtime import _ffi as ffi_constants
from wasmtime import component as wasm_component

from capsend.capabilities.folders import LONGEST_PATH, MOST_LISTINGS
from capsend.engine import capi, component_values, openings
from capsend.engine.component_instance import RAW_WAIT
from capsend.engine.instance import numbers, running

# wasmtime names its WASI interfaces by the implemented version; only that name can be shadowed.
_WASI: Final = "0.2.12"

_LISTING: Final = 1
_LONGEST_CODE: Final = 64
_U32: Final = ffi_constants.WASMTIME_COMPONENT_U32.value
_LIST: Final = ffi_constants.WASMTIME_COMPONENT_LIST.value
_ENUM: Final = ffi_constants.WASMTIME_COMPONENT_ENUM.value
_RESULT: Final = ffi_constants.WASMTIME_COMPONENT_RESULT.value


# The callbacks below never raise: see `capsend.engine.instance`.


@capi.host_function
def _on_block(
    _data: Any, context: Any, _type: Any, arguments: Any, _count: int, _res: Any, _results: int
) -> int | None:
    """`wasi:io/poll.block`, interruptible.

    A guest without files waits only for times: it wakes early, and checks its clock again.
    """
    guest = running.guest
    if guest.functions:
        guest.wait_until(lambda: guest.is_ready(arguments))
    else:
        guest.sleep(RAW_WAIT)
    capi.resource_drop(context, arguments[0].of.resource)
    return capi.error("interrupted") if guest.interrupted else 0


@capi.host_function
def _on_poll(
    _data: Any, context: Any, _type: Any, arguments: Any, _count: int, results: Any, _results: int
) -> int | None:
    """`wasi:io/poll.poll`, interruptible; waits for times alone end early, with nothing ready."""
    pollables = arguments[0].of.list
    guest = running.guest
    ready: list[int] = []
    if guest.functions and pollables.size:

        def look() -> bool:
            ready.extend(n for n in range(pollables.size) if guest.is_ready(ctypes.byref(pollables.data[n])))
            return bool(ready)

        guest.wait_until(look)
    else:
        guest.sleep(RAW_WAIT)
    for index in range(pollables.size):
        capi.resource_drop(context, pollables.data[index].of.resource)
    results[0].kind = _LIST
    if ready:
        capi.val_vec_new(ctypes.byref(results[0].of.list), len(ready))
        for slot, index in enumerate(ready):
            results[0].of.list.data[slot].kind = _U32
            results[0].of.list.data[slot].of.u32 = index
    else:
        results[0].of.list.size = 0
        results[0].of.list.data = None
    return capi.error("interrupted") if guest.interrupted else 0


@capi.host_function
def _on_open(
    _data: Any, context: Any, _type: Any, arguments: Any, count: int, results: Any, _results: int
) -> int | None:
    """`descriptor.open-at`: WASI's function, as long as the host program can open more files."""
    guest = running.guest
    if arguments[2].of.string.size > LONGEST_PATH:
        answer = None
        refusal = b"name-too-long"
    else:
        refusal = b"insufficient-memory"
        attempt = functools.partial(guest.pass_on, "open", arguments, count)
        answer = openings.opened(guest, attempt, _was_interrupted) if has_room_for_files() else None
    capi.resource_drop(context, arguments[0].of.resource)
    if answer is None:
        _refuse(results[0], refusal)
    else:
        results[0] = answer
    return capi.error("interrupted") if guest.interrupted else 0


def _was_interrupted(answer: Any) -> bool:
    """Return whether an answer is the error of an interrupted system call; if so, free it."""
    if answer is None or answer.of.result.is_ok:
        return False
    interrupted: bool = component_values.read(answer, most=_LONGEST_CODE) == (False, "interrupted")
    if interrupted:
        ffi.wasmtime_component_val_delete(ctypes.byref(answer))
    return interrupted


@capi.host_function
def _on_list(
    _data: Any, context: Any, _type: Any, arguments: Any, count: int, results: Any, _results: int
) -> int | None:
    """`descriptor.read-directory`, with a limit on open listings: WASI's function reads the whole folder into the host's memory."""
    guest = running.guest
    answer = guest.pass_on("list", arguments, count) if len(guest.listings) < MOST_LISTINGS else None
    capi.resource_drop(context, arguments[0].of.resource)
    if answer is None:
        _refuse(results[0], b"insufficient-memory")
    else:
        if answer.of.result.is_ok:
            slot = answer.of.result.val.contents.of
            number = next(numbers) & 0xFFFF_FFFF
            # A copy: ctypes gives a view of the slot, which is overwritten.
            guest.listings[number] = ctypes.cast(ctypes.cast(slot.resource, ctypes.c_void_p), capi.ANY_POINTER)
            slot.resource = _host_resource(context, number)
        results[0] = answer
    return capi.error("interrupted") if guest.interrupted else 0


def _host_resource(context: Any, number: int) -> Any:
    handle = ffi.wasmtime_component_resource_host_new(True, number, _LISTING)
    made = capi.ANY_POINTER()
    capi.check(ffi.wasmtime_component_resource_host_to_any(context, handle, ctypes.byref(made)))
    ffi.wasmtime_component_resource_host_delete(handle)
    return made


@capi.host_function
def _on_entry(
    _data: Any, context: Any, _type: Any, arguments: Any, count: int, results: Any, _results: int
) -> int | None:
    """`directory-entry-stream.read-directory-entry` for the listing of a number."""
    guest = running.guest
    handle = ctypes.POINTER(ffi.wasmtime_component_resource_host_t)()
    error = ffi.wasmtime_component_resource_any_to_host(context, arguments[0].of.resource, ctypes.byref(handle))
    answer = None
    if error:
        capi.problem(error)  # frees it
        capi.resource_drop(context, arguments[0].of.resource)
    else:  # the called function has given back the borrowed listing
        listing = ffi.wasmtime_component_val_t()
        listing.kind = arguments[0].kind
        listing.of.resource = guest.listings.get(ffi.wasmtime_component_resource_host_rep(handle))
        ffi.wasmtime_component_resource_host_delete(handle)
        answer = guest.pass_on("entry", ctypes.byref(listing), count) if listing.of.resource else None
    if answer is None:
        _refuse(results[0], b"bad-descriptor")
    else:
        results[0] = answer
    return capi.error("interrupted") if guest.interrupted else 0


@capi.destructor
def _on_listing_dropped(_data: Any, context: Any, number: int) -> int | None:
    """Free a listing that the guest has closed."""
    listing = running.guest.listings.pop(number, None)
    if listing is not None:
        error = capi.resource_drop(context, listing)
        if error:
            capi.problem(error)  # frees it
        ffi.wasmtime_component_resource_any_delete(listing)
    return 0


def has_room_for_files() -> bool:
    """Return whether this OS process has opened less than three quarters of the files that it may open.

    A new descriptor has the lowest free number, so the number shows how many are open.
    """
    try:
        import resource
    except ImportError:  # Windows: the limit on file handles is far away
        return True
    try:
        number = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    os.close(number)
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return limit < 0 or number < limit * 3 // 4


@capi.host_function
def _on_write(
    _data: Any, context: Any, _type: Any, arguments: Any, _count: int, results: Any, _results: int
) -> int | None:
    """`output-stream.write`."""
    capi.resource_drop(context, arguments[0].of.resource)
    guest = running.guest
    try:
        guest.keep_output(component_values.read(arguments[1], most=guest.longest_output))
    except BaseException as failure:  # noqa: BLE001 - raised again by `finish`, after wasmtime has returned
        guest.failure = failure
        return capi.error("host function failed")
    results[0].kind = _RESULT
    results[0].of.result.is_ok = True
    results[0].of.result.val = None
    return capi.error("interrupted") if guest.interrupted else 0


@capi.host_function
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
    capi.byte_vec_new(ctypes.byref(code.of.enumeration), len(name), capi.address(name))
    result.kind = _RESULT
    result.of.result.is_ok = False
    result.of.result.val = capi.val_new(ctypes.byref(code))


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


def make_linker(owner: wasmtime.Engine, *, writing: bool) -> wasm_component.Linker:
    """Return a linker with WASI, whose functions that block or cost the host much are replaced.

    Args:
        owner: the engine.
        writing: True if the guests may write files: their output streams are wasmtime's then.
    """
    linker = wasm_component.Linker(owner)
    linker.allow_shadowing = True
    linker.add_wasip2()
    with linker.root() as root:
        with root.add_instance(f"wasi:filesystem/types@{_WASI}") as instance:
            _add_listing(instance)
        for interface, name, callback in _SHADOWED if writing else (*_SHADOWED, *_SHADOWED_OUTPUT):
            with root.add_instance(interface) as instance:
                add_function(instance, name, callback)
    return linker


def _add_listing(instance: wasm_component.LinkerInstance) -> None:
    """Replace `directory-entry-stream` by a resource of the engine."""
    name = b"directory-entry-stream"
    kind = ffi.wasmtime_component_resource_type_new_host(_LISTING)
    capi.check(
        ffi.wasmtime_component_linker_instance_add_resource(
            instance.ptr(),
            ctypes.create_string_buffer(name),
            len(name),
            kind,
            _on_listing_dropped,
            None,
            capi.NO_FINALIZER,
        )
    )


def add_function(instance: wasm_component.LinkerInstance, name: str, callback: Any) -> None:
    """Define one import."""
    text = name.encode()
    capi.check(
        ffi.wasmtime_component_linker_instance_add_func(
            instance.ptr(), ctypes.create_string_buffer(text), len(text), callback, None, capi.NO_FINALIZER
        )
    )
