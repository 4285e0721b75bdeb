"""Processes that spawn processes, as seen by the host: their lives, their ends, and the host's handling of their messages."""

from __future__ import annotations

import time
from typing import Any

import attrs
import pytest

import capsend
from capsend import (
    Address,
    Environment,
    HostFunction,
    Mailbox,
    ProcessKilled,
    process,
    spawn,
)
from capsend.mailbox import Down
from capsend.runtime.running import _live
from tests.runtime.requests import PATIENCE, ask, idle, number_of, spawn_raw

pytestmark = pytest.mark.usefixtures("nothing_left")


def wait_for_child(ready: Address[Any]):
    """Spawn one that idles, and wait for it."""
    return capsend.spawn(idle, ready).result()


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
    """At any depth, a process ends together with the process that the host holds."""

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
    """Errors of the host, and their places, are not shown to processes."""

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


@attrs.frozen
class Order:
    """A message."""

    name: str
    parts: tuple[int, ...] = ()


def send_order(to: Address[Order], name: str):
    """Send one."""
    return to.send(Order(name, (1, 2)))


def test_child_sends_instances_of_the_programs_classes_to_the_host():
    """Classes sent with the root's program are known by name, from every process of the tree."""

    def delegate(to: Address[Order]):
        own = to.send(Order("parent"))
        return own and capsend.spawn(send_order, to, "child").result()

    with Mailbox[Order]() as inbox:
        assert spawn(delegate, inbox.address).result(PATIENCE)
        assert [inbox.receive(timeout=PATIENCE) for _ in range(2)] == [Order("parent"), Order("child", (1, 2))]


def test_host_sends_instances_of_the_programs_classes_to_a_child():
    """The child gets them as instances of its own class."""

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
