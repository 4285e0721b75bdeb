"""Only bytes and capabilities cross to a function of a WebAssembly module."""

from capsend import WasmModule, spawn

module = WasmModule.from_wat('(module (func (export "f")))')
f = module.function("f")

spawn(f, "text")  # E: Argument 2 to "__call__" of "_Spawn" has incompatible type "str"; expected "bytes"  [arg-type]
spawn(f, b"data", [1])  # E: Argument 3 to "__call__" of "_Spawn" has incompatible type "list[int]"; expected "Address[Any] | Dir | HostFunction[Any, Any] | WasmModule | WasmFunction"  [arg-type]
spawn(module.function("f"), argument=b"data")  # E: Unexpected keyword argument "argument" for "__call__" of "_Spawn"  [call-arg]
