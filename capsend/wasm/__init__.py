"""Processes of WebAssembly modules in any language: their compiled code, the operations open to them, and their lives."""

from __future__ import annotations

from capsend.wasm.module import WasmError, WasmFunction, WasmModule

__all__ = ["WasmError", "WasmFunction", "WasmModule"]
