"""Supervisors and names: who is started again, when, and when not any more."""

from __future__ import annotations

import threading
import time
from typing import Any

import attrs
import pytest

from capsend import Address, CaptureError, Mailbox, Supervisor, process, registry, spawn
from capsend.supervisor import RestartsExceeded

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


def test_start_function_that_raises_later_counts_as_an_end(starts):
    """What cannot be spawned again is retried within the same limit."""
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


def test_closing_kills_the_last_child_first(starts):
    """Who was started later may depend on who was started earlier."""
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
    """With a `stop` of its own a child ends in its own way, if that does not take too long."""

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
    """Supervisors stand under supervisors by a function that is called when one gives up."""
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
    """What is unregistered is not found, and lives on."""
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
