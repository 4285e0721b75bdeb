"""The memory of a guest in place: wasmtime gives a component's memory to nobody outside of it, so its number is found out when an image is made.

wasmtime names a memory by the store, the number of the instance in the store, and the number of the memory in the instance. Its C interface
takes such names, and instances are numbered in the order in which they are made: one image has the same number in every store.
"""

from __future__ import annotations

import ctypes
import struct
from typing import Any, Final

from wasmtime import _bindings as ffi

from capsend.engine import capi
from capsend.engine.instance import OutOfBounds

_NAME: Final = struct.Struct("=QI")
_INDEX: Final = struct.Struct("=I")
_INDEX_AT: Final = ctypes.sizeof(ffi.wasmtime_memory_anon_0)


class Place:
    """The memory of one guest; only the thread that runs the guest uses it, while the guest waits for the host.

    Args:
        context: the guest's store.
        store: the number of the store.
        instance: the number of the instance that has the memory.
    """

    __slots__ = ("_context", "_memory")

    def __init__(self, context: Any, *, store: int, instance: int) -> None:
        self._context = context
        self._memory = ffi.wasmtime_memory_t()
        start = ctypes.addressof(self._memory)
        ctypes.memmove(start, _NAME.pack(store, instance), _NAME.size)
        ctypes.memmove(start + _INDEX_AT, _INDEX.pack(0), _INDEX.size)

    @property
    def base(self) -> int:
        """The address in this OS process at which the memory begins."""
        base: int = capi.memory_data(self._context, ctypes.byref(self._memory))
        return base

    @property
    def size(self) -> int:
        """Bytes that the memory has now."""
        size: int = capi.memory_data_size(self._context, ctypes.byref(self._memory))
        return size

    def read(self, address: int, size: int) -> bytes:
        """Return a copy of bytes of the guest.

        Raises:
            OutOfBounds: a part of the bytes is outside the guest's memory.
        """
        return ctypes.string_at(self._at(address, size), size)

    def write(self, address: int, data: bytes) -> None:
        """Copy bytes into the guest.

        Raises:
            OutOfBounds: the place is not all in its memory.
        """
        ctypes.memmove(self._at(address, len(data)), data, len(data))

    def _at(self, address: int, size: int) -> int:
        if address < 0 or size < 0 or address + size > self.size:
            raise OutOfBounds
        return self.base + address
