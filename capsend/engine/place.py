"""A guest's memory in place.

wasmtime shows a component's memory to the component only. Its number is therefore found when the image is made.

wasmtime names a memory by the store, the number of the instance in the store, and the number of the memory in the
instance. Its C interface accepts such names. Instances are numbered in the order in which they are made, so the
instances of one image have the same number in every store.
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
    """The memory of one guest. Used only on the guest's thread, while the guest waits for the host.

    Args:
        context: the guest's store.
        store: the number of the store.
        instance: the number of the instance with the memory.
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
        """The start address of the memory in this OS process."""
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
            OutOfBounds: some of the bytes are not within the guest's memory.
        """
        return ctypes.string_at(self._at(address, size), size)

    def write(self, address: int, data: bytes) -> None:
        """Copy bytes into the guest.

        Raises:
            OutOfBounds: some of the bytes would not be within the guest's memory.
        """
        ctypes.memmove(self._at(address, len(data)), data, len(data))

    def _at(self, address: int, size: int) -> int:
        if address < 0 or size < 0 or address + size > self.size:
            raise OutOfBounds
        return self.base + address
