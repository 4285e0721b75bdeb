"""Monitors, links and exits between real processes, and what hostile processes can do to any of it."""

from __future__ import annotations

import gc
import itertools
import sys
import time
import weakref
from typing import Any

import attrs
import pytest

from capsend import Address, CapsendError, Environment, Mailbox, ProcessFailed, ProcessKilled, process, registry, spawn
from capsend.mailbox import Down, Exit
from capsend.mailbox.bounds import MOST_CALLS
from capsend.runtime.mail_operations import MOST_WATCHES
from tests.eventually import eventually

pytestmark = pytest.mark.usefixtures("everywhere")

PATIENCE = 10.0


@attrs.frozen
class Ask:
    reply: Address[int]


def idle(inbox: Mailbox[Any]):
    """Wait for the order to end."""
    order = inbox.receive()
    if order == "raise":
        raise ValueError("ordered to")
    if order == "trap":
        __import__("os")._exit(1)
    if order == "memory":
        return bytearray(1 << 29)
    return order


ENDINGS = [("return", "normal"), ("raise", "failed"), ("trap", "trap"), ("kill", "killed"), ("memory", "limit")]


def end(p, how):
    if how == "kill":
        p.kill()
    else:
        p.send(how)


@pytest.mark.parametrize(("how", "reason"), ENDINGS)
def test_monitor_in_the_host_tells_the_reason_once(how, reason):
    """One notice comes, with the reason, whatever ended the process."""
    with Mailbox[Down]() as inbox, Environment(memory=256 << 20).spawn(idle) as p:
        inbox.monitor(p.address)
        inbox.monitor(p.address)
        end(p, how)
        down = inbox.receive(timeout=PATIENCE)
        assert (down.reason, down.address) == (reason, p.address.monitor_only())
        with pytest.raises(TimeoutError):
            inbox.receive(timeout=0.01)


@pytest.mark.parametrize("early", [True, False])
def test_monitor_inside_tells_the_reason(early):
    """A process is told of another's end, also when that was over before it asked."""

    def watch(inbox: Mailbox[Down], address):
        inbox.monitor(address)
        down = inbox.receive()
        return down.reason, down.message, down.address is not None

    with process(idle).spawn() as p:
        if early:
            end(p, "raise")
            eventually(p.done)
        watcher = process(watch).spawn(p.address)
        end(p, "raise")
        assert watcher.result(PATIENCE) == ("failed", "ValueError: ordered to", True)


def test_process_can_monitor_a_mailbox_of_the_host():
    """Closing a mailbox is its end."""

    def watch(inbox: Mailbox[Down], address):
        inbox.monitor(address)
        address.send("watching")
        return inbox.receive().reason

    with Mailbox[str]() as inbox:
        p = process(watch).spawn(inbox.address)
        inbox.receive(timeout=PATIENCE)
    assert p.result(PATIENCE) == "closed"


def test_demonitor_takes_the_notice_back():
    """After it, the end is none of the watcher's business."""
    with Mailbox[Down]() as inbox, process(idle).spawn() as p:
        inbox.monitor(p.address)
        inbox.demonitor(p.address)
        p.kill()
        eventually(p.done)
        with pytest.raises(TimeoutError):
            inbox.receive(timeout=0.01)


def test_notice_comes_behind_what_the_process_had_sent():
    """Whoever is told of an end has all messages of the one who ended."""

    def send(address):
        for number in range(50):
            address.send(number)

    with Mailbox[Any]() as inbox:
        p = spawn(send, inbox.address)
        inbox.monitor(p.address)
        got = [inbox.receive(timeout=PATIENCE) for _ in range(51)]
        assert got[:50] == list(range(50))
        assert got[50].reason == "normal"


@pytest.mark.parametrize(("how", "reason"), ENDINGS)
def test_linked_process_goes_along_unless_the_end_is_normal(how, reason):
    """A link is symmetric, and a normal end has no effect."""
    with Environment(memory=256 << 20).spawn(idle) as p, process(idle).spawn() as q:
        q.link(p)
        end(p, how)
        eventually(p.done)
        if reason == "normal":
            q.send("still here")
            assert q.result(PATIENCE) == "still here"
        else:
            with pytest.raises(ProcessKilled, match=f"process {p.id}, to which it was linked, ended .{reason}"):
                q.result(PATIENCE)


def test_link_made_inside_is_symmetric():
    """It does not matter who asked for the link."""

    def partner(inbox: Mailbox[Any], address, ready):
        inbox.link(address)
        ready.send(1)
        inbox.receive()

    with Mailbox[int]() as ready, process(idle).spawn() as p, process(partner).spawn(p.address, ready.address) as q:
        ready.receive(timeout=PATIENCE)
        q.kill()
        with pytest.raises(ProcessKilled, match="linked"):
            p.result(PATIENCE)


def test_link_to_a_dead_process_is_an_exit_at_once():
    """Linking too late is no way to miss an end."""

    def late(inbox: Mailbox[Any], address):
        inbox.link(address)
        time.sleep(600)

    with process(idle).spawn() as p:
        p.kill()
        eventually(p.done)
        with pytest.raises(ProcessKilled, match="linked"):
            process(late).spawn(p.address).result(PATIENCE)


@pytest.mark.parametrize(("weaken", "act"), [("send_only", "link"), ("send_only", "monitor"), ("monitor_only", "link")])
def test_weak_address_does_not_let_its_holder_link(weaken, act):
    """A holder that may only send, or only monitor, cannot end the receiver by ending itself."""

    def attack(inbox: Mailbox[Any], address, act):
        getattr(inbox, act)(address)

    with process(idle).spawn() as p:
        with pytest.raises(CapsendError, match="does not allow"):
            process(attack).spawn(getattr(p.address, weaken)(), act).result(PATIENCE)
        p.send("alive")
        assert p.result(PATIENCE) == "alive"


def test_process_that_traps_exits_gets_a_message():
    """A process that traps exits keeps running and is notified, even of a normal end."""

    def guard(inbox: Mailbox[Any], addresses, ready):
        inbox.trap_exits = True
        for address in addresses:
            inbox.link(address)
        ready.send(1)
        return sorted((inbox.receive(kind=Exit).reason for _ in addresses), key=str)

    with Mailbox[int]() as ready:
        others = [process(idle).spawn() for _ in range(3)]
        p = process(guard).spawn([other.address for other in others], ready.address)
        ready.receive(timeout=PATIENCE)
        for other, how in zip(others, ("return", "raise", "kill"), strict=True):
            end(other, how)
        assert p.result(PATIENCE) == ["failed", "killed", "normal"]


def test_unlinked_processes_part():
    """After unlink an end is one's own."""

    def partner(inbox: Mailbox[Any], address):
        inbox.link(address)
        inbox.unlink(address)
        address.send("go on")
        time.sleep(600)

    def other(inbox: Mailbox[Any]):
        inbox.receive(kind=lambda m: m == "go on")
        return inbox.receive()

    with process(other).spawn() as p, process(partner).spawn(p.address) as q:
        eventually(lambda: p.stats().received)
        q.kill()
        eventually(q.done)
        p.send("alive")
        assert p.result(PATIENCE) == "alive"


def test_exit_with_success_is_a_normal_end_to_those_linked():
    """`sys.exit(0)` has no effect on linked processes, on the host and among children; other codes do."""

    def among_themselves() -> tuple[str | None, str | None]:
        p, q = spawn(sys.exit, 0), spawn(time.sleep, 0.1)
        p.link(q)
        q.result()
        return p.exit_reason, q.exit_reason

    with process(idle).spawn() as p:
        q = p.spawn_linked(sys.exit)
        with pytest.raises(SystemExit):
            q.result(PATIENCE)
        assert q.exit_reason == "normal"
        p.send("still here")
        assert p.result(PATIENCE) == "still here"
    assert spawn(among_themselves).result(PATIENCE) == ("normal", "normal")


@pytest.mark.parametrize("asks", ["p", "q", "address"])
def test_link_of_the_host_can_be_undone(asks):
    """By either side, by handle or address; linking once more works, and what was never linked can be unlinked."""
    with process(idle).spawn() as p, process(idle).spawn() as q:
        p.unlink(q)
        for _ in range(2):
            p.link(q)
            p.link(q)
            if asks == "p":
                p.unlink(q)
            else:
                q.unlink(p if asks == "q" else p.address)
        p.kill()
        eventually(p.done)
        q.send("alive")
        assert q.result(PATIENCE) == "alive"


def test_link_between_two_that_a_process_spawned_can_be_undone():
    """Inside as outside."""

    def parted() -> str | None:
        p, q = spawn(time.sleep, 600), spawn(time.sleep, 0.2)
        p.link(q)
        q.unlink(p)
        p.kill()
        q.result()
        return q.exit_reason

    assert spawn(parted).result(PATIENCE) == "normal"


def test_spawn_linked_links_from_the_first_moment():
    """A process that is spawned linked ends with the other, even when it is its start that fails."""
    with process(idle).spawn() as p, p.spawn_linked(time.sleep, 600) as q:
        end(p, "raise")
        with pytest.raises(ProcessKilled, match="linked"):
            q.result(PATIENCE)


def test_process_is_linked_monitored_and_named_by_its_handle_or_its_address():
    """Whoever has the handle need not ask for the address; a weaker address allows no link."""

    def watch(inbox: Mailbox[Down]) -> str:
        p = spawn(divmod, 1, 0)
        inbox.monitor(p)
        return inbox.receive(PATIENCE).reason

    with Mailbox[Down]() as inbox, spawn(time.sleep, 600) as p, spawn(time.sleep, 600) as q:
        inbox.monitor(p)
        registry.register("by its handle", p)
        assert registry.whereis("by its handle") == p.address
        with pytest.raises(CapsendError, match="a weaker one"):
            p.link(q.address.send_only())
        with pytest.raises(TypeError, match="Process or an Address"):
            p.link("q")
        p.link(q.address)
        q.kill()
        assert inbox.receive(PATIENCE).reason == "killed"
    assert spawn(watch).result(PATIENCE) == "failed"


def test_chain_of_links_falls_as_one():
    """The end of one takes a whole chain with it, without recursion that could overflow."""
    chain = [process(idle).spawn() for _ in range(60)]
    for one, other in itertools.pairwise(chain):
        one.link(other)
    chain[0].kill()
    for p in chain:
        with pytest.raises(ProcessKilled):
            p.result(PATIENCE)


# --- hostile processes ---


def raw(inbox: Mailbox[Any], operations):
    """Ask the host for operations as no library would."""
    host = sys.modules["wit_world"].host
    return [host(operation, payload)[:200] for operation, payload in operations]


FORGED = [
    (10, "7 -1 0 :s"),
    (10, "-1 -1 0 :s"),
    (10, "0 -1 0 7:s"),
    (13, "7"),
    (14, "7"),
    (15, "7"),
    (16, "7"),
    (18, "7 1 :s"),
]


def test_handles_that_a_process_does_not_hold_are_worth_nothing():
    """Numbers are per process: guessing others reaches nothing."""
    with Mailbox[Any]() as inbox:
        p = process(raw).spawn([*FORGED, (10, "0 -1 0 :s")])
        other = spawn(lambda a: a.send("ok"), inbox.address)
        assert set(p.result(PATIENCE)) == {"!forged"}
        other.result(PATIENCE)
        assert (inbox.receive(timeout=PATIENCE), len(inbox)) == ("ok", 0)


GARBAGE = [
    *[
        (operation, payload)
        for operation in range(10, 40)
        for payload in ("", "x", "0 0 0 0 0 0 0", ":", "\u00e9", "1" * 5000)
    ],
    (10, "0 nan 0 :s"),
    (10, "0 -1 1e9 :s"),
    (10, "0 -1 -5 r-5:s"),
    (11, "0 0 -99 -99 -99 "),
    (11, "0 0 0 0 0 0*0,1*99999999,-1*-1"),
    (18, "0 nan :s"),
    (18, "0 inf :s"),
    (18, "0 -1 :s"),
]


def test_garbage_is_answered_and_survived():
    """Whatever a process writes into an operation, it gets an answer, and the host goes on."""

    def send_garbage(inbox: Mailbox[Any], operations, target):
        host = sys.modules["wit_world"].host
        for operation, payload in operations:
            if operation != 11 or payload.startswith("0 0 "):
                host(operation, payload)
        target.send("alive")

    with Mailbox[Any]() as inbox:
        p = process(send_garbage).spawn(GARBAGE, inbox.address)
        assert inbox.receive(timeout=PATIENCE, kind=lambda m: m == "alive") == "alive"
        p.kill()


@pytest.mark.parametrize(
    "frame",
    ["", "z", "p[", "g5:[]", 'g10:[["x",{"h":5}]]', 'g2a:[["x",{"c":["os","system"]}]]', "k07cos", "p" + "[" * 5000],
)
def test_garbage_frames_bring_nobody_down(frame):
    """A receiver drops what is no message, counts it, and goes on with the next; a pickle is never accepted."""

    def send_raw(address, frame):
        host = sys.modules["wit_world"].host
        host(10, f"{address.number} -1 0 :{frame}")
        address.send("next")

    def take(inbox: Mailbox[str]):
        return inbox.receive(kind=str)

    with Mailbox[str]() as inbox, process(take).spawn() as p:
        spawn(send_raw, inbox.address, frame).result(PATIENCE)
        spawn(send_raw, p.address, frame).result(PATIENCE)
        assert inbox.receive(timeout=PATIENCE) == "next"
        assert p.result(PATIENCE) == "next"


def test_one_process_cannot_hand_code_to_another():
    """The form of the codec that can run code is the host's alone: it is refused where it is sent."""

    def attack(address):
        host = sys.modules["wit_world"].host
        return host(10, f"{address.number} -1 0 :k07cos\nsystem\n(S'x'\ntR.")

    with process(idle).spawn() as p:
        assert spawn(attack, p.address).result(PATIENCE) == "!malformed"


def test_calls_monitors_timers_and_handles_of_one_process_are_bounded():
    """Whatever a process makes the host keep has an end."""

    def greedy(inbox: Mailbox[Any], target, limits):
        host = sys.modules["wit_world"].host
        calls = [host(10, f"{target.number} -1 {tag} r{tag}:s") for tag in range(1, limits[0] + 2)]
        timers = [host(18, f"{target.number} 1000 :s") for _ in range(1100)]
        for _ in range(limits[1] + 10):
            host(14, str(target.number))
            last = host(13, str(target.number))
        return calls[-1], timers[-1], last

    with Mailbox[Any](messages=10_000) as inbox:
        p = Environment(mailbox_bytes=1 << 20).spawn(greedy, inbox.address, (MOST_CALLS, MOST_WATCHES))
        assert p.result(PATIENCE) == ("!calls", "!timers", "")


def test_notices_of_the_dead_are_bounded():
    """Monitoring a dead process again and again fills the mailbox up to a limit, not the host."""

    def greedy(inbox: Mailbox[Any], target):
        host = sys.modules["wit_world"].host
        return [host(13, str(target.number)) for _ in range(1100)][-1]

    p = process(idle).spawn()
    p.kill()
    eventually(p.done)
    assert process(greedy).spawn(p.address).result(PATIENCE) == "!watches"


def test_handles_that_a_process_hoards_are_bounded(monkeypatch):
    """Beyond the limit messages with more handles are dropped and counted; the process goes on."""
    monkeypatch.setattr("capsend.capabilities.handles.MOST_HANDLES", 5)

    def hoard(inbox: Mailbox[Any]):
        kept = [inbox.receive(kind=list) for _ in range(5)]
        return inbox.receive(kind=str), len(kept)

    boxes = [Mailbox[int]() for _ in range(8)]
    p = process(hoard).spawn()
    for box in boxes:
        p.send([box.address])
    p.send("end")
    assert p.result(PATIENCE) == ("end", 5)
    assert p.stats().dropped == 3


@pytest.mark.here("it looks into the table of a process of this program")
def test_handles_that_come_and_go_do_not_add_up():
    """A server that answers many calls holds no more handles than it has open."""

    def serve(inbox: Mailbox[Ask]):
        for number, ask in enumerate(inbox):
            ask.reply.send(number)

    with process(serve).spawn() as p:
        for number in range(300):
            assert p.call(Ask, timeout=PATIENCE) == number
        assert len(p._life.handles) < 50


def test_mailbox_of_a_process_is_charged_for_what_it_puts_by():
    """Selective receive that never matches holds up the senders, and does not grow without bound."""

    def picky(inbox: Mailbox[Any]):
        return inbox.receive(kind=lambda message: message == "the one")

    def flood(address):
        while True:
            address.send(b"x" * 1000)

    with Environment(mailbox=100).spawn(picky) as p, spawn(flood, p.address):
        eventually(lambda: p.stats().waiting >= 100)
        time.sleep(0.05)
        assert p.stats().waiting <= 101  # the message just taken may not be counted yet


@pytest.mark.parametrize("moment", range(8))
def test_kill_at_every_point_of_a_call(moment):
    """Whenever the caller or the called process is killed, nothing hangs, and the host continues."""

    def serve(inbox: Mailbox[Ask], pause):
        for ask in inbox:
            time.sleep(pause)
            ask.reply.send(1)

    def ask_again(address):
        while True:
            address.call(Ask)

    server = process(serve).spawn(0.001 * (moment % 2))
    caller = spawn(ask_again, server.address)
    eventually(lambda: server.stats().received > moment)
    time.sleep(0.0003 * moment)
    (server if moment < 4 else caller).kill()
    if moment < 4:
        with pytest.raises((ProcessFailed, ProcessKilled)):
            caller.result(PATIENCE)
        with pytest.raises(ProcessKilled):
            server.result(PATIENCE)
    else:
        with pytest.raises(ProcessKilled):
            caller.result(PATIENCE)
        assert server.call(Ask, timeout=PATIENCE) == 1
        server.kill()


def test_two_processes_blocked_on_each_other_can_be_killed():
    """Two full mailboxes whose owners send to each other are a deadlock that a kill ends."""

    def push(inbox: Mailbox[Any]):
        other = inbox.receive()
        while True:
            other.send("x")

    small = Environment(mailbox=3)
    with small.spawn(push) as p, small.spawn(push) as q:
        p.send(q.address)
        q.send(p.address)
        eventually(lambda: p.stats().waiting == 3 and q.stats().waiting == 3)
        for one in (p, q):
            one.kill()
            with pytest.raises(ProcessKilled):
                one.result(PATIENCE)


def test_message_with_an_address_of_a_dead_process_is_harmless():
    """The address arrives, sending to it says no, monitoring tells at once."""

    def use(inbox: Mailbox[Any]):
        address = inbox.receive()
        inbox.monitor(address)
        return address.send(1), inbox.receive(kind=Down).reason

    p, q = process(idle).spawn(), process(use).spawn()
    p.kill()
    eventually(p.done)
    q.send(p.address)
    assert q.result(PATIENCE) == (False, "killed")


@pytest.mark.here("a spawn does not wait for the node, and a thousand take longer than the test waits")
def test_many_deaths_at_once_are_all_reported():
    """Every monitor gets its notice when everything ends at the same time."""
    count = 300
    idle_one = process(idle)
    with Mailbox[Down](messages=10) as inbox:
        all_of_them = [idle_one.spawn() for _ in range(count)]
        for p in all_of_them:
            inbox.monitor(p.address)
        for p in all_of_them:
            p.kill()
        downs = [inbox.receive(timeout=PATIENCE) for _ in range(count)]
        assert {down.reason for down in downs} == {"killed"}
        assert len({down.address for down in downs}) == count


def test_interpreter_exits_with_processes_that_talk(run_script):
    """At the end of the program everything ends, even processes that wait for each other."""
    done = run_script(
        """
        from typing import Any
        from capsend import Mailbox, process

        def relay(inbox: Mailbox[Any]):
            other = inbox.receive()
            while True:
                other.send("x")

        if __name__ == "__main__":
            inbox = Mailbox[int](messages=1)
            chain = [process(relay).spawn() for _ in range(10)]
            for one, other in zip(chain, chain[1:] + chain[:1]):
                one.send(other.address)
                one.link(other)
            timer = chain[0].address.send_after(1000, 1)
            print("leaving")
        """
    )
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "leaving", "")


def test_timer_of_a_dead_process_is_cancelled():
    """Delayed messages of a process end with it."""

    def later(address):
        address.send_after(0.3, "too late")

    with Mailbox[str]() as inbox:
        spawn(later, inbox.address).result(PATIENCE)
        with pytest.raises(TimeoutError):
            inbox.receive(timeout=0.5)


def test_stats_tell_of_messages_and_time():
    """The resources that a process has used are visible while it runs and afterwards."""

    def work(inbox: Mailbox[int], address):
        for _ in range(3):
            address.send(inbox.receive())
        sum(range(100_000))

    with Mailbox[int]() as inbox:
        p = process(work).spawn(inbox.address)
        for number in range(3):
            p.send(number)
        p.result(PATIENCE)
        stats = p.stats()
        assert (stats.sent, stats.received, stats.waiting, stats.dropped) == (3, 3, 0, 0)
        assert stats.cpu_seconds > 0


def test_flood_of_nonsense_is_logged_a_few_times_only(caplog):
    """A hostile process cannot fill the host's log, or use up the receiver's output."""

    def flood(address):
        host = sys.modules["wit_world"].host
        for _ in range(300):
            host(10, f"{address.number} -1 0 :z")
        address.send("end")

    def take(inbox: Mailbox[str]):
        return inbox.receive()

    with Mailbox[str]() as inbox, process(take).spawn() as p:
        for address in (inbox.address, p.address):
            spawn(flood, address).result(PATIENCE)
        assert inbox.receive(timeout=PATIENCE) == p.result(PATIENCE) == "end"
        assert (inbox.dropped, p.stats().dropped) == (300, 300)
        assert len(caplog.records) == 20


def test_address_keeps_no_process_alive():
    """A holder of an ended process's address keeps neither the memory nor the program alive."""
    p = process(idle).spawn()
    address = p.address
    life = weakref.ref(p._life.mail)
    p.kill()
    eventually(p.done)
    del p
    eventually(lambda: gc.collect() is not None and life() is None)
    assert not address.alive
