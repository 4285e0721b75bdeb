"""A function of a WebAssembly module can be spawned: bytes and capabilities go in, bytes come out, and it takes messages."""

import attrs

from capsend import Address, Environment, Mailbox, Process, WasmModule, host_function, spawn
from capsend.process import Actor

Request = tuple[bytes, tuple[Address[bytes], ...]]

MODULE = WasmModule.from_wat("""(module
  (import "capsend" "argument" (func $argument (param i32) (result i32)))
  (import "capsend" "receive" (func $receive (param i32 i32 i32 i64) (result i32)))
  (import "capsend" "read" (func $read (param i32 i32) (result i32)))
  (import "capsend" "send" (func $send (param i32 i32 i32 i32 i32 i64) (result i32)))
  (import "capsend" "result" (func $result (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "capsend_abi_1"))
  (func (export "echo")
    (drop (call $argument (i32.const 0)))
    (drop (call $read (i32.const 1024) (i32.const 64)))
    (drop (call $result (i32.const 1024) (i32.load (i32.const 4)))))
  (func (export "serve")
    (drop (call $receive (i32.const 0) (i32.const 0) (i32.const 0) (i64.const -1)))
    (drop (call $read (i32.const 1024) (i32.const 64)))
    (drop (call $send (i32.load (i32.const 64)) (i32.const 1024) (i32.load (i32.const 4)) (i32.const 0) (i32.const 0) (i64.const -1)))))""")
ECHO = MODULE.function("echo")


@attrs.frozen
class Holder:
    module: WasmModule


@host_function
def nothing(data: bytes) -> bytes:
    return data


def request(reply: Address[bytes]) -> Request:
    return b"ping", (reply,)


def ask(server: Address[Request]) -> bytes:
    return server.call(request, timeout=30)


def run() -> None:
    found: bytes = spawn(MODULE.function("echo"), b"data").result()
    assert found == b"data"
    echo = MODULE.function("echo")
    with Mailbox[bytes]() as inbox:
        p: Process[bytes] = Environment(memory=1 << 20).spawn(echo, b"", inbox.address, nothing, MODULE)
        assert p.result() == b""
    assert spawn(ECHO).result() == b""
    assert echo(b"called") == b"called"
    server: Actor[Request, bytes] = spawn(MODULE.function("serve"))
    assert server.call(request, timeout=30) == b"ping"
    with spawn(MODULE.function("serve")) as other:
        for_python: Address[Request] = other.address
        assert spawn(ask, for_python).result() == b"ping"
        assert other.result() == b""
        assert not other.send({"any": "value"})
    holder = Holder(MODULE)
    assert spawn(lambda: repr(holder.module) != "").result()
