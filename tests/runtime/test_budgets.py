"""Budgets of a process and its children together: processes, memory, output, CPU time, messages, results, calls and folders."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

import capsend
from capsend import (
    Address,
    Dir,
    Environment,
    HostFunction,
    LimitExceeded,
    Mailbox,
    MemoryLimitExceeded,
    OutputLimitExceeded,
    ProcessKilled,
    TimeLimitExceeded,
    spawn,
)
from tests.runtime.requests import PATIENCE, ask, number_of, spawn_raw

pytestmark = pytest.mark.usefixtures("nothing_left")


MIB = 1 << 20


def zeros(size: int):
    """Many bytes."""
    return bytes(size)


def test_process_that_must_not_spawn_cannot():
    """With `processes=0`."""

    def refused():
        try:
            capsend.spawn(pow, 2, 3)
        except capsend.LimitExceeded as error:
            return str(error)

    assert "must not spawn: its environment allows no processes below it. Allow some" in Environment(processes=0).spawn(
        refused
    ).result(PATIENCE)


def test_places_are_free_again_when_children_have_ended():
    """With room for one child, one after the other can be spawned, also directly after a kill."""

    def one_by_one():
        results = [capsend.spawn(pow, 2, n).result() for n in range(5)]
        for _ in range(5):
            capsend.spawn(time.sleep, 1_000).kill()
        return results, capsend.spawn(pow, 2, 5).result()

    assert Environment(processes=1).spawn(one_by_one).result(PATIENCE) == ([1, 2, 4, 8, 16], 32)


def test_fork_bomb_stays_within_its_budget():
    """Every child spawns more; there are never more than may be, it ends by itself, and others are not disturbed."""
    most = []

    @HostFunction
    def look() -> None:
        most.append(len(capsend.processes()))

    def bomb(depth: int):
        look()
        try:
            children = [capsend.spawn(bomb, depth + 1) for _ in range(3)]
        except capsend.LimitExceeded:
            return 1
        return sum(child.result() for child in children)

    with Environment(processes=30, tree_memory=1 << 40, timeout=60).spawn(bomb, 0) as root:
        assert spawn(pow, 2, 10).result(PATIENCE) == 1024
        root.result(60)
    assert 10 < max(most) <= 32


def test_memory_of_all_children_is_limited():
    """Each is counted with its limit, whether it uses it or not; its own children count for the root too."""

    def fill(memory: int):
        made = []
        while True:
            try:
                made.append(Environment(memory=memory).spawn(time.sleep, 1_000))
            except LimitExceeded as error:
                return len(made), "tree_memory" in str(error)

    root = Environment(memory=256 * MIB, tree_memory=512 * MIB)
    assert root.spawn(fill, 100 * MIB).result(PATIENCE) == (5, True)
    assert root.spawn(lambda: Environment(memory=200 * MIB).spawn(fill, 100 * MIB).result()).result(PATIENCE) == (
        3,
        True,
    )


def test_output_of_children_is_charged_to_their_parent():
    """They write to the same targets, together at most as much as one process; the process that exceeds the limit ends."""

    def write_all():
        children = [capsend.spawn(print, "x" * 399) for _ in range(4)]
        return [end_of(child) for child in children]

    def end_of(child):
        try:
            child.result()
        except OutputLimitExceeded:
            return "limit"
        return "normal"

    lines = []
    root = Environment(output=1_000, stdout=lines.append).spawn(write_all)
    assert sorted(root.result(PATIENCE)) == ["limit", "limit", "normal", "normal"]
    assert len("".join(lines)) == 1_000


def test_cpu_time_of_children_is_charged_to_their_parent():
    """Ended children count too, so that spawning gains no time."""

    def burn(seconds: float):
        end = time.process_time() + seconds
        while time.process_time() < end:
            pass

    def work():
        for _ in range(100):
            capsend.spawn(burn, 0.1).result()

    root = Environment(cpu=0.5).spawn(work)
    with pytest.raises(TimeLimitExceeded, match="CPU time"):
        root.result(PATIENCE)


def test_messages_that_wait_for_children_are_limited_together():
    """Four mailboxes' worth, however many children there are."""

    def sleepy(inbox: Mailbox[str]):
        time.sleep(1_000)

    def flood():
        children = [Environment(mailbox_full="fail").spawn(sleepy) for _ in range(5)]
        sent = 0
        for child in children:
            try:
                sent += child.send("x" * 600)
            except LimitExceeded:
                break
        return sent

    assert Environment(mailbox_bytes=1_024, processes=5).spawn(flood).result(PATIENCE) == 4


def test_delayed_messages_of_children_are_limited_together():
    """They count as if they waited already."""

    def delay(inbox: Mailbox[str]):
        answer = ask(18, f"{inbox.address.number} 1000 :s{'x' * 600}")
        time.sleep(1_000 if answer.isdecimal() else 0)
        return answer

    def flood():
        children = [capsend.spawn(delay) for _ in range(5)]
        while not any(child.done() for child in children):
            pass
        return [child.result() for child in children if child.done()]

    assert Environment(mailbox_bytes=1_024, processes=5).spawn(flood).result(PATIENCE) == ["!timers"]


def test_results_that_wait_are_limited_together():
    """Results that were not taken count; a child that would exceed the limit ends, and taking a result makes room."""

    def hoard():
        numbers = [number_of(spawn_raw("operator", "mul", "x", 400_000)) for _ in range(3)]
        while None in (reasons := [json.loads(ask(53, str(number)))["reason"] for number in numbers]):
            pass
        taken = [ask(51, f"{number} -1")[:9] for number in numbers]
        again = number_of(spawn_raw("operator", "mul", "x", 900_000))
        return sorted(reasons), sorted(taken), ask(51, f"{again} -1")[:9]

    reasons, taken, again = Environment(result=MIB).spawn(hoard).result(PATIENCE)
    assert reasons == ["limit", "normal", "normal"]
    assert taken == ["v 400001 ", "v 400001 ", taken[2]]
    assert again == "v 900001 "


def test_child_cannot_return_more_than_its_limits_allow():
    """Its result's limit is at most its parent's; the parent is told and goes on."""

    def receive():
        child = Environment(result=1_024).spawn(zeros, 10_000)
        try:
            child.result()
        except OutputLimitExceeded as error:
            return str(error), child.exit_reason

    message, reason = spawn(receive).result(PATIENCE)
    assert "more than the 1024 bytes in transit" in message
    assert reason == "limit"


def test_large_result_reaches_the_parent_whole():
    """In parts, if need be."""

    def receive():
        value = capsend.spawn(zeros, 15_000_000).result()
        return len(value), value.count(0)

    assert spawn(receive).result(PATIENCE) == (15_000_000, 15_000_000)


def test_child_that_runs_out_of_memory_is_told_as_such():
    """And its parent, which has more, goes on."""

    def small():
        try:
            Environment(memory=80 * MIB).spawn(zeros, 1 << 28).result()
        except MemoryLimitExceeded:
            return "told"

    assert spawn(small).result(PATIENCE) == "told"


def test_child_that_dies_in_its_start_is_told_as_such():
    """Whatever its parent packed, or too little memory to start with."""

    def pack():
        # Some do not even learn that a process is to read their answer.
        garbage = [
            "{}\n0:",
            '{"entry":0}\n0:',
            '{"entry":9,"steps":[]}\n0:p[]',
            '{"steps":[["?"]]}\n',
            "{\n",
            "{nonsense\nmore\n",
        ]
        answers = [ask(50, f'{{"name":"x"}}\n{each}') for each in garbage]
        return [ask(51, f"{number_of(answer)} -1")[0] for answer in answers]

    assert spawn(pack).result(PATIENCE) == ["x", "e", "e", "e", "x", "x"]


def test_calls_of_host_functions_are_limited_per_tree():
    """If a process may make ten calls, it and its children may make ten calls together."""

    @HostFunction
    def count() -> int:
        return 1

    limited = count.limited(calls=5)

    def call():
        try:
            return limited()
        except capsend.LimitExceeded:
            return 0

    def share():
        return [call(), *(capsend.spawn(call).result() for _ in range(8)), call()]

    assert spawn(share).result(PATIENCE) == [1] * 5 + [0] * 5


def test_hanging_calls_of_ended_children_are_bounded():
    """A child that is killed in a host function leaves the call running: the number of such calls is limited."""
    import threading

    release = threading.Event()

    @HostFunction
    def hang() -> None:
        release.wait(PATIENCE)

    def call():
        hang()

    def storm(ready: Address[int]):
        refused = 0
        for _ in range(12):
            child = capsend.spawn(call)
            try:
                child.result(timeout=0.05)
            except TimeoutError:
                child.kill()
                try:
                    child.result()
                except ProcessKilled:
                    continue
                except LimitExceeded:  # it was refused before it was killed
                    refused += 1
            except LimitExceeded:
                refused += 1
        return refused

    with Mailbox[int]() as inbox:
        try:
            assert spawn(storm, inbox.address).result(PATIENCE) >= 1
        finally:
            release.set()


def test_child_sees_the_folder_that_its_parent_was_given(tmp_path):
    """Also when a link to another one was put in its place meanwhile."""
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "x").write_text("secret")
    (tmp_path / "open" / "inner").mkdir(parents=True)
    (tmp_path / "open" / "inner" / "x").write_text("harmless")
    outer, inner = Dir(tmp_path / "open", write=True), Dir(tmp_path / "open" / "inner")

    def read(folder: Path):
        return (folder / "x").read_text()

    def swap():
        (outer / "inner").rename(outer / "moved")
        os.symlink("../secret", outer / "inner")
        return capsend.spawn(read, Dir(inner)).result()

    assert spawn(swap).result(PATIENCE) == "harmless"
    assert (tmp_path / "open" / "inner" / "x").read_text() == "secret"
