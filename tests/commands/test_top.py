"""`capsend top`, as a user meets it: a program whose processes are shown while it runs, on a terminal and elsewhere."""

from __future__ import annotations

import codecs
import io
import os
import pty
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import attrs
import pytest
from rich.console import Console

from capsend.commands.display import table
from capsend.commands.top import in_tree

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = """\
import sys

from capsend import Address, Mailbox, process, spawn


@process
def counter(inbox: Mailbox[int], ready: Address[str]) -> int:
    print("counting")
    ready.send("counting")
    return inbox.receive() + inbox.receive(kind=str)


def main(greeting: str = "hello") -> str:
    ready = Mailbox[str]()
    waiting, ended = counter.spawn(ready.address), spawn(len, greeting)
    ready.receive()
    ended.result()
    try:
        spawn(lambda: 1 // 0).result()
    except ZeroDivisionError:
        pass
    waiting.send(40)
    sys.stdin.readline()  # the test says when it has seen enough
    return greeting


def failing() -> None:
    spawn(lambda: 1 // 0).result()


def many() -> None:
    for p in [spawn(len, "x") for _ in range(20)]:
        p.result()


async def later() -> int:
    return await spawn(len, "abc")


@process
def below(inbox: Mailbox[str]) -> None:
    inbox.receive()


def parent(inbox: Mailbox[str]) -> None:
    with below.spawn() as first, below.spawn() as second:
        print("all are there")
        inbox.receive()


def family() -> None:
    with spawn(parent) as p, spawn(len, "x"):
        sys.stdin.readline()


@process
def inside(n: int) -> int:
    return n + 1


def leaving() -> None:
    sys.exit(7)


def for_ever() -> None:
    p = counter.spawn(Mailbox[str]().address)
    sys.stdout.write("started\\n")
    p.result()
"""


@pytest.fixture
def folder(tmp_path: Path, template: object) -> Path:
    """A folder with the program in it."""
    (tmp_path / "program.py").write_text(PROGRAM, encoding="utf-8")
    return tmp_path


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-u", "-m", "capsend", "top", "--interval", "0.05", *arguments]


def top(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments), cwd=folder, capture_output=True, text=True, timeout=120, check=False, input=""
    )


def test_processes_are_shown_as_lines_while_the_program_runs(folder: Path) -> None:
    """One line for each that runs, what the others ended by, and at the end all of them, counted."""
    with subprocess.Popen(
        command("program:main", "hi"), cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        lines = iter(running.stdout.readline, "")
        try:
            assert next(line for line in lines if "ended: 1 failed, 1 normal" in line).startswith("top: ")
            shown = next(lines)
            rest, _ = running.communicate("\n", timeout=60)
        finally:
            running.kill()
    assert re.fullmatch(
        r"top: 1 counter  (busy|waiting)  cpu [\d.]+ s  memory [\d.]+ M?B  in [01]  out 1  mailbox [01]  output 9 B\n",
        shown,
    )
    *_, last, result = rest.splitlines()
    assert re.fullmatch(r"top: [\d.]+ s: 0 running; ended: 1 failed, 1 killed, 1 normal", last)
    assert (result, running.returncode) == ("'hi'", 0)


def test_children_are_shown_below_their_parents(folder: Path) -> None:
    """Children of a process are listed after it, indented by a step."""
    with subprocess.Popen(
        command("program:family"), cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        lines = iter(running.stdout.readline, "")
        try:
            next(line for line in lines if "3 running; ended: 1 normal" in line)
            shown = [next(lines).partition("  waiting")[0].partition("  busy")[0] for _ in range(3)]
            rest, _ = running.communicate("\n", timeout=60)
        finally:
            running.kill()
    numbers = [int(line.split()[1]) for line in shown]
    assert shown == [f"top: {numbers[0]} parent", f"top:   {numbers[1]} below", f"top:   {numbers[2]} below"]
    assert rest.splitlines()[-1].endswith("0 running; ended: 3 killed, 1 normal")


def test_processes_are_shown_as_a_table_on_a_terminal(folder: Path) -> None:
    """The table is redrawn in place, and output of processes appears above it."""
    ours, theirs = pty.openpty()
    environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": "100", "LINES": "30"}
    running = subprocess.Popen(
        command("program.py:main"), cwd=folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    written, answered = "", False
    decoder = codecs.getincrementaldecoder("utf-8")()  # a character may come in two pieces
    while True:
        try:
            written += decoder.decode(os.read(ours, 65536))
        except OSError:  # Linux's way to say that the other side is closed
            break
        if not answered and "counter" in written and "1 failed, 1 normal" in written:
            answered = os.write(ours, b"\n") == 1
    os.close(ours)
    assert running.wait(timeout=60) == 0
    assert "mailbox" in written
    assert "counting" in written
    assert "\x1b[1A" in written, "the cursor went up, to draw the table again"
    assert "ended: 1 failed, 1 killed, 1 normal" in written.splitlines()[-2]


@pytest.mark.parametrize(
    ("target", "ended", "result"),
    [
        (["program:many"], "20 normal", []),
        (["program:later"], "1 normal", ["3"]),
        (["program:inside", "41"], "1 normal", ["42"]),
        (["math:sqrt", "4"], "none", ["2.0"]),
    ],
)
def test_any_function_is_a_program(folder: Path, target: list[str], ended: str, result: list[str]) -> None:
    """Coroutines are awaited, functions made to be spawned are spawned, and processes too short to be seen are counted."""
    done = top(folder, *target)
    last, *printed = done.stdout.splitlines()[-1 - len(result) :]
    assert last.endswith(f"0 running; ended: {ended}")
    assert (printed, done.stderr, done.returncode) == (result, "", 0)


def test_an_exception_of_the_program_shows_the_users_lines_and_none_of_ours(folder: Path) -> None:
    """The traceback from inside the process, then that of the program, and exit code 1."""
    done = top(folder, "program:failing")
    assert done.returncode == 1
    assert done.stdout.endswith("ended: 1 failed\n")
    assert f'{folder / "program.py"}", line' in done.stderr
    assert "in failing" in done.stderr
    assert done.stderr.endswith("ZeroDivisionError: division by zero\n")
    assert "process.py" not in done.stderr
    assert "top.py" not in done.stderr


def test_sys_exit_in_the_program_decides_the_exit_code(folder: Path) -> None:
    """As without top."""
    assert top(folder, "program:leaving").returncode == 7


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["program:main", "1", "2"], "too many positional arguments"),
        (["program:inside"], "missing a required argument: 'n'"),
        (["program:sys"], "top needs a function to call, not module"),
        (["program:mani"], "has no mani. Did you mean"),
        (["--interval", "0", "program:main"], "0.0 is not in the range"),
    ],
)
def test_a_wrong_command_says_what_is_wrong(folder: Path, arguments: list[str], message: str) -> None:
    """Exit code 2, one clear message, nothing has run."""
    done = top(folder, *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_ctrl_c_ends_the_program_and_its_processes(folder: Path) -> None:
    """Exit code 130, a word about it, and how the processes ended."""
    with subprocess.Popen(
        command("program:for_ever"), cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        try:
            next(line for line in iter(running.stdout.readline, "") if line == "started\n")
            running.send_signal(signal.SIGINT)
            written, errors = running.communicate(timeout=60)
        finally:
            running.kill()
    assert (errors, running.returncode) == ("capsend: interrupted\n", 130)
    assert written.endswith("ended: 1 killed\n")


@attrs.frozen
class Member:
    """A process, as far as the tree is concerned."""

    id: int
    parent: int | None


def test_children_stand_behind_their_parents() -> None:
    """Children are in the order of their starts; a process whose parent has ended is at the root."""
    members = [Member(1, None), Member(2, None), Member(3, 1), Member(4, 2), Member(5, 3), Member(6, 1), Member(8, 7)]
    found = [(member.id, depth) for member, depth in in_tree(members)]
    assert found == [(1, 0), (3, 1), (5, 2), (6, 1), (2, 0), (4, 1), (8, 0)]


def test_no_word_is_broken_on_a_narrow_terminal() -> None:
    """Text without room ends in an ellipsis, and every heading is on one line."""
    narrow = Console(width=40, force_terminal=True, file=io.StringIO(), color_system=None)
    rows = table("id", "process", "state", "memory", "mailbox", to=narrow, right=("id",))
    rows.add_row("1", "a_function_with_a_long_name", "waiting", "54.1 MB", "0")
    narrow.print(rows)
    shown = narrow.file.getvalue()
    assert len(shown.splitlines()) == 3
    assert "…" in shown
