"""Modules in any language: what is refused before anything runs, where compiled forms are kept, and how their processes end."""

from __future__ import annotations

import copy
import doctest
import logging
import os
import pickle
import subprocess
import sys
import time
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest

import capsend
from capsend import (
    Environment,
    Executor,
    MemoryLimitExceeded,
    OutputLimitExceeded,
    ProcessFailed,
    ProcessGroup,
    ProcessKilled,
    TimeLimitExceeded,
    WasmModule,
    engine,
    spawn,
    wasm,
)
from capsend.exceptions import WasmError
from capsend.wasm import compiled as modules

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE = 20.0

HELLO = """
(module
  (import "capsend" "result" (func $result (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "hello")
  (func (export "capsend_abi_1"))
  (func (export "hello") (drop (call $result (i32.const 0) (i32.const 5))))
  (func (export "takes") (param i32)))
"""


def refusal(wat: str) -> str:
    """Return the error message for a module that cannot be used."""
    with pytest.raises(WasmError) as caught:
        WasmModule.from_wat(wat, name="it.wasm")
    return str(caught.value)


# --- what is refused ---


def test_what_is_no_wasm_is_refused():
    """Neither text nor garbage is a module."""
    for data in (b"", b"hello world", b"(module)"):
        with pytest.raises(WasmError, match=r"^module [0-9a-f]{8} is not WebAssembly: it does not begin with"):
            WasmModule.from_bytes(data)
    with pytest.raises(
        WasmError, match=r"is not valid WebAssembly: unexpected end-of-file \(at offset 0xa\)\. Build it again"
    ):
        WasmModule.from_bytes(b"\0asm\1\0\0\0garbage")


def test_wrong_text_is_refused():
    """With what is wrong about it, and where."""
    text = refusal("(module (func")
    assert text == "it.wasm is not in the text format of WebAssembly: expected `)` (line 1, column 14)"


def test_a_file_names_itself(tmp_path: Path):
    """The message calls the module by the name of its file."""
    (tmp_path / "broken.wasm").write_bytes(b"broken")
    with pytest.raises(WasmError, match=r"^broken\.wasm is not WebAssembly"):
        WasmModule.from_file(tmp_path / "broken.wasm")


def test_an_import_that_is_not_here_is_named():
    """With its module, and with what there is."""
    text = refusal('(module (import "env" "emscripten_sleep" (func (param i32))))')
    assert "it.wasm imports emscripten_sleep from env, which capsend does not provide" in text
    assert "wasi_snapshot_preview1" in text


def test_a_word_that_is_not_in_the_interface_is_named():
    """With all that are."""
    text = refusal('(module (import "capsend" "fork" (func (result i32))))')
    assert "it.wasm imports fork from capsend, which has: argument, result, receive" in text


def test_a_word_of_another_type_is_refused():
    """With the type that it has."""
    text = refusal('(module (import "capsend" "own" (func (param i64) (result i32))))')
    assert "imports own from capsend with another type than () -> i32" in text


def test_another_version_of_the_interface_is_refused():
    """By the names of the exports that say so."""
    assert "was built for version 2 of the interface; this capsend speaks version 1" in refusal(
        HELLO.replace("capsend_abi_1", "capsend_abi_2")
    )


def test_a_module_says_its_version():
    """One that imports anything of capsend's."""
    assert "does not state the version" in refusal(HELLO.replace('(func (export "capsend_abi_1"))', ""))


def test_a_module_exports_its_memory():
    """One that imports anything of capsend's."""
    assert "exports no memory" in refusal(HELLO.replace('(memory (export "memory") 1)', "(memory 1)"))


@pytest.mark.parametrize(
    ("wat", "feature"),
    [
        ('(module (memory (export "memory") 1 1 shared))', "threads and shared memory"),
        ("(module (memory i64 1))", "64-bit memories"),
        ("(module (memory 1) (memory 1))", "several memories"),
        ("(module (type (struct (field i32))))", "garbage-collected types"),
        ("(module (tag))", "exceptions"),
    ],
    ids=["threads", "memory64", "memories", "gc", "exceptions"],
)
def test_a_feature_that_is_off_is_named(wat: str, feature: str):
    """Features that would escape a limit, or are useless with one thread, are off."""
    assert f"it needs {feature}" in refusal(wat)


def test_a_function_that_is_not_there_is_refused_with_those_that_are():
    """At `function`, before anything is spawned."""
    module = WasmModule.from_wat(HELLO)
    with pytest.raises(WasmError, match=r"exports no function goodbye\. It has: hello\."):
        module.function("goodbye")
    with pytest.raises(
        WasmError, match=r"takes of module \w+ cannot be spawned: a process begins with a function without"
    ):
        module.function("takes")
    assert module.functions == ("hello",)


def test_memory_over_the_limit_at_the_start_is_refused_before():
    """With both numbers."""
    module = WasmModule.from_wat('(module (memory (export "memory") 100) (func (export "go")))')
    with pytest.raises(
        MemoryLimitExceeded, match="needs 6553600 bytes of memory to start, and its environment has 1048576"
    ):
        Environment(memory=1 << 20).spawn(module.function("go"))


def test_memory_that_is_not_exported_is_limited_too():
    """It is found out when the process starts."""
    module = WasmModule.from_wat('(module (memory 100) (func (export "go")))')
    with pytest.raises(ProcessFailed, match="memory is smaller than the module needs to start"):
        Environment(memory=1 << 20).spawn(module.function("go")).result(PATIENCE)


def test_only_bytes_and_capabilities_are_passed():
    """With what it was instead."""
    hello: Any = WasmModule.from_wat(HELLO).function("hello")
    with pytest.raises(TypeError, match=r"the argument of hello of module \w+ must be bytes, not str"):
        spawn(hello, "text")
    with pytest.raises(TypeError, match="cannot be passed an int: after its bytes come only capabilities"):
        spawn(hello, b"", 1)
    with pytest.raises(TypeError, match="takes no keyword arguments"):
        spawn(hello, argument=b"")


# --- the cache ---


def test_a_module_is_compiled_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Another program takes the compiled form from the cache."""
    monkeypatch.setenv("CAPSEND_CACHE_DIR", str(tmp_path))
    program = f"import capsend; print(capsend.spawn(capsend.WasmModule.from_wat({HELLO!r}).function('hello')).result())"
    written = []
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        assert done.stdout == "b'hello'\n"
        (kept,) = (tmp_path / "modules").iterdir()
        assert kept.stat().st_mode & 0o777 == 0o600
        written.append(kept.stat().st_ino)
    assert written[0] == written[1]


@pytest.mark.parametrize("harm", ["damaged", "writable", "linked"])
def test_what_is_not_safely_ours_is_not_loaded(
    harm: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """Loading runs it as native code: it is compiled again, and the log says why."""
    monkeypatch.setenv("CAPSEND_CACHE_DIR", str(tmp_path))
    data = modules.from_text(HELLO, name="it")
    assert WasmModule.from_bytes(data, name=f"{harm} 1").functions == ("hello",)
    (kept,) = (tmp_path / "modules").iterdir()
    if harm == "damaged":
        kept.write_bytes(kept.read_bytes()[:-1])
    elif harm == "writable":
        kept.chmod(0o666)
    else:
        kept.rename(tmp_path / "elsewhere")
        kept.symlink_to(tmp_path / "elsewhere")
    with caplog.at_level(logging.WARNING, "capsend.wasm"):
        hello = WasmModule.from_bytes(data, name=f"{harm} 2").function("hello")
    assert "a compiled module is not loaded from the cache" in caplog.text
    assert hello() == b"hello"


def test_the_cache_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The least recently used modules are removed."""
    monkeypatch.setenv("CAPSEND_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(modules, "MOST_KEPT", 2)
    for number in range(4):
        WasmModule.from_wat(f'(module (func (export "f{number}")))')
    assert len(os.listdir(tmp_path / "modules")) == 2


def test_the_cache_can_be_cleared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """With the images; what is loaded goes on."""
    monkeypatch.setenv("CAPSEND_CACHE_DIR", str(tmp_path))
    hello = WasmModule.from_wat(HELLO, name="cleared").function("hello")
    assert modules.clear() > 1_000
    assert not os.listdir(tmp_path / "modules")
    assert (modules.clear(), hello()) == (0, b"hello")


def test_without_a_cache_a_module_is_compiled_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """And the log says so."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CAPSEND_CACHE_DIR", str(tmp_path / "file"))
    assert WasmModule.from_wat(HELLO, name="uncached").function("hello")() == b"hello"
    assert "a compiled module is not kept" in caplog.text


# --- how processes end ---

ENDS = """
(module
  (import "capsend" "sleep" (func $sleep (param i64) (result i32)))
  (import "capsend" "result" (func $result (param i32 i32) (result i32)))
  (import "capsend" "write" (func $write (param i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "capsend_abi_1"))
  (func $deeper (export "deeper") (call $deeper))
  (func (export "unreachable") unreachable)
  (func (export "outside") (drop (i32.load (i32.const 99999999))))
  (func (export "divides") (drop (i32.div_u (i32.const 1) (i32.const 0))))
  (func (export "seven") (result i32) (i32.const 7))
  (func (export "zero") (result i32) (i32.const 0))
  (func (export "loops") (loop $again (br $again)))
  (func (export "sleeps") (drop (call $sleep (i64.const -1))))
  (func (export "floods") (loop $again (drop (call $write (i32.const 1) (i32.const 0) (i32.const 65536))) (br $again)))
  (func (export "large") (drop (call $result (i32.const 0) (i32.const 65536))))
  (func (export "grows") (result i32)
    (i32.sub (memory.grow (i32.const 1000)) (i32.const -1))))
"""


@pytest.fixture(scope="module")
def ends() -> WasmModule:
    """A module whose functions end in various ways."""
    return WasmModule.from_wat(ENDS)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("deeper", "the wasm stack overflowed"),
        ("unreachable", "must not be reached"),
        ("outside", "memory that it does not have"),
        ("divides", "integer divide by zero"),
    ],
)
def test_a_fault_ends_the_process_alone(ends: WasmModule, name: str, words: str):
    """It says what happened, and takes nothing else with it."""
    p = spawn(ends.function(name))
    with pytest.raises(ProcessFailed, match=words):
        p.result(PATIENCE)
    assert p.exit_reason == "trap"
    assert ends.function("zero")() == b""


def test_a_fault_names_the_functions_it_happened_in():
    """Innermost first, one that calls itself once."""
    module = WasmModule.from_wat(
        "(module (func $parse (param i32) (if (local.get 0) (then (call $parse (i32.sub (local.get 0) (i32.const 1))))) unreachable)"
        '(func $main (call $parse (i32.const 5))) (func (export "go") (call $main)))'
    )
    with pytest.raises(ProcessFailed, match=r"abort\(\) does\n  in parse\n  in main\n  in <wasm function 2>$"):
        module.function("go")()


def test_an_exit_code_is_a_failure(ends: WasmModule):
    """Other than 0."""
    p = spawn(ends.function("seven"))
    with pytest.raises(ProcessFailed, match="ended with exit code 7") as caught:
        p.result(PATIENCE)
    assert (p.exit_reason, caught.value.type_name) == ("failed", "exit")


@pytest.mark.parametrize("name", ["loops", "sleeps"])
def test_limits_of_time_hold(ends: WasmModule, name: str):
    """For one that computes and one that waits."""
    with pytest.raises(TimeLimitExceeded):
        Environment(timeout=0.05).spawn(ends.function(name)).result(PATIENCE)


def test_the_limit_of_cpu_time_holds(ends: WasmModule):
    """As for Python."""
    with pytest.raises(TimeLimitExceeded, match="CPU time"):
        Environment(cpu=0.05).spawn(ends.function("loops")).result(PATIENCE)


def test_output_is_limited(ends: WasmModule):
    """Output within the limit is written."""
    written: list[str] = []
    small = Environment(output=100_000, stdout=written.append)
    with pytest.raises(OutputLimitExceeded):
        small.spawn(ends.function("floods")).result(PATIENCE)
    assert sum(map(len, written)) == 100_000


def test_results_are_limited(ends: WasmModule):
    """A larger one ends the process."""
    with pytest.raises(OutputLimitExceeded):
        Environment(result=1024).spawn(ends.function("large")).result(PATIENCE)


def test_memory_beyond_the_limit_is_not_given(ends: WasmModule):
    """`memory.grow` says so, and the process goes on."""
    assert Environment(memory=1 << 20).spawn(ends.function("grows")).result(PATIENCE) == b""


def test_an_endless_start_function_can_be_stopped():
    """It runs before any entry does, on the thread of the process."""
    module = WasmModule.from_wat('(module (func $start (loop $a (br $a))) (start $start) (func (export "go")))')
    p = spawn(module.function("go"))
    p.kill()
    with pytest.raises(ProcessKilled):
        p.result(PATIENCE)
    with pytest.raises(TimeLimitExceeded):
        Environment(timeout=0.05).spawn(module.function("go")).result(PATIENCE)


def test_a_start_function_may_call_the_host():
    """Its memory is there by then."""
    module = WasmModule.from_wat(
        HELLO.replace(
            '(func (export "takes") (param i32))',
            "(start $go) (func $go (drop (call $result (i32.const 1) (i32.const 3))))",
        ).replace('(func (export "hello")', '(func (export "quiet")) (func (export "hello")')
    )
    assert module.function("quiet")() == b"ell"


def test_a_reactor_is_initialized_before_its_entry():
    """`_initialize` runs once, as WASI says."""
    module = WasmModule.from_wat(
        '(module (global $ready (mut i32) (i32.const 1)) (func (export "_initialize") (global.set $ready (i32.const 0)))'
        '(func (export "go") (result i32) (global.get $ready)))'
    )
    assert module.function("go")() == b""


def test_stats_tell_the_memory(ends: WasmModule):
    """As of the last operation."""
    p = spawn(ends.function("zero"))
    p.result(PATIENCE)
    assert p.stats().memory == 65_536


def test_processes_of_modules_are_listed(ends: WasmModule):
    """By module and function."""
    with spawn(ends.function("sleeps")) as p:
        (name,) = (each.name for each in capsend.processes() if each.id == p.id)
        assert name.startswith("sleeps of module ")


# --- among Python processes ---


def test_a_group_takes_functions_of_modules(ends: WasmModule):
    """The first failure ends the rest."""
    with ProcessGroup() as group:
        p = group.spawn(ends.function("zero"))
    assert p.result() == b""
    waiting = []
    with pytest.raises(ExceptionGroup), ProcessGroup() as group:
        waiting = [group.spawn(ends.function(name)) for name in ("sleeps", "unreachable")]
    assert waiting[0].exit_reason == "killed"


def test_an_executor_takes_functions_of_modules(ends: WasmModule):
    """As it takes Python's."""
    with Executor(max_workers=2) as executor:
        assert list(executor.map(ends.function("zero"), [b"1", b"2"])) == [b"", b""]


def test_processes_of_both_kinds_are_linked(ends: WasmModule):
    """When one ends, so does the other."""
    waits = spawn(ends.function("sleeps"))
    fails = spawn(ends.function("unreachable"))
    python = spawn(time.sleep, 1000)
    waits.link(python)
    python.link(fails)
    for p in (waits, python):
        with pytest.raises(ProcessKilled):
            p.result(PATIENCE)


def test_a_module_can_be_captured(ends: WasmModule):
    """A Python process can pass it on."""
    assert spawn(lambda: ends.functions).result(PATIENCE) == ends.functions


def test_check_accepts_a_function_of_a_module(ends: WasmModule):
    """It captures nothing."""
    capsend.check(ends.function("zero"))


def test_a_module_is_a_value(ends: WasmModule):
    """Loading or copying a module gives an equal one; a module that cannot be copied gives an error."""
    again = WasmModule.from_wat(ENDS)
    assert (again, hash(again), copy.deepcopy(ends.function("zero"))) == (ends, hash(ends), ends.function("zero"))
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(ends)


def test_thousands_of_processes_leave_nothing_behind(ends: WasmModule):
    """No guest is left."""

    def guests():
        return [guest for guest in list(engine.guests.values()) if isinstance(guest, engine.CoreInstance)]

    zero = ends.function("zero")
    for _ in range(20):
        assert all(p.result(PATIENCE) == b"" for p in [spawn(zero) for _ in range(100)])
    end = time.monotonic() + PATIENCE
    while guests() and time.monotonic() < end:
        time.sleep(0.001)
    assert not guests()


def test_a_thousand_live_processes_are_killed_together(ends: WasmModule):
    """Each waits; all are ended."""
    waiting = [spawn(ends.function("sleeps")) for _ in range(1_000)]
    for p in waiting:
        p.kill()
    for p in waiting:
        with pytest.raises(ProcessKilled):
            p.result(PATIENCE)


def test_the_handle_of_an_ended_process_keeps_no_argument(ends: WasmModule):
    """Whoever keeps many handles does not keep what went in."""
    tracemalloc.start()
    kept = [spawn(ends.function("zero"), bytes(10 << 20)) for _ in range(5)]
    for p in kept:
        p.result(PATIENCE)
    end = time.monotonic() + PATIENCE
    while tracemalloc.get_traced_memory()[0] > 10 << 20 and time.monotonic() < end:
        time.sleep(0.001)  # the threads are on their way out
    assert tracemalloc.get_traced_memory()[0] < 10 << 20
    tracemalloc.stop()


def test_the_example_of_a_module_is_true():
    """In its docstring."""
    done = doctest.testmod(wasm.module)
    assert done.attempted > 0
    assert not done.failed
