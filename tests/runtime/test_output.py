"""Output of a process other than its result: text, written by any means, warnings, and exit functions."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import faulthandler
import linecache
import os
import subprocess
import sys
import threading
import time
import warnings
from typing import Any

import pytest

from capsend import Environment, Mailbox, ProcessKilled, spawn

pytestmark = pytest.mark.usefixtures("template")
PATIENCE = 60


def output_of(function: Any, *args: Any) -> list[str]:
    """Return the output of a process, both streams together, piece by piece."""
    pieces: list[str] = []
    Environment(stdout=pieces.append, stderr=pieces.append).spawn(function, *args).result(PATIENCE)
    return pieces


def below_python() -> None:
    assert os.write(1, b"os.write\n") == 9
    os.write(2, b"caf\xc3\xa9")
    print("through open", file=open(1, "w", closefd=False), flush=True)
    with os.fdopen(1, "wb", closefd=False) as stream:
        stream.write(b"bytes\n")
    sys.stdout.buffer.write(b"buffer\n")
    print("in order")
    open(1, "wb", 0).write(b"raw\n")


def test_what_is_written_below_python_comes_out() -> None:
    """By descriptor, however it is named, in its order."""
    told = ["os.write\n", "café", "through open\n", "bytes\n", "buffer\nin order\n", "raw\n"]
    assert "".join(output_of(below_python)) == "".join(told)


def dump() -> None:
    faulthandler.dump_traceback()


def test_the_dump_of_a_traceback_comes_out() -> None:
    """With the user's file and lines, and none of capsend's."""
    text = "".join(output_of(dump))
    assert text.startswith("Current thread")
    assert f'File "{__file__}", line {dump.__code__.co_firstlineno + 1} in dump\n' in text
    assert "capsend" not in text.replace(__file__, "")


def test_what_is_flushed_is_handed_on_without_the_end_of_its_line() -> None:
    """Else lines are whole, also those of which the beginning was written with the line before."""

    def work() -> None:
        print("a", end="")
        print("b", end="", flush=True)
        print("c\nd", end="")
        print("e")
        sys.stdout.buffer.write(b"f")
        sys.stdout.buffer.flush()

    assert output_of(work) == ["ab", "c\n", "de\n", "f"]


def test_what_is_flushed_passes_through_a_pipe_at_once(tmp_path: Any) -> None:
    """A program whose output is a pipe shows it while its process still runs."""
    program = tmp_path / "program.py"
    work = "def work():\n    print('ready', end='', flush=True)\n    time.sleep(600)\n"
    program.write_text(f"import time\nfrom capsend import spawn\n\n\n{work}\n\nspawn(work).result()\n")
    with subprocess.Popen([sys.executable, program], stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert running.stdout.read(5) == "ready"
        running.kill()


def warns() -> None:
    warnings.warn("careful\x1b[31m", RuntimeWarning, stacklevel=1)
    for _ in range(3):
        warnings.warn("old", DeprecationWarning, stacklevel=1)


def warns_later(inbox: Mailbox[str]) -> None:
    inbox.receive()
    warnings.warn("careful", stacklevel=1)


def test_warnings_reach_the_warnings_of_the_host() -> None:
    """With category, place and module, each place once, and with no control sequences."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert output_of(warns) == []
    first = warns.__code__.co_firstlineno + 1
    assert [(each.category, str(each.message), each.filename, each.lineno) for each in caught] == [
        (RuntimeWarning, "careful\\x1b[31m", __file__, first),
        (DeprecationWarning, "old", __file__, first + 2),
    ]


def test_showing_a_warning_opens_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process chooses when, and which of the files that were sent."""
    p = spawn(warns_later)
    shown: list[str] = []
    opened: list[str] = []
    linecache.clearcache()
    monkeypatch.setattr(linecache, "updatecache", lambda file, _globals=None: opened.append(file) or [])
    monkeypatch.setattr(warnings, "showwarning", lambda *args: shown.append(warnings.formatwarning(*args[:4])))
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        p.address.send("now")
        p.result(PATIENCE)
    assert [text.rpartition(": ")[2] for text in shown] == ["careful\n"]
    assert opened == []
    assert __file__ not in linecache.cache


def test_filters_of_the_host_decide_about_warnings() -> None:
    """What is ignored here is not shown; what is an error here is one inside, where it can be caught; and without a stderr they go nowhere."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", RuntimeWarning)
        with pytest.raises(RuntimeWarning, match="careful"):
            spawn(warns).result(PATIENCE)
        Environment(stderr=None).spawn(warns).result(PATIENCE)


class Own(UserWarning):
    """A category of the user's."""


def test_a_process_filters_its_own_warnings() -> None:
    """A process may filter warnings like a program; a warning of a user class names its class."""

    def recorded() -> list[str]:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            warnings.warn("mine", stacklevel=1)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with contextlib.suppress(UserWarning):
                warnings.warn("mine", stacklevel=1)
        return [str(each.message) for each in caught]

    assert spawn(recorded).result(PATIENCE) == ["mine"]
    with pytest.warns(UserWarning, match="Own: text"):
        spawn(lambda: warnings.warn("text", Own, stacklevel=1)).result(PATIENCE)


def test_time_of_the_process_does_not_count_sleep() -> None:
    """Only what it computes."""

    def work() -> tuple[float, float]:
        began = time.process_time()
        time.sleep(0.3)
        slept = time.process_time() - began
        deadline = time.perf_counter() + 0.2
        while time.perf_counter() < deadline:
            pass
        return slept, time.process_time_ns() / 1e9 - began

    slept, computed = spawn(work).result(PATIENCE)
    assert slept < 0.1 < computed + 0.09


def test_functions_registered_for_the_exit_run() -> None:
    """The last one first, after an exception too, and not when the process is killed."""

    def work(how: str) -> None:
        atexit.register(print, "first")
        atexit.register(print, "second")
        print("running", flush=True)
        if how == "raise":
            raise ValueError
        if how == "sleep":
            time.sleep(600)

    assert "".join(output_of(work, "return")) == "running\nsecond\nfirst\n"
    for how, error in (("raise", ValueError), ("sleep", ProcessKilled)):
        pieces: list[str] = []
        began = threading.Event()

        def write(text: str, pieces: list[str] = pieces, began: threading.Event = began) -> None:
            pieces.append(text)
            began.set()

        p = Environment(stdout=write).spawn(work, how)
        began.wait(PATIENCE)
        if how == "sleep":
            p.kill()
        with pytest.raises(error):
            p.result(PATIENCE)
        assert "".join(pieces) == ("running\n" if how == "sleep" else "running\nsecond\nfirst\n")


def make_socket() -> None:
    import socket

    socket.create_connection(("127.0.0.1", 1), timeout=1)


def bind_socket() -> None:
    import socket

    socket.socket()


def open_url() -> None:
    from urllib.request import urlopen

    urlopen("http://example.org")


def open_https() -> None:
    from urllib.request import urlopen

    urlopen("https://example.org")


def open_connection() -> None:
    async def main() -> None:
        await asyncio.open_connection("example.org", 80)

    asyncio.run(main())


@pytest.mark.parametrize("function", [make_socket, bind_socket, open_url, open_https, open_connection])
def test_use_of_the_network_says_what_to_do_instead(function: Any) -> None:
    """A process has none, in whatever way it is asked for: an `OSError` that names the cure."""
    with pytest.raises(OSError, match=r"a process has no network\. Let a host function do this"):
        spawn(function).result(PATIENCE)
