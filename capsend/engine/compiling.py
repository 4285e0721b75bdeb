"""Modules and components as code for this machine: compiling, loading, and the errors of both."""

from __future__ import annotations

from typing import Final, TypeVar

import wasmtime
from wasmtime import component as wasm_component

from capsend.engine import capi
from capsend.engine.instance import engine
from capsend.exceptions import WasmError

Code = TypeVar("Code", wasmtime.Module, wasm_component.Component)

_FEATURES: Final = (
    ("threads must be enabled", "threads and shared memory"),
    ("shared memor", "threads and shared memory"),
    ("memory64", "64-bit memories"),
    ("multi-memory", "several memories"),
    ("multiple memories", "several memories"),
    ("exceptions", "exceptions"),
    ("gc feature", "garbage-collected types"),
    ("gc proposal", "garbage-collected types"),
    ("gc types", "garbage-collected types"),
    ("gc support", "garbage-collected types"),
    ("function references", "typed function references"),
    ("function-references", "typed function references"),
    ("stack switching", "stack switching"),
    ("async", "asynchronous functions of components"),
    ("custom page sizes", "custom page sizes"),
)


def refused(name: str, error: wasmtime.WasmtimeError) -> WasmError:
    """Return the error for a module or component that wasmtime does not compile."""
    text = str(error)
    for sign, feature in _FEATURES:
        if sign in text.lower():
            return WasmError(
                f"{name} cannot be used: it needs {feature}, which processes do not have ({capi.last_cause(text)}). "
                "Build it without"
            )
    return WasmError(f"{name} is not valid WebAssembly: {capi.last_cause(text)}. Build it again")


def compile_code(kind: type[Code], wasm: bytes, name: str) -> Code:
    """Compile a module or a component for the CPU of this machine.

    Args:
        kind: the class of *wasm*: module or component.
        wasm: its binary form.
        name: its name in messages.

    Raises:
        WasmError: the bytes are not a module or component, or use a feature that is switched off.
    """
    try:
        return kind(engine(small=True), wasm)
    except wasmtime.WasmtimeError as error:
        raise refused(name, error) from None


def load_code(kind: type[Code], data: bytes) -> Code:
    """Load bytes that `serialize` returned; the caller vouches for them.

    Raises:
        ValueError: the code was made by another wasmtime, with other settings, or for another CPU.
    """
    try:
        return kind.deserialize(engine(small=True), data)
    except wasmtime.WasmtimeError as error:
        raise ValueError(capi.first_line(error)) from None
