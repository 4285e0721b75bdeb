"""Of many processes that are spawned at once, a few begin at a time; none waits for ever, and each answers."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

import capsend
from capsend import Environment, Mailbox, ProcessKilled, spawn
from capsend.runtime import admission, workers
from capsend.runtime.admission import MOMENT, MOST, Admission
from tests.eventually import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.usefixtures("template")
STACK = 1 << 20
MANY = 30


class Waiting:
    """What the module uses of a life, and its work, which lasts until it is let go."""

    stack = STACK

    def __init__(self, turns: object = None) -> None:
        self.turns = turns or self
        self.is_ending = False
        self.has_begun = threading.Event()
        self.may_end = threading.Event()
        self.error: BaseException | None = None

    def stop_alone(self, error: BaseException) -> None:
        """Note the error."""
        self.error = error

    def work(self) -> None:
        """Begin, and wait."""
        self.has_begun.set()
        if not self.is_ending and self.error is None:
            self.may_end.wait(30)


def begun(begins: Admission, count: int) -> list[Waiting]:
    """Begin so many, of which the first hold back the others for a minute."""
    lives = [Waiting() for _ in range(count)]
    for life in lives:
        begins.begin(life, life.work)
        begins._young.update(dict.fromkeys(begins._young, time.monotonic() + 60))
    return lives


def spin() -> None:
    """Compute for ever."""
    while True:
        pass


def echo(inbox: Mailbox[int]) -> None:
    """Wait for one message."""
    inbox.receive()


def test_a_few_begin_and_the_next_when_one_ends_or_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """In their order."""
    monkeypatch.setattr(admission, "MOMENT", 60.0)
    begins = Admission()
    lives = [Waiting() for _ in range(MOST + 3)]
    for life in lives:
        begins.begin(life, life.work)
    first, others = lives[:MOST], lives[MOST:]
    assert all(life.has_begun.wait(30) for life in first)
    assert not any(life.has_begun.is_set() for life in others)
    begins.leave(first[0])
    assert others[0].has_begun.wait(30)
    assert not others[1].has_begun.is_set()
    begins.leave(first[0])  # it has left already
    assert not others[1].has_begun.is_set()
    begins.leave(others[0])
    assert others[1].has_begun.wait(30)
    for life in lives:
        life.may_end.set()
        begins.leave(life)
    assert others[2].has_begun.wait(30)


def test_trees_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that spawns many children delays others by one of them."""
    monkeypatch.setattr(admission, "MOMENT", 60.0)
    begins = Admission()
    busy = [Waiting() for _ in range(MOST)]
    children = [Waiting(busy[0]) for _ in range(5)]
    others = [Waiting(), Waiting()]
    for life in (*busy, *children, *others):
        begins.begin(life, life.work)
    order = [children[0], others[0], others[1], *children[1:]]
    for gone, following in zip([*busy, *order], order, strict=False):
        assert not following.has_begun.is_set()
        gone.may_end.set()
        begins.leave(gone)
        assert following.has_begun.wait(30)
        assert sum(life.has_begun.is_set() for life in order) == order.index(following) + 1
    for life in order:
        life.may_end.set()


def test_nobody_waits_for_one_that_goes_on() -> None:
    """After a moment it holds back nobody."""
    begins = Admission()
    lives = [Waiting() for _ in range(3 * MOST)]
    for life in lives:
        begins.begin(life, life.work)
    assert all(life.has_begun.wait(30) for life in lives)
    for life in lives:
        life.may_end.set()


def test_one_that_is_stopped_while_it_waits_is_ended_before_its_turn() -> None:
    """Others keep their places."""
    begins = Admission()
    lives = begun(begins, MOST + 2)
    assert not lives[-1].has_begun.is_set()
    lives[-1].is_ending = True
    begins.hasten()
    assert lives[-1].has_begun.wait(30)
    assert not lives[-2].has_begun.is_set()
    for life in lives:
        life.may_end.set()
        begins.leave(life)
    assert lives[-2].has_begun.wait(30)


def test_one_for_which_there_is_no_thread_ends_with_the_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """`spawn` has returned by then."""
    begins = Admission()
    lives = begun(begins, MOST + 1)

    def run(_work: Callable[[], object], *, stack: int) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(workers, "run", run)
    begins.leave(lives[0])
    assert lives[-1].has_begun.is_set()
    assert str(lives[-1].error) == "can't start new thread"
    with pytest.raises(RuntimeError, match="new thread"):
        Admission().begin(late := Waiting(), late.work)
    for life in lives:
        life.may_end.set()


def test_processes_that_compute_all_run_and_all_are_killed() -> None:
    """However many there are."""
    processes = [spawn(spin) for _ in range(MANY)]
    eventually(lambda: all(p.stats().cpu_seconds > MOMENT for p in processes))
    for p in processes:
        p.kill()
    for p in processes:
        with pytest.raises(ProcessKilled):
            p.result(30)


def test_processes_that_wait_for_each_other_all_begin() -> None:
    """Each is alive before the first ends."""
    with Environment(timeout=None).spawn(echo) as last:
        chain = [last, *(spawn(echo) for _ in range(MANY))]
        for p in reversed(chain):
            p.send(1)
        for p in chain:
            p.result(30)


def test_killed_before_its_turn_runs_nothing() -> None:
    """And says that it was killed."""
    lines: list[str] = []
    environment = Environment(stdout=lines.append)
    busy = [spawn(spin) for _ in range(3 * MOST)]
    late = [environment.spawn(print, "run") for _ in range(MANY)]
    for p in late:
        p.kill()
    killed = 0
    for p in late:
        try:
            p.result(30)
        except ProcessKilled:
            killed += 1
    assert len(lines) + killed >= MANY
    assert killed
    for p in busy:
        p.kill()


def test_a_burst_answers_in_its_order() -> None:
    """Twice, as the second time all is kept."""
    for _ in range(2):
        assert [p.result(60) for p in [spawn(lambda n=n: n * n) for n in range(200)]] == [n * n for n in range(200)]
    assert not capsend.processes()


def test_timeout_counts_from_the_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not while others hold the process back."""
    monkeypatch.setattr(admission, "MOMENT", 1.5)
    busy = [spawn(spin) for _ in range(MOST)]
    began = time.monotonic()
    late = Environment(timeout=1.0).spawn(pow, 2, 10)
    assert late.result(60) == 1024
    assert time.monotonic() - began > 1.0
    for p in busy:
        p.kill()
