"""Hostile core modules by their shape: whatever sections they have, they are refused or held to their limits, and the host stays small."""

from __future__ import annotations

import contextlib
import threading
import time

import pytest

from capsend import CapsendError, Environment, ProcessKilled, WasmModule, spawn
from capsend.exceptions import WasmError
from tests.memory import resident

PATIENCE = 30.0
MIB = 1 << 20
STRICT = Environment(memory=16 << 20, timeout=5, output=64 << 10, result=1 << 20, processes=2, stdout=None, stderr=None)


def leb(value: int) -> bytes:
    low, high = value & 127, value >> 7
    return bytes([low | 128]) + leb(high) if high else bytes([low])


def section(kind: int, content: bytes) -> bytes:
    return bytes([kind]) + leb(len(content)) + content


def binary(*sections: bytes) -> bytes:
    return b"\0asm\x01\0\0\0" + b"".join(sections)


def code(body: bytes, extra: bytes = b"") -> bytes:
    """A module with one function, exported as `go`."""
    return binary(
        section(1, b"\x01\x60\x00\x00"),
        section(3, b"\x01\x00"),
        section(7, b"\x01\x02go\x00\x00"),
        section(10, b"\x01" + leb(len(body)) + body),
        extra,
    )


def go(text: str) -> bytes:
    from capsend.engine import assemble

    return assemble(f"(module {text})")


# ruff: noqa: E501 - a module is one line
MODULES = {
    "an export that takes references": lambda: go('(func (export "f") (param funcref externref)) (func (export "go"))'),
    "an export that takes a vector": lambda: go('(func (export "go") (param v128))'),
    "an export that returns a vector": lambda: go('(import "wasi_snapshot_preview1" "fd_close" (func (param i32) (result i32))) (func) (func (export "go") (result i64 v128) unreachable)'),
    "blocks nested 100,000 deep": lambda: code(b"\x00" + b"\x02\x40" * 100_000 + b"\x0b" * 100_001),
    "50,000 locals": lambda: code(b"\x01" + leb(50_000) + b"\x7e\x0b"),
    "4 billion locals": lambda: code(b"\x01" + leb(0xFFFF_FFFF) + b"\x7e\x0b"),
    "a names section of rubbish": lambda: code(b"\x00\x0b", section(0, b"\x04name" + b"\xff" * 100_000)),
    "a thousand custom sections": lambda: code(b"\x00\x0b", section(0, b"\x01x" + b"y" * 1_000) * 1_000),
    "a name of a megabyte": lambda: go(f'(func (export "go")) (func (export "{"x" * MIB}"))'),
    "names of control sequences": lambda: go('(func (export "go")) (func (export "\\1b]0;owned\\07\\e2\\80\\ae"))'),
    "a thousand parameters": lambda: go(f'(func (export "go")) (func (export "f") (param {"i64 " * 1_000}))'),
    "a thousand results": lambda: go(f'(func (export "go") (result {"i64 " * 1_000}) unreachable)'),
    "an import with odd types": lambda: go('(import "capsend" "result" (func (param f32 f64) (result v128))) (func (export "go"))'),
    "an import that is a memory": lambda: go('(import "capsend" "result" (memory 1)) (func (export "go"))'),
    "an import of WASI that is a global": lambda: go('(import "wasi_snapshot_preview1" "fd_write" (global i32)) (func (export "go"))'),
    "an import of WASI with another type": lambda: go('(import "wasi_snapshot_preview1" "fd_write" (func (param f64))) (func (export "go"))'),
    "two memories": lambda: go('(memory 1) (memory 1) (func (export "go"))'),
    "a memory of 64 bits": lambda: go('(memory i64 1) (func (export "go"))'),
    "a shared memory": lambda: go('(memory 1 2 shared) (func (export "go"))'),
    "a memory of 4 GiB": lambda: go('(memory 65536) (func (export "go"))'),
    "a table without end": lambda: go('(table 4000000000 funcref) (func (export "go"))'),
    "a table that grows": lambda: go('(table 1 funcref) (func (export "go") (loop $a (br_if $a (i32.ge_s (table.grow (ref.null func) (i32.const 1000)) (i32.const 0)))) unreachable)'),
    "tables of strangers": lambda: go('(table 100000 externref) (table 100000 externref) (table 100000 funcref) (func (export "go"))'),
    "a memory called memory that is a function": lambda: go('(func (export "memory")) (func (export "go"))'),
    "data outside": lambda: go('(memory 1) (data (i32.const 65530) "far too long for it") (func (export "go"))'),
    "a segment of 8 MiB": lambda: go(f'(memory 256) (data (i32.const 0) "{"a" * (8 * MIB)}") (func (export "go"))'),
    "elements outside": lambda: go('(table 1 funcref) (elem (i32.const 5) $f) (func $f (export "go"))'),
    "200,000 elements": lambda: go(f'(table 200000 funcref) (elem (i32.const 0) {"$f " * 200_000}) (func $f (export "go"))'),
    "a start function that loops": lambda: go('(start $s) (func $s (loop $a (br $a))) (func (export "go"))'),
    "a start function that traps": lambda: go('(start $s) (func $s unreachable) (func (export "go"))'),
    "an initializer that loops": lambda: go('(func (export "_initialize") (loop $a (br $a))) (func (export "go"))'),
    "recursion without end": lambda: go('(func $f (export "go") (call $f) (call $f))'),
    "recursion with large frames": lambda: go(f'(func $f (export "go") (local {"i64 " * 5_000}) (call $f))'),
    "recursion through a table": lambda: go('(type $t (func)) (table funcref (elem $f)) (func $f (export "go") (call_indirect (type $t) (i32.const 0)))'),
    "10,000 functions": lambda: go('(func (export "go"))' + "(func)" * 10_000),
    "20,000 types": lambda: go("".join(f"(type (func (param {'i32 ' * (n % 50)}{'i64 ' * (n // 50 % 50)})))" for n in range(20_000)) + '(func (export "go"))'),
    "100,000 globals": lambda: go("(global (mut i64) (i64.const 1))" * 100_000 + '(func (export "go"))'),
    "every interface version": lambda: go("".join(f'(func (export "capsend_abi_{n}"))' for n in range(2_000)) + '(func (export "go"))'),
}  # fmt: skip


@pytest.mark.parametrize("shape", MODULES)
def test_modules_of_any_shape_are_refused_or_held_to_their_limits(shape: str) -> None:
    """In bounded time and memory, in printable words; the next one works."""
    data = MODULES[shape]()
    before, began, message = resident(), time.monotonic(), ""
    try:
        module = WasmModule.from_bytes(data, isolated=False)
        assert STRICT.spawn(module.function("go")).result(PATIENCE) == b""
    except CapsendError as error:
        message = str(error)
    assert len(message) < 3_000
    assert all(character.isprintable() or character == "\n" for character in message)
    assert time.monotonic() - began < PATIENCE
    assert resident() - before < 300 * MIB
    assert spawn(WasmModule.from_bytes(code(b"\x00\x0b")).function("go")).result(PATIENCE) == b""


def test_vectors_inside_are_taken_and_those_at_the_border_are_refused() -> None:
    """Asked for the kind of a vector, wasmtime would end this program."""
    inside = go(
        '(type (func)) (func $f (param v128) (result v128) (local.get 0)) (func (export "go") (drop (call $f (v128.const i64x2 0 0))))'
    )
    assert spawn(WasmModule.from_bytes(inside).function("go")).result(PATIENCE) == b""
    for shape in ("an export that takes a vector", "an export that returns a vector", "an import with odd types"):
        with pytest.raises(WasmError, match="takes or returns a vector"):
            WasmModule.from_bytes(MODULES[shape]())


def test_exhausting_the_stack_just_before_a_call_of_the_host_harms_nothing() -> None:
    """The functions of the host run on the rest of the thread's stack."""
    module = WasmModule.from_bytes(go(
        '(import "capsend" "result" (func $result (param i32 i32) (result i32))) (memory (export "memory") 1)'
        '(func (export "capsend_abi_1"))'
        '(func $f (export "go") (drop (call $result (i32.const 0) (i32.const 1000))) (call $f)'
        " (drop (call $result (i32.const 0) (i32.const 1000))))"
    ))  # fmt: skip
    with pytest.raises(CapsendError, match="recursion in the process was too deep"):
        STRICT.spawn(module.function("go")).result(PATIENCE)


def test_one_environment_is_used_from_several_threads() -> None:
    """Each gets its own processes, with its own results."""
    module = WasmModule.from_bytes(code(b"\x00\x0b"))
    environment = Environment(memory=128 << 20, timeout=60)
    found: list[tuple[int, object]] = []

    def use(number: int) -> None:
        for step in range(5):
            found.append((number * 100 + step, environment.spawn(pow, number, step).result(PATIENCE)))
            assert environment.spawn(module.function("go")).result(PATIENCE) == b""

    threads = [threading.Thread(target=use, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE * 4)
    assert sorted(found) == [(n * 100 + step, n**step) for n in range(6) for step in range(5)]


@pytest.mark.parametrize("ending", ["kill", "timeout"])
def test_an_initializer_or_start_function_can_be_ended(ending: str) -> None:
    """As what it calls later can."""
    for shape in ("a start function that loops", "an initializer that loops"):
        environment = Environment(
            memory=16 << 20, timeout=0.5 if ending == "timeout" else None, stdout=None, stderr=None
        )
        p = environment.spawn(WasmModule.from_bytes(MODULES[shape]()).function("go"))
        if ending == "kill":
            p.kill()
        with contextlib.suppress(CapsendError):
            p.result(PATIENCE)
        assert p.exit_reason == ("killed" if ending == "kill" else "limit")
    assert issubclass(ProcessKilled, CapsendError)
    assert issubclass(WasmError, CapsendError)
