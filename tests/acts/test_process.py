"""Processes: results, limits, output, waiting, and every way to end."""

import asyncio
import contextlib
import gc
import io
import os
import random
import signal
import subprocess
import sys
import threading
import time
import uuid

import pytest
from endless import asleep, busy

from capsend.environment import Environment
from capsend.exceptions import (
    CaptureError,
    MemoryLimitExceeded,
    OutputLimitExceeded,
    ProcessFailed,
    ProcessKilled,
    TimeLimitExceeded,
)
from capsend.process import Process
from capsend.spawning import Spawnable, check, process, spawn

MIB = 1 << 20


async def coroutine_asleep():
    """Sleep on an event loop for long."""
    print("asleep")
    await asyncio.sleep(600)


def started(function, **environment):
    """Spawn a function that prints and then goes on for ever, and wait until it has printed."""
    wrote = threading.Event()
    running = Environment(stdout=lambda text: wrote.set(), **environment).spawn(function)
    assert wrote.wait(20)
    return running


def test_result_is_what_the_function_returned():
    """The value comes back, and how the process ended is known."""
    p = spawn(lambda a, b: a + b, 2, b=3)
    assert (p.result(), p.done(), p.exit_reason) == (5, True, "normal")


def test_result_can_be_asked_for_again():
    """Waiting twice gives the same object."""
    p = spawn(lambda: [1])
    assert p.result() is p.result()


def test_exception_comes_back_as_itself():
    """The class and the arguments survive."""
    p = spawn(lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        p.result()
    assert p.exit_reason == "failed"


def test_waiting_in_vain_does_not_end_the_process():
    """A timeout of `result` concerns the wait only."""
    p = started(asleep)
    with pytest.raises(TimeoutError) as caught:
        p.result(timeout=0.01)
    assert not isinstance(caught.value, TimeLimitExceeded)
    assert not p.done()
    p.kill()


@pytest.mark.parametrize("function", [busy, asleep, coroutine_asleep])
def test_kill_ends_it_whatever_it_does(function):
    """A busy loop, a sleep and an event loop end at once."""
    p = started(function)
    p.kill()
    with pytest.raises(ProcessKilled, match="was killed"):
        p.result(timeout=10)
    assert p.exit_reason == "killed"


def test_kill_after_the_end_changes_nothing():
    """The outcome stays."""
    p = spawn(lambda: 1)
    p.result()
    p.kill()
    assert (p.result(), p.exit_reason) == (1, "normal")


@pytest.mark.parametrize("function", [busy, asleep, coroutine_asleep])
def test_timeout_ends_it_whatever_it_does(function):
    """Wall-clock time is limited, sleeps included."""
    p = Environment(timeout=0.2, stdout=None).spawn(function)
    with pytest.raises(TimeLimitExceeded, match=r"0\.2 s") as caught:
        p.result(timeout=20)
    assert (p.exit_reason, caught.value.limit) == ("limit", 0.2)


def interrupt():
    """As Ctrl-C would, inside."""
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("function", "args", "kind"), [(sys.exit, (3,), SystemExit), (interrupt, (), KeyboardInterrupt)]
)
def test_an_exit_inside_comes_back_as_itself_and_is_caught_as_an_exception(function, args, kind):
    """The error is caught both as the built-in class and as an `Exception`."""
    with pytest.raises(kind) as caught:
        spawn(function, *args).result()
    assert isinstance(caught.value, Exception)
    assert isinstance(caught.value, ProcessFailed)
    assert getattr(caught.value, "code", 3) == 3


def test_an_exit_without_a_code_is_no_success():
    """A process that ends without a result must not end this program as if all were well."""
    with pytest.raises(SystemExit, match="SystemExit") as caught:
        spawn(sys.exit).result()
    assert "failed" in caught.value.code


def test_cpu_time_is_limited_and_sleeping_costs_none():
    """A busy loop ends when its CPU time is used up; a sleep that is longer does not count."""
    environment = Environment(cpu=0.3, stdout=None)
    p = environment.spawn(busy)
    with pytest.raises(TimeLimitExceeded, match=r"0\.3 s of CPU time") as caught:
        p.result(timeout=60)
    assert (p.exit_reason, caught.value.limit) == ("limit", 0.3)
    assert environment.spawn(time.sleep, 0.6).result(timeout=60) is None


def test_memory_error_nobody_caught_is_the_memory_limit():
    """The limit and how to raise it are in the message."""
    p = Environment(memory=128 * MIB).spawn(lambda: len(bytearray(1 << 30)))
    with pytest.raises(MemoryLimitExceeded, match=str(128 * MIB)) as caught:
        p.result()
    assert (p.exit_reason, caught.value.limit) == ("limit", 128 * MIB)


def test_memory_error_that_was_caught_is_nothing():
    """Inside, the limit is an ordinary MemoryError."""

    def careful():
        try:
            return len(bytearray(1 << 30))
        except MemoryError:
            return "careful"

    assert Environment(memory=128 * MIB).spawn(careful).result() == "careful"


def test_output_limit_ends_it_and_what_was_within_it_arrives():
    """Output is counted over both streams."""
    lines = []

    def chatter():
        while True:
            print("x" * 99)

    p = Environment(output=10_000, stdout=lines.append).spawn(chatter)
    with pytest.raises(OutputLimitExceeded, match="10000 bytes"):
        p.result(timeout=20)
    assert (p.exit_reason, len("".join(lines))) == ("limit", 10_000)


def test_result_above_its_limit_is_refused():
    """A result cannot grow the host."""
    p = Environment(result=10_000).spawn(lambda: "x" * 20_000)
    with pytest.raises(OutputLimitExceeded, match="result"):
        p.result()
    assert p.exit_reason == "limit"


def test_large_result_arrives_in_parts_and_is_whole():
    """One call into the host carries 128 MiB; a result may be larger."""
    large = Environment(result=300 * MIB)
    assert large.spawn(lambda: "ab" * 80_000_000).result() == "ab" * 80_000_000


def test_result_far_above_its_limit_is_not_waited_for():
    """Parts of the result that are sent ahead count towards the limit."""
    p = Environment(result=MIB).spawn(lambda: "x" * 160_000_000)
    with pytest.raises(OutputLimitExceeded, match="result"):
        p.result()


@pytest.mark.parametrize("end", [os.abort, lambda: os._exit(0)])
def test_fault_is_process_failed_and_takes_nothing_else_with_it(end):
    """Other processes, and this program, go on."""
    other = started(asleep)
    p = spawn(end)
    with pytest.raises(ProcessFailed, match="fault"):
        p.result()
    assert (p.exit_reason, other.done(), spawn(lambda: 1).result()) == ("trap", False, 1)
    other.kill()


def test_deep_recursion_in_c_is_a_recursion_error():
    """CPython's own check comes before the end of the stack."""
    import json

    with pytest.raises(RecursionError):
        spawn(json.loads, "[" * 100_000).result()


class Endless:
    def __getattr__(self, name):
        return getattr(self, name + "x")


def test_endless_recursion_through_attributes_is_a_recursion_error():
    """A mistake that many make is reported as they know it."""
    with pytest.raises(RecursionError):
        spawn(lambda: Endless().a).result()


def test_leaving_the_block_kills_what_still_runs():
    """`with` bounds the life of a process."""
    with started(busy) as p:
        assert not p.done()
    assert p.exit_reason == "killed"


def test_leaving_the_block_keeps_the_result_of_what_has_ended():
    """Killing what has ended changes nothing."""
    with spawn(lambda: 1) as p:
        p.result()
    assert p.result() == 1


def test_dropped_handle_ends_its_process():
    """Nobody can ask for the result any more."""
    p = started(busy)
    life = p._life
    del p
    gc.collect()
    assert life.finished.wait(10)
    assert life.reason == "killed"


def test_finished_process_leaves_nothing_behind():
    """No life, guest or thread stays when a process has ended."""
    from capsend import engine
    from capsend.runtime import pool, running

    handles = [spawn(lambda: 1) for _ in range(20)]
    lives_of = [p._life for p in handles]
    assert [p.result() for p in handles] == [1] * 20
    deadline = time.monotonic() + 10
    while any(life in running._live for life in lives_of) and time.monotonic() < deadline:
        time.sleep(0.001)
    assert not any(life in running._live or life.guest for life in lives_of)
    assert len(engine.guests) <= len(running._live) + pool._TEMPLATES * (pool.SIZE + pool.SPARES) + 1


# --- output ---


def speak():
    """Write to both streams."""
    print("out")
    print("err", file=sys.stderr)


def test_output_goes_to_the_streams_of_the_moment(capsys):
    """`sys.stdout` and `sys.stderr` are looked up when something is written, so pytest sees it."""
    spawn(speak).result()
    assert capsys.readouterr() == ("out\n", "err\n")


def test_output_can_be_redirected_like_any_other():
    """So does `contextlib.redirect_stdout`."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        spawn(lambda: print("there")).result()
    assert out.getvalue() == "there\n"


def test_output_comes_in_whole_lines():
    """A line is handed on when it is complete, and the last one at the end."""
    pieces = []

    def write():
        for text in ("a", "b\nc", "\n", "d\ne\nf"):
            sys.stdout.write(text)

    Environment(stdout=pieces.append).spawn(write).result()
    assert "".join(pieces) == "ab\nc\nd\ne\nf"
    assert all(piece.endswith("\n") for piece in pieces[:-1])


def test_output_to_nowhere_is_discarded(capsys):
    """None means nowhere."""
    Environment(stdout=None, stderr=None).spawn(lambda: print("out")).result()
    assert capsys.readouterr() == ("", "")


def test_output_before_the_end_has_arrived_when_result_returns_or_raises():
    """Nothing is lost, in whatever way it ends."""
    for end in (lambda: None, lambda: 1 // 0, lambda: os._exit(1)):
        lines = []

        def work(end=end):
            print("before the end")
            return end()

        with contextlib.suppress(ZeroDivisionError, ProcessFailed):
            Environment(stdout=lines.append).spawn(work).result()
        assert lines == ["before the end\n"]


@pytest.mark.parametrize("text", ["ümläut \U0001f600", "\x00\x01", "\ud800"])
def test_any_text_can_be_written(text):
    """Bytes that are not valid text arrive as backslash escapes."""
    lines = []
    Environment(stdout=lines.append).spawn(print, text).result()
    assert lines == [text.encode("utf-8", "backslashreplace").decode() + "\n"]


def test_bytes_can_be_written_to_the_buffer():
    """As on an ordinary stream."""
    lines = []
    Environment(stdout=lines.append).spawn(lambda: sys.stdout.buffer.write(b"caf\xc3\xa9 \xff\n")).result()
    assert lines == ["café \\xff\n"]


def test_failing_target_of_output_fails_the_process():
    """The exception is not lost."""
    p = Environment(stdout=lambda text: 1 // 0).spawn(print, "x")
    with pytest.raises(ZeroDivisionError):
        p.result()


# --- fresh ---


def test_random_is_fresh_in_every_process():
    """The snapshot froze no random state."""

    def draw():
        return random.random(), str(uuid.uuid4()), os.urandom(8).hex()

    drawn = [spawn(draw).result() for _ in range(4)]
    assert all(len(set(column)) == 4 for column in zip(*drawn, strict=True))


def test_clocks_are_right():
    """Time inside is the time of this machine."""
    before = time.time()
    inside, slept = spawn(lambda: (time.time(), _slept())).result()
    assert before <= inside <= time.time()
    assert 0.05 <= slept < 5


def _slept():
    start = time.monotonic()
    time.sleep(0.05)
    return time.monotonic() - start


def test_time_zones_are_there():
    """`zoneinfo` works without files."""
    import datetime as dt
    import zoneinfo

    def offset():
        moment = dt.datetime(2024, 7, 1, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin"))
        return moment.utcoffset(), len(zoneinfo.available_timezones()) > 400

    assert spawn(offset).result() == (dt.timedelta(hours=2), True)


# --- handles ---


def test_every_process_has_a_number_of_its_own():
    """Ids are never used twice."""
    ids = [p.id for p in [spawn(lambda: 1) for _ in range(5)]]
    assert len(set(ids)) == 5


def test_handle_says_what_it_is():
    """The function's name and the state are in the repr."""
    p = spawn(busy)
    assert "busy: running" in repr(p)
    p.kill()
    with contextlib.suppress(ProcessKilled):
        p.result()
    assert "busy: killed" in repr(p)


def test_awaiting_gives_the_result_without_blocking_the_loop():
    """Other tasks go on meanwhile."""

    async def main():
        ticks = 0
        task = asyncio.ensure_future(wait_for(spawn(lambda: time.sleep(0.1) or 7)))
        while not task.done():
            ticks += 1
            await asyncio.sleep(0.01)
        return task.result(), ticks > 2

    async def wait_for(p):
        return await p

    assert asyncio.run(main()) == (7, True)


def test_cancelled_wait_leaves_the_process_alone():
    """It can be awaited again; `async with` is what kills it on the way out."""

    async def main():
        waited = spawn(time.sleep, 0.3)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await waited
        first = waited.exit_reason, await waited
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05), spawn(time.sleep, 600) as held:
                await held
        return *first, held.exit_reason

    assert asyncio.run(main()) == (None, None, "killed")


def test_awaiting_raises_what_the_process_raised():
    """As `result` does."""

    async def main():
        await spawn(lambda: 1 // 0)

    with pytest.raises(ZeroDivisionError):
        asyncio.run(main())


def test_leaving_an_async_block_kills_what_still_runs():
    """As with an ordinary block."""

    async def main():
        async with spawn(busy) as p:
            pass
        return p.exit_reason

    assert asyncio.run(main()) == "killed"


def test_loop_that_was_closed_meanwhile_does_no_harm():
    """Nobody waits any more, and nothing is printed."""
    p = started(asleep)

    async def main():
        await asyncio.wait_for(asyncio.shield(asyncio.ensure_future(p._ended())), 0.01)

    with pytest.raises(TimeoutError):
        asyncio.run(main())
    p.kill()
    with pytest.raises(ProcessKilled):
        p.result()


def test_coroutine_function_runs_on_a_loop_inside():
    """The result is what it returns."""

    async def work():
        await asyncio.sleep(0.01)
        return await asyncio.gather(*(asyncio.sleep(0.01, n) for n in range(3)))

    assert spawn(work).result() == [0, 1, 2]


def test_many_threads_can_spawn_at_once():
    """Spawning is safe from any thread."""
    results = []

    def work(n):
        results.append(spawn(lambda: n * n).result())

    threads = [threading.Thread(target=work, args=(n,)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [n * n for n in range(20)]


def test_process_of_a_thread_that_has_ended_goes_on():
    """A process belongs to its handle, not to the thread that spawned it."""
    handles = []
    thread = threading.Thread(target=lambda: handles.append(spawn(lambda: 1)))
    thread.start()
    thread.join()
    assert handles[0].result() == 1


# --- bad input ---


@pytest.mark.parametrize("thing", [3, None, "print", [len]])
def test_what_cannot_be_called_is_refused(thing):
    """Before a process starts."""
    with pytest.raises(TypeError, match="spawn needs a"):
        spawn(thing)


@pytest.mark.parametrize("arguments", [(), (1, 2)])
def test_wrong_number_of_arguments_is_refused(arguments):
    """Before a process starts."""
    with pytest.raises(TypeError, match="argument"):
        spawn(lambda a: a, *arguments)


# --- @process and check ---


@process
def square(n: int) -> int:
    """Square a number."""
    return n * n


def test_spawnable_can_be_called_and_spawned():
    """Both ways to spawn it are the same."""
    assert (square(3), square.spawn(3).result(), spawn(square, 3).result()) == (9, 9, 9)


def test_spawnable_looks_like_its_function():
    """Name and docstring are kept."""
    assert isinstance(square, Spawnable)
    assert (square.__name__, square.__doc__) == ("square", "Square a number.")


def test_spawnable_cannot_be_changed():
    """A function stays as it was checked."""
    with pytest.raises(AttributeError):
        square.__wrapped__ = print


def test_captures_are_checked_at_the_definition():
    """The error comes before anybody spawns."""
    box: list[int] = []
    with pytest.raises(CaptureError, match="box"):

        @process
        def work() -> None:
            box.append(1)


def test_check_raises_what_spawn_would():
    """Without running anything."""
    box: list[int] = []
    with pytest.raises(CaptureError) as checked:
        check(lambda: box)
    with pytest.raises(CaptureError) as spawned:
        spawn(lambda: box)
    assert len(checked.value.findings) == len(spawned.value.findings) == 1
    check(square)


# --- the end of the program ---


def test_program_ends_cleanly_while_processes_run(run_script):
    """They are killed, and nothing is printed."""
    done = run_script(
        """
        import time
        from capsend.spawning import spawn

        def asleep():
            time.sleep(600)

        def busy():
            while True:
                pass

        handles = [spawn(asleep), spawn(busy), spawn(print, "hello")]
        handles[-1].result()
        """
    )
    assert (done.stdout, done.stderr, done.returncode) == ("hello\n", "", 0)


def test_control_c_interrupts_waiting(tmp_path):
    """`result` does not swallow it, and the program ends."""
    script = tmp_path / "script.py"
    script.write_text(
        "import time\nfrom capsend import spawn\n"
        "def work():\n    print('ready')\n    time.sleep(600)\n"
        "try:\n    spawn(work).result()\nexcept KeyboardInterrupt:\n    print('interrupted')\n"
    )
    command = [sys.executable, "-u", str(script)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
        assert program.stdout.readline() == "ready\n"
        program.send_signal(signal.SIGINT)
        out, err = program.communicate(timeout=20)
    assert (out, err, program.returncode) == ("interrupted\n", "", 0)


def test_importing_capsend_loads_no_engine(run_script):
    """Nothing that is slow to import is imported before it is needed."""
    done = run_script(
        """
        import sys
        import capsend
        slow = {"wasmtime", "rich", "componentize_py", "asyncio", "concurrent.futures", "platformdirs", "subprocess"}
        print(sorted(slow & set(sys.modules)))
        """
    )
    assert done.stdout == "[]\n"


def test_process_cannot_be_made_by_hand_without_a_life():
    """The handle alone is nothing."""
    with pytest.raises(TypeError):
        Process()


def test_process_without_a_mailbox_says_so_when_it_is_sent_something() -> None:
    """`send` and `call` are missing, as anything is that does not exist, and the message tells how to have them."""
    p = spawn(pow, 2, 3)
    with pytest.raises(
        AttributeError, match=r"takes no messages, and has no send: .* first parameter, annotated Mailbox"
    ):
        p.send(1)  # type: ignore[attr-defined] # which mypy sees as well
    with pytest.raises(AttributeError, match="'Process' object has no attribute 'answer'"):
        p.answer()  # type: ignore[attr-defined] # the same
    assert not hasattr(p, "call")
    assert p.result(timeout=60) == 8
