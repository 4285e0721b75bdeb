"""WASI preview 1 for core modules: wasmtime's own, of which what writes, waits or may take long is replaced."""

from __future__ import annotations

import os
import struct
import time
from typing import TYPE_CHECKING, Any, Final

from capsend.engine.imports import define, guarded
from capsend.engine.stores import Exited, OutOfBounds

if TYPE_CHECKING:
    from collections.abc import Callable

    import wasmtime

MODULE: Final = "wasi_snapshot_preview1"

_SUCCESS: Final = 0
_BADF: Final = 8
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
    """A function that answers with the error code of WASI when a pointer leads out of memory."""

    def call(guest: Any, *args: int) -> int:
        try:
            return function(guest, *args)
        except OutOfBounds:
            return _FAULT

    return call


def _fd_write(guest: Any, descriptor: int, vectors: int, count: int, written: int) -> int:
    """Standard output and standard error are the process's; there are no other files to write to."""
    if descriptor not in {1, 2}:
        return _BADF
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


def _clock_time_get(guest: Any, clock: int, _precision: int, time_pointer: int) -> int:
    now = _now(clock)
    if now is None:
        return _INVAL
    guest.save(time_pointer, now.to_bytes(8, "little"))
    return _SUCCESS


def _now(clock: int) -> int | None:
    if clock == 0:
        return time.time_ns()
    if clock == 1:
        return time.monotonic_ns()
    return time.thread_time_ns() if clock in {2, 3} else None


def _poll_oneoff(guest: Any, subscriptions: int, events: int, count: int, made: int) -> int:
    """Files are always ready; what is left to wait for is time, and that wait can be interrupted."""
    if not 0 < count <= _MOST_PIECES:
        return _INVAL
    guest.check(made, 4)
    guest.check(events, count * _EVENT.size)
    asked = list(_SUBSCRIPTION.iter_unpack(guest.load(subscriptions, count * _SUBSCRIPTION.size)))
    ready = [_EVENT.pack(data, _SUCCESS, tag, 0, 0) for data, tag, *_ in asked if tag != _CLOCK]
    if not ready:
        waits = [_wait_of(*each[2:]) for each in asked]
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


def _wait_of(clock: int, timeout: int, _precision: int, flags: int) -> int:
    """Nanoseconds from now on."""
    now = _now(clock) or 0
    return max(timeout - now, 0) if flags & _ABSOLUTE else timeout


def _random_get(guest: Any, buffer: int, size: int) -> int:
    """In pieces: wasmtime's own fills gigabytes without a look at whether the process was killed."""
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
    "clock_time_get": ("iIi", _clock_time_get),
    "poll_oneoff": ("iiii", _poll_oneoff),
    "random_get": ("ii", _random_get),
    "proc_exit": ("i", _proc_exit),
}
