"""Programs in C with a libc: WASI is there, and grants nothing."""

from __future__ import annotations

import pytest

from capsend import Environment, OutputLimitExceeded, ProcessFailed, ProcessKilled, WasmModule, spawn
from tests.guests.languages import HERE, ToolchainMissing, compile_c

PATIENCE = 20.0


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> WasmModule:
    """The module of library.c."""
    try:
        made = compile_c(HERE / "c" / "library.c", tmp_path_factory.mktemp("c") / "library.wasm", libc=True)
    except ToolchainMissing as missing:
        pytest.skip(str(missing))
    return WasmModule.from_file(made)


def test_a_libc_works_and_nothing_of_the_machine_is_there(library):
    """Printing, memory, clocks and constructors work; there are no files, no variables but those given, and no input."""
    out, err = [], []
    environment = Environment(stdout=out.append, stderr=err.append)
    assert environment.spawn(library.function("looking"), b"word").result(PATIENCE) == b""
    assert "".join(out).splitlines() == ["word started: yes", "files: no", "variable: none", "input: 0", "clock: set"]
    assert "".join(err) == "1.500\n"


def test_a_variable_that_was_given_is_there(library):
    """`Environment(env=...)` is what getenv sees."""
    out = []
    Environment(stdout=out.append, env={"NAME": "value"}).spawn(library.function("looking")).result(PATIENCE)
    assert "variable: value\n" in "".join(out)


def test_exit_ends_the_process_with_its_status(library):
    """exit(3) is a failure that says 3."""
    p = spawn(library.function("leaving"))
    with pytest.raises(ProcessFailed, match="3"):
        p.result(PATIENCE)
    assert p.exit_reason == "failed"


def test_abort_is_a_fault(library):
    """abort() ends the process, as what it is."""
    p = spawn(library.function("aborting"))
    with pytest.raises(ProcessFailed):
        p.result(PATIENCE)
    assert p.exit_reason == "trap"


def test_sleep_can_be_interrupted(library):
    """A process that sleeps for an hour is killed at once."""
    p = spawn(library.function("sleeping"))
    p.kill()
    with pytest.raises(ProcessKilled):
        p.result(PATIENCE)


def test_output_of_a_libc_is_limited(library):
    """Text written by puts counts as output."""
    with pytest.raises(OutputLimitExceeded):
        Environment(output=100_000, stdout=None).spawn(library.function("chattering")).result(PATIENCE)


def test_a_program_with_main_is_a_module_with_one_entry(library, tmp_path):
    """An ordinary compiled program runs as `_start`, and its output arrives."""
    made = compile_c(HERE / "c" / "program.c", tmp_path / "program.wasm", libc=True, command=True)
    out = []
    p = Environment(stdout=out.append).spawn(WasmModule.from_file(made).function("_start"))
    assert p.result(PATIENCE) == b""
    assert "".join(out).startswith("hello from main, ")
