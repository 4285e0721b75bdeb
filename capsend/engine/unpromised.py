"""All parts of wasmtime-py that capsend uses beyond its documented interface, and a check for changes in other versions.

wasmtime-py documents the classes of `wasmtime` and `wasmtime.component`. Its modules `_bindings` and `_ffi` are
generated from wasmtime's C header, which each release may change. This module imports nothing of capsend, so that it
can be run as a file even if the rest of the engine cannot be imported: `python capsend/engine/unpromised.py`.
"""

from __future__ import annotations

import ctypes
import re
import sys
from typing import Any, Final

FUNCTIONS: Final = {
    "wasi_config_delete": "(*wasi_config_t) -> None",
    "wasi_config_new": "() -> *wasi_config_t",
    "wasi_config_preopen_dir": "(*wasi_config_t, *c_char, *c_char, c_bool) -> c_bool",
    "wasi_config_set_env": "(*wasi_config_t, c_ulong, **c_char, **c_char) -> c_bool",
    "wasm_byte_vec_delete": "(*wasm_byte_vec_t) -> None",
    "wasm_byte_vec_new": "(*wasm_byte_vec_t, c_ulong, *c_ubyte) -> None",
    "wasmtime_caller_export_get": "(*caller, *c_char, c_ulong, *extern) -> c_bool",
    "wasmtime_component_delete": "(*c_t) -> None",
    "wasmtime_component_export_index_delete": "(*c_export_index_t) -> None",
    "wasmtime_component_func_call": "(*c_func, *context, *c_val, c_ulong, *c_val, c_ulong) -> *error",
    "wasmtime_component_func_post_return": "(*c_func, *context) -> *error",
    "wasmtime_component_instance_get_func": "(*c_instance, *context, *c_export_index_t, *c_func) -> c_bool",
    "wasmtime_component_linker_instance_add_func": "(*c_linker_instance_t, *c_char, c_ulong, CFunctionType, c_void_p, CFunctionType) -> *error",
    "wasmtime_component_linker_instance_add_resource": "(*c_linker_instance_t, *c_char, c_ulong, *c_resource_type, CFunctionType, c_void_p, CFunctionType) -> *error",
    "wasmtime_component_linker_instantiate": "(*c_linker_t, *context, *c_t, *c_instance) -> *error",
    "wasmtime_component_resource_any_delete": "(*c_resource_any) -> None",
    "wasmtime_component_resource_any_drop": "(*context, *c_resource_any) -> *error",
    "wasmtime_component_resource_any_to_host": "(*context, *c_resource_any, **c_resource_host) -> *error",
    "wasmtime_component_resource_host_delete": "(*c_resource_host) -> None",
    "wasmtime_component_resource_host_new": "(c_bool, c_uint, c_uint) -> *c_resource_host",
    "wasmtime_component_resource_host_rep": "(*c_resource_host) -> c_uint",
    "wasmtime_component_resource_host_to_any": "(*context, *c_resource_host, **c_resource_any) -> *error",
    "wasmtime_component_resource_type_new_host": "(c_uint) -> *c_resource_type",
    "wasmtime_component_val_delete": "(*c_val) -> None",
    "wasmtime_component_val_new": "(*c_val) -> *c_val",
    "wasmtime_component_vallist_new_uninit": "(*c_vallist, c_ulong) -> None",
    "wasmtime_component_valrecord_new_uninit": "(*c_valrecord, c_ulong) -> None",
    "wasmtime_config_async_stack_size_set": "(*wasm_config_t, c_ulong) -> None",
    "wasmtime_config_concurrency_support_set": "(*wasm_config_t, c_bool) -> None",
    "wasmtime_config_host_memory_creator_set": "(*wasm_config_t, *memory_creator) -> None",
    "wasmtime_config_memory_init_cow_set": "(*wasm_config_t, c_bool) -> None",
    "wasmtime_config_shared_memory_set": "(*wasm_config_t, c_bool) -> None",
    "wasmtime_config_wasm_component_model_async_set": "(*wasm_config_t, c_bool) -> None",
    "wasmtime_config_wasm_component_model_async_stackful_set": "(*wasm_config_t, c_bool) -> None",
    "wasmtime_config_wasm_component_model_more_async_builtins_set": "(*wasm_config_t, c_bool) -> None",
    "wasmtime_config_wasm_exceptions_set": "(*wasm_config_t, c_bool) -> None",
    "wasmtime_config_wasm_function_references_set": "(*wasm_config_t, c_bool) -> None",
    "wasmtime_config_wasm_gc_set": "(*wasm_config_t, c_bool) -> None",
    "wasmtime_config_wasm_memory64_set": "(*wasm_config_t, c_bool) -> None",
    "wasmtime_config_wasm_multi_memory_set": "(*wasm_config_t, c_bool) -> None",
    "wasmtime_config_wasm_stack_switching_set": "(*wasm_config_t, c_bool) -> None",
    "wasmtime_config_wasm_threads_set": "(*wasm_config_t, c_bool) -> None",
    "wasmtime_context_set_epoch_deadline": "(*context, c_ulong) -> None",
    "wasmtime_context_set_wasi": "(*context, *wasi_config_t) -> *error",
    "wasmtime_func_call_unchecked": "(*context, *func, *val_raw, c_ulong, **wasm_trap_t) -> *error",
    "wasmtime_instance_export_get": "(*context, *instance, *c_char, c_ulong, *extern) -> c_bool",
    "wasmtime_instance_new": "(*context, *module, *extern, c_ulong, *instance, **wasm_trap_t) -> *error",
    "wasmtime_instance_pre_delete": "(*instance_pre) -> None",
    "wasmtime_instance_pre_instantiate": "(*instance_pre, *context, *instance, **wasm_trap_t) -> *error",
    "wasmtime_linker_define_func_unchecked": "(*linker, *c_char, c_ulong, *c_char, c_ulong, *wasm_functype_t, CFunctionType, c_void_p, CFunctionType) -> *error",
    "wasmtime_linker_get": "(*linker, *context, *c_char, c_ulong, *c_char, c_ulong, *extern) -> c_bool",
    "wasmtime_linker_instantiate_pre": "(*linker, *module, **instance_pre) -> *error",
    "wasmtime_memory_data": "(*context, *memory) -> *c_ubyte",
    "wasmtime_memory_data_size": "(*context, *memory) -> c_ulong",
    "wasmtime_store_context": "(*store) -> *context",
    "wasmtime_store_delete": "(*store) -> None",
    "wasmtime_store_epoch_deadline_callback": "(*store, CFunctionType, c_void_p, CFunctionType) -> None",
    "wasmtime_store_limiter": "(*store, c_long, c_long, c_long, c_long, c_long) -> None",
    "wasmtime_store_new": "(*wasm_engine_t, c_void_p, CFunctionType) -> *store",
    "wasmtime_trap_new": "(*c_char, c_ulong) -> *wasm_trap_t",
}
"""{C function in `wasmtime._bindings`: its arguments and result}."""

STRUCTURES: Final = {
    "wasm_trap_t": "0 bytes",
    "wasmtime_caller_t": "0 bytes",
    "wasmtime_component_func_callback_t": "8 bytes",
    "wasmtime_component_func_t": "32 bytes: _anon_1 at 0, __private2 at 16, __private3 at 24",
    "wasmtime_component_instance_t": "16 bytes: store_id at 0, __private at 8",
    "wasmtime_component_resource_any_t": "0 bytes",
    "wasmtime_component_resource_destructor_t": "8 bytes",
    "wasmtime_component_resource_host_t": "0 bytes",
    "wasmtime_component_val_t": "32 bytes: kind at 0, of at 8",
    "wasmtime_context_t": "0 bytes",
    "wasmtime_extern_t": "32 bytes: kind at 0, of at 8",
    "wasmtime_func_unchecked_callback_t": "8 bytes",
    "wasmtime_instance_pre_t": "0 bytes",
    "wasmtime_instance_t": "16 bytes: store_id at 0, __private at 8",
    "wasmtime_memory_anon_0": "16 bytes: store_id at 0, __private1 at 8",
    "wasmtime_memory_creator_t": "24 bytes: env at 0, new_memory at 8, finalizer at 16",
    "wasmtime_memory_t": "24 bytes: _anon_1 at 0, __private2 at 16",
    "wasmtime_new_memory_callback_t": "8 bytes",
    "wasmtime_update_deadline_kind_t": "1 bytes",
    "wasmtime_val_raw_t": "16 bytes: i32 at 0, i64 at 0, f32 at 0, f64 at 0, v128 at 0, anyref at 0, externref at 0, exnref at 0, funcref at 0",
}
"""{C type in `wasmtime._bindings`: its size, and its fields with their offsets}; callbacks have a size only."""

CONSTANTS: Final = {
    "WASMTIME_COMPONENT_BOOL": 0,
    "WASMTIME_COMPONENT_ENUM": 17,
    "WASMTIME_COMPONENT_FLAGS": 20,
    "WASMTIME_COMPONENT_LIST": 13,
    "WASMTIME_COMPONENT_OPTION": 18,
    "WASMTIME_COMPONENT_RECORD": 14,
    "WASMTIME_COMPONENT_RESULT": 19,
    "WASMTIME_COMPONENT_STRING": 12,
    "WASMTIME_COMPONENT_U32": 6,
    "WASMTIME_COMPONENT_U64": 8,
    "WASMTIME_COMPONENT_U8": 2,
    "WASMTIME_EXTERN_MEMORY": 3,
}
"""{constant in `wasmtime._ffi`: its value}."""

MEMBERS: Final = (
    ("WasmtimeError", "_from_ptr"),
    ("WasmtimeError", "_consume"),
    ("Trap", "_from_ptr"),
    ("component.Component", "_consume"),
    ("component.Component", "ptr"),
    ("component.Linker", "ptr"),
    ("Module", "ptr"),
    ("Linker", "ptr"),
    ("Config", "ptr"),
)
"""(class, member): the members that convert objects of wasmtime-py to those of the C interface, and back."""


def changes() -> list[str]:
    """Return a sentence for each part that is different in the installed wasmtime-py."""
    try:
        import wasmtime.component
        from wasmtime import _bindings, _ffi
    except ImportError as error:
        return [f"wasmtime-py has another module: {error}."]
    found = [
        *_compared("the C function", {name: signature(_bindings, name) for name in FUNCTIONS}, FUNCTIONS),
        *_compared("the C type", {name: layout(_bindings, name) for name in STRUCTURES}, STRUCTURES),
        *_compared("the constant", {name: constant(_ffi, name) for name in CONSTANTS}, CONSTANTS),
    ]
    for owner, member in MEMBERS:
        place: Any = wasmtime
        for part in (*owner.split("."), member):
            place = getattr(place, part, None)
        if place is None:
            found.append(f"wasmtime-py has no {owner}.{member} any more.")
    if not isinstance(getattr(getattr(_ffi, "dll", None), "_handle", None), int):
        found.append("wasmtime-py has no handle of its library any more: wasmtime._ffi.dll._handle.")
    return found


def _compared(kind: str, had: dict[str, object], expected: dict[str, Any]) -> list[str]:
    lost = [f"wasmtime-py has {kind} {name} no more." for name, form in had.items() if form is None]
    other = [
        f"wasmtime-py has {kind} {name} as {form}, and had it as {expected[name]}."
        for name, form in had.items()
        if form is not None and form != expected[name]
    ]
    return lost + other


def signature(bindings: Any, name: str) -> str | None:
    """Return arguments and result of a C function as text; None if the function does not exist."""
    function = getattr(bindings, f"_{name}", None)
    if function is None:
        return None
    return f"({', '.join(map(_name, function.argtypes))}) -> {_name(function.restype)}"


def layout(bindings: Any, name: str) -> str | None:
    """Return the size and the fields of a C type as text; None if the type does not exist."""
    kind = getattr(bindings, name, None)
    if kind is None:
        return None
    fields = [f"{field[0]} at {getattr(kind, field[0]).offset}" for field in getattr(kind, "_fields_", ())]
    return f"{ctypes.sizeof(kind)} bytes" + (f": {', '.join(fields)}" if fields else "")


def constant(ffi: Any, name: str) -> int | None:
    """Return the value of a constant; None if the constant does not exist."""
    value = getattr(ffi, name, None)
    return None if value is None else int(value.value)


def _name(kind: Any) -> str:
    if kind is None:
        return "None"
    # Pointers as in C; the prefixes of nearly all types are left out, to keep the lines of the table readable.
    name = re.sub(r"^(LP_)+", lambda found: "*" * (len(found[0]) // 3), kind.__name__)
    return name.replace("wasmtime_", "").replace("component_", "c_")


def main() -> int:
    """Print the changes; return 1 if the list is not empty, else 0."""
    found = changes()
    print("\n".join(found) or "wasmtime-py has all parts as they were.")  # noqa: T201 - run as a program
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
