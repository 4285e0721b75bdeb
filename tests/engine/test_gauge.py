"""The memory of a process, as known to the host."""

from __future__ import annotations

import pytest

import capsend
from capsend import Mailbox, engine
from capsend.engine.gauge import gauge

MIB = 1 << 20


def test_memory_of_a_process_is_known_after_its_end() -> None:
    """The memory of a process at its end is in its stats, including the interpreter's 50 million bytes."""
    p = capsend.spawn(lambda: None)
    p.result(timeout=60)
    assert 30 * MIB < p.stats().memory < 80 * MIB


def test_memory_grows_with_what_a_process_holds() -> None:
    """A running process that has taken 100 MiB and then asked the host for a message shows them."""

    def hold(inbox: Mailbox[int], up: capsend.Address[str]) -> int:
        up.send("begun")
        held = bytearray(inbox.receive())
        up.send("holds")
        return len(held) + inbox.receive()

    with Mailbox[str]() as up, capsend.spawn(hold, up.address) as p:
        assert up.receive(timeout=60) == "begun"
        before = p.stats().memory
        p.address.send(100 * MIB)
        assert up.receive(timeout=60) == "holds"
        assert 99 * MIB < p.stats().memory - before < 130 * MIB


def test_memory_counts_against_the_limit_that_it_is_measured_with() -> None:
    """No process shows more than its environment grants."""
    environment = capsend.Environment(memory=96 * MIB)
    p = environment.spawn(lambda: bytes(200 * MIB))
    with pytest.raises(capsend.MemoryLimitExceeded):
        p.result(timeout=60)
    assert 0 < p.stats().memory <= 96 * MIB


def test_component_that_is_linked_otherwise_is_refused() -> None:
    """A component without the expected import is not changed into something that fails later."""
    component = engine.assemble("(component)")
    with pytest.raises(LookupError, match="no such import"):
        gauge(component, assemble=engine.assemble)
