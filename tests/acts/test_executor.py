"""The executor: what the standard library asks of one, with a fresh process for every task."""

import collections
import concurrent.futures
import itertools
import os
import threading
import time
import weakref

import pytest

from capsend.environment import Environment
from capsend.exceptions import CaptureError, ProcessFailed, ProcessKilled, TimeLimitExceeded
from capsend.executor import Executor

pytestmark = pytest.mark.usefixtures("everywhere")


def test_submit_gives_a_future_of_the_standard_library():
    """Code that waits for futures works."""
    with Executor() as executor:
        futures = [executor.submit(pow, 2, n) for n in range(4)]
        done, not_done = concurrent.futures.wait(futures, timeout=60)
    assert (len(done), len(not_done), [f.result() for f in futures]) == (4, 0, [1, 2, 4, 8])


def test_map_keeps_the_order():
    """Results come in the order of the arguments."""
    with Executor(max_workers=2) as executor:
        assert list(executor.map(lambda a, b: a * b, [1, 2, 3], [4, 5, 6], chunksize=2)) == [4, 10, 18]


def test_map_stops_waiting_after_its_timeout():
    """The timeout is that of the standard library."""
    with Executor(environment=Environment(timeout=5)) as executor:
        results = executor.map(time.sleep, [0, 600], timeout=1)
        assert next(results) is None
        with pytest.raises(TimeoutError):
            next(results)


def test_map_submits_no_more_than_its_buffer():
    """On every Python; what has not been yielded counts."""
    taken = []
    with Executor(max_workers=2) as executor:
        results = executor.map(abs, (taken.append(n) or n for n in itertools.count()), buffersize=2)
        assert taken == [0, 1]
        assert (next(results), next(results), taken) == (0, 1, [0, 1, 2, 3])
        results.close()


@pytest.mark.parametrize(("size", "error"), [(0, ValueError), ("2", TypeError)])
def test_absurd_buffersize_is_refused(size, error):
    """As in the standard library."""
    with Executor() as executor, pytest.raises(error, match="buffersize must be"):
        executor.map(len, ["a"], buffersize=size)


def test_running_task_can_be_killed():
    """`cancel` cannot end a running task, `kill` can. The worker is free afterwards; a waiting task is cancelled."""
    with Executor(max_workers=1) as executor:
        running, waiting, last = (executor.submit(time.sleep, seconds) for seconds in (600, 600, 0))
        waiting.kill()
        running.kill()
        assert isinstance(running.exception(), ProcessKilled)
        assert (waiting.cancelled(), last.result()) == (True, None)
        last.kill()
        assert last.result() is None


def test_all_workers_can_be_killed():
    """Running tasks are killed, waiting ones are cancelled, and no further tasks are accepted."""
    executor = Executor(max_workers=1)
    running, waiting = executor.submit(time.sleep, 600), executor.submit(time.sleep, 600)
    executor.kill_workers()
    assert isinstance(running.exception(), ProcessKilled)
    assert waiting.cancelled()
    with pytest.raises(RuntimeError, match="after shutdown"):
        executor.submit(abs, 1)


def test_tasks_of_one_executor_can_have_limits_of_their_own():
    """They share its workers, and its end."""
    with Executor(max_workers=1) as executor:
        short = executor.within(Environment(timeout=0.2))
        assert isinstance(short.submit(time.sleep, 600).exception(), TimeLimitExceeded)
        assert list(short.map(abs, [-1])) == [1]
        assert executor.submit(time.sleep, 0.3).result() is None
    with pytest.raises(RuntimeError, match="after shutdown"):
        short.submit(abs, 1)
    with pytest.raises(TypeError, match="environment must be an Environment"):
        executor.within(3)


def test_initializer_is_explained_away():
    """A worker lives for one task."""
    with pytest.raises(
        TypeError, match=r"takes no initializer: each task .* Call the initializer in the function itself"
    ):
        Executor(initializer=print)


@pytest.mark.parametrize("cancel", [False, True])
def test_callback_can_shut_the_executor_down(cancel):
    """Shutting down in a callback waits for all running and waiting tasks, but not for the task of the callback."""
    executor = Executor(max_workers=1)
    states = []
    began = threading.Event()

    def end(future):
        began.wait(60)
        executor.shutdown(wait=True, cancel_futures=cancel)
        states.extend(future.cancelled() if cancel else future.done() for future in futures)

    futures = [executor.submit(abs, n) for n in range(3)]
    ended = threading.Event()
    futures[0].add_done_callback(lambda future: (end(future), ended.set()))
    began.set()
    assert ended.wait(60)
    assert len(states) == 3
    assert all(future.done() for future in futures)


def test_callbacks_that_shut_the_executor_down_do_not_wait_for_each_other(run_script):
    """And the program exits."""
    done = run_script(
        """
        import time
        from capsend import Executor

        executor = Executor(2)
        for n in range(6):
            executor.submit(time.sleep, 0.2).add_done_callback(lambda future: executor.shutdown(wait=True))
        print("ends")
        """,
        timeout=60,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("ends\n", "", 0)


def test_exception_of_a_task_is_in_its_future():
    """And nowhere else."""
    with Executor() as executor:
        bad, good = executor.submit(lambda: 1 // 0), executor.submit(lambda: 1)
        assert isinstance(bad.exception(), ZeroDivisionError)
        assert good.result() == 1


def test_results_of_map_are_not_kept():
    """Neither the iterator nor the executor holds what the caller has taken and let go."""
    with Executor(max_workers=2) as executor:
        for result in executor.map(collections.OrderedDict, [[], [], []]):
            let_go = threading.Event()
            weakref.finalize(result, let_go.set)
            del result
            assert let_go.wait(10)  # the thread that brought it may still be on its way out


def test_map_raises_where_a_call_raised():
    """The results before it come first."""
    with Executor() as executor:
        results = executor.map(divmod, [1, 1, 1], [2, 0, 5])
        assert next(results) == (0, 1)
        with pytest.raises(ZeroDivisionError):
            next(results)


def test_waiting_ends_at_the_first_failure_or_the_first_result():
    """`wait` and `as_completed` of the standard library work with futures that end, fail and are cancelled."""
    with Executor(max_workers=2) as executor:
        fast, slow = executor.submit(pow, 2, 5), executor.submit(time.sleep, 30)
        done, waiting = concurrent.futures.wait([fast, slow], return_when=concurrent.futures.FIRST_COMPLETED)
        assert (done, waiting) == ({fast}, {slow})
        failed = executor.submit(divmod, 1, 0)
        done, waiting = concurrent.futures.wait([failed, slow], return_when=concurrent.futures.FIRST_EXCEPTION)
        assert (done, waiting) == ({failed}, {slow})
        with pytest.raises(TimeoutError):
            list(concurrent.futures.as_completed([fast, slow], timeout=0))
        assert list(concurrent.futures.as_completed([fast, fast])) == [fast]
        executor.kill_workers()


def test_task_that_was_cancelled_does_not_hold_up_a_shutdown():
    """CPython's gh-94440."""
    executor = Executor(max_workers=1)
    executor.submit(int).result()
    executor.submit(int).cancel()
    executor.shutdown(wait=True)


def test_dead_process_fails_its_own_future_only():
    """There is no broken state."""
    with Executor(max_workers=1) as executor:
        dead, next_one = executor.submit(lambda: os._exit(1)), executor.submit(lambda: 1)
        assert isinstance(dead.exception(), ProcessFailed)
        assert next_one.result() == 1


def test_tasks_see_nothing_of_each_other():
    """Every task has a fresh process, also one after the other."""

    def leave_a_mark():
        import logging

        seen = logging.getLogger("mark").level
        logging.getLogger("mark").setLevel(7)
        return seen

    with Executor(max_workers=1) as executor:
        assert [executor.submit(leave_a_mark).result() for _ in range(3)] == [0] * 3


def test_captures_are_judged_in_submit():
    """The error comes where the mistake is."""
    box = []
    with Executor() as executor, pytest.raises(CaptureError, match="box"):
        executor.submit(lambda: box)


def test_no_more_processes_run_than_workers():
    """Further tasks wait."""
    running, most, lock = 0, 0, threading.Lock()

    def count(text):
        nonlocal running, most
        with lock:
            running += 1 if text == "in\n" else -1
            most = max(most, running)

    def work():
        print("in")
        time.sleep(0.05)
        print("out")

    with Executor(max_workers=2, environment=Environment(stdout=count)) as executor:
        for _ in range(8):
            executor.submit(work)
    assert (most, running) == (2, 0)


def test_shutdown_waits_for_all_tasks():
    """Those that were submitted run to their end."""
    executor = Executor(max_workers=1)
    futures = [executor.submit(lambda: 1) for _ in range(4)]
    executor.shutdown(wait=True)
    assert all(future.done() for future in futures)


def test_shutdown_can_cancel_what_has_not_started():
    """As in the standard library."""
    executor = Executor(max_workers=1, environment=Environment(timeout=1))
    futures = [executor.submit(lambda: time.sleep(600)) for _ in range(3)]
    executor.shutdown(cancel_futures=True)
    assert isinstance(futures[0].exception(), TimeLimitExceeded)
    assert [future.cancelled() for future in futures] == [False, True, True]


def test_waiting_task_can_be_cancelled():
    """A future that has not started is cancelled and never runs."""
    with Executor(max_workers=1, environment=Environment(timeout=1)) as executor:
        executor.submit(lambda: time.sleep(600))
        waiting = executor.submit(lambda: 1)
        assert waiting.cancel()
    assert waiting.cancelled()


def test_nothing_can_be_submitted_after_shutdown():
    """With the error of the standard library."""
    executor = Executor()
    executor.shutdown()
    with pytest.raises(RuntimeError, match="after shutdown"):
        executor.submit(lambda: 1)


@pytest.mark.parametrize(("workers", "error"), [(0, ValueError), (-1, ValueError), ("2", TypeError), (True, TypeError)])
def test_absurd_number_of_workers_is_refused(workers, error):
    """As in the standard library."""
    with pytest.raises(error, match="max_workers"):
        Executor(max_workers=workers)


def test_absurd_chunksize_is_refused():
    """As in the standard library."""
    with Executor() as executor, pytest.raises(ValueError, match="chunksize"):
        executor.map(len, ["a"], chunksize=0)


def test_program_that_ends_lets_submitted_tasks_run(run_script):
    """As other executors do."""
    done = run_script(
        """
        from capsend.executor import Executor

        executor = Executor(max_workers=1)
        futures = [executor.submit(print, n) for n in range(3)]
        """
    )
    assert (done.stdout, done.stderr, done.returncode) == ("0\n1\n2\n", "", 0)
