"""One table of cases that guests in every language pass; a new language is a folder in `tests/guests` and a line in its `languages`."""

from __future__ import annotations

import functools
import struct
from typing import TYPE_CHECKING, Any

import pytest

from capsend import (
    Address,
    Environment,
    Mailbox,
    OutputLimitExceeded,
    ProcessFailed,
    ProcessKilled,
    TimeLimitExceeded,
    WasmModule,
    host_function,
    process,
    spawn,
)
from tests.guests.languages import LANGUAGES, Language, ToolchainMissing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Case = Callable[[WasmModule], None]

PATIENCE = 20.0
MIB = 1 << 20
CASES: dict[str, Case] = {}

FORGED, CLOSED, LARGE, TIMEOUT, RAISED = -2, -4, -7, -8, -13
BYTES, VALUE, DOWN, EXIT = range(4)
FAILED, KILLED = 1, 2


def case(function: Case) -> Case:
    """Add a case to the table."""
    CASES[function.__name__] = function
    return function


def numbers(result: bytes) -> tuple[int, ...]:
    """Return the three numbers that the guest reported."""
    return struct.unpack("<3i", result)


@functools.cache
def built(language: Language, folder: Path) -> WasmModule:
    """Build a language's guest, once."""
    return language.conformance(folder)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which guests are built."""
    return tmp_path_factory.mktemp("guests")


@pytest.fixture(params=LANGUAGES, ids=lambda language: language.name, scope="module")
def module(request: pytest.FixtureRequest, folder: Path) -> WasmModule:
    """The guest of each language in turn."""
    try:
        return built(request.param, folder)
    except ToolchainMissing as missing:
        pytest.skip(str(missing))


@case
def echo(module: WasmModule) -> None:
    """The argument comes back as the result, whatever its bytes are."""
    for data in (b"", b"hello", bytes(range(256)) * 100):
        assert spawn(module.function("echo"), data).result(PATIENCE) == data


@case
def standard_output(module: WasmModule) -> None:
    """Output of a guest arrives as a line."""
    lines: list[str] = []
    Environment(stdout=lines.append).spawn(module.function("greeting")).result(PATIENCE)
    assert "".join(lines) == "hello from a guest\n"


@case
def spawn_a_child(module: WasmModule) -> None:
    """A guest spawns another entry of its module, which answers through the address that it was passed."""
    assert spawn(module.function("parent"), b"from the parent").result(PATIENCE) == b"from the parent"


@case
def serve(module: WasmModule) -> None:
    """A guest answers calls to the address that comes with each, and lets it go."""
    p: Any = spawn(module.function("serving"))
    for number in range(3):
        assert p.call(lambda reply, n=number: (b"%d" % n, (reply,)), timeout=PATIENCE) == b"%d" % number
    p.send(b"stop")
    assert numbers(p.result(PATIENCE)) == (3, 0, 0)


@case
def ring(module: WasmModule) -> None:
    """Each is told in a message who the next is, and passes on what comes, a message of no bytes last."""
    first: Any = spawn(module.function("passing"))
    second: Any = spawn(module.function("passing"))
    with Mailbox[bytes]() as inbox:
        first.send((b"", (second.address,)))
        second.send((b"", (inbox.address,)))
        for message in (b"one", b"two", b""):
            first.send(message)
        assert [inbox.receive(timeout=PATIENCE) for _ in range(3)] == [b"one", b"two", b""]
    assert first.result(PATIENCE) == second.result(PATIENCE) == b""


@case
def selective_receive(module: WasmModule) -> None:
    """The next message with a prefix is taken out, and the others keep their order."""
    p: Any = spawn(module.function("selective"))
    for message in (b"a1", b"b1", b"a2"):
        p.send(message)
    assert p.result(PATIENCE) == b"b1a1a2"


@case
def receive_in_time(module: WasmModule) -> None:
    """Waiting for a message ends when its time is over, with a prefix and without."""
    assert numbers(spawn(module.function("patient")).result(PATIENCE)) == (TIMEOUT, TIMEOUT, TIMEOUT)


@case
def monitor(module: WasmModule) -> None:
    """The end of what is monitored comes as one notice with the reason and the handle."""
    assert numbers(spawn(module.function("watching")).result(PATIENCE)) == (DOWN, FAILED, 1)


@case
def link_with_trapped_exits(module: WasmModule) -> None:
    """Whoever traps exits is told of the end of what it is linked to."""
    assert numbers(spawn(module.function("trapping")).result(PATIENCE)) == (EXIT, FAILED, 1)


@case
def link(module: WasmModule) -> None:
    """Whoever does not trap exits ends with what it is linked to."""
    p = spawn(module.function("doomed"))
    with pytest.raises(ProcessKilled):
        p.result(PATIENCE)
    assert p.exit_reason == "killed"


@case
def kill(module: WasmModule) -> None:
    """A guest kills its child, and is told so."""
    assert numbers(spawn(module.function("killing")).result(PATIENCE)) == (DOWN, KILLED, 0)


@case
def killed_while_it_waits(module: WasmModule) -> None:
    """A process that waits or sleeps can be killed at once."""
    for entry in ("waiting", "sleeping"):
        p = spawn(module.function(entry))
        p.kill()
        with pytest.raises(ProcessKilled):
            p.result(PATIENCE)


@case
def time_limit(module: WasmModule) -> None:
    """A loop without an end is over when its time is."""
    with pytest.raises(TimeLimitExceeded):
        Environment(timeout=0.2).spawn(module.function("spinning")).result(PATIENCE)


@case
def oversized_message(module: WasmModule) -> None:
    """A message that is larger than the mailbox is refused, and the sender goes on."""
    p = Environment(mailbox_bytes=MIB // 2).spawn(module.function("oversized"))
    assert numbers(p.result(PATIENCE)) == (LARGE, 0, 0)


@case
def forged_handle(module: WasmModule) -> None:
    """A number that was not given is no handle: not to send to, not to pass on, not to kill."""
    assert numbers(spawn(module.function("forging")).result(PATIENCE)) == (FORGED, FORGED, FORGED)


@case
def trap(module: WasmModule) -> None:
    """A fault ends the process that made it, and nothing else."""
    bystander: Any = spawn(module.function("serving"))
    p = spawn(module.function("faulting"))
    with pytest.raises(ProcessFailed):
        p.result(PATIENCE)
    assert p.exit_reason == "trap"
    assert bystander.call(lambda reply: (b"still here", (reply,)), timeout=PATIENCE) == b"still here"
    bystander.kill()


@case
def failure(module: WasmModule) -> None:
    """An entry that returns a number other than 0 has failed, and the error says the number."""
    p = spawn(module.function("failing"))
    with pytest.raises(ProcessFailed, match="7"):
        p.result(PATIENCE)
    assert p.exit_reason == "failed"


@case
def memory_limit(module: WasmModule) -> None:
    """Beyond the limit there is no more memory, and the process can go on without."""
    assert Environment(memory=64 * MIB).spawn(module.function("greedy")).result(PATIENCE) == b"refused"


@case
def output_limit(module: WasmModule) -> None:
    """A process that writes without an end is stopped at the limit."""
    p = Environment(output=MIB, stdout=None).spawn(module.function("chattering"))
    with pytest.raises(OutputLimitExceeded):
        p.result(PATIENCE)


@process
def shout(inbox: Mailbox[tuple[bytes, tuple[Address[bytes], ...]]]) -> None:
    """Answer in capitals."""
    for data, (reply,) in inbox:
        reply.send(data.upper())


@case
def message_to_python_and_back(module: WasmModule) -> None:
    """A guest calls a Python process, which sees `(bytes, (address,))`, and gets its answer."""
    with shout.spawn() as python:
        address: Any = python.address
        assert spawn(module.function("asking"), b"quiet", address).result(PATIENCE) == b"QUIET"


@case
def call_of_the_dead(module: WasmModule) -> None:
    """A call of a process that has ended fails at once."""
    dead = spawn(module.function("echo"))
    dead.result(PATIENCE)
    found = spawn(module.function("asking"), b"", dead.address).result(PATIENCE)
    assert numbers(found) == (CLOSED, 0, 0)


@host_function
def double(data: bytes) -> bytes:
    """Runs in the host."""
    if not data:
        raise ValueError("nothing to double")
    return data * 2


@case
def function_of_the_host(module: WasmModule) -> None:
    """A function of the host that was passed can be called; that it raised is told."""
    assert spawn(module.function("invoking"), b"ab", double).result(PATIENCE) == b"abab"
    assert numbers(spawn(module.function("invoking"), b"", double).result(PATIENCE)) == (RAISED, 0, 0)


@case
def python_value(module: WasmModule) -> None:
    """A Python value arrives as its text, which a guest can say in turn."""
    value = {"name": "wasm", "sizes": [1, 2.5, None], "pair": (1, b"\xff")}
    with Mailbox[Any]() as inbox:
        p: Any = spawn(module.function("returning"), b"", inbox.address)
        p.send(value)
        assert inbox.receive(timeout=PATIENCE) == value
        assert numbers(p.result(PATIENCE)) == (VALUE, 0, 0)


@pytest.mark.parametrize("name", CASES)
def test_every_language_passes_every_case(module: WasmModule, name: str) -> None:
    """All languages can do the same: the interface is the same for each."""
    CASES[name](module)


def test_every_case_says_its_rule() -> None:
    """The table is documentation too."""
    assert all(function.__doc__ for function in CASES.values())
