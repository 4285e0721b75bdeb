"""Processes of WebAssembly modules in any language: their compiled code, operations and lives."""

from __future__ import annotations

from capsend.wasm.module import WasmError, WasmFunction, WasmModule

__all__ = ["WasmError", "WasmFunction", "WasmModule"]
