"""Children that have ended leave nothing behind: no memory, no thread, no handle, no notice."""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from typing import Any

import pytest

import capsend
from capsend import (
    Address,
    Environment,
    HostFunction,
    Mailbox,
    process,
    spawn,
)
from capsend.mailbox import Down
from capsend.runtime.running import _live
from tests.eventually import eventually
from tests.memory import private
from tests.runtime.requests import PATIENCE, ask, idle, number_of, spawn_raw

pytestmark = pytest.mark.usefixtures("nothing_left")


MIB = 1 << 20


def tasks():
    """The threads of this OS process, of whatever kind."""
    return len(os.listdir("/proc/self/task"))


def test_spawn_storm_leaves_memory_and_threads_flat():
    """Spawned and awaited, spawned and killed, spawned and dropped, one after the other."""

    def storm(rounds: int):
        for _ in range(rounds):
            capsend.spawn(pow, 2, 3).result()
            capsend.spawn(time.sleep, 1_000).kill()
            capsend.spawn(time.sleep, 1_000)
        return len(sys.modules["capsend_guest.handles"]._alive)

    def measure():
        eventually(lambda: not _live)
        gc.collect()
        return tasks(), private()

    environment = Environment(processes=10)
    environment.spawn(storm, 30).result(60)
    threads, memory = measure()
    assert environment.spawn(storm, 200).result(60) < 20
    after = measure()
    assert after[0] <= threads + 2
    assert after[1] - memory < 15 * MIB


def test_child_that_is_let_go_costs_its_parent_nothing():
    """Its place in the budget, its result, and the small charge for an ended child are all refunded."""

    def hold_and_drop(inbox: Mailbox[int], ready: Address[int]):
        numbers = [number_of(spawn_raw("operator", "mul", "x", 1_000)) for _ in range(5)]
        for number in numbers:
            while json.loads(ask(53, str(number)))["reason"] is None:
                pass
        ready.send(1)
        inbox.receive()
        ask(22, ",".join(f"{number}*1" for number in numbers))
        ready.send(2)
        inbox.receive()

    with Mailbox[int]() as ready, process(hold_and_drop).spawn(ready.address) as p:
        used = p._life.branch.used
        ready.receive(timeout=PATIENCE)
        assert (used("processes"), used("memory") > 0, used("results") > 5_000) == (0, True, True)
        p.send(1)
        ready.receive(timeout=PATIENCE)
        assert (used("processes"), used("memory"), used("results")) == (0, 0, 0)


def test_a_thousand_children_die_at_once():
    """With their parent, in seconds, and nothing stays."""

    def crowd(ready: Address[int]):
        kept = [spawn_raw("time", "sleep", 1_000, limits={"memory": 64 * MIB}) for _ in range(1_000)]
        ready.send(sum(each.startswith("[") for each in kept))
        time.sleep(1_000)

    big = Environment(processes=1_000, tree_memory=1 << 40, timeout=None)
    with Mailbox[int]() as inbox, big.spawn(crowd, inbox.address) as parent:
        assert inbox.receive(timeout=120) == 1_000
        start = time.monotonic()
        parent.kill()
        eventually(lambda: len(capsend.processes()) == 0)
        assert time.monotonic() - start < 20


def test_process_that_never_asks_for_mail_lets_handles_go():
    """The host is told with the calls of functions that return them."""

    @HostFunction
    def make() -> Address[int]:
        return Mailbox[int](messages=1).address

    def use():
        for _ in range(11_000):
            make()
        return "fine"

    assert spawn(use).result(60) == "fine"


def test_ends_that_are_awaited_and_forgotten_leave_nothing():
    """A process that opens and forgets notices of the ends of its children does not fill its mailbox."""

    def forget(inbox: Mailbox[int], ready: Address[int]):
        number = number_of(spawn_raw("math", "sqrt", 4.0))
        ask(51, f"{number} -1")
        for tag in range(1, 3_000):
            assert ask(54, f"{tag} {number}") == ""
            ask(12, str(tag))
        ready.send(1)
        inbox.receive()

    with Mailbox[int]() as ready, process(forget).spawn(ready.address) as p:
        ready.receive(timeout=PATIENCE)
        assert len(p._life.mail.port._urgent) == 0


def test_end_of_a_child_is_told_once_to_who_awaits_it():
    """Before or after it has ended, by one notice with the tag."""

    def await_it():
        number = number_of(spawn_raw("time", "sleep", 1_000))
        ask(54, f"5 {number}")
        ask(52, str(number))
        first = ask(11, "1 -1 0 0 0 ")
        ask(54, f"6 {number}")
        return first[:4], ask(11, "1 -1 0 0 0 ")[:4], ask(11, "1 0 0 0 0 ")

    assert spawn(await_it).result(PATIENCE) == ("d 5 ", "d 6 ", "")


def test_child_is_known_by_its_numbers():
    """A parent gets a child's statistics, its exit reason, and its result once."""

    def tell():
        answer = json.loads(spawn_raw("math", "sqrt", 16.0))
        number, kind, (identifier, name, mailbox) = answer[0]
        result = ask(51, f"{number} -1")
        stats = json.loads(ask(53, str(number)))
        return (
            kind,
            name,
            mailbox,
            result,
            stats["id"] == identifier,
            stats["reason"],
            ask(51, f"{number} -1"),
            ask(57, str(number)),
        )

    told = spawn(tell).result(PATIENCE)
    assert told == ("process", "sqrt", False, "v 4 0 p4.0", True, "normal", "!taken", "")


def test_down_notice_of_a_child_has_its_words():
    """The notice has the same words as that of any process."""

    def watch(inbox: Mailbox[Down], ready: Address[Any]):
        child = process(idle).spawn(ready)
        inbox.monitor(child.address)
        child.send("raise")
        down = inbox.receive()
        return down.reason, down.message

    with Mailbox[Any]() as inbox:
        told = process(watch).spawn(inbox.address).result(PATIENCE)
    assert told == ("failed", "ValueError: ordered to")
