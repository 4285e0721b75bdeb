"""Modules of strangers are compiled in an OS process of their own, which has limits."""

from __future__ import annotations

import itertools
import time
from pathlib import Path

import pytest

from capsend import WasmModule, spawn
from capsend.engine import assemble
from capsend.exceptions import WasmError
from capsend.wasm import compiled, isolated

PATIENCE = 60
_names = itertools.count(time.time_ns())


def fresh(body: str = "") -> bytes:
    """A module that no cache holds."""
    return assemble(f'(module (func (export "go") {body}) (func (export "f{next(_names)}")))')


def number(value: int) -> bytes:
    """An unsigned number as WebAssembly writes it."""
    low, high = value & 127, value >> 7
    return bytes([low | 128]) + number(high) if high else bytes([low])


def section(kind: int, content: bytes) -> bytes:
    return bytes([kind]) + number(len(content)) + content


def large(functions: int, steps: int) -> bytes:
    """A module that takes long to compile: many locals, and steps between them."""
    body = (
        number(1) + number(1_000 + next(_names) % 1_000) + b"\x7e" + b"\x20\x00\x20\x01\x7e\x21\x01" * steps + b"\x0b"
    )
    code = number(functions) + (number(len(body)) + body) * functions
    types = section(1, b"\x01\x60\x00\x00") + section(3, number(functions) + b"\x00" * functions)
    return b"\0asm\x01\0\0\0" + types + section(10, code)


def test_what_is_compiled_apart_runs_and_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The next time it comes from the cache, and from memory before that."""
    monkeypatch.setenv("CAPSEND_CACHE_DIR", str(tmp_path))
    data = fresh()
    module = WasmModule.from_bytes(data, isolated=True)
    assert spawn(module.function("go")).result(PATIENCE) == b""
    monkeypatch.setattr(compiled, "compile_apart", None)
    assert WasmModule.from_bytes(data, isolated=True) == module
    del module
    compiled._loaded.clear()
    assert "go" in WasmModule.from_bytes(data, isolated=True).functions


def test_refusals_are_the_same_as_here() -> None:
    """In the same words."""
    bad = b"\0asm\x01\0\0\0zzzz"
    with pytest.raises(WasmError) as here:
        WasmModule.from_bytes(bad)
    with pytest.raises(WasmError) as apart:
        WasmModule.from_bytes(bad, isolated=True)
    assert str(apart.value) == str(here.value)
    with pytest.raises(WasmError, match="needs several memories"):
        WasmModule.from_bytes(assemble("(module (memory 1) (memory 1))"), isolated=True)


def test_compiling_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other OS process ends by its own limit, and this program loses nothing."""
    monkeypatch.setattr(isolated, "SECONDS", 2)
    began = time.monotonic()
    with pytest.raises(WasmError, match="was given up"):
        WasmModule.from_bytes(large(10_000, 500), isolated=True)
    assert time.monotonic() - began < 15


def test_compiling_that_takes_too_much_memory_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """As above. A small module needs less than 150 MB and this one more than 350 MB, on however many cores."""
    monkeypatch.setattr(isolated, "MEMORY", 200 << 20)
    assert "go" in WasmModule.from_bytes(fresh(), isolated=True).functions
    with pytest.raises(WasmError, match="was given up"):
        WasmModule.from_bytes(large(8, 900_000), isolated=True)
