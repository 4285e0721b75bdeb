"""The threads of processes are kept for a moment, and nothing of one process reaches the next."""

from __future__ import annotations

import _thread
import threading
import time
from typing import TYPE_CHECKING

import pytest

import capsend
from capsend.runtime import workers

if TYPE_CHECKING:
    from collections.abc import Iterator

STACK = 1 << 20


@pytest.fixture(autouse=True)
def none_idle(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A reserve of threads for each test alone."""
    monkeypatch.setattr(workers, "_idle", workers.collections.defaultdict(workers.collections.deque))
    return


def until(condition) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_thread_that_has_become_free_is_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work that begins while a thread is idle runs on that thread."""
    monkeypatch.setattr(workers, "PATIENCE", 30)
    first = workers.call(threading.get_ident, stack=STACK)
    until(lambda: workers._idle[STACK])
    assert workers.call(threading.get_ident, stack=STACK) == first


def test_thread_of_another_stack_size_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A guest that needs a large stack gets one."""
    monkeypatch.setattr(workers, "PATIENCE", 30)
    first = workers.call(threading.get_ident, stack=STACK)
    until(lambda: workers._idle[STACK])
    assert workers.call(threading.get_ident, stack=2 * STACK) != first


def test_idle_thread_ends() -> None:
    """A thread for which nothing comes gives back its stack."""
    workers.call(threading.get_ident, stack=STACK)
    until(lambda: workers._idle[STACK])
    until(lambda: not workers._idle[STACK])


def test_only_a_few_threads_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many processes that end at once do not leave as many threads behind."""
    monkeypatch.setattr(workers, "PATIENCE", 30)
    before, together = _thread._count(), threading.Barrier(12)
    for _ in range(11):
        workers.run(together.wait, stack=STACK)
    together.wait()
    until(lambda: _thread._count() - before <= workers.MOST_IDLE)


def test_error_reaches_the_one_that_waits() -> None:
    """An error of the function on such a thread is raised in the caller."""

    def fail() -> None:
        raise KeyError("why")

    with pytest.raises(KeyError, match="why"):
        workers.call(fail, stack=STACK)


def test_processor_time_of_a_process_begins_at_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process is not charged for what its thread did for another one before."""
    monkeypatch.setattr(workers, "PATIENCE", 30)

    def compute(seconds: float) -> float:
        end = time.process_time() + seconds
        while time.process_time() < end:
            pass
        return time.process_time()

    busy = capsend.spawn(compute, 0.5)
    assert busy.result(timeout=120) >= 0.5
    until(lambda: any(workers._idle.values()))
    idle = capsend.Environment(cpu=0.4).spawn(compute, 0.0)
    assert idle.result(timeout=120) < 0.4
    assert idle.stats().cpu_seconds < 0.4 < busy.stats().cpu_seconds
