"""The memory of guests, provided by the host to wasmtime: each in a slot of `capsend.engine.slots`."""

from __future__ import annotations

import ctypes
import itertools
import os
import struct
import threading
from typing import TYPE_CHECKING, Any, Final

from wasmtime import _bindings as ffi

from capsend.engine import capi, slots

if TYPE_CHECKING:
    from capsend.engine.slots import Slot, Slots

SWITCH: Final = "CAPSEND_SLOTS"
"""The environment variable that, set to 0, leaves memory to wasmtime: for tests, and for finding the cause of a fault."""

making: Final = threading.local()
"""`held` is the `Held` of the guest being instantiated on this thread."""

_MEMORY: Final = struct.Struct("=4Q")
_SIZES: Final = struct.Struct("=Q")
_numbers: Final = itertools.count(1)
_slots: Final[dict[int, Slot]] = {}
_New: Final = ctypes.CFUNCTYPE(ctypes.c_size_t, *[ctypes.c_void_p] * 2, *[ctypes.c_size_t] * 4, ctypes.c_void_p)
_Get: Final = ctypes.CFUNCTYPE(ctypes.c_size_t, ctypes.c_size_t, ctypes.c_void_p, ctypes.c_void_p)
_Grow: Final = ctypes.CFUNCTYPE(ctypes.c_size_t, ctypes.c_size_t, ctypes.c_size_t)


def has_slots() -> bool:
    """Return whether images have their memory in slots: where the system supports slots and the environment does not forbid them."""
    return slots.AVAILABLE and os.environ.get(SWITCH) != "0"


class Held:
    """The slots of one guest.

    Args:
        image: the slots of its image; None if the image's memory is not in a slot.
    """

    __slots__ = ("_image", "_numbers", "_waiting")

    def __init__(self, image: Slots | None) -> None:
        self._image = image
        self._waiting = image is not None
        self._numbers: list[tuple[int, bool]] = []

    @property
    def main(self) -> Slot | None:
        """The slot of the image's memory."""
        for number, is_image in self._numbers:
            if is_image:
                return _slots[number]
        return None

    def make(self, minimum: int, reserved: int, guard: int) -> int:
        """Return the number of a slot for the next memory of the guest."""
        image = self._image
        is_image = self._waiting and image is not None and minimum == image.size
        if is_image and image is not None:
            self._waiting = False
            slot = image.take(reserved=reserved, guard=guard)
        else:
            slot = slots.Slot(minimum, reserved=reserved, guard=guard)
        number = next(_numbers)
        _slots[number] = slot
        self._numbers.append((number, is_image))
        return number

    def give_back(self) -> None:
        """Give back all slots; the guest's store must be gone."""
        while self._numbers:
            number, is_image = self._numbers.pop()
            slot = _slots.pop(number)
            if is_image and self._image is not None:
                self._image.give_back(slot)
            else:
                slot.unmap()


# The callbacks below never raise: see `capsend.engine.instance`.


def _new(_env: int, _type: int, minimum: int, _maximum: int, reserved: int, guard: int, made: int) -> int | None:
    try:
        number = making.held.make(minimum, max(reserved, minimum), guard)
    except BaseException as failure:  # noqa: BLE001 - reported to wasmtime, whose instantiation fails
        return capi.error(str(failure))
    ctypes.memmove(made, _MEMORY.pack(number, *_CALLBACKS, 0), _MEMORY.size)
    return 0


def _get(number: int, size: int, capacity: int) -> int:
    slot = _slots[number]
    ctypes.memmove(size, _SIZES.pack(slot.size), 8)
    ctypes.memmove(capacity, _SIZES.pack(slot.capacity), 8)
    return slot.base


def _grow(number: int, size: int) -> int | None:
    if _slots[number].grow(size):
        return 0
    return capi.error("the system has no memory left")


_on_new: Final[Any] = _New(_new)
_on_get: Final[Any] = _Get(_get)
_on_grow: Final[Any] = _Grow(_grow)
_CALLBACKS: Final = tuple(ctypes.cast(callback, ctypes.c_void_p).value or 0 for callback in (_on_get, _on_grow))


def install(config: Any) -> None:
    """Have an engine take the memory of its guests from slots.

    Its components begin with zeros, or with the image in their slot: their own data segments are not mapped.
    """
    creator: Any = ffi.wasmtime_memory_creator_t()
    kind: Any = ffi.wasmtime_new_memory_callback_t
    creator.new_memory = ctypes.cast(_on_new, kind)
    ffi.wasmtime_config_memory_init_cow_set(config.ptr(), False)
    ffi.wasmtime_config_host_memory_creator_set(config.ptr(), ctypes.byref(creator))
