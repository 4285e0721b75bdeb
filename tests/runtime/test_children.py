"""Processes that spawn processes, as the host sees it: budgets, lifetimes, faults, and that nothing is left behind."""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import attrs
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
    process,
    spawn,
)
from capsend.mailbox import Down
from capsend.runtime.running import _live
from tests.memory import private

MIB = 1 << 20
PATIENCE = 30.0
PROGRAM = '{"entry":0,"steps":[["n","%s","%s"]]}'


def eventually(condition):
    """Wait until something is so that no message tells of."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


def tasks():
    """The threads of this OS process, of whatever kind."""
    return len(os.listdir("/proc/self/task"))


@pytest.fixture(autouse=True)
def nothing_left():
    """Whatever a test does: all processes end, and none is forgotten."""
    yield
    gc.collect()
    eventually(lambda: not capsend.processes() and not _live)


def ask(operation, payload):
    """A host operation, as the hostile interpreter inside sees it."""
    return sys.modules["wit_world"].host(operation, payload)


def spawn_raw(module, name, *args, **head):
    """Have the host start a function of the image, past everything that is polite; return the answer."""
    codec = sys.modules["capsend.codec.text"]
    call = "0:" + codec.encode((args, {}), externals=lambda _: None)
    program = f'{{"entry":0,"steps":[["n","{module}","{name}"]]}}'
    return ask(50, f"{json.dumps({'name': name, **head})}\n{program}\n{call}")


def number_of(answer):
    """The handle that was answered with."""
    return json.loads(answer)[0][0]


def idle(inbox: Mailbox[Any], ready: Address[Any]):
    """Give its address away, and wait for the order to end."""
    ready.send(inbox.address)
    order = inbox.receive()
    if order == "raise":
        raise ValueError("ordered to")
    return order


def zeros(size: int):
    """Many bytes."""
    return bytes(size)


def wait_for_child(ready: Address[Any]):
    """Spawn one that idles, and wait for it."""
    return capsend.spawn(idle, ready).result()


# --- lifetimes ---


def test_killed_parent_that_waits_takes_its_child_with_it():
    """The child is told as killed, at once."""
    with Mailbox[Any]() as inbox, spawn(wait_for_child, inbox.address) as parent:
        child = inbox.receive(timeout=PATIENCE)
        inbox.monitor(child)
        start = time.monotonic()
        parent.kill()
        down = inbox.receive(timeout=PATIENCE)
        assert (down.reason, time.monotonic() - start < 1.0) == ("killed", True)
        assert "below which it was spawned, ended" in down.message


def test_whole_tree_ends_with_its_root():
    """However deep a process stands, it ends with the one that the host holds."""

    def descend(depth: int, ready: Address[Any]):
        if depth == 0:
            return wait_for_child(ready)
        return capsend.spawn(descend, depth - 1, ready).result()

    with Mailbox[Any]() as inbox, Environment(tree_memory=4 << 30).spawn(descend, 8, inbox.address) as root:
        inbox.monitor(inbox.receive(timeout=PATIENCE))
        assert len(capsend.processes()) == 10
        root.kill()
        assert inbox.receive(timeout=PATIENCE).reason == "killed"


@pytest.mark.parametrize("how", ["return", "raise"])
def test_parent_that_ends_takes_its_children_with_it(how):
    """They are stopped before its result is told."""

    def leave(how: str):
        kept = [capsend.spawn(time.sleep, 1_000)]
        if how == "raise":
            raise ValueError("on purpose")
        return len(kept)

    with spawn(leave, how) as parent:
        try:
            parent.result(PATIENCE)
        except ValueError:
            assert how == "raise"
        assert all(life.is_ending for life in list(_live))


def test_child_whose_handle_is_dropped_is_killed():
    """As outside; its parent goes on."""

    def drop(inbox: Mailbox[Down]):
        child = capsend.spawn(time.sleep, 1_000)
        inbox.monitor(child.address)
        del child
        return inbox.receive().reason

    assert process(drop).spawn().result(PATIENCE) == "killed"


def test_linked_child_takes_its_parent_with_it():
    """When it fails, from its first moment."""

    def linked():
        number = number_of(spawn_raw("math", "sqrt", -1.0, link=1))
        ask(51, f"{number} -1")
        time.sleep(PATIENCE)

    p = spawn(linked)
    with pytest.raises(ProcessKilled, match="to which it was linked, ended"):
        p.result(PATIENCE)


def test_two_children_can_be_linked():
    """The end of one is the other's."""

    def link_two():
        sleeper, failing = (number_of(spawn_raw("time", "sleep", 1_000)) for _ in range(2))
        assert ask(56, f"{sleeper} {failing}") == ""
        ask(52, str(failing))
        return ask(51, f"{sleeper} -1")

    assert '"ProcessKilled"' in spawn(link_two).result(PATIENCE)


def test_children_are_listed_with_their_parent():
    """`capsend.processes()` shows the tree."""
    with Mailbox[Any]() as inbox, spawn(wait_for_child, inbox.address) as parent:
        inbox.receive(timeout=PATIENCE)
        listed = {each.name: (each.id, each.parent) for each in capsend.processes()}
        assert listed["wait_for_child"] == (parent.id, None)
        assert listed["idle"][1] == parent.id
        parent.kill()


def test_parent_killed_while_it_spawns_leaves_nothing(run_script):
    """An audit hook that ends the parent in the middle of a spawn: the child ends as well."""
    result = run_script("""
        import sys, time, capsend
        from capsend import ProcessKilled, spawn

        def storm():
            kept = []
            while True:
                kept.append(capsend.spawn(time.sleep, 1_000))

        def hook(event, args):
            if event == "capsend.child":
                seen.append(args)
                if len(seen) == 3:
                    p.kill()

        seen = []
        sys.addaudithook(hook)
        p = spawn(storm)
        try:
            p.result(30)
        except ProcessKilled:
            print("killed")
        end = time.monotonic() + 20
        while capsend.processes() and time.monotonic() < end:
            time.sleep(0.001)
        print(len(seen), {parent == p.id for _, parent in seen}, capsend.processes())
    """)
    assert result.stdout.splitlines() == ["killed", "3 {True} ()"], result.stderr


def test_audit_hook_can_refuse_a_child(run_script):
    """Its parent is told, without the text of the hook's exception."""
    result = run_script("""
        import sys, capsend
        from capsend import spawn

        def try_to():
            try:
                capsend.spawn(pow, 2, 3)
            except capsend.CapsendError as error:
                return str(error)

        def hook(event, args):
            if event == "capsend.child":
                raise PermissionError("a secret of the host")

        sys.addaudithook(hook)
        print(spawn(try_to).result(30))
        print(capsend.processes())
    """)
    assert result.stdout.splitlines() == ["PermissionError", "()"], result.stderr


def test_interpreter_exits_with_live_trees(run_script):
    """At once, without a word, while some spawn and some wait."""
    result = run_script("""
        import time, capsend
        from capsend import Address, Environment, Mailbox

        def storm(ready: Address[int]):
            while True:
                ready.send(1)
                capsend.spawn(pow, 2, 3)

        def wait(ready: Address[int]):
            kept = [capsend.spawn(time.sleep, 1_000) for _ in range(5)]
            ready.send(1)
            kept[0].result()

        inbox = Mailbox()
        kept = [capsend.spawn(each, inbox.address) for each in (storm, storm, wait, wait)]
        for _ in range(20):
            inbox.receive(timeout=60)
        print("leaving")
    """)
    assert (result.returncode, result.stdout, result.stderr) == (0, "leaving\n", "")


def test_errors_of_the_hosts_own_code_are_told_by_name_only():
    """What goes wrong out here, and where, is no process's affair."""

    def fail(_text: str):
        raise OSError("/home/somebody/secret is full")

    def look(inbox: Mailbox[Down]):
        child = capsend.spawn(print, "x")
        inbox.monitor(child.address)
        try:
            child.result()
        except capsend.ProcessFailed as error:
            return str(error), inbox.receive().message

    told, message = Environment(stdout=fail).spawn(process(look)).result(PATIENCE)
    assert "an error in the host (OSError)" in told
    assert message == "OSError"


# --- budgets ---


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
    """Each counts with what it may have, whether it has it or not, and its own children count for the root as well."""

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
    """They write to the same place, and together no more than one could; whoever writes too much ends."""

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
    """Those that have ended included: nobody gets more by spawning."""

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
    """What no parent takes counts; the child that would exceed it ends, and taking one makes room."""

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
    """What a process may call ten times, it and its children may call ten times."""

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
    """A child that is killed in a call of the host leaves the call running: there are only so many."""
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


# --- what the root was sent means something to all of its tree ---


@attrs.frozen
class Order:
    """A message."""

    name: str
    parts: tuple[int, ...] = ()


def send_order(to: Address[Order], name: str):
    """Send one."""
    return to.send(Order(name, (1, 2)))


def test_child_sends_instances_of_the_programs_classes_to_the_host():
    """What was sent with the root's program is known by name, whoever of the tree sends it."""

    def delegate(to: Address[Order]):
        own = to.send(Order("parent"))
        return own and capsend.spawn(send_order, to, "child").result()

    with Mailbox[Order]() as inbox:
        assert spawn(delegate, inbox.address).result(PATIENCE)
        assert [inbox.receive(timeout=PATIENCE) for _ in range(2)] == [Order("parent"), Order("child", (1, 2))]


def test_host_sends_instances_of_the_programs_classes_to_a_child():
    """And the child makes them of its own class."""

    def receive(inbox: Mailbox[Order], ready: Address[Any]):
        ready.send(inbox.address)
        order = inbox.receive()
        return isinstance(order, Order) and order.name

    def delegate(ready: Address[Any]):
        return capsend.spawn(receive, ready).result()

    with Mailbox[Any]() as inbox:
        p = spawn(delegate, inbox.address)
        inbox.receive(timeout=PATIENCE).send(Order("from the host"))
        assert p.result(PATIENCE) == "from the host"


def test_child_calls_functions_of_the_host_with_the_programs_classes():
    """Arguments, results and exceptions as for the root."""

    @HostFunction
    def double(order: Order) -> Order:
        if not order.parts:
            raise KeyError(order.name)
        return Order(order.name * 2, order.parts)

    def call(name: str, *parts: int):
        made = double(Order(name, parts))
        return isinstance(made, Order) and made.name

    def delegate():
        try:
            return capsend.spawn(call, "x", 1).result(), capsend.spawn(call, "y").result()
        except KeyError as error:
            return "raised", error.args

    assert spawn(delegate).result(PATIENCE) == ("raised", ("y",))


# --- nothing is left behind ---


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
    """Neither its place, nor what it returned, nor the little that is charged for one that has ended."""

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
    """What a parent is told of it: statistics, the way it ended, and its result once."""

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
    """What the host tells of its end is what it says of any process."""

    def watch(inbox: Mailbox[Down], ready: Address[Any]):
        child = process(idle).spawn(ready)
        inbox.monitor(child.address)
        child.send("raise")
        down = inbox.receive()
        return down.reason, down.message

    with Mailbox[Any]() as inbox:
        told = process(watch).spawn(inbox.address).result(PATIENCE)
    assert told == ("failed", "ValueError: ordered to")
