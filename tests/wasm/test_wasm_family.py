"""Modules in a tree of processes: Python processes spawn their functions, they spawn more, and all of it is charged and ends together."""

from __future__ import annotations

import struct
import sys
from typing import Any

import pytest

from capsend import (
    Environment,
    LimitExceeded,
    Mailbox,
    ProcessFailed,
    ProcessKilled,
    Supervisor,
    TimeLimitExceeded,
    WasmFunction,
    WasmModule,
    host_function,
    spawn,
)
from capsend.exceptions import WasmError
from tests.guests.languages import HERE

PATIENCE = 30.0
LIMIT, MISSING, FORGED = -12, -11, -2

FAMILY = """(module
  (import "capsend" "argument" (func $argument (param i32) (result i32)))
  (import "capsend" "read" (func $read (param i32 i32) (result i32)))
  (import "capsend" "receive" (func $receive (param i32 i32 i32 i64) (result i32)))
  (import "capsend" "result" (func $result (param i32 i32) (result i32)))
  (import "capsend" "spawn" (func $spawn (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "capsend" "kill" (func $kill (param i32) (result i32)))
  (import "capsend" "drop" (func $drop (param i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 512) "waitbombecho")
  (func (export "capsend_abi_1"))
  (func $start (param $module i32) (param $at i32) (param $size i32) (result i32)
    (call $spawn (local.get $module) (local.get $at) (local.get $size)
      (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))
  (func $wait (export "wait") (drop (call $receive (i32.const 0) (i32.const 0) (i32.const 0) (i64.const -1))))
  (func $many (param $at i32) (local $count i32) (local $child i32)
    (loop $again
      (local.set $child (call $start (i32.const -1) (local.get $at) (i32.const 4)))
      (if (i32.ge_s (local.get $child) (i32.const 0))
        (then (local.set $count (i32.add (local.get $count) (i32.const 1))) (br $again))))
    (i32.store (i32.const 100) (local.get $count))
    (i32.store (i32.const 104) (local.get $child)))
  (func (export "fill") (call $many (i32.const 512)) (drop (call $result (i32.const 100) (i32.const 8))))
  (func (export "bomb") (call $many (i32.const 516)) (call $wait))
  (func (export "storm") (local $child i32) (local $count i32)
    (loop $again
      (local.set $child (call $start (i32.const -1) (i32.const 512) (i32.const 4)))
      (drop (call $kill (local.get $child)))
      (drop (call $drop (local.get $child)))
      (local.set $count (i32.add (local.get $count) (i32.const 1)))
      (br_if $again (i32.lt_u (local.get $count) (i32.const 1000))))
    (i32.store (i32.const 100) (local.get $child))
    (drop (call $result (i32.const 100) (i32.const 4))))
  (func (export "one_function")
    (drop (call $argument (i32.const 0)))
    (drop (call $read (i32.const 0) (i32.const 64)))
    (i32.store (i32.const 100) (i32.ge_s (call $start (i32.load (i32.const 64)) (i32.const 0) (i32.const 0)) (i32.const 0)))
    (i32.store (i32.const 104) (i32.ge_s (call $start (i32.load (i32.const 64)) (i32.const 520) (i32.const 4)) (i32.const 0)))
    (i32.store (i32.const 108) (call $start (i32.load (i32.const 64)) (i32.const 512) (i32.const 4)))
    (i32.store (i32.const 112) (call $start (i32.const 4711) (i32.const 512) (i32.const 4)))
    (drop (call $result (i32.const 100) (i32.const 16)))))"""


@pytest.fixture(scope="module")
def family() -> WasmModule:
    """A module whose functions spawn."""
    return WasmModule.from_wat(FAMILY)


@pytest.fixture(scope="module")
def module() -> WasmModule:
    """The conformance guest."""
    return WasmModule.from_wat((HERE / "wat" / "conformance.wat").read_text(encoding="utf-8"))


def numbers(found: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(found) // 4}i", found)


def use(module: WasmModule, echo: WasmFunction) -> list[Any]:
    """Runs in a Python process."""
    large = b"x" * 1_000_000
    server = spawn(module.function("serving"))
    told: list[Any] = [
        echo(b"called"),
        spawn(echo, large).result() == large,
        spawn(module.function("echo"), bytes(range(256))).result() == bytes(range(256)),
        server.call(lambda reply: (b"asked", (reply,)), timeout=PATIENCE),
        "echo" in module.functions,
    ]
    server.send(b"stop")
    return [*told, server.result()]


def test_python_process_spawns_functions_of_modules(module):
    """It is spawned, called, and ends inside as outside; a function is captured or passed like its module."""
    *told, served = spawn(use, module, module.function("echo")).result(PATIENCE)
    assert told == [b"called", True, True, b"asked", True]
    assert numbers(served) == (1, 0, 0)


def test_errors_of_modules_reach_the_python_process(module):
    """A failure, a fault, a kill and a limit are the errors that they are outside."""

    def outcomes() -> list[tuple[str, str | None]]:
        told = []
        for name in ("failing", "faulting", "waiting", "spinning"):
            p = (
                Environment(timeout=0.2).spawn(module.function(name))
                if name == "spinning"
                else spawn(module.function(name))
            )
            if name == "waiting":
                p.kill()
            try:
                p.result()
            except (ProcessFailed, ProcessKilled, TimeLimitExceeded) as error:
                told.append((type(error).__name__, p.exit_reason))
        return told

    assert spawn(outcomes).result(PATIENCE) == [
        ("ProcessFailed", "failed"),
        ("ProcessFailed", "trap"),
        ("ProcessKilled", "killed"),
        ("TimeLimitExceeded", "limit"),
    ]


def test_wrong_use_inside_is_refused_as_outside(module):
    """A function that is not there, an argument that is no bytes, and compiling, which the host does."""

    def wrong() -> list[str]:
        told = []
        for act in (
            lambda: module.function("nothing"),
            lambda: spawn(module.function("echo"), "text"),
            lambda: spawn(module.function("echo"), b"", 5),
            lambda: WasmModule.from_wat("(module)"),
        ):
            try:
                act()
            except (WasmError, TypeError) as error:
                told.append(str(error))
        return told

    missing, text, number, compiling = spawn(wrong).result(PATIENCE)
    assert "exports no function nothing. It has: " in missing
    assert "must be bytes, not str" in text
    assert "cannot be passed something of type int" in number
    assert "the host compiles modules" in compiling


def test_a_supervisor_inside_starts_a_module_again(module):
    """The supervising process need not know the language of its children."""

    def supervise(failing: WasmFunction) -> int:
        with Supervisor(restarts=100, period=100) as supervisor:
            supervisor.spawn(failing, name="a")
            while supervisor.restarted < 3:
                spawn(abs, 1).result()
        return supervisor.restarted

    assert spawn(supervise, module.function("failing")).result(PATIENCE) >= 3


def test_what_a_python_process_passes_on_arrives(module):
    """Addresses and functions of the host go on to a process in another language."""

    @host_function
    def double(data: bytes) -> bytes:
        return 2 * data

    def pass_on() -> bytes:
        return spawn(module.function("invoking"), b"ab", double).result()

    assert spawn(pass_on).result(PATIENCE) == b"abab"


def test_the_right_to_one_function_is_no_more(family, module):
    """Whoever holds a function can start that one, without naming it, and no other of its module."""
    found = spawn(family.function("one_function"), b"", module.function("echo")).result(PATIENCE)
    assert numbers(found) == (1, 1, MISSING, FORGED)


@pytest.mark.parametrize(
    ("limits", "children"), [({}, 100), ({"processes": 7}, 7), ({"processes": 0}, 0), ({"memory": 1 << 20}, 8)]
)
def test_children_of_a_module_are_counted(family, limits, children):
    """No more than `processes`, nor than `tree_memory` has room for; what is more is a code."""
    assert numbers(Environment(**limits).spawn(family.function("fill")).result(PATIENCE)) == (children, LIMIT)


def test_a_python_process_cannot_have_more_in_another_language(family):
    """Its children in all languages count together."""

    def fill() -> tuple[int, str]:
        kept = []
        try:
            while True:
                kept.append(spawn(family.function("wait")))
        except LimitExceeded as error:
            return len(kept), str(error)

    count, words = Environment(processes=5).spawn(fill).result(PATIENCE)
    assert count == 5
    assert "Environment(processes=...)" in words


def test_a_bomb_ends_with_its_root(family):
    """Children that spawn children are all charged to the root, and end with it."""
    p = Environment(processes=30).spawn(family.function("bomb"))
    with Mailbox[Any]() as inbox:
        inbox.monitor(p.address)
        p.kill()
        inbox.receive(timeout=PATIENCE)
    with pytest.raises(ProcessKilled):
        p.result(PATIENCE)


def test_spawning_and_killing_without_end_is_only_work(family):
    """A thousand children, one after the other, leave room for the next."""
    (last,) = numbers(spawn(family.function("storm")).result(PATIENCE))
    assert last >= 0


def test_forged_functions_start_nothing(module):
    """Only a function that the process holds is started, with bytes, and only from a module that it holds are functions had."""

    def forge(entry: Any) -> list[str]:
        host = sys.modules["capsend_guest.host_operations"]
        heads = ["true", "-1", "9" * 30, "1.0", '"1"', "[1]", "null", str(module.number), str(entry.number + 1)]
        answers = [host.request(50, f'{{"entry":{head}}}\n\ngb:[["b",0,7]]') for head in heads]
        texts = ["", "sx", "k07N.", 'gb:[["b",0,7]]x', "gff:", "p1"]
        answers += [host.request(50, f'{{"entry":{entry.number}}}\n\n{text}') for text in texts]
        names = ["", "x", " ", "99 echo", f"{entry.number} echo", f"{module.number} nothing", f"{module.number} memory"]
        return [*answers, *(host.request(58, name) for name in names)]

    answers = spawn(forge, module.function("echo")).result(PATIENCE)
    assert set(answers) <= {"!forged", "!malformed", "!missing"}
    assert len(answers) == 22
