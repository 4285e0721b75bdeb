"""Instances of components, and the WASI functions that the engine implements itself."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from wasmtime import _bindings as ffi
from wasmtime import component as wasm_component

from capsend.engine import capi
from capsend.engine.instance import Instance, running

if TYPE_CHECKING:
    from collections.abc import Callable

    import wasmtime

RAW_WAIT: Final = 0.02
"""Seconds after which a guest that waits for a time checks its clock again."""

_FIRST_WAIT: Final = 0.00002
_PROBE: Final = Path(__file__).with_name("probe.wat")


class Probe:
    """A component of a few instructions: it forwards calls to WASI functions that the guest itself cannot reach."""

    def __init__(self, owner: wasmtime.Engine) -> None:
        self.component: wasm_component.Component = wasm_component.Component(owner, _PROBE.read_text(encoding="ascii"))
        self.linker: wasm_component.Linker = wasm_component.Linker(owner)
        self.linker.add_wasip2()
        self.exports: dict[str, Any] = {
            name: self.component.get_export_index(name) for name in ("ready", "open", "list", "entry")
        }


class ComponentInstance(Instance):
    """An instance of a component."""

    longest_output: ClassVar[int] = 4_096
    """The most bytes that `keep_output` gets at a time."""

    def __init__(self, owner: wasmtime.Engine) -> None:
        super().__init__(owner)
        self.functions: dict[str, Any] = {}
        self.listings: dict[int, Any] = {}

    def instantiate(self, linker: Any, component: Any, *, call: Any = ffi.wasmtime_component_linker_instantiate) -> Any:
        """Make the instance of a component in this store and run its start functions; *call* is the C function that does so."""
        instance = ffi.wasmtime_component_instance_t()
        running.guest = self
        try:
            self.finish(call(linker.ptr(), self.context, component.ptr(), ctypes.byref(instance)))
        finally:
            running.guest = None
        return instance

    def export(self, instance: Any, index: Any) -> Any:
        """Return an exported function, by its index."""
        function = ffi.wasmtime_component_func_t()
        capi.get_func(ctypes.byref(instance), self.context, index.ptr(), ctypes.byref(function))
        return function

    def attach(self, probe: Probe) -> None:
        """Give a guest with files the probe: for waiting for files and counting them."""
        instance = self.instantiate(probe.linker, probe.component)
        self.functions = {name: self.export(instance, index) for name, index in probe.exports.items()}

    def keep_output(self, data: bytes) -> None:
        """Keep the first kilobytes of output through WASI, for the text of a trap."""
        self.raw_output.extend(data[: self.longest_output - len(self.raw_output)])

    def pass_on(self, name: str, arguments: Any, count: int) -> Any:
        """Call a function of the probe from within a host function; return None if it failed."""
        result = ffi.wasmtime_component_val_t()
        function = self.functions[name]
        error = ffi.wasmtime_component_func_call(
            ctypes.byref(function), self.context, arguments, count, ctypes.byref(result), 1
        )
        if error:
            capi.problem(error)  # frees it
            return None
        error = ffi.wasmtime_component_func_post_return(ctypes.byref(function), self.context)
        if error:
            capi.problem(error)
        return result

    def is_ready(self, pollable: Any) -> bool:
        """Return whether a pollable is ready; True also when its state is unknown."""
        result = self.pass_on("ready", pollable, 1)
        return result is None or bool(result.of.boolean)

    def wait_until(self, ready: Callable[[], bool]) -> None:
        """Wait until *ready* returns true or the guest is interrupted."""
        pause = _FIRST_WAIT
        while not self.interrupted and not self.disturbed and not ready():
            self.sleep(pause)
            pause = min(2 * pause, RAW_WAIT)

    def release(self) -> None:
        """Free the open listings of folders."""
        while self.listings:
            ffi.wasmtime_component_resource_any_delete(self.listings.popitem()[1])
