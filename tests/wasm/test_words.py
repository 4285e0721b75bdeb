"""The statements of docs/abi.md about single words, apart from the conformance cases: handles, codes, calls, notices, forwarding."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from capsend import Address, Dir, Environment, Mailbox, WasmModule, host_function, spawn
from tests.guests.languages import HERE, ToolchainMissing, compile_c

PATIENCE = 20.0
MALFORMED, FORGED, DENIED, CLOSED, FULL, REFUSED, LARGE, TIMEOUT, MANY, UNSENDABLE, MISSING = range(-1, -12, -1)


@pytest.fixture(scope="module")
def module(tmp_path_factory) -> WasmModule:
    """The guest with an entry for each rule."""
    try:
        return WasmModule.from_file(compile_c(HERE / "c" / "words.c", tmp_path_factory.mktemp("words") / "words.wasm"))
    except ToolchainMissing as missing:
        pytest.skip(str(missing))


@pytest.fixture
def inbox():
    """A mailbox of the host."""
    with Mailbox[Any]() as made:
        yield made


@host_function
def double(data: bytes) -> bytes:
    return data * 2


def told(module, entry, *args, environment=None) -> tuple[int, ...]:
    """Run an entry and return the answers that it had."""
    found = (environment or Environment()).spawn(module.function(entry), *args).result(PATIENCE)
    return struct.unpack(f"<{len(found) // 4}i", found)


def test_a_handle_is_held_once_for_each_time_that_it_was_read(module, inbox):
    """Not read is not held; read again it is the same number, and as many drops let go of it."""
    assert told(module, "holding", b"x", inbox.address) == (FORGED, 1, 0, 0, 0, FORGED, FORGED)


def test_reading_does_not_consume_the_current_message(module):
    """Before there is a current message, there is nothing to read."""
    assert told(module, "reading", b"x") == (MISSING, ord("x"))


def test_a_call_takes_one_answer_and_leaves_other_messages_alone(module):
    """Late and second answers are dropped, and a call to an ended process is closed at once; messages that arrived meanwhile are kept."""
    assert told(module, "caller") == (TIMEOUT, 0, 4, CLOSED, 0, ord("x"), TIMEOUT)


def test_a_handle_is_good_for_what_it_stands_for(module, inbox, tmp_path):
    """Sending is for addresses, calling for functions, spawning for modules; folders and functions cannot be sent."""
    found = told(module, "kinds", b"x", inbox.address, Dir(tmp_path), double, module)
    address, folder, function, of_module = (found[start : start + 5] for start in range(0, 20, 5))
    assert address == (0, DENIED, 0, DENIED, 0)
    assert folder[:4] == (DENIED, DENIED, DENIED, DENIED)
    assert folder[4] == UNSENDABLE
    assert function[0] == DENIED
    assert function[1] == 0
    assert function[3:] == (DENIED, UNSENDABLE)
    assert of_module[:2] == (DENIED, DENIED)
    assert of_module[3] == 0


def test_what_cannot_be_spawned_is_a_code(module):
    """An unknown entry, an unknown flag, a forged module; and only what was spawned can be killed."""
    assert told(module, "spawning") == (MISSING, MALFORMED, FORGED, DENIED)


def test_authority_is_passed_on_at_the_start(module, tmp_path):
    """A child has the function and the folder that its parent passed it."""
    found = spawn(module.function("passing_on"), b"", double, Dir(tmp_path)).result(PATIENCE)
    path, called = found[:-4], found[-4:]
    assert path.startswith(b"/dirs/")
    assert called == b"abab"


def test_words_about_a_handle_are_cut_to_the_room(module, inbox):
    """The answer is the length of all of them."""
    assert told(module, "describing", b"", inbox.address) == (1, 1, 1, FORGED)


def test_notices_can_be_had_and_not_had(module):
    """After unmonitor and unlink there is no notice; for an ended process it comes at once; it has the handle that was used."""
    assert told(module, "unwatching") == (0, 0, CLOSED, 1, 0, 1)


@pytest.mark.parametrize(("policy", "code"), [("block", FULL), ("fail", REFUSED), ("drop_oldest", 0)])
def test_a_full_mailbox_answers_by_its_policy(module, policy, code):
    """No room in time, no waiting, or the oldest goes."""
    assert told(module, "filling", environment=Environment(mailbox=1, mailbox_full=policy)) == (0, code)


def test_what_is_said_is_read_with_care(module, inbox):
    """A pickle, an empty text, and non-ASCII text are refused; a malformed message is dropped by the receiver; handles are sent along."""
    p = spawn(module.function("saying"), b"", inbox.address)
    assert struct.unpack("<5i", p.result(PATIENCE)) == (MALFORMED, MALFORMED, MALFORMED, 0, 0)
    number, address = inbox.receive(timeout=PATIENCE)
    assert number == 7
    assert isinstance(address, Address)


def test_the_last_result_counts(module):
    """A process may set it as often as it likes."""
    assert spawn(module.function("ending")).result(PATIENCE) == b"last"
