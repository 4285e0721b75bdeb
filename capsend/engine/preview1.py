"""WASI preview 1 for core modules: wasmtime's implementation, except for functions that write, wait or may take long."""

from __future__ import annotations

import ctypes
import functools
import os
import struct
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import wasmtime
from wasmtime import _bindings as ffi
from wasmtime import _ffi as ffi_constants

from capsend.capabilities.folders import LONGEST_PATH
from capsend.engine import capi, openings
from capsend.engine.imports import define, guarded
from capsend.engine.instance import Exited, OutOfBounds
from capsend.engine.wasi import has_room_for_files

if TYPE_CHECKING:
    from collections.abc import Callable

MODULE: Final = "wasi_snapshot_preview1"

_PROBE: Final = Path(__file__).with_name("preview1_probe.wat")
_PASSED_ON: Final = ("path_open", "fd_write", "path_filestat_get", "fd_fdstat_get", "fd_close")
_PATH: Final = 2
_PATH_SIZE: Final = 3  # the positions of the path and its length among the arguments of path_open
_STAT_SIZE: Final = 64
_STAT_TYPE: Final = 16
_FDSTAT_SIZE: Final = 24
_OPENED: Final = 8  # the position among them of the pointer to the new descriptor
_MAY_BE_OPENED: Final = frozenset({None, 3, 4, 7})  # folders, files, symbolic links

_ACCESS: Final = 2

_NAME_TOO_LONG: Final = 37
_TOO_MANY_FILES: Final = 41
_SUCCESS: Final = 0
_BADF: Final = 8
_INTERRUPTED: Final = 27
_INVAL: Final = 28
_FAULT: Final = 21

_MOST_PIECES: Final = 1_024
_RANDOM_PIECE: Final = 65_536
_VECTOR: Final = struct.Struct("<II")
_SUBSCRIPTION: Final = struct.Struct("<QB7xI4xQQH6x")
_EVENT: Final = struct.Struct("<QHB5xQH6x")
_CLOCK: Final = 0
_ABSOLUTE: Final = 1


def define_preview1(linker: wasmtime.Linker) -> None:
    """Put WASI into a linker."""
    linker.define_wasi()
    linker.allow_shadowing = True
    for name, (signature, function) in _SHADOWED.items():
        define(linker, MODULE, name, signature, guarded(signature, _checked(function)), answers=name != "proc_exit")


def _checked(function: Callable[..., int]) -> Callable[..., int]:
    """Return a function that returns WASI's error code if a pointer is not within the memory."""

    def call(guest: Any, *args: int) -> int:
        try:
            return function(guest, *args)
        except OutOfBounds:
            return _FAULT

    return call


def _fd_write(guest: Any, descriptor: int, vectors: int, count: int, written: int) -> int:
    """Write to the process's standard output or standard error; any other open descriptor is a granted file."""
    if descriptor not in {1, 2}:
        return _pass_on(guest, "fd_write", (descriptor, vectors, count, written))
    if count > _MOST_PIECES:
        return _INVAL
    guest.check(written, 4)
    total = 0
    for pointer, size in _VECTOR.iter_unpack(guest.load(vectors, count * _VECTOR.size)):
        if guest.host("write", (descriptor, pointer, size)) < 0:
            return _FAULT
        total += size
    guest.save(written, (total & 0xFFFF_FFFF).to_bytes(4, "little"))
    return _SUCCESS


def _path_open(guest: Any, *args: int) -> int:
    """Open files, folders and symbolic links by WASI's function, as long as the host program can open more files."""
    if args[_PATH_SIZE] > LONGEST_PATH:
        return _NAME_TOO_LONG
    if not guest.has_files:
        return _BADF
    if not has_room_for_files():
        return _TOO_MANY_FILES
    return openings.opened(guest, functools.partial(_open, guest, args), lambda error: error == _INTERRUPTED)


def _open(guest: Any, args: tuple[int, ...]) -> int:
    """Open a path of a checked type, and check again: opening a pipe or device could block the host or have an effect."""
    if _type_of(guest, args) not in _MAY_BE_OPENED:
        return _ACCESS
    error = _pass_on(guest, "path_open", args)
    if error:
        return error
    descriptor = int.from_bytes(guest.load(args[_OPENED], 4), "little")
    if _type_of_opened(guest, descriptor, args[_OPENED]) in _MAY_BE_OPENED:
        return _SUCCESS
    _pass_on(guest, "fd_close", (descriptor,))
    return _ACCESS


def _type_of_opened(guest: Any, descriptor: int, beside: int) -> int | None:
    """Return the type of an open descriptor; None if it is unknown."""
    place = 0 if beside >= _FDSTAT_SIZE else (beside + 11) & ~7
    before = guest.load(place, _FDSTAT_SIZE)
    error = _pass_on(guest, "fd_fdstat_get", (descriptor, place))
    found = guest.load(place, _FDSTAT_SIZE)[0]
    guest.save(place, before)
    return None if error else found


def _type_of(guest: Any, args: tuple[int, ...]) -> int | None:
    """Return the type of the file at a path; None if it is unknown: then opening the file will give the reason."""
    path, size = args[_PATH], args[_PATH_SIZE]
    guest.check(path, size)
    # WASI writes into the guest's memory: next to the path, where the content is restored afterwards.
    place = 0 if path >= _STAT_SIZE else (path + size + 7) & ~7
    before = guest.load(place, _STAT_SIZE)
    error = _pass_on(guest, "path_filestat_get", (*args[: _PATH_SIZE + 1], place))
    found = guest.load(place, _STAT_SIZE)[_STAT_TYPE]
    guest.save(place, before)
    return None if error else found


def _pass_on(guest: Any, name: str, args: tuple[int, ...]) -> int:
    """Call WASI's function, which needs an instance to reach memory; a guest without a folder has no such function."""
    if not guest.has_files:
        return _BADF
    return Probe.of(guest).call(name, args)


class Probe:
    """An instance that shares the guest's memory; its imports are WASI's functions."""

    def __init__(self, guest: Any) -> None:
        self._context = guest.context
        self._functions: dict[str, Any] = {}
        found = (ffi.wasmtime_extern_t * (len(_PASSED_ON) + 1))()
        linker = _real(guest.engine)
        for index, name in enumerate(_PASSED_ON):
            where, what = MODULE.encode(), name.encode()
            ffi.wasmtime_linker_get(
                linker.ptr(), guest.context, where, len(where), what, len(what), ctypes.byref(found[index])
            )
        found[len(_PASSED_ON)].kind = ffi_constants.WASMTIME_EXTERN_MEMORY
        found[len(_PASSED_ON)].of.memory = guest.exported_memory
        instance, trap = ffi.wasmtime_instance_t(), ctypes.POINTER(ffi.wasm_trap_t)()
        module = _module(guest.engine)
        capi.check(
            ffi.wasmtime_instance_new(
                guest.context, module.ptr(), found, len(found), ctypes.byref(instance), ctypes.byref(trap)
            )
        )
        for name in _PASSED_ON:
            item = ffi.wasmtime_extern_t()
            what = name.encode()
            capi.instance_export_get(guest.context, ctypes.byref(instance), what, len(what), ctypes.byref(item))
            self._functions[name] = item.of.func

    @classmethod
    def of(cls, guest: Any) -> Probe:
        """Return the probe of a guest, made at the first use."""
        if guest.probe is None:
            guest.probe = cls(guest)
        probe: Probe = guest.probe
        return probe

    def call(self, name: str, args: tuple[int, ...]) -> int:
        """Call one of its functions; return an error code of WASI."""
        slots = (ffi.wasmtime_val_raw_t * len(args))()
        for slot, value in zip(slots, args, strict=True):
            slot.i64 = value  # each function uses the half it needs
        trap = ctypes.POINTER(ffi.wasm_trap_t)()
        function = self._functions[name]
        error = ffi.wasmtime_func_call_unchecked(
            self._context, ctypes.byref(function), slots, len(args), ctypes.byref(trap)
        )
        if error or trap:
            _ = capi.problem(error) if error else capi.trapped(trap)  # frees it
            return _FAULT
        return int(slots[0].i32)


@functools.cache
def _real(owner: wasmtime.Engine) -> wasmtime.Linker:
    linker = wasmtime.Linker(owner)
    linker.define_wasi()
    return linker


@functools.cache
def _module(owner: wasmtime.Engine) -> wasmtime.Module:
    return wasmtime.Module(owner, _PROBE.read_text(encoding="ascii"))


def _clock_time_get(guest: Any, clock: int, _precision: int, time_pointer: int) -> int:
    now = _now(guest, clock)
    if now is None:
        return _INVAL
    guest.save(time_pointer, now.to_bytes(8, "little"))
    return _SUCCESS


def _now(guest: Any, clock: int) -> int | None:
    if clock == 0:
        return time.time_ns()
    if clock == 1:
        return time.monotonic_ns()
    return time.thread_time_ns() - guest.began if clock in {2, 3} else None


def _poll_oneoff(guest: Any, subscriptions: int, events: int, count: int, made: int) -> int:
    """Wait for times, interruptibly; files always count as ready."""
    if not 0 < count <= _MOST_PIECES:
        return _INVAL
    guest.check(made, 4)
    guest.check(events, count * _EVENT.size)
    asked = list(_SUBSCRIPTION.iter_unpack(guest.load(subscriptions, count * _SUBSCRIPTION.size)))
    ready = [_EVENT.pack(data, _SUCCESS, tag, 0, 0) for data, tag, *_ in asked if tag != _CLOCK]
    if not ready:
        waits = [_wait_of(guest, *each[2:]) for each in asked]
        shortest = min(waits)
        guest.sleep(shortest / 1e9)
        ready = [
            _EVENT.pack(each[0], _SUCCESS, _CLOCK, 0, 0)
            for each, wait in zip(asked, waits, strict=True)
            if wait <= shortest
        ]
    guest.save(events, b"".join(ready))
    guest.save(made, len(ready).to_bytes(4, "little"))
    return _SUCCESS


def _wait_of(guest: Any, clock: int, timeout: int, _precision: int, flags: int) -> int:
    """Return the nanoseconds until a time."""
    now = _now(guest, clock) or 0
    return max(timeout - now, 0) if flags & _ABSOLUTE else timeout


def _random_get(guest: Any, buffer: int, size: int) -> int:
    """Fill a buffer in pieces: wasmtime's function fills gigabytes without checking whether the process was killed."""
    guest.check(buffer, size)
    for start in range(0, size, _RANDOM_PIECE):
        if guest.interrupted:
            break
        guest.save(buffer + start, os.urandom(min(_RANDOM_PIECE, size - start)))
    return _SUCCESS


def _proc_exit(_guest: Any, code: int) -> int:
    raise Exited(code)


_SHADOWED: Final[dict[str, tuple[str, Callable[..., int]]]] = {
    "fd_write": ("iiii", _fd_write),
    "path_open": ("iiiiiIIii", _path_open),
    "clock_time_get": ("iIi", _clock_time_get),
    "poll_oneoff": ("iiii", _poll_oneoff),
    "random_get": ("ii", _random_get),
    "proc_exit": ("i", _proc_exit),
}
