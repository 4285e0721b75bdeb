"""Hostile modules: whatever numbers they give to the words of the interface, the host refuses, goes on, and stays small."""

from __future__ import annotations

import contextlib
import itertools
import time
from typing import Any

import pytest

from capsend import CapsendError, Environment, HostFunction, Mailbox, ProcessFailed, ProcessKilled, WasmModule, spawn
from capsend.engine.imports import SIGNATURES
from capsend.exceptions import WasmError
from tests.memory import resident

PATIENCE = 20.0
MIB = 1 << 20
MOST = 0xFFFF_FFFF
END = 65_536

MALFORMED, FORGED, DENIED, FULL, LARGE, MANY, UNSENDABLE, MISSING = -1, -2, -3, -5, -7, -9, -10, -11
ADDRESS, FUNCTION = 0, 1  # the handles that each gets
TEXT, NAME, KEPT, FORGERY, FUNCTIONS = 1024, 1100, 1200, 1300, 1400

HEAD = "".join(
    f'(import "capsend" "{name}" (func ${name} (param {" ".join("i32" if each == "i" else "i64" for each in kinds)}) (result i32)))'
    for name, kinds in SIGNATURES.items()
) + (
    '(memory (export "memory") 1) (func (export "capsend_abi_1")) (func (export "nothing"))'
    f'(data (i32.const {TEXT}) "k07\\ffabc") (data (i32.const {NAME}) "nothing") (data (i32.const {FORGERY}) "\\63\\00\\00\\00")'
    f'(data (i32.const {FUNCTIONS}) "\\01\\00\\00\\00")'
)

# The called word, its arguments, and its answer. Handles are read into `KEPT` before.
ATTACKS: list[tuple[str, tuple[int, ...], int]] = [
    ("argument", (END - 15,), MALFORMED),
    ("argument", (MOST,), MALFORMED),
    ("receive", (END, 0, 0, 0), MALFORMED),
    ("receive", (0, END - 1, 2, 0), MALFORMED),
    ("receive", (0, 0, MOST, 0), LARGE),
    ("read", (END - 3, 0), MALFORMED),
    ("read", (0, END - 7), MALFORMED),
    ("read", (MOST, MOST), MALFORMED),
    ("send", (99, 0, 0, 0, 0, 0), FORGED),
    ("send", (MOST, 0, 0, 0, 0, 0), FORGED),
    ("send", (FUNCTION, 0, 0, 0, 0, 0), DENIED),
    ("send", (ADDRESS, END, 1, 0, 0, 0), MALFORMED),
    ("send", (ADDRESS, MOST, MOST, 0, 0, 0), LARGE),
    ("send", (ADDRESS, 0, 0, END - 3, 1, 0), MALFORMED),
    ("send", (ADDRESS, 0, 0, 0, MOST, 0), MANY),
    ("send", (ADDRESS, 0, 0, FORGERY, 1, 0), FORGED),
    ("send", (ADDRESS, 0, 0, FUNCTIONS, 1, 0), UNSENDABLE),
    ("say", (ADDRESS, TEXT, 3, 0, 0, 0), MALFORMED),
    ("say", (ADDRESS, TEXT + 3, 2, 0, 0, 0), MALFORMED),
    ("say", (ADDRESS, 0, 0, 0, 0, 0), MALFORMED),
    ("call", (ADDRESS, 0, 0, 0, 0, END, 0), MALFORMED),
    ("call", (99, 0, 0, 0, 0, 0, 0), FORGED),
    ("invoke", (ADDRESS, 0, 0, 0), DENIED),
    ("invoke", (99, 0, 0, 0), FORGED),
    ("invoke", (FUNCTION, 0, MOST, 0), LARGE),
    ("invoke", (FUNCTION, END, 1, 0), MALFORMED),
    ("invoke", (FUNCTION, 0, 0, END), MALFORMED),
    ("spawn", (ADDRESS, NAME, 7, 0, 0, 0, 0, 0), DENIED),
    ("spawn", (99, NAME, 7, 0, 0, 0, 0, 0), FORGED),
    ("spawn", (MOST, NAME, 6, 0, 0, 0, 0, 0), MISSING),
    ("spawn", (MOST, TEXT + 3, 1, 0, 0, 0, 0, 0), MISSING),
    ("spawn", (MOST, END, 7, 0, 0, 0, 0, 0), MALFORMED),
    ("spawn", (MOST, NAME, MOST, 0, 0, 0, 0, 0), LARGE),
    ("spawn", (MOST, NAME, 7, 0, MOST, 0, 0, 0), LARGE),
    ("spawn", (MOST, NAME, 7, END, 1, 0, 0, 0), MALFORMED),
    ("spawn", (MOST, NAME, 7, 0, 0, FORGERY, 1, 0), FORGED),
    ("spawn", (MOST, NAME, 7, 0, 0, 0, MOST, 0), MANY),
    ("spawn", (MOST, NAME, 7, 0, 0, 0, 0, 4), MALFORMED),
    ("kill", (ADDRESS,), DENIED),
    ("kill", (99,), FORGED),
    ("drop", (99,), FORGED),
    ("drop", (MOST,), FORGED),
    ("monitor", (99,), FORGED),
    ("monitor", (FUNCTION,), DENIED),
    ("unmonitor", (99,), FORGED),
    ("link", (99,), FORGED),
    ("unlink", (99,), FORGED),
    ("describe", (99, 0, 0), FORGED),
    ("describe", (ADDRESS, END, 1), MALFORMED),
    ("describe", (ADDRESS, MOST, MOST), MALFORMED),
    ("write", (0, 0, 0), MALFORMED),
    ("write", (3, 0, 0), MALFORMED),
    ("write", (1, END, 1), MALFORMED),
    ("write", (1, 1, MOST), MALFORMED),
    ("result", (END, 1), MALFORMED),
]


def module_of(*functions: str) -> WasmModule:
    """A module with all words and these functions."""
    return WasmModule.from_wat(f"(module {HEAD} {' '.join(functions)})")


def called(word: str, args: tuple[int, ...]) -> str:
    """The instruction that calls a word."""
    constants = (
        f"({'i32' if kind == 'i' else 'i64'}.const {number})"
        for kind, number in zip(SIGNATURES[word], args, strict=True)
    )
    return f"(call ${word} {' '.join(constants)})"


@HostFunction
def harmless(data: bytes) -> bytes:
    """Return what came."""
    return data


@pytest.fixture(scope="module")
def attacker() -> WasmModule:
    """A module with one function for each attack; its exit code is the answer of the word."""
    begin = f"(drop {called('argument', (0,))}) (drop {called('read', (0, KEPT))})"
    functions = (
        f'(func (export "attack{number}") (result i32) {begin} {called(word, args)})'
        for number, (word, args, _) in enumerate(ATTACKS)
    )
    return module_of(*functions)


@pytest.mark.parametrize("number", range(len(ATTACKS)), ids=lambda n: f"{n}-{ATTACKS[n][0]}-{ATTACKS[n][2]}")
def test_senseless_numbers_are_refused_with_a_code(attacker: WasmModule, number: int):
    """Pointers, lengths, handles, flags: the process goes on, and reports what it was told."""
    with Mailbox[Any]() as inbox:
        p = spawn(attacker.function(f"attack{number}"), b"12345678", inbox.address, harmless)
        with pytest.raises(ProcessFailed) as caught:
            p.result(PATIENCE)
        assert f"exit code {ATTACKS[number][2]}" in str(caught.value)
        assert len(inbox) == 0


def test_every_word_is_attacked():
    """Those that take a pointer, a length or a handle."""
    assert {word for word, *_ in ATTACKS} == {name for name, kinds in SIGNATURES.items() if "i" in kinds} - {"trap"}


def test_random_numbers_harm_nothing():
    """Any word with any numbers: it answers, ends its process, or waits until that is killed; the host goes on."""
    interesting = (0, 1, 16, END - 1, END, 0x7FFF_FFFF, 0x8000_0000, MOST)
    bodies = []
    for number, (word, kinds) in enumerate(SIGNATURES.items()):
        patterns = itertools.islice(
            itertools.product(interesting, repeat=len(kinds)), 0, None, max(len(interesting) ** len(kinds) // 300, 1)
        )
        calls = [
            f"(drop {called(word, tuple(0 if kind == 'I' else value for kind, value in zip(kinds, args, strict=True)))})"
            for args in patterns
        ]
        bodies.append(f'(func (export "all{number}") {" ".join(calls)})')
    module = module_of(*bodies)
    quiet = Environment(timeout=PATIENCE, memory=MIB, stdout=None, stderr=None, output=16 * MIB)
    with Mailbox[Any](messages=10_000, full="drop_oldest") as inbox:
        for number in range(len(SIGNATURES)):
            p = quiet.spawn(module.function(f"all{number}"), b"", inbox.address, harmless)
            with contextlib.suppress(CapsendError):  # nothing else: that would be a fault of the host's
                p.result(PATIENCE)
    assert module.function("nothing")() == b""


def test_handles_of_a_message_that_was_not_read_are_no_handles():
    """Only reading takes hold of them."""
    module = module_of(
        f'(func (export "go") (result i32) (drop {called("receive", (0, 0, 0, -1))}) {called("drop", (0,))})'
    )
    with Mailbox[Any]() as inbox:
        p: Any = spawn(module.function("go"))
        p.send((b"", (inbox.address,)))
        with pytest.raises(ProcessFailed, match="exit code -2"):
            p.result(PATIENCE)


def test_a_process_cannot_fill_its_own_mailbox_beyond_its_limits():
    """The answer is `FULL`, for those that it put by as well."""
    module = module_of(
        '(func (export "go") (result i32) (local $i i32) (local $own i32) (local $last i32) (local.set $own (call $own))'
        "(loop $again"
        "  (local.set $last (call $send (local.get $own) (i32.const 0) (i32.const 100) (i32.const 0) (i32.const 0) (i64.const 0)))"
        f"  (drop {called('receive', (0, NAME, 7, 0))})"
        "  (local.set $i (i32.add (local.get $i) (i32.const 1)))"
        "  (br_if $again (i32.lt_u (local.get $i) (i32.const 5000))))"
        "(local.get $last))"
    )
    p = spawn(module.function("go"))
    with pytest.raises(ProcessFailed, match=f"exit code {FULL}"):
        p.result(PATIENCE)


def test_what_is_said_to_the_host_is_read_with_care():
    """Names of the host's classes and functions mean nothing, and what is no message is dropped."""
    texts = [
        rb'p["n"',
        rb'g20:[{"c":["os","system"]}]',
        rb'g21:[["i",["os","system"]]]',
        rb"p" + rb"[" * 5000,
        b"s\x00ok",
    ]
    sends = []
    data = []
    at = 4096
    for text in texts:
        escaped = "".join(f"\\{byte:02x}" for byte in text)
        data.append(f'(data (i32.const {at}) "{escaped}")')
        sends.append(f"(drop {called('say', (ADDRESS, at, len(text), 0, 0, -1))})")
        at += len(text) + 16
    begin = f"(drop {called('argument', (0,))}) (drop {called('read', (0, KEPT))})"
    module = module_of(*data, f'(func (export "go") {begin} {" ".join(sends)})')
    with Mailbox[Any]() as inbox:
        spawn(module.function("go"), b"", inbox.address).result(PATIENCE)
        assert inbox.receive(timeout=PATIENCE) == "\0ok"
        assert len(inbox) == 0


def test_words_cannot_be_used_once_a_process_is_killed():
    """One that ignores all answers ends all the same."""
    module = module_of(f'(func (export "go") (loop $a (drop {called("sleep", (-1,))}) (br $a)))')
    p = spawn(module.function("go"))
    p.kill()
    with pytest.raises(ProcessKilled):
        p.result(PATIENCE)


def test_tables_and_instances_are_limited():
    """They are memory of the host's beside the process's own."""
    module = WasmModule.from_wat('(module (table 10000000 funcref) (func (export "go")))')
    with pytest.raises(ProcessFailed, match="tables are larger than a process may have"):
        module.function("go")()
    grows = WasmModule.from_wat(
        '(module (table 1 funcref) (func (export "go") (result i32) (table.grow (ref.null func) (i32.const 10000000))))'
    )
    with pytest.raises(ProcessFailed, match="exit code -1"):
        grows.function("go")()
    many = WasmModule.from_wat(f'(module {"(table 1 funcref)" * 50} (func (export "go")))')
    with pytest.raises(ProcessFailed):
        many.function("go")()


def test_names_in_a_module_do_not_flood_messages():
    """Nor can names write control sequences to a terminal."""
    exports = " ".join(f'(func (export "f{number}"))' for number in range(5_000))
    module = WasmModule.from_wat(f"(module {exports})")
    with pytest.raises(WasmError) as caught:
        module.function("nothing")
    assert len(str(caught.value)) < 2_000
    with pytest.raises(WasmError) as caught:
        WasmModule.from_wat(f'(module (import "env\\1b[31m" "{"x" * 50_000}" (func)))')
    assert len(str(caught.value)) < 2_000
    assert "\x1b" not in str(caught.value)


WASI = """
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open" (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_prestat_get" (func $prestat (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 16)
  (data (i32.const 0) "\\00\\00\\00\\00\\ff\\ff\\ff\\ff")
  (data (i32.const 64) "/etc/passwd")
  (func (export "write_all") (result i32) (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 100)))
  (func (export "write_many") (result i32) (call $write (i32.const 1) (i32.const 0) (i32.const -1) (i32.const 100)))
  (func (export "write_file") (result i32) (call $write (i32.const 3) (i32.const 0) (i32.const 1) (i32.const 100)))
  (func (export "random_outside") (result i32) (call $random (i32.const 10) (i32.const -1)))
  (func (export "random_much") (loop $a (drop (call $random (i32.const 0) (i32.const 1000000))) (br $a)))
  (func (export "poll_many") (result i32) (call $poll (i32.const 0) (i32.const 0) (i32.const -1) (i32.const 0)))
  (func (export "poll_long")
    (i64.store (i32.const 1024) (i64.const 7)) (i64.store (i32.const 1048) (i64.const -1))
    (drop (call $poll (i32.const 1024) (i32.const 2048) (i32.const 1) (i32.const 4096))))
  (func (export "open_file") (result i32)
    (call $open (i32.const 3) (i32.const 0) (i32.const 64) (i32.const 11) (i32.const 0) (i64.const 1) (i64.const 1) (i32.const 0) (i32.const 200)))
  (func (export "preopens") (result i32) (call $prestat (i32.const 3) (i32.const 200)))
  (func (export "exits") (call $exit (i32.const 9)))
  (func (export "exits_well") (call $exit (i32.const 0)) unreachable))
"""


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("write_all", 21),
        ("write_many", 28),
        ("write_file", 8),
        ("poll_many", 28),
        ("random_outside", 21),
        ("open_file", 8),
        ("preopens", 8),
        ("exits", 9),
    ],
)
def test_wasi_gives_nothing_that_was_not_granted(name: str, code: int):
    """No file is open, senseless numbers are refused, and an exit code is one."""
    with pytest.raises(ProcessFailed, match=f"exit code {code}$"):
        WasmModule.from_wat(WASI).function(name)()


def test_wasi_programs_can_end_well():
    """`proc_exit(0)` is no failure."""
    assert WasmModule.from_wat(WASI).function("exits_well")() == b""


@pytest.mark.parametrize("name", ["poll_long", "random_much"])
def test_waits_and_long_work_of_wasi_can_be_killed(name: str):
    """At once."""
    p = spawn(WasmModule.from_wat(WASI).function(name))
    began = time.monotonic()
    p.kill()
    with pytest.raises(ProcessKilled):
        p.result(PATIENCE)
    assert time.monotonic() - began < 5


def test_sending_gigabytes_costs_the_host_nothing():
    """Oversized data is refused before it is copied."""
    module = module_of(
        f'(func (export "go") (result i32) (drop (memory.grow (i32.const 16000))) {called("own", ())} drop'
        f" {called('send', (0, 0, 1_000_000_000, 0, 0, 0))})"
    )
    before = resident()
    with pytest.raises(ProcessFailed, match=f"exit code {LARGE}"):
        spawn(module.function("go")).result(PATIENCE)
    assert resident() - before < 64 * MIB
