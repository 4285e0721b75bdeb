"""Supervisors and names: who is started again, when, and when not any more."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from typing import Any

import attrs
import pytest

from capsend import Address, CaptureError, Mailbox, Supervisor, process, registry, spawn
from capsend.supervisor import RestartsExceeded

pytestmark = pytest.mark.usefixtures("everywhere")

PATIENCE = 20.0


@attrs.frozen
class Who:
    reply: Address[str]


def worker(inbox: Mailbox[Any], starts, name):
    """Tell of the start, then end as ordered."""
    starts.send(name)
    order = inbox.receive()
    if order == "raise":
        raise ValueError(f"{name} was ordered to")


@pytest.fixture
def starts():
    """A mailbox that hears of every start."""
    with Mailbox[str]() as inbox:
        yield inbox


def started(inbox, count):
    """The next starts, sorted."""
    return sorted(inbox.receive(timeout=PATIENCE) for _ in range(count))


def quiet(inbox):
    """Tell whether nothing more starts for a moment."""
    try:
        inbox.receive(timeout=0.2)
    except TimeoutError:
        return True
    return False


def supervised(supervisor, starts, **options):
    """Three workers, started."""
    for name in "abc":
        supervisor.spawn(worker, starts.address, name, name=name, **options)
    assert started(starts, 3) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("strategy", "again"), [("one_for_one", ["b"]), ("one_for_all", ["a", "b", "c"]), ("rest_for_one", ["b", "c"])]
)
def test_strategy_decides_who_is_started_again(starts, strategy, again):
    """One, all, or the rest."""
    with Supervisor(strategy=strategy) as supervisor:
        supervised(supervisor, starts)
        before = {name: supervisor.process(name).id for name in "abc"}
        supervisor.process("b").send("raise")
        assert started(starts, len(again)) == again
        assert quiet(starts)
        assert [name for name in "abc" if supervisor.process(name).id != before[name]] == again


@pytest.mark.parametrize(
    ("restart", "order", "again"),
    [
        ("permanent", "return", True),
        ("permanent", "raise", True),
        ("transient", "return", False),
        ("transient", "raise", True),
        ("temporary", "raise", False),
    ],
)
def test_restart_decides_after_which_end(starts, restart, order, again):
    """Always, after a failure, or never."""
    with Supervisor() as supervisor:
        name = supervisor.spawn(worker, starts.address, "w", restart=restart)
        started(starts, 1)
        supervisor.process(name).send(order)
        if again:
            assert started(starts, 1) == ["w"]
        else:
            supervisor.wait(PATIENCE)
            assert supervisor.children == ()


def test_too_many_restarts_end_it_all(starts):
    """The intensity is a limit: beyond it the supervisor kills its children and says why."""
    with pytest.raises(RestartsExceeded) as caught, Supervisor(restarts=2, period=60) as supervisor:  # noqa: PT012 - leaving the block raises, or its middle
        supervisor.spawn(worker, starts.address, "good")
        bad = supervisor.spawn(worker, starts.address, "bad", name="bad")
        started(starts, 2)
        good = supervisor.process("child 1")
        for _ in range(2):
            supervisor.process(bad).send("raise")
            started(starts, 1)
        supervisor.process(bad).send("raise")
        supervisor.wait(PATIENCE)
    assert isinstance(caught.value.__cause__, ValueError)
    assert good.exit_reason == "killed"


def test_child_that_dies_in_its_start_uses_up_the_restarts():
    """A child that never comes up does not keep the supervisor busy for ever."""

    def broken():
        raise OSError("no database")

    with pytest.raises(RestartsExceeded) as caught, Supervisor(restarts=5, period=60) as supervisor:  # noqa: PT012 - leaving the block raises, or its middle
        supervisor.spawn(broken)
        supervisor.wait(PATIENCE)
    assert isinstance(caught.value.__cause__, OSError)
    assert supervisor.restarted == 5


@pytest.mark.parametrize("error", [OSError("no"), SystemExit("no")])
def test_start_function_that_raises_harms_no_other_child(starts, error):
    """Not by `SystemExit` either; the error names the child."""
    calls = []

    def start():
        calls.append(1)
        if len(calls) == 2:
            raise error
        return process(worker).spawn(starts.address, "x")

    with Supervisor(restarts=10, period=60) as supervisor:
        supervisor.add(start, name="x")
        supervisor.spawn(worker, starts.address, "y", name="y")
        started(starts, 2)
        supervisor.process("x").send("raise")
        assert started(starts, 1) == ["x"]
        supervisor.process("y").send("raise")
        assert started(starts, 1) == ["y"]
    assert len(calls) == 3

    def fail():
        if calls:
            raise error
        return spawn(pow, 1, 1)

    with Supervisor(restarts=2) as supervisor:
        with pytest.raises(type(error)) as caught:
            supervisor.add(fail, name="first")
        assert caught.value.__notes__[-1] == "while the child 'first' of a supervisor was started"
        assert supervisor.children == ()
    calls.clear()
    with pytest.raises(RestartsExceeded, match="worker last"), Supervisor(restarts=2) as supervisor:  # noqa: PT012 - leaving the block raises, or its middle
        supervisor.add(lambda: (fail(), calls.append(1))[0], name="worker")
        supervisor.wait(PATIENCE)


def test_start_function_that_hangs_holds_up_nobody(starts):
    """The others are supervised, waits are punctual, and closing does not wait for it."""
    calls, hanging, go_on = [], threading.Event(), threading.Event()

    def start():
        calls.append(1)
        if len(calls) > 1:
            hanging.set()
            go_on.wait(PATIENCE)
        return process(worker).spawn(starts.address, "x")

    with Supervisor() as supervisor:
        supervisor.add(start, name="x")
        supervisor.spawn(worker, starts.address, "y", name="y")
        started(starts, 2)
        supervisor.process("x").send("raise")
        assert hanging.wait(PATIENCE)
        supervisor.process("y").send("raise")
        assert started(starts, 1) == ["y"]
        before = time.monotonic()
        with pytest.raises(TimeoutError):
            supervisor.wait(timeout=0.1)
        assert time.monotonic() - before < 5
        assert (supervisor.children, supervisor.process("x")) == (("x", "y"), None)
    go_on.set()


def test_start_function_that_raises_later_counts_as_an_end(starts):
    """A failed start is retried within the same limit of restarts."""
    calls = []

    def start():
        calls.append(1)
        if len(calls) > 1:
            raise RuntimeError("not today")
        return spawn(pow, 1, 1)

    with pytest.raises(RestartsExceeded) as caught, Supervisor(restarts=3, period=60) as supervisor:  # noqa: PT012 - leaving the block raises, or its middle
        supervisor.add(start)
        supervisor.wait(PATIENCE)
    assert str(caught.value.__cause__) == "not today"
    assert len(calls) == 4


def test_child_that_cannot_be_captured_is_refused_at_once():
    """The first start happens in the caller's thread, with its errors."""
    box: list[int] = []
    with Supervisor() as supervisor, pytest.raises(CaptureError):
        supervisor.spawn(lambda: box.append(1))
    assert supervisor.children == ()


def test_backoff_grows(starts):
    """Each end that follows soon makes the wait longer."""
    with Supervisor(backoff=0.1, restarts=10) as supervisor:
        supervisor.spawn(worker, starts.address, "w", name="w")
        started(starts, 1)
        waits = []
        for _ in range(3):
            before = time.monotonic()
            supervisor.process("w").send("raise")
            started(starts, 1)
            waits.append(time.monotonic() - before)
    assert waits[0] >= 0.1
    assert waits[1] >= 0.2
    assert waits[2] >= 0.4


def test_backoff_of_one_child_delays_no_other(starts):
    """Each waits for itself."""
    with Supervisor(backoff=1.0, restarts=10) as supervisor:
        for name in "ab":
            supervisor.spawn(worker, starts.address, name, name=name)
        started(starts, 2)
        before = time.monotonic()
        for name in "ab":
            supervisor.process(name).send("raise")
        assert started(starts, 2) == ["a", "b"]
        assert 1.0 <= time.monotonic() - before < 1.9


def test_backoff_begins_anew_after_a_quiet_period(starts):
    """Old ends of a child no longer count."""
    with Supervisor(backoff=0.1, restarts=10, period=0.5) as supervisor:
        supervisor.spawn(worker, starts.address, "w", name="w")
        started(starts, 1)
        child = supervisor._children["w"]
        for failures in (1, 2, 3, 1):
            if failures == 1:
                time.sleep(0.6)
            supervisor.process("w").send("raise")
            started(starts, 1)
            assert child.failures == failures


def test_child_that_failed_often_can_still_be_counted(starts):
    """The wait has a bound, however often it would be doubled."""
    with Supervisor(backoff=0.01, longest_backoff=0.02, restarts=10) as supervisor:
        supervisor.spawn(worker, starts.address, "w", name="w")
        started(starts, 1)
        supervisor._children["w"].failures = 5_000
        supervisor.process("w").send("raise")
        assert started(starts, 1) == ["w"]


@pytest.mark.parametrize(("code", "again"), [(0, False), (None, False), (3, True), ("0", True)])
def test_exit_with_success_is_a_normal_end(code, again):
    """Of a transient child; `sys.exit` with any other code is none."""
    with contextlib.suppress(RestartsExceeded), Supervisor(restarts=1) as supervisor:
        supervisor.spawn(sys.exit, code, name="w", restart="transient")
        if again:
            with pytest.raises(RestartsExceeded, match="w last"):
                supervisor.wait(PATIENCE)
        else:
            supervisor.wait(PATIENCE)
            assert supervisor.restarted == 0


def test_closing_kills_the_last_child_first(starts):
    """A child that was started later may depend on those started earlier."""
    ended = []
    supervisor = Supervisor()
    supervised(supervisor, starts)
    for name in "abc":
        supervisor.process(name)._life.add_callback(lambda name=name: ended.append(name))
    supervisor.close()
    assert ended == ["c", "b", "a"]
    with pytest.raises(RuntimeError, match="closed"):
        supervisor.spawn(pow, 1, 1)


def test_removed_child_is_not_started_again(starts):
    """Children come and go while the supervisor works."""
    with Supervisor() as supervisor:
        supervised(supervisor, starts)
        p = supervisor.process("b")
        supervisor.remove("b")
        assert p.exit_reason == "killed"
        assert quiet(starts)
        assert supervisor.children == ("a", "c")


def test_address_follows_the_child(starts):
    """After a restart the name leads to the new process."""

    def answer(inbox: Mailbox[Who | str], starts):
        starts.send("up")
        for message in inbox:
            if isinstance(message, str):
                raise ValueError(message)
            message.reply.send("here")

    with Supervisor() as supervisor:
        name = supervisor.spawn(answer, starts.address)
        started(starts, 1)
        old = supervisor.address(name)
        old.send("end")
        started(starts, 1)
        assert supervisor.address(name) != old
        assert supervisor.address(name).call(Who, timeout=PATIENCE) == "here"


@pytest.mark.here("it costs much, and other tests see restarts on nodes")
def test_hundred_crashing_children_are_all_started_again(starts):
    """Many deaths at once are many restarts."""
    with Supervisor(restarts=1000) as supervisor:
        names = [supervisor.spawn(worker, starts.address, "w") for _ in range(100)]
        started(starts, 100)
        for name in names:
            supervisor.process(name).send("raise")
        assert len(started(starts, 100)) == 100
        assert supervisor.restarted == 100


def test_supervisor_under_a_supervisor_is_started_again(starts):
    """One that gives up is an end like any other to the one above it."""

    def team():
        inner = Supervisor(restarts=0)
        inner.spawn(worker, starts.address, "w", name="w")
        return inner

    with Supervisor(restarts=2, period=60) as outer:
        outer.add(team, name="team")
        started(starts, 1)
        first = outer.supervisor("team")
        first.process("w").send("raise")
        assert started(starts, 1) == ["w"]
        assert (first.exit_reason, outer.supervisor("team") is first, outer.process("team")) == ("failed", False, None)
        last = outer.supervisor("team").process("w")
    assert last.exit_reason == "killed"


def test_child_may_be_asked_to_end_before_it_is_killed(starts):
    """A child with a `stop` function can end in its own way, within the time allowed."""

    def stubborn(inbox: Mailbox[Any], starts):
        starts.send("up")
        while True:
            inbox.receive()

    with Supervisor(shutdown=0.1) as supervisor:
        supervisor.spawn(worker, starts.address, "w", name="polite", stop=lambda p: p.send("return"))
        supervisor.spawn(stubborn, starts.address, name="stubborn", stop=lambda p: p.send("return"))
        started(starts, 2)
        polite, rude = supervisor.process("polite"), supervisor.process("stubborn")
    assert (polite.exit_reason, rude.exit_reason) == ("normal", "killed")


def test_supervisor_that_gives_up_tells_another():
    """A function called at giving up connects a supervisor with the supervisor above it."""
    told: list[BaseException] = []
    done = threading.Event()

    def give_up(error):
        told.append(error)
        done.set()

    def broken():
        raise OSError

    with pytest.raises(RestartsExceeded), Supervisor(restarts=0, on_give_up=give_up) as supervisor:  # noqa: PT012 - leaving the block raises, or its middle
        supervisor.spawn(broken)
        assert done.wait(PATIENCE)
    assert isinstance(told[0], RestartsExceeded)


@pytest.mark.parametrize("options", [{"strategy": "all"}, {"restarts": -1}, {"period": 0}])
def test_senseless_options_are_refused(options):
    """A mistake is an error where it is made."""
    with pytest.raises(ValueError):
        Supervisor(**options)


# --- names ---


def answer(inbox: Mailbox[Who | str]):
    for message in inbox:
        if isinstance(message, str):
            return
        message.reply.send("found")


def test_registered_process_is_found_until_it_ends():
    """A name leads to what lives, and is free again afterwards."""
    p = process(answer).spawn()
    registry.register("answers", p.address)
    found = registry.whereis("answers")
    assert found.call(Who, timeout=PATIENCE) == "found"
    with pytest.raises(ValueError, match="belongs to"):
        registry.register("answers", p.address)
    p.send("end")
    p.result(PATIENCE)
    assert registry.whereis("answers") is None
    assert "answers" not in registry.names()


def test_name_can_be_taken_back():
    """An unregistered process is no longer found, and keeps running."""
    with process(answer).spawn() as p:
        registry.register("name", p.address)
        registry.unregister("name")
        assert registry.whereis("name") is None
        assert not p.done()


def test_ensure_starts_one_process_for_all_who_ask():
    """Threads that ask at the same time find the same process."""
    made: list[Any] = []

    def start():
        made.append(process(answer).spawn())
        return made[-1]

    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(registry.ensure("one", start))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert len(made) == 1
    assert len(set(found)) == 1
    assert registry.ensure("one", start).call(Who, timeout=PATIENCE) == "found"
    made.pop().kill()
    while registry.whereis("one"):
        time.sleep(0.001)
    assert registry.ensure("one", start).call(Who, timeout=PATIENCE) == "found"
    registry.unregister("one")


@pytest.mark.here("its program is one of its own")
def test_interpreter_exits_with_a_supervisor_at_work(run_script):
    """A program that ends with live children, names and timers ends at once and quietly."""
    done = run_script(
        """
        from typing import Any
        from capsend import Mailbox, Supervisor, process, registry

        def serve(inbox: Mailbox[Any]):
            for message in inbox:
                pass

        if __name__ == "__main__":
            supervisor = Supervisor(strategy="one_for_all", backoff=0.1, restarts=100)
            names = [supervisor.spawn(serve) for _ in range(5)]
            registry.ensure("server", process(serve).spawn)
            supervisor.process(names[0]).kill()
            print("leaving")
        """
    )
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "leaving", "")
