"""Values that cross into and out of components: read by their kind, written by the type of the result."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any, Final

from wasmtime import _bindings as ffi
from wasmtime import _ffi as ffi_constants

from capsend.engine import capi

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Writer = Callable[[Any, Any], None]

_BOOL: Final = ffi_constants.WASMTIME_COMPONENT_BOOL.value
_U8: Final = ffi_constants.WASMTIME_COMPONENT_U8.value
_U32: Final = ffi_constants.WASMTIME_COMPONENT_U32.value
_U64: Final = ffi_constants.WASMTIME_COMPONENT_U64.value
_STRING: Final = ffi_constants.WASMTIME_COMPONENT_STRING.value
_LIST: Final = ffi_constants.WASMTIME_COMPONENT_LIST.value
_RECORD: Final = ffi_constants.WASMTIME_COMPONENT_RECORD.value
_ENUM: Final = ffi_constants.WASMTIME_COMPONENT_ENUM.value
_OPTION: Final = ffi_constants.WASMTIME_COMPONENT_OPTION.value
_RESULT: Final = ffi_constants.WASMTIME_COMPONENT_RESULT.value
_FLAGS: Final = ffi_constants.WASMTIME_COMPONENT_FLAGS.value

_SIZE: Final = ctypes.sizeof(ffi.wasmtime_component_val_t)
_PLACE: Final = ffi.wasmtime_component_val_t.of.offset
_MOST_ITEMS: Final = 1_000


class Unexpected(Exception):
    """A component passed a value of a kind that the interface does not have."""


def read(value: Any, *, most: int) -> Any:
    """Return a value as a Python object: a list of bytes as `bytes`, an option as its value or None, flags as a set of names.

    Args:
        value: wasmtime's value.
        most: the most bytes of a list or a string that are copied.

    Raises:
        Unexpected: the interface has no values of this kind.
    """
    kind = value.kind
    if kind == _BOOL:
        return bool(value.of.boolean)
    if kind == _U32:
        return int(value.of.u32)
    if kind == _U64:
        return int(value.of.u64)
    if kind == _STRING:
        return _text(value.of.string, most)
    if kind == _ENUM:
        return _text(value.of.enumeration, most).decode()
    if kind == _LIST:
        return _items(value.of.list, most)
    if kind == _OPTION:
        return read(value.of.option.contents, most=most) if value.of.option else None
    if kind == _FLAGS:
        flags = value.of.flags
        return {_text(flags.data[index], most).decode() for index in range(min(flags.size, _MOST_ITEMS))}
    if kind == _RESULT:
        result = value.of.result
        return bool(result.is_ok), read(result.val.contents, most=most) if result.val else None
    raise Unexpected


def _text(vector: Any, most: int) -> bytes:
    return ctypes.string_at(vector.data, min(vector.size, most)) if vector.size else b""


def _items(items: Any, most: int) -> bytes | list[int]:
    if not items.size:
        return b""
    kind = items.data[0].kind
    if kind == _U8:
        # One copy and one slice: reading the elements one by one takes a hundred times as long.
        return ctypes.string_at(items.data, min(items.size, most) * _SIZE)[_PLACE::_SIZE]
    if kind == _U32:
        return [items.data[index].of.u32 for index in range(min(items.size, _MOST_ITEMS))]
    raise Unexpected


def write_bytes(slot: Any, data: bytes) -> None:
    """Write a list of bytes."""
    slot.kind = _LIST
    capi.val_vec_new(ctypes.byref(slot.of.list), len(data))
    if data:
        image = bytearray(len(data) * _SIZE)
        image[::_SIZE] = bytes([_U8]) * len(data)
        image[_PLACE::_SIZE] = data
        ctypes.memmove(slot.of.list.data, bytes(image), len(image))


def write_numbers(slot: Any, numbers: Sequence[int]) -> None:
    """Write a list of numbers."""
    slot.kind = _LIST
    capi.val_vec_new(ctypes.byref(slot.of.list), len(numbers))
    for index, number in enumerate(numbers):
        write_number(slot.of.list.data[index], number)


def write_number(slot: Any, number: int) -> None:
    """Write a number of 32 bits."""
    slot.kind = _U32
    slot.of.u32 = number


def write_text(slot: Any, text: bytes) -> None:
    """Write a string, which is UTF-8."""
    slot.kind = _STRING
    capi.byte_vec_new(ctypes.byref(slot.of.string), len(text), capi.address(text))


def write_name(slot: Any, name: str) -> None:
    """Write a member of an enumeration."""
    slot.kind = _ENUM
    capi.byte_vec_new(ctypes.byref(slot.of.enumeration), len(name), capi.address(name.encode()))


def write_record(*fields: tuple[str, Writer]) -> Writer:
    """Return a writer of a record, for a tuple of the values of the fields."""

    def write(slot: Any, values: Sequence[Any]) -> None:
        slot.kind = _RECORD
        ffi.wasmtime_component_valrecord_new_uninit(ctypes.byref(slot.of.record), len(fields))
        for index, ((name, write_field), value) in enumerate(zip(fields, values, strict=True)):
            entry = slot.of.record.data[index]
            capi.byte_vec_new(ctypes.byref(entry.name), len(name), capi.address(name.encode()))
            write_field(entry.val, value)

    return write


def write_result(slot: Any, value: Any, *, writer: Writer | None, is_ok: bool) -> None:
    """Write a result; without a writer it is empty."""
    held = None
    if writer is not None:
        inner = ffi.wasmtime_component_val_t()
        writer(inner, value)
        held = capi.val_new(ctypes.byref(inner))
    slot.kind = _RESULT
    slot.of.result.is_ok = is_ok
    slot.of.result.val = held
