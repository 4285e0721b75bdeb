"""Processes that modules spawn: charged to the tree, ended with it, and no more than they were given."""

from __future__ import annotations

import time
from typing import Any

import pytest

import capsend
from capsend import Environment, Mailbox, ProcessFailed, ProcessKilled, WasmModule
from capsend.engine.imports import SIGNATURES

PATIENCE = 20.0
MIB = 1 << 20
LIMIT = -12

HEAD = "".join(
    f'(import "capsend" "{name}" (func ${name} (param {" ".join("i32" if each == "i" else "i64" for each in kinds)}) (result i32)))'
    for name, kinds in SIGNATURES.items()
)


def spawned(name: int, size: int, *, flags: int = 0, handles: int = 0) -> str:
    """Return the instruction that spawns the entry with the name at this place."""
    return (
        f"(call $spawn (i32.const -1) (i32.const {name}) (i32.const {size}) (i32.const 0) (i32.const 0) (i32.const 256)"
        f" (i32.const {handles}) (i32.const {flags}))"
    )


SLEEPS, NOTHING, BOMB, FLOODS, LOOPS, ABORTS = (1024 + 16 * number for number in range(6))
PROGRAM = f"""
(module {HEAD}
  (memory (export "memory") 1)
  (data (i32.const {SLEEPS}) "sleeps") (data (i32.const {NOTHING}) "nothing") (data (i32.const {BOMB}) "bomb")
  (data (i32.const {FLOODS}) "floods") (data (i32.const {LOOPS}) "loops") (data (i32.const {ABORTS}) "aborts")
  (func (export "capsend_abi_1"))
  (func $sleep_on (drop (call $sleep (i64.const -1))))
  (func (export "sleeps") (call $sleep_on))
  (func (export "nothing"))
  (func (export "aborts") unreachable)
  (func (export "loops") (loop $a (br $a)))
  (func (export "floods") (loop $a (drop (call $write (i32.const 1) (i32.const 0) (i32.const 60000))) (br $a)))
  ;; Spawns until that is refused, and ends with the code.
  (func (export "fills") (result i32) (local $last i32)
    (loop $a (local.set $last {spawned(SLEEPS, 6)}) (br_if $a (i32.ge_s (local.get $last) (i32.const 0))))
    (local.get $last))
  ;; Spawns its like for ever.
  (func (export "bomb") (loop $a (drop {spawned(BOMB, 4)}) (br $a)))
  ;; Spawns and forgets, one after the other.
  (func (export "storm") (result i32) (local $i i32) (local $child i32)
    (loop $a
      (local.set $child {spawned(NOTHING, 7, flags=2)})
      (if (i32.lt_s (local.get $child) (i32.const 0)) (then (return (local.get $child))))
      (drop (call $receive (i32.const 0) (i32.const 0) (i32.const 0) (i64.const -1)))
      (drop (call $drop (local.get $child)))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $a (i32.lt_u (local.get $i) (i32.const 2000))))
    (i32.const 0))
  (func (export "leaves") (drop {spawned(SLEEPS, 6)}) (drop {spawned(LOOPS, 5)}))
  (func (export "keeps") (drop {spawned(SLEEPS, 6)}) (drop {spawned(LOOPS, 5)}) (call $tell) (call $sleep_on))
  (func (export "watches_output") (drop {spawned(FLOODS, 6)}) (call $sleep_on))
  (func (export "linked") (drop {spawned(ABORTS, 6, flags=1)}) (call $sleep_on))
  (func $tell (drop (call $argument (i32.const 0))) (drop (call $read (i32.const 0) (i32.const 256)))
    (drop (call $send (i32.load (i32.const 256)) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i64.const -1)))))
"""


@pytest.fixture(scope="module")
def module() -> WasmModule:
    """A module whose functions spawn others of it."""
    return WasmModule.from_wat(PROGRAM)


def wait_until_alone(since: int) -> None:
    """Wait until no process is left that was spawned after this number."""
    end = time.monotonic() + PATIENCE
    while any(each.id > since for each in capsend.processes()):
        assert time.monotonic() < end, capsend.processes()
        time.sleep(0.001)


@pytest.mark.parametrize(
    "environment",
    [Environment(processes=7), Environment(processes=100, tree_memory=7 * 64 * MIB + MIB)],
    ids=["processes", "memory"],
)
def test_a_module_spawns_only_so_many(module: WasmModule, environment: Environment):
    """Beyond that `spawn` answers `LIMIT`; all of them end with it."""
    p = environment.spawn(module.function("fills"))
    with pytest.raises(ProcessFailed, match=f"exit code {LIMIT}"):
        p.result(PATIENCE)
    wait_until_alone(p.id)


def test_a_module_that_may_not_spawn_is_refused(module: WasmModule):
    """With no processes to spawn."""
    with pytest.raises(ProcessFailed, match=f"exit code {LIMIT}"):
        Environment(processes=0).spawn(module.function("fills")).result(PATIENCE)


def test_a_bomb_is_bounded_and_killed_with_its_root(module: WasmModule):
    """However deep it spawns."""
    p = Environment(processes=20, timeout=None).spawn(module.function("bomb"))
    end = time.monotonic() + 1.0
    most = 0
    while time.monotonic() < end:
        most = max(most, sum(each.id >= p.id for each in capsend.processes()))
    assert 1 < most <= 21 + 2  # only these count the threads that are just ending
    p.kill()
    with pytest.raises(ProcessKilled):
        p.result(PATIENCE)
    wait_until_alone(p.id)


def test_thousands_of_children_leave_nothing_behind(module: WasmModule):
    """Each is counted as long as it runs, and no longer."""
    p = Environment(processes=5).spawn(module.function("storm"))
    assert p.result(PATIENCE * 3) == b""


def test_children_end_with_their_parent(module: WasmModule):
    """When it ends normally, and when it is killed; children that compute and children that wait."""
    p = capsend.spawn(module.function("leaves"))
    assert p.result(PATIENCE) == b""
    wait_until_alone(p.id)
    with Mailbox[Any]() as inbox:
        p = capsend.spawn(module.function("keeps"), b"", inbox.address)
        inbox.receive(timeout=PATIENCE)
        p.kill()
    with pytest.raises(ProcessKilled):
        p.result(PATIENCE)
    wait_until_alone(p.id)


def test_output_of_children_is_charged_to_the_root(module: WasmModule):
    """A process cannot write more by spawning."""
    written: list[str] = []
    p = Environment(output=200_000, stdout=written.append).spawn(module.function("watches_output"))
    end = time.monotonic() + PATIENCE
    while sum(map(len, written)) < 200_000 and time.monotonic() < end:
        time.sleep(0.001)
    p.kill()
    wait_until_alone(p.id)
    assert sum(map(len, written)) == 200_000


def test_a_parent_ends_with_a_child_that_it_is_linked_to(module: WasmModule):
    """From the first moment of the child."""
    p = capsend.spawn(module.function("linked"))
    with pytest.raises(ProcessKilled):
        p.result(PATIENCE)
