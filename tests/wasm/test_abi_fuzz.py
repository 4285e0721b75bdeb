"""Whatever a guest does with the words of the interface, it gets a code, or ends: the host goes on as before."""

from __future__ import annotations

import os
import struct
import threading
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from capsend import Environment, LimitExceeded, Mailbox, ProcessFailed, ProcessKilled, WasmModule, host_function
from tests.guests.languages import HERE, ToolchainMissing, compile_c

PATIENCE = 20.0
EXAMPLES = int(os.environ.get("CAPSEND_FUZZ_EXAMPLES", "100"))
STEP = struct.Struct("<8iq")
WORDS = 21
SEND = 4
MOST = 2**31 - 1

numbers = st.one_of(
    st.integers(-2, 4),
    st.sampled_from([8, 16, 100, 1_024, 4_096, 65_535, 65_536, 100_000, MOST, -MOST - 1, -16, 4_711, 1 << 20]),
    st.integers(-MOST - 1, MOST),
)
times = st.one_of(st.integers(0, 3), st.sampled_from([-(2**63), 2, 3]))
steps = st.tuples(st.integers(0, WORDS - 1), st.tuples(*[numbers] * 7), times)


@host_function
def reverse(data: bytes) -> bytes:
    return data[::-1]


@pytest.fixture(scope="module")
def puppet(tmp_path_factory) -> WasmModule:
    """The guest that does what it is told."""
    try:
        made = compile_c(HERE / "c" / "puppet.c", tmp_path_factory.mktemp("puppet") / "puppet.wasm")
    except ToolchainMissing as missing:
        pytest.skip(str(missing))
    return WasmModule.from_file(made)


def encoded(script: list[tuple[int, tuple[int, ...], int]]) -> bytes:
    return b"".join(STEP.pack(word, *arguments, time) for word, arguments, time in script)


@settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
@given(st.lists(steps, max_size=24))
@example([(SEND, (0, 0, 0, 0, 0, 0, 0), 0)])
def test_no_use_of_the_words_harms_the_host(puppet, script):
    """Every answer is a handle, a length or a code of the table; a process that does not end by itself ends at its limit or by its own hand."""
    loud: list[Any] = []
    hook, threading.excepthook = threading.excepthook, loud.append
    small = Environment(timeout=0.2, memory=2 << 20, output=10_000, mailbox_bytes=4_096, stdout=None, stderr=None)
    try:
        with Mailbox[Any](size=4_096) as inbox:
            p = small.spawn(puppet.function("acting"), encoded(script), inbox.address, reverse, puppet)
            found = p.result(PATIENCE)
            answers = struct.unpack(f"<{len(found) // 4}i", found) if len(found) == 4 * len(script) else ()
            assert all(answer >= -13 for answer in answers), answers
    except (LimitExceeded, ProcessFailed, ProcessKilled):
        assert p.exit_reason in {"limit", "failed", "trap", "killed"}
    finally:
        threading.excepthook = hook
    assert not loud
