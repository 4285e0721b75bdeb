"""WebAssembly modules on nodes: sent once, by digest, compiled on the node, and as capable as in this program."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from capsend import Environment, Mailbox, ProcessFailed, ProcessKilled, WasmModule, host_function
from capsend.cluster.items import Item, Malformed
from capsend.cluster.modules import Modules
from capsend.cluster.peers import Switch
from capsend.engine.imports import SIGNATURES
from tests.cluster.test_items import Quiet
from tests.eventually import eventually

PATIENCE = 60

HEAD = "".join(
    f'(import "capsend" "{name}" (func ${name} (param {" ".join("i32" if each == "i" else "i64" for each in kinds)}) (result i32)))'
    for name, kinds in SIGNATURES.items()
)
GUEST = f"""
(module {HEAD}
  (memory (export "memory") 2)
  (func (export "capsend_abi_1"))
  (func $size (result i32) (i32.load (i32.const 4)))
  (func $begin (drop (call $argument (i32.const 0))) (drop (call $read (i32.const 256) (i32.const 16))))
  (func $answer (drop (call $read (i32.const 256) (i32.const 0))) (drop (call $result (i32.const 256) (call $size))))
  (func (export "echo") (call $begin) (call $answer))
  ;; Passes two messages on to an address.
  (func (export "relay") (local $left i32)
    (call $begin)
    (local.set $left (i32.const 2))
    (loop $next
      (drop (call $receive (i32.const 0) (i32.const 0) (i32.const 0) (i64.const -1)))
      (drop (call $read (i32.const 256) (i32.const 0)))
      (drop (call $send (i32.load (i32.const 16)) (i32.const 256) (call $size) (i32.const 0) (i32.const 0) (i64.const -1)))
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br_if $next (local.get $left))))
  (func (export "asks")
    (call $begin)
    (drop (call $invoke (i32.load (i32.const 16)) (i32.const 256) (call $size) (i32.const 0)))
    (call $answer))
  (func (export "spin") (loop $on (br $on)))
  (func (export "exits") (result i32) (i32.const 7)))
"""


@pytest.fixture(scope="module")
def module() -> WasmModule:
    return WasmModule.from_wat(GUEST, name="guest")


def test_functions_of_a_module_run_on_a_node(two_nodes, module):
    """Results, messages both ways, functions of home, exit codes and kills; the module crosses once for each node."""
    one, other = two_nodes.nodes
    for node in (one, other):
        on = Environment(on=node)
        before = len(node._member.modules)
        assert [on.spawn(module.function("echo"), bytes([n])).result(PATIENCE) for n in range(3)] == [
            b"\0",
            b"\1",
            b"\2",
        ]
        assert len(node._member.modules) == before + 1
    big = bytes(range(256)) * 200
    assert Environment(on=one).spawn(module.function("echo"), big).result(PATIENCE) == big
    with Mailbox[Any]() as inbox:
        relay = Environment(on=one).spawn(module.function("relay"), b"", inbox.address)
        python = Environment(on=other).spawn(lambda to: to.send(b"of a node"), relay.address)
        assert inbox.receive(timeout=PATIENCE) == b"of a node"
        relay.send(b"of home")
        assert inbox.receive(timeout=PATIENCE) == b"of home"
        assert (python.result(PATIENCE), relay.result(PATIENCE)) == (True, b"")

    @host_function(remote=True)
    def double(data: bytes) -> bytes:
        return data + data

    assert Environment(on=one).spawn(module.function("asks"), b"ab", double).result(PATIENCE) == b"abab"
    with pytest.raises(ProcessFailed, match="exit code 7"):
        Environment(on=one).spawn(module.function("exits")).result(PATIENCE)
    spinning = Environment(on=one, timeout=None).spawn(module.function("spin"))
    spinning.kill()
    with pytest.raises(ProcessKilled):
        spinning.result(PATIENCE)


def test_calls_wait_until_their_module_is_compiled_and_end_with_its_refusal():
    """A node takes a module that is not that of its digest for nonsense, and a module that is refused for a failure of its calls."""
    failed: list[tuple[int, str]] = []
    switch = Switch("1.a", Quiet())
    modules = Modules(
        switch,
        start=lambda _item, _shipment: None,
        fail=lambda item, error: failed.append((item.fields[0], str(error))),
    )
    bad = b"\0asm\1\0\0\0garbage"
    digest = hashlib.sha256(bad).hexdigest()
    call = Item("run", [5, digest, "bad", "go", "go of bad", [], "block", {}, False, False, [], [0]], b"")
    with pytest.raises(Malformed, match="was not sent"):
        modules.call(call)
    with pytest.raises(Malformed, match="not that of its digest"):
        modules.take(Item("module", [digest], bad + b"x"))
    modules.take(Item("module", [digest], bad))
    assert modules.call(call) is False
    acts: list[str] = []
    assert switch.early.holds(-5, lambda: acts.append("message"))  # it waits with its process
    eventually(lambda: acts)
    assert [number for number, _ in failed] == [5]
    assert "bad is not valid WebAssembly" in failed[0][1]
