"""Calls of functions of the host: their limits, calls that hang, and calls of hostile processes."""

import asyncio
import importlib
import threading
import time
from decimal import Decimal

import pytest

import capsend
from capsend import Dir, Environment, HostFunction, spawn
from tests.capabilities.pricing import PATIENCE, error_of, price, result


class Thing:
    """Something that goes away."""


def test_number_of_calls_is_limited_per_process():
    """Further calls raise LimitExceeded in the process; another process has its own count."""
    thrice = price.limited(calls=3)
    work = lambda: [error_of(thrice, "tea")[0] for _ in range(5)]
    assert result(work) == result(work) == ["no error"] * 3 + ["LimitExceeded"] * 2


def test_rate_of_calls_is_limited():
    """A process that calls too fast is made to wait."""
    slow = price.limited(rate=20)
    began = time.monotonic()
    assert result(lambda: len([slow("tea") for _ in range(30)])) == 30
    assert time.monotonic() - began >= 0.45


def test_call_that_takes_too_long_is_a_timeout_inside():
    """The process goes on, and its next call is answered."""
    release = threading.Event()

    def hang(forever: bool) -> str:
        if forever:
            release.wait(PATIENCE)
        return "done"

    hanging = HostFunction(hang).limited(timeout=0.2)
    work = lambda: [error_of(hanging, True)[0], hanging(False)]
    try:
        assert result(work) == ["TimeoutError", "done"]
    finally:
        release.set()


def test_calls_that_go_on_are_bounded():
    """A process cannot fill this program with threads by calls that it gives up."""
    release = threading.Event()

    def hang() -> None:
        release.wait(PATIENCE)

    hanging = HostFunction(hang).limited(timeout=0.01)
    before = threading.active_count()
    try:
        outcomes = result(lambda: [error_of(hanging)[0] for _ in range(30)])
        assert outcomes == ["TimeoutError"] * 8 + ["LimitExceeded"] * 22
        assert threading.active_count() - before <= 10
    finally:
        release.set()


def test_slow_async_function_is_cancelled():
    """When its time is over."""
    cancelled = threading.Event()

    async def hang() -> None:
        try:
            await asyncio.sleep(PATIENCE)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    hanging = HostFunction(hang).limited(timeout=0.1)

    async def work():
        try:
            await hanging()
        except TimeoutError:
            return "late"

    assert result(work) == "late"
    assert cancelled.wait(PATIENCE)


@pytest.mark.parametrize("end", ["kill", "timeout"])
def test_process_whose_call_hangs_ends_at_once(end):
    """By kill and by its own timeout, whatever the function does."""
    started, release = threading.Event(), threading.Event()

    def hang() -> None:
        started.set()
        release.wait(PATIENCE)

    hanging = HostFunction(hang)
    process = Environment(timeout=0.5 if end == "timeout" else None).spawn(hanging)
    try:
        assert started.wait(PATIENCE)
        began = time.monotonic()
        if end == "kill":
            process.kill()
        with pytest.raises(capsend.ProcessKilled if end == "kill" else capsend.TimeLimitExceeded):
            process.result(timeout=PATIENCE)
        assert time.monotonic() - began < 5
    finally:
        release.set()


def test_killed_process_cancels_its_async_call():
    """A call without a waiter does not continue."""
    started, cancelled = threading.Event(), threading.Event()

    async def hang() -> None:
        started.set()
        try:
            await asyncio.sleep(PATIENCE)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    process = spawn(HostFunction(hang))
    assert started.wait(PATIENCE)
    process.kill()
    assert cancelled.wait(PATIENCE)


def test_function_may_kill_the_process_that_calls_it():
    """The function runs on its own thread, from which it can kill the process."""
    found = {}
    ready = threading.Event()

    def end() -> None:
        ready.wait(PATIENCE)
        found["process"].kill()

    found["process"] = spawn(HostFunction(end))
    ready.set()
    with pytest.raises(capsend.ProcessKilled):
        found["process"].result(timeout=PATIENCE)


def test_function_may_spawn_and_wait():
    """A process that waits in a call does not keep others from running, nor does a call in a call."""

    def outer(n: int) -> int:
        return n if n == 0 else 1 + capsend.spawn(lambda: host(n - 1)).result(timeout=PATIENCE)

    host = HostFunction(outer)
    assert result(lambda: host(5)) == 5


def test_function_that_waits_for_its_own_process_is_ended_by_the_timeout():
    """A deadlock of the user's making ends as every process does."""
    found, ready = {}, threading.Event()

    def wait() -> None:
        ready.wait(PATIENCE)
        found["process"].result(timeout=PATIENCE)

    found["process"] = Environment(timeout=0.5).spawn(HostFunction(wait))
    ready.set()
    with pytest.raises(capsend.TimeLimitExceeded):
        found["process"].result(timeout=PATIENCE)


GARBAGE = [
    "", ":", "0", "0:", "x:p1", "-1:p1", "0:p1", "0:p[]", "0:k0280", "0:g5:[[]]", "0:c[[],{}]", "0:c[[1],{}]", "99999999999:c[[],{}]",
    "1:c[[],{}]", '0:c[[],{"sku":[]}]', "\u0660:c[[],{}]", "0:" + "[" * 100_000, "0:p" + "[" * 100_000, "0:c[[" + "1," * 100_000 + "1],{}]",
    '0:g1a:[["x",{"n":["os","system"]}]]', '0:g17:[["x",{"h":0}],["t"]]', "0:s" + "x" * 1_000_000,
]  # fmt: skip


def test_garbage_is_answered_with_an_error():
    """Whatever a process says instead of a call, it gets an error as data, and the next call works."""
    garbage = tuple(GARBAGE)

    def work():
        host = importlib.import_module("capsend_guest.host_operations")
        kinds = {host.request(40, payload)[:1] for payload in garbage}
        return kinds, price("tea")

    assert result(work) == ({"e"}, Decimal("1.5"))


def test_arguments_are_bounded():
    """A process cannot fill this program's memory with one call."""
    assert result(lambda: [error_of(price, "x" * (17 << 20))[0], price("tea")]) == ["TypeError", Decimal("1.5")]


def test_function_that_was_not_granted_cannot_be_called():
    """Numbers of other processes' handles, and numbers of handles of another kind, mean nothing."""
    holder, folder = spawn(lambda: price("tea")), Dir("/tmp")
    holder.result(timeout=PATIENCE)

    def work():
        host = importlib.import_module("capsend_guest.host_operations")
        return str(folder)[:6], [host.request(40, f'{n}:c[["tea"],{{}}]') for n in range(10)]

    mount, answers = result(work)
    assert mount == "/dirs/"
    assert all("PermissionError" in answer for answer in answers)


def test_flood_of_calls_leaves_nothing_behind():
    """Thousands of calls run on one thread, which goes with its process."""
    before = threading.active_count()
    assert result(lambda: sum(len(str(price("tea"))) for _ in range(5_000))) == 15_000
    deadline = time.monotonic() + 10
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.001)
    assert threading.active_count() <= before


def test_call_from_a_destructor_at_the_end_is_answered():
    """The last moments of a process are like any other."""
    seen = []

    def note(n: int) -> None:
        seen.append(n)

    noted = HostFunction(note)

    def work():
        import weakref

        weakref.finalize(Thing(), noted, 1)
        noted(2)

    result(work)
    assert seen == [1, 2]


def test_interpreter_exits_while_a_function_hangs(run_script):
    """A call that never returns does not keep the program from ending."""
    source = """
        import threading, time
        from capsend import host_function, spawn
        started = threading.Event()

        @host_function
        def hang() -> None:
            started.set()
            time.sleep(1000)

        if __name__ == "__main__":
            process = spawn(hang)
            started.wait(60)
            print("leaving")
    """
    done = run_script(source, timeout=60)
    assert (done.stdout, done.returncode) == ("leaving\n", 0), done.stderr
