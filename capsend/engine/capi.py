"""The C functions of wasmtime that are called directly, and the conversion of values for them."""
# ruff: noqa: SLF001 - wasmtime-py has no public way to its C functions

from __future__ import annotations

import ctypes
import re
from typing import TYPE_CHECKING, Any, Final

import wasmtime
from wasmtime import _bindings as ffi
from wasmtime import _ffi as ffi_constants

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# ctypes objects have no useful static types: every `Any` in this package is a wasmtime handle or a C value.


def _quick(name: str) -> Any:
    """Return a C function that is called with the GIL held: for calls shorter than getting the GIL back."""
    original = getattr(ffi, f"_{name}")
    function = _holding[name]
    function.restype, function.argtypes = original.restype, original.argtypes
    return function


_holding: Final = ctypes.PyDLL("wasmtime", handle=ffi_constants.dll._handle)
store_new: Final = _quick("wasmtime_store_new")
store_context: Final = _quick("wasmtime_store_context")
store_limiter: Final = _quick("wasmtime_store_limiter")
epoch_deadline_callback: Final = _quick("wasmtime_store_epoch_deadline_callback")
set_epoch_deadline: Final = _quick("wasmtime_context_set_epoch_deadline")
set_wasi: Final = _quick("wasmtime_context_set_wasi")
wasi_config_new: Final = _quick("wasi_config_new")
wasi_config_delete: Final = _quick("wasi_config_delete")
define_func_unchecked: Final[Any] = ffi._wasmtime_linker_define_func_unchecked
func_call: Final[Any] = ffi._wasmtime_component_func_call
set_env: Final[Any] = ffi._wasi_config_set_env
instance_pre_delete: Final[Any] = ffi._wasmtime_instance_pre_delete
component_delete: Final[Any] = ffi._wasmtime_component_delete
export_index_delete: Final[Any] = ffi._wasmtime_component_export_index_delete
preopen_dir: Final[Any] = ffi._wasi_config_preopen_dir
get_func: Final = _quick("wasmtime_component_instance_get_func")
byte_vec_new: Final = _quick("wasm_byte_vec_new")
byte_vec_delete: Final = _quick("wasm_byte_vec_delete")
val_vec_new: Final = _quick("wasmtime_component_vallist_new_uninit")
val_new: Final = _quick("wasmtime_component_val_new")
resource_drop: Final = _quick("wasmtime_component_resource_any_drop")
instance_export_get: Final = _quick("wasmtime_instance_export_get")
caller_export_get: Final = _quick("wasmtime_caller_export_get")
memory_data_size: Final = _quick("wasmtime_memory_data_size")
trap_new: Final = _quick("wasmtime_trap_new")
memory_data: Final = _quick("wasmtime_memory_data")
store_delete: Final = _quick("wasmtime_store_delete")
instantiate: Final = _quick("wasmtime_component_linker_instantiate")
memory_data.restype = ctypes.c_void_p
trap_new.restype = ctypes.c_void_p

VALUE: Final = ctypes.sizeof(ffi.wasmtime_component_val_t)
OF: Final = ffi.wasmtime_component_val_t.of.offset
"""The size of a component's value, and the offset of its content after its kind."""

_fill_bytes: Final = ctypes.PyDLL("wasmtime", handle=ffi_constants.dll._handle)["wasm_byte_vec_new"]
_fill_bytes.restype, _fill_bytes.argtypes = None, [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p]
_plain: Final = ctypes.CFUNCTYPE(
    ctypes.c_size_t, *[ctypes.c_void_p] * 4, ctypes.c_size_t, ctypes.c_void_p, ctypes.c_size_t
)
_plains: Final[list[Any]] = []
NO_FINALIZER: Final = ctypes.cast(0, ctypes.CFUNCTYPE(None, ctypes.c_void_p))
ANY_POINTER: Final = ctypes.POINTER(ffi.wasmtime_component_resource_any_t)
BYTE_POINTER: Final = ctypes.POINTER(ctypes.c_uint8)
_FRAME: Final = re.compile(r"^ +\d+: .*?!(.+)$", re.MULTILINE)
_LONGEST_SHOWN: Final = 60
_MOST_CALLS: Final = 10
STRING: Final = ffi_constants.WASMTIME_COMPONENT_STRING.value


class Kept:
    """An object of wasmtime that can be freed even at the interpreter's exit, after the names of modules are gone.

    Args:
        managed: the object of wasmtime-py, not used afterwards.
        delete: the C function that frees it.
    """

    def __init__(self, managed: Any, delete: Callable[[Any], object]) -> None:
        self._pointer = managed._consume()
        self._delete = delete

    def ptr(self) -> Any:
        """The pointer that C functions take."""
        return self._pointer

    def __del__(self) -> None:
        self._delete(self._pointer)


def last_cause(text: str) -> str:
    """Return the innermost cause in the text of an error."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return re.sub(r"^\d+: ", "", lines[-1])[:300] if lines else "no reason given"


def first_line(error: wasmtime.WasmtimeError) -> str:
    """Return the outermost sentence of an error."""
    return str(error).split("\n", 1)[0]


def sentence(error: wasmtime.WasmtimeError) -> str:
    """Return the message of a parser of text in one line, with the place as numbers instead of a picture."""
    text = str(error)
    place = re.search(r"--> .*?:(\d+):(\d+)", text)
    return first_line(error) + (f" (line {place[1]}, column {place[2]})" if place else "")


def functions_in(problem: Exception) -> list[str]:
    """Return the names of the running functions, innermost first: only a few, and each recursive function once."""
    names = [name if name.isprintable() else ascii(name) for name in _FRAME.findall(str(problem))]
    calls = [name[:_LONGEST_SHOWN] for name, inner in zip(names, [None, *names], strict=False) if name != inner]
    return calls[:_MOST_CALLS]


def problem(error: Any) -> wasmtime.WasmtimeError:
    """Return the error of a C function as an exception, and free it."""
    return wasmtime.WasmtimeError._from_ptr(error)


def trapped(trap: Any) -> wasmtime.Trap:
    """Return the trap of a C function as an exception, and free it."""
    return wasmtime.Trap._from_ptr(trap)


def check(error: Any) -> None:
    """Raise the error that a C function returned, if any."""
    if error:
        raise problem(error)


def take_text(vector: Any) -> str:
    """Return the text in a vector of bytes, and free the vector."""
    text = ctypes.string_at(vector.data, vector.size).decode("utf-8", "replace") if vector.size else ""
    byte_vec_delete(ctypes.byref(vector))
    return text


def error(text: str) -> int | None:
    """Return a new wasmtime error, handed over to wasmtime: returned from a host function, it ends the guest."""
    error = wasmtime.WasmtimeError(text)
    return ctypes.cast(error._consume(), ctypes.c_void_p).value


def trap(text: bytes) -> int:
    """Return a new trap, handed over to wasmtime: returned from an import of a core module, it ends the guest."""
    made: int = trap_new(text, len(text))
    return made


def texts(these: Iterable[str]) -> Any:
    """Return an array of C strings that keeps the strings alive."""
    encoded = [text.encode() for text in these]
    return ctypes.cast((ctypes.c_char_p * len(encoded))(*encoded), ctypes.POINTER(ctypes.POINTER(ctypes.c_char)))


def address(data: bytes) -> Any:
    """Return the address of bytes, which the caller must keep alive."""
    return ctypes.cast(ctypes.c_char_p(data), BYTE_POINTER)


def host_function(function: Callable[..., int | None]) -> Any:
    """Return a callback for an import of a component."""
    return ffi.wasmtime_component_func_callback_t(function)


def plain_host_function(function: Callable[..., int | None]) -> Any:
    """Return a callback for an import of a component; it gets plain addresses, as typed pointers of ctypes cost more than a call."""
    raw = _plain(function)
    _plains.append(raw)
    return ctypes.cast(raw, ffi.wasmtime_component_func_callback_t)


def put_text(place: int, text: bytes) -> None:
    """Write a text to a result at an address; wasmtime frees the text."""
    ctypes.c_uint8.from_address(place).value = STRING
    _fill_bytes(place + OF, len(text), text)


def destructor(function: Callable[..., int | None]) -> Any:
    """Return a callback for a resource of the host."""
    return ffi.wasmtime_component_resource_destructor_t(function)


def epoch_callback(function: Callable[..., int | None]) -> Any:
    """Return a callback for a tick of the epoch."""
    context, kind = ctypes.POINTER(ffi.wasmtime_context_t), ctypes.POINTER(ffi.wasmtime_update_deadline_kind_t)
    pointer = ctypes.POINTER(ctypes.c_uint64)
    return ctypes.CFUNCTYPE(ctypes.c_size_t, context, ctypes.c_void_p, pointer, kind)(function)
