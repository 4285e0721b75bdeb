"""The imports that core modules have from `capsend`: names, types and callbacks."""

from __future__ import annotations

import ctypes
import struct
from typing import TYPE_CHECKING, Any, Final

import wasmtime
from wasmtime import _bindings as ffi

from capsend.engine import capi
from capsend.engine.instance import running

if TYPE_CHECKING:
    from collections.abc import Callable

MODULE: Final = "capsend"
VERSION: Final = 1
"""The version of the interface in `docs/abi.md`."""

SIGNATURES: Final = {
    "argument": "i",
    "result": "ii",
    "receive": "iiiI",
    "read": "ii",
    "send": "iiiiiI",
    "say": "iiiiiI",
    "call": "iiiiiiI",
    "invoke": "iiii",
    "spawn": "iiiiiiii",
    "own": "",
    "drop": "i",
    "monitor": "i",
    "unmonitor": "i",
    "link": "i",
    "unlink": "i",
    "trap": "i",
    "kill": "i",
    "describe": "iii",
    "write": "iii",
    "sleep": "I",
}
"""{word: its parameters}: "i" is an i32 and "I" an i64; every word returns an i32. Numbers are unsigned unless they are times."""

_SLOT: Final = 16  # bytes of a `wasmtime_val_raw_t`
_Callback: Final = ctypes.CFUNCTYPE(ctypes.c_size_t, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
_Caller: Final = ctypes.POINTER(ffi.wasmtime_caller_t)
_alive: Final[list[Any]] = []


def define_imports(linker: wasmtime.Linker) -> None:
    """Put all words into a linker."""
    for name, signature in SIGNATURES.items():

        def pass_on(guest: Any, *args: int, _name: str = name) -> int:
            answer: int = guest.host(_name, args)
            return answer

        define(linker, MODULE, name, signature, guarded(signature, pass_on))


def define(
    linker: wasmtime.Linker, module: str, name: str, signature: str, callback: Any, *, answers: bool = True
) -> None:
    """Put one function into a linker.

    Args:
        linker: the linker.
        module: the name of its module.
        name: its name.
        signature: its parameters, as in `SIGNATURES`.
        callback: a callback of `guarded`.
        answers: True if the function returns a result, an i32.
    """
    kinds = {"i": wasmtime.ValType.i32, "I": wasmtime.ValType.i64}
    kind = wasmtime.FuncType([kinds[letter]() for letter in signature], [wasmtime.ValType.i32()] if answers else [])
    _alive.append(callback)  # kept as long as any linker lives: until this OS process ends
    where, what = module.encode(), name.encode()
    capi.check(
        capi.define_func_unchecked(
            linker.ptr(), where, len(where), what, len(what), kind.ptr(),
            ctypes.cast(callback, ffi.wasmtime_func_unchecked_callback_t), None, capi.NO_FINALIZER,
        )
    )  # fmt: skip


def guarded(signature: str, function: Callable[..., int]) -> Any:
    """Return a callback that calls *function* with the guest running on this thread and the arguments.

    The callback never raises, for the reason given in `capsend.engine.instance`; an error of the function ends the
    guest and is raised again by `Instance.finish`.

    """
    layout = struct.Struct("<" + "".join("I12x" if letter == "i" else "q8x" for letter in signature))
    size, unpack = _SLOT * len(signature), layout.unpack
    read, write = ctypes.string_at, ctypes.c_int32.from_address

    def call(_data: Any, caller: int, slots: int, _count: int) -> int:
        guest = running.guest
        if guest.interrupted:
            return capi.trap(b"interrupted")
        try:
            if not guest.has_memory:
                guest.find_memory(ctypes.cast(caller, _Caller))
            answer = function(guest, *unpack(read(slots, size)))
        except BaseException as failure:  # noqa: BLE001 - raised again by `finish`, after wasmtime has returned
            guest.failure = failure
            return capi.trap(b"host function failed")
        if guest.interrupted:
            return capi.trap(b"interrupted")
        write(slots).value = answer
        return 0

    return _Callback(call)
