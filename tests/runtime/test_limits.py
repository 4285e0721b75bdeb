"""Processes under stress: killed at any moment, on a full disk, after a fork, and nothing of them left behind."""

import gc
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from capsend import Environment, Image, ImageError, ProcessKilled, TimeLimitExceeded, spawn
from capsend.deadlines import Deadlines
from tests.memory import private

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="counts threads and descriptors in /proc")


@pytest.fixture(autouse=True)
def ready(template):
    """The image is built before anything is timed."""
    spawn(pow, 1, 1).result()


# Since Python 3.12 a fork of a program with threads gives a warning; in this test that is intended.
QUIET_FORKS = os.environ | {"PYTHONWARNINGS": "ignore::DeprecationWarning"}


def tasks():
    """Return the number of threads of this OS process."""
    return len(os.listdir("/proc/self/task"))


def eventually(condition, seconds=15):
    """Return whether a condition becomes true before long."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def work_a_little(n):
    """Compute, print, sleep and return."""
    for _ in range(n * 100):
        pass
    print("x" * n)
    time.sleep(n / 1e6)
    return list(range(n))


# --- kill ---


def test_kill_ends_an_exploding_regex():
    """A match in C never looks at signals, and ends all the same."""
    wrote = threading.Event()

    def explode():
        import re

        print("matching")
        re.match("(a+)+$", "a" * 60 + "b")

    p = Environment(stdout=lambda text: wrote.set()).spawn(explode)
    assert wrote.wait(20)
    p.kill()
    with pytest.raises(ProcessKilled):
        p.result(timeout=10)


def test_kill_returns_at_once_while_the_host_keeps_the_process_waiting():
    """A target of output that blocks holds up its own process only, which is dead when the target lets go."""
    called, go_on = threading.Event(), threading.Event()

    def target(text):
        called.set()
        go_on.wait(30)

    p = Environment(stdout=target).spawn(print, "x")
    assert called.wait(20)
    p.kill()
    assert spawn(pow, 2, 2).result(timeout=10) == 4
    assert not p.done()
    go_on.set()
    with pytest.raises(ProcessKilled):
        p.result(timeout=10)


def test_process_killed_at_any_moment_ends():
    """Before its start, during its start, during its work, during its answer."""
    chance, moments = random.Random(7), Deadlines()
    for _ in range(150):
        p = Environment(stdout=None).spawn(work_a_little, chance.randrange(2_000))
        if chance.random() < 0.8:
            moments.add(chance.random() * 0.01, p.kill)
        else:
            p.kill()
        try:
            assert isinstance(p.result(timeout=20), list)
            assert p.exit_reason == "normal"
        except ProcessKilled:
            assert p.exit_reason == "killed"


def test_process_whose_time_is_over_at_any_moment_ends():
    """The smallest timeouts run out before there is a guest."""
    chance = random.Random(8)
    for _ in range(100):
        p = Environment(timeout=chance.random() * 0.01 + 1e-9, stdout=None).spawn(work_a_little, 500)
        try:
            p.result(timeout=20)
            assert p.exit_reason == "normal"
        except TimeLimitExceeded:
            assert p.exit_reason == "limit"


def test_process_killed_from_many_threads_at_once_ends():
    """Killing is safe from any thread."""
    p = spawn(time.sleep, 600)
    threads = [threading.Thread(target=p.kill) for _ in range(20)]
    for thread in threads:
        thread.start()
    with pytest.raises(ProcessKilled):
        p.result(timeout=10)
    for thread in threads:
        thread.join()


# --- nothing is left ---


def test_no_thread_and_no_descriptor_is_left_behind():
    """However they ended."""
    before = tasks(), len(os.listdir("/proc/self/fd"))
    for end in (lambda: 1, lambda: 1 // 0, os.abort, lambda: time.sleep(600)):
        handles = [Environment(timeout=0.3).spawn(end) for _ in range(15)]
        for p in handles:
            try:
                p.result(timeout=20)
            except Exception:
                continue
    del handles, p
    gc.collect()
    # One more may watch the time limits, and one may prepare instances.
    assert eventually(lambda: tasks() <= before[0] + 2), tasks()
    assert len(os.listdir("/proc/self/fd")) <= before[1] + 2


def test_no_temporary_file_is_left_behind(run_script, tmp_path):
    """Neither while processes run nor afterwards."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    done = run_script(
        """
        import os
        from capsend import spawn
        processes = [spawn(lambda: b"x" * 3_000_000) for _ in range(5)]
        sum(len(p.result()) for p in processes)
        try:
            spawn(os.abort).result()
        except Exception:
            print(os.listdir(os.environ["TMPDIR"]))
        """,
        env=os.environ | {"TMPDIR": str(folder)},
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")
    assert list(folder.iterdir()) == []


def test_memory_of_many_dead_processes_is_given_back():
    """The memory of 140 ended processes is freed."""

    def waste():
        return len(bytearray(20 << 20)) and None

    for _ in range(40):
        spawn(waste).result()
    before = private()
    for _ in range(100):
        spawn(waste).result()
    assert eventually(lambda: private() - before < 64 << 20), private() - before


# --- the end of the program, and forks ---


def test_program_ends_cleanly_with_many_processes_and_a_thread_that_spawns(run_script):
    """Processes in every state, and one more every moment, do not disturb the exit."""
    start = time.monotonic()
    done = run_script(
        """
        import threading, time
        from capsend import spawn, Environment

        def busy():
            while True:
                pass

        def spawn_for_ever():
            while True:
                try:
                    spawn(pow, 2, 3)
                except RuntimeError:
                    return

        kept = [spawn(time.sleep, 600) for _ in range(20)] + [spawn(busy) for _ in range(4)]
        threading.Thread(target=spawn_for_ever, daemon=True).start()
        kept[0].result(timeout=60) if False else spawn(pow, 2, 2).result()
        """
    )
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)
    assert time.monotonic() - start < 30


def test_program_that_fails_ends_with_its_own_error(run_script):
    """Live processes change neither the exit code nor what is printed."""
    done = run_script("import time\nfrom capsend import spawn\np = spawn(time.sleep, 600)\nraise SystemExit(7)")
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 7)


def test_control_c_interrupts_waiting_for_a_busy_process(tmp_path):
    """The loop inside holds no lock that the signal needs."""
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent(
            """
            from capsend import spawn
            def busy():
                print("ready")
                while True:
                    pass
            try:
                with spawn(busy) as p:
                    p.result()
            except KeyboardInterrupt:
                print("interrupted", p.exit_reason)
            """
        )
    )
    command = [sys.executable, "-u", str(script)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
        assert program.stdout.readline() == "ready\n"
        program.send_signal(signal.SIGINT)
        out, err = program.communicate(timeout=20)
    assert (out, err, program.returncode) == ("interrupted killed\n", "", 0)


@pytest.mark.parametrize("wait", ["p.result(timeout=60)", "Mailbox().receive(timeout=60)"])
def test_control_c_that_does_not_wake_the_waiting_thread_interrupts_it(run_script, wait):
    """As if it came just before the thread falls asleep: in this test another thread gets it."""
    done = run_script(
        f"""
        import signal, threading
        from capsend import Environment, Mailbox
        def busy():
            print("ready")
            while True:
                pass
        interrupt = lambda text: signal.pthread_kill(threading.get_ident(), signal.SIGINT)
        try:
            with Environment(stdout=interrupt).spawn(busy) as p:
                {wait}
        except KeyboardInterrupt:
            print("interrupted", p.exit_reason)
        """
    )
    assert (done.stdout, done.stderr) == ("interrupted killed\n", "")


def test_forked_child_gets_a_clear_error_and_the_parent_goes_on(run_script):
    """An engine does not survive a fork: `spawn` says so instead of hanging."""
    done = run_script(
        """
        import os, sys, time
        from capsend import spawn
        running = spawn(time.sleep, 600)
        spawn(pow, 2, 2).result()
        child = os.fork()
        if child == 0:
            try:
                spawn(pow, 2, 3).result(timeout=10)
            except RuntimeError as error:
                print("fork()" in str(error), flush=True)
            os._exit(0)
        os.waitpid(child, 0)
        print(spawn(pow, 2, 3).result(), running.done())
        """,
        env=QUIET_FORKS,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("True\n8 False\n", "", 0)


def test_child_forked_while_threads_spawn_does_not_hang(run_script):
    """A lock that another thread held at the fork is not waited for."""
    done = run_script(
        """
        import os, threading
        from capsend import spawn
        spawn(pow, 2, 2).result()
        stop = threading.Event()
        def keep_spawning():
            while not stop.is_set():
                spawn(pow, 2, 2).result()
        threads = [threading.Thread(target=keep_spawning) for _ in range(3)]
        for thread in threads:
            thread.start()
        for _ in range(30):
            child = os.fork()
            if child == 0:
                try:
                    spawn(pow, 2, 3).result(timeout=10)
                except RuntimeError:
                    os._exit(0)
                os._exit(1)
            assert os.waitpid(child, 0)[1] == 0
        stop.set()
        """,
        timeout=60,
        env=QUIET_FORKS,
    )
    assert (done.stderr, done.returncode) == ("", 0)


# --- the disk ---


def with_file_limit(size):
    """Limit, before a child starts, the size of files to `size` bytes, as on a full disk."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def test_full_disk_during_a_build_is_an_image_error_and_leaves_nothing(tmp_path, run_script):
    """The half-built image is removed, and nothing is taken for an image."""
    done = run_script(
        """
        from capsend import Image, ImageError
        try:
            Image().ensure()
        except ImageError as error:
            print("refused:", error)
        print(Image().is_built)
        """,
        env=os.environ | {"CAPSEND_CACHE_DIR": str(tmp_path / "cache")},
        preexec_fn=with_file_limit(3_000_000),
        timeout=120,
    )
    assert done.stdout.startswith("refused: "), done
    assert done.stdout.endswith("False\n")
    assert [path.name for path in (tmp_path / "cache" / "images").iterdir() if path.name != ".lock"] == []


def test_image_in_a_cache_where_nothing_can_be_written_is_used(copied, run_script):
    """It is verified at every start instead of once."""
    done = run_script(
        "from capsend import spawn\nprint(spawn(pow, 2, 3).result())",
        preexec_fn=with_file_limit(0),
        stdin=subprocess.DEVNULL,
    )
    assert (done.stdout, done.stderr) == ("8\n", "")


def test_image_that_vanishes_while_programs_run_is_built_again_by_others_only(copied, run_script):
    """A loaded image stays loaded; a new program finds the cache empty and can be given another place to build."""
    environment = Environment()
    assert environment.spawn(pow, 2, 3).result() == 8
    shutil.rmtree(copied)
    assert environment.spawn(pow, 2, 4).result() == 16


def test_cache_below_a_file_is_an_image_error(tmp_path, monkeypatch):
    """With the variable that moves it."""
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("CAPSEND_CACHE_DIR", str(tmp_path / "file" / "below"))
    with pytest.raises(ImageError, match="CAPSEND_CACHE_DIR"):
        Image().ensure()
