"""Components of the WIT world: what is refused, how they end, and that each byte of theirs is bounded."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from capsend import (
    Dir,
    Environment,
    LimitExceeded,
    Mailbox,
    OutputLimitExceeded,
    ProcessFailed,
    ProcessKilled,
    TimeLimitExceeded,
    WasmModule,
    spawn,
)
from capsend.engine import LARGEST_MESSAGE
from capsend.exceptions import WasmError

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE = 20.0
MIB = 1 << 20

ENTRY = '(param "argument" (list u8)) (param "handles" (list u32)) (result (result (list u8) (error string)))'
CODES = '(enum "malformed" "forged" "denied" "closed" "full" "refused" "large" "timeout" "many" "unsendable" "missing" "limit" "raised")'
# A result is written at 16: its case, then where its bytes are and how many.
ANSWER = "(i32.store8 (i32.const 16) (i32.const {case})) (i32.store (i32.const 20) {pointer}) (i32.store (i32.const 24) {size}) (i32.const 16)"
BODIES = {
    "echo": ANSWER.format(case=0, pointer="(local.get 0)", size="(local.get 1)"),
    "fails": ANSWER.format(case=1, pointer="(i32.const 64)", size="(i32.const 9)"),
    "large": "(drop (memory.grow (i32.const 100)))"
    + ANSWER.format(case=0, pointer="(i32.const 0)", size="(i32.const 2000000)"),
    "outside": ANSWER.format(case=0, pointer="(i32.const -100)", size="(i32.const 2000)"),
    "loops": "(loop $a (br $a)) unreachable",
    "aborts": "unreachable",
    "grows": "(if (i32.ne (memory.grow (i32.const 1000)) (i32.const -1)) (then unreachable))"
    + ANSWER.format(case=0, pointer="(i32.const 0)", size="(i32.const 0)"),
}


def component(bodies: dict[str, str], *, imports: str = "", core_imports: str = "", linked: str = "") -> str:
    """The text of a component whose entries have these bodies; each is given where its argument and its handles are."""
    entries = "".join(
        f'(func (export "{name}") (param i32 i32 i32 i32) (result i32) {body})' for name, body in bodies.items()
    )
    lifted = "".join(
        f'(func (export "{name}") {ENTRY} (canon lift (core func $made "{name}") (memory (core memory $made "memory"))'
        ' (realloc (core func $made "realloc"))))'
        for name in bodies
    )
    return f"""(component {imports}
      (core module $module {core_imports}
        (memory (export "memory") 20) (data (i32.const 64) "no way 77")
        (global $next (mut i32) (i32.const 4096))
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
          (local.set $at (global.get $next))
          (global.set $next (i32.and (i32.add (i32.add (local.get $at) (local.get 3)) (i32.const 15)) (i32.const -16)))
          (local.get $at))
        {entries})
      {linked or "(core instance $made (instantiate $module))"}
      {lifted})"""


def refusal(text: str) -> str:
    """Return the error message for a component that cannot be used."""
    with pytest.raises(WasmError) as caught:
        WasmModule.from_wat(text, name="it.wasm")
    return str(caught.value)


@pytest.fixture(scope="module")
def module() -> WasmModule:
    """A component whose entries end in various ways."""
    return WasmModule.from_wat(component(BODIES))


def test_bytes_go_in_and_come_out(module: WasmModule):
    """Whatever they are."""
    for data in (b"", b"hello", bytes(range(256)) * 100):
        assert module.function("echo")(data) == data


def test_an_error_is_a_failure_with_its_words(module: WasmModule):
    """As an exception would be."""
    p = spawn(module.function("fails"))
    with pytest.raises(ProcessFailed, match="no way 77"):
        p.result(PATIENCE)
    assert p.exit_reason == "failed"


@pytest.mark.parametrize("name", ["aborts", "outside"])
def test_a_fault_ends_the_process_alone(module: WasmModule, name: str):
    """A result outside of memory is one."""
    p = spawn(module.function(name))
    with pytest.raises(ProcessFailed):
        p.result(PATIENCE)
    assert p.exit_reason == "trap"
    assert module.function("echo")(b"on") == b"on"


def test_an_endless_loop_is_stopped(module: WasmModule):
    """By a kill and by a timeout."""
    p = spawn(module.function("loops"))
    p.kill()
    with pytest.raises(ProcessKilled):
        p.result(PATIENCE)
    with pytest.raises(TimeLimitExceeded):
        Environment(timeout=0.05).spawn(module.function("loops")).result(PATIENCE)


def test_memory_is_limited(module: WasmModule):
    """While it runs, and at the start."""
    assert Environment(memory=2 * MIB).spawn(module.function("grows")).result(PATIENCE) == b""
    with pytest.raises(ProcessFailed, match="memory is smaller than the component needs to start"):
        Environment(memory=MIB).spawn(module.function("grows")).result(PATIENCE)


def test_what_crosses_at_a_time_is_limited(module: WasmModule):
    """Results, arguments and messages: each byte costs the host many on its way."""
    with pytest.raises(OutputLimitExceeded):
        spawn(module.function("large")).result(PATIENCE)
    with pytest.raises(LimitExceeded, match="at most 1048576 bytes"):
        spawn(module.function("echo"), bytes(LARGEST_MESSAGE + 1))
    p: Any = spawn(module.function("loops"))
    with p, pytest.raises(LimitExceeded):
        p.send(bytes(LARGEST_MESSAGE))


def test_a_component_of_another_world_is_refused():
    """With what it exports."""
    text = refusal(
        '(component (core module $m (func (export "f") (result i32) i32.const 1)) (core instance $i (instantiate $m))'
        ' (func (export "answer") (result u32) (canon lift (core func $i "f"))))'
    )
    assert "it.wasm is a component of another world" in text
    assert (
        "it exports answer, and no function that a process can begin with. Export one of type func(argument: list<u8>, handles: list<u32>)"
        in text
    )


def test_a_function_of_another_type_cannot_be_spawned():
    """Nor one that is not there."""
    text = component({"echo": BODIES["echo"]}).removesuffix(")") + (
        '(core module $m (func (export "f") (result i32) i32.const 1)) (core instance $i (instantiate $m))'
        ' (func (export "answer") (result u32) (canon lift (core func $i "f"))))'
    )
    module = WasmModule.from_wat(text, name="it.wasm")
    with pytest.raises(WasmError, match=r"answer of it\.wasm cannot be spawned: a process begins with a func\("):
        module.function("answer")
    with pytest.raises(WasmError, match=r"it\.wasm exports no function nothing\. It has: echo\."):
        module.function("nothing")


def test_an_import_that_is_not_here_is_named():
    """As for core modules."""
    for name in ("acme:db/query@0.1.0", "wasi:http/types@0.2.0", "wasi:cli/run@0.3.0"):
        text = refusal(component(BODIES, imports=f'(import "{name}" (instance (export "run" (func))))'))
        assert (
            f"it.wasm imports {name}, which capsend does not provide. A process has capsend:process/operations@1.0.0"
            in text
        )


def test_another_version_of_the_interface_is_refused():
    """By the version in the name of the package."""
    text = refusal(
        component(
            BODIES, imports='(import "capsend:process/operations@2.0.0" (instance (export "own" (func (result u32)))))'
        )
    )
    assert "it.wasm was built for capsend:process/operations@2.0.0; this capsend speaks" in text


def test_a_word_that_is_not_in_the_interface_is_named():
    """With all that are."""
    text = refusal(
        component(BODIES, imports='(import "capsend:process/operations@1.0.0" (instance (export "fork" (func))))')
    )
    assert "it.wasm imports fork from capsend:process/operations@1.0.0, which has: receive, send" in text


def test_a_word_of_another_type_is_refused():
    """Wasmtime itself takes any type for a function of the host."""
    text = refusal(
        component(
            BODIES,
            imports='(import "capsend:process/operations@1.0.0" (instance (export "own" (func (result string)))))',
        )
    )
    assert "imports own from capsend:process/operations@1.0.0 with another type: ()->string" in text


def test_asynchronous_functions_are_off():
    """They could wait without being interruptible."""
    assert "it needs asynchronous functions of components" in refusal(
        "(component (core func $x (canon waitable-set.new)))"
    )


def test_a_component_has_one_memory():
    """The limit of memory holds for each."""
    text = component({"echo": BODIES["echo"]}).removesuffix(")") + (
        "(core module $m (memory 1)) (core instance $i (instantiate $m)))"
    )
    with pytest.raises(ProcessFailed, match="more memories than a process may have"):
        WasmModule.from_wat(text).function("echo")()


SEND = f"""
  (import "capsend:process/operations@1.0.0" (instance $operations
    (type $codes {CODES}) (export "error" (type $error (eq $codes)))
    (export "send" (func (param "to" u32) (param "data" (list u8)) (param "handles" (list u32)) (param "timeout" (option u64))
      (result (result (error $error)))))))
  (core module $kept (memory (export "memory") 20))
  (alias export $operations "send" (func $send))
"""


def test_senseless_numbers_are_refused_with_a_name():
    """An unknown handle, a pointer out of memory, and an endless length."""
    words = """
      (import "words" "send" (func $send (param i32 i32 i32 i32 i32 i32 i64 i32)))
      (import "words" "memory" (memory 20))
    """
    linked = """
      (core instance $kept (instantiate $kept))
      (core func $send (canon lower (func $send) (memory (core memory $kept "memory"))))
      (core instance $made (instantiate $module (with "words" (instance
        (export "send" (func $send)) (export "memory" (memory $kept "memory"))))))
    """

    def sends(to: int, pointer: int, size: int) -> str:
        return (
            f"(call $send (i32.const {to}) (i32.const {pointer}) (i32.const {size}) (i32.const 0) (i32.const 0) (i32.const 1)"
            " (i64.const 0) (i32.const 32))"
            "(i32.store8 (i32.const 64) (i32.add (i32.const 48) (i32.load8_u (i32.const 33))))"
            + ANSWER.format(
                case="(i32.load8_u (i32.const 32))", pointer="(i32.const 64)", size="(i32.const 1)"
            ).replace("(i32.const (i32.load8_u (i32.const 32)))", "(i32.load8_u (i32.const 32))")
        )

    text = component(
        {
            "forged": sends(99, 0, 1),
            "outside": sends(0, -10, 100),
            "endless": sends(0, 0, -1),
            "good": sends(0, 64, 3),
            "large": sends(0, 0, 1_200_000),
            "huge": sends(0, 0, 60_000_000),
        },
        imports=SEND,
        core_imports=words,
        linked=linked,
    )
    text = text.replace('(memory (export "memory") 20) (data', '(export "memory" (memory 0)) (data')
    text = text.replace('(memory (export "memory") 20))', '(memory (export "memory") 1000))')
    module = WasmModule.from_wat(text)
    with Mailbox[Any]() as inbox:
        with pytest.raises(ProcessFailed, match=r"1$"):  # the place of `forged` among the errors
            spawn(module.function("forged"), b"", inbox.address).result(PATIENCE)
        for name in ("outside", "endless"):
            p = spawn(module.function(name), b"", inbox.address)
            with pytest.raises(ProcessFailed):
                p.result(PATIENCE)
            assert p.exit_reason == "trap"
        with pytest.raises(ProcessFailed, match=r"6$"):  # the place of `large`: what is too much is not cut off
            spawn(module.function("large"), b"", inbox.address).result(PATIENCE)
        with pytest.raises(ProcessFailed, match="more than the 1048576 bytes that a component can pass at a time"):
            spawn(module.function("huge"), b"", inbox.address).result(PATIENCE)
        spawn(module.function("good"), b"", inbox.address).result(PATIENCE)
        assert inbox.receive(timeout=PATIENCE) == b"no "


FILES = """
  (import "wasi:filesystem/types@0.2.9" (instance $types
    (export "descriptor" (type $descriptor (sub resource)))
    (type $codes (enum "access" "would-block" "already" "bad-descriptor" "busy" "deadlock" "quota" "exist" "file-too-large"
      "illegal-byte-sequence" "in-progress" "interrupted" "invalid" "io" "is-directory" "loop" "too-many-links" "message-size"
      "name-too-long" "no-device" "no-entry" "no-lock" "insufficient-memory" "insufficient-space" "not-directory" "not-empty"
      "not-recoverable" "unsupported" "no-tty" "no-such-device" "overflow" "not-permitted" "pipe" "read-only" "invalid-seek"
      "text-file-busy" "cross-device"))
    (export "error-code" (type $error-code (eq $codes)))
    (type $path (flags "symlink-follow")) (export "path-flags" (type $path-flags (eq $path)))
    (type $open (flags "create" "directory" "exclusive" "truncate")) (export "open-flags" (type $open-flags (eq $open)))
    (type $access (flags "read" "write" "file-integrity-sync" "data-integrity-sync" "requested-write-sync" "mutate-directory"))
    (export "descriptor-flags" (type $descriptor-flags (eq $access)))
    (export "[method]descriptor.open-at" (func (param "self" (borrow $descriptor)) (param "path-flags" $path-flags)
      (param "path" string) (param "open-flags" $open-flags) (param "flags" $descriptor-flags)
      (result (result (own $descriptor) (error $error-code)))))
    (export "[method]descriptor.read" (func (param "self" (borrow $descriptor)) (param "length" u64) (param "offset" u64)
      (result (result (tuple (list u8) bool) (error $error-code)))))))
  (alias export $types "descriptor" (type $descriptor))
  (import "wasi:filesystem/preopens@0.2.9" (instance $preopens
    (alias outer 1 $descriptor (type $outer)) (export "descriptor" (type $mine (eq $outer)))
    (export "get-directories" (func (result (list (tuple (own $mine) string)))))))
  (core module $kept (memory (export "memory") 20)
    (global $next (mut i32) (i32.const 65536))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
      (local.set $at (global.get $next))
      (global.set $next (i32.and (i32.add (i32.add (local.get $at) (local.get 3)) (i32.const 15)) (i32.const -16)))
      (local.get $at)))
  (alias export $types "[method]descriptor.open-at" (func $open-at))
  (alias export $types "[method]descriptor.read" (func $read))
  (alias export $preopens "get-directories" (func $directories))
"""


def test_a_component_reads_the_folder_that_it_was_granted(tmp_path: Path):
    """A file in it, through WASI; a path out of it leads nowhere."""
    words = """
      (import "files" "open-at" (func $open-at (param i32 i32 i32 i32 i32 i32 i32)))
      (import "files" "read" (func $read (param i32 i64 i64 i32)))
      (import "files" "directories" (func $directories (param i32)))
      (import "files" "memory" (memory 20))
    """
    linked = """
      (core instance $kept (instantiate $kept))
      (core func $open-at (canon lower (func $open-at) (memory (core memory $kept "memory"))))
      (core func $read (canon lower (func $read) (memory (core memory $kept "memory")) (realloc (core func $kept "realloc"))))
      (core func $directories (canon lower (func $directories) (memory (core memory $kept "memory")) (realloc (core func $kept "realloc"))))
      (core instance $made (instantiate $module (with "files" (instance
        (export "open-at" (func $open-at)) (export "read" (func $read)) (export "directories" (func $directories))
        (export "memory" (memory $kept "memory"))))))
    """
    # The folders are listed at 32, opened files at 48, read text at 64; on failure, the place of the code is reported.
    reads = (
        "(call $directories (i32.const 32))"
        "(call $open-at (i32.load (i32.load (i32.const 32))) (i32.const 0) (local.get 0) (local.get 1) (i32.const 0) (i32.const 1) (i32.const 48))"
        "(if (i32.load8_u (i32.const 48)) (then"
        " (i32.store8 (i32.const 100) (i32.add (i32.const 48) (i32.load8_u (i32.const 52))))"
        f" (return {ANSWER.format(case=1, pointer='(i32.const 100)', size='(i32.const 1)')})))"
        "(call $read (i32.load (i32.const 52)) (i64.const 1000) (i64.const 0) (i32.const 64))"
        + ANSWER.format(case=0, pointer="(i32.load (i32.const 68))", size="(i32.load (i32.const 72))")
    )
    text = component({"reads": reads}, imports=FILES, core_imports=words, linked=linked)
    text = text.replace('(memory (export "memory") 20) (data', '(export "memory" (memory 0)) (data')
    module = WasmModule.from_wat(text)
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "x.txt").write_text("what it holds")
    (tmp_path / "secret").write_text("secret")
    os.mkfifo(inside / "pipe")
    assert spawn(module.function("reads"), b"x.txt", Dir(inside)).result(PATIENCE) == b"what it holds"
    for path in (b"../secret", b"/etc/passwd", b"missing", b"pipe"):
        with pytest.raises(ProcessFailed, match="failed: "):
            spawn(module.function("reads"), path, Dir(inside)).result(PATIENCE)
