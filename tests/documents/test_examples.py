"""The examples are programs that people copy: each runs, does and survives what its first lines claim, and type-checks."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

EXAMPLES = Path(__file__).parents[2] / "examples"
PROGRAMS = [path for path in sorted(EXAMPLES.rglob("*.py")) if "plugins" not in path.parts]


INTEGRATED = (
    "fastapi", "jupyter_client", "langchain_core", "mcp", "pydantic", "pydantic_ai", "pytest", "smolagents",
)  # fmt: skip
WITHOUT_PACKAGES = f"""
disallow_subclassing_any = false
disallow_untyped_decorators = false
warn_return_any = false
[mypy-{",".join(f"{name}.*" for name in INTEGRATED)}]
follow_imports = skip
ignore_missing_imports = true
"""
"""To look into all packages takes minutes, and some have no types."""


def run(example: str, *arguments: str) -> list[str]:
    """Run an example and return the lines that it prints."""
    command = [sys.executable, EXAMPLES / example, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.fixture(scope="module")
def strict_errors(
    tmp_path_factory: pytest.TempPathFactory, checked: Callable[..., subprocess.CompletedProcess[str]]
) -> str:
    """Return mypy's reports about all examples; examples with the same settings share a run."""
    reports = []
    for group in ("", "integrations", "arrays"):
        folder = tmp_path_factory.mktemp("strict")
        if group == "arrays":
            (folder / "pyproject.toml").write_text('[tool.capsend]\npackages = ["numpy"]\n', encoding="utf-8")
        programs = [each for each in PROGRAMS if _group(each) == group]
        done = checked(folder, *programs, settings=WITHOUT_PACKAGES if group == "integrations" else "")
        assert programs
        assert (
            done.stdout.endswith(f"in {len(programs)} source file{'s' if len(programs) > 1 else ''}\n")
            or ".py:" in done.stdout
        ), done
        reports.append(done.stdout)
    return "".join(reports)


def _group(program: Path) -> str:
    return program.parent.name if program.parent.name in {"integrations", "arrays"} else ""


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: str(path.relative_to(EXAMPLES)))
def test_examples_pass_the_plugin_in_strict_mode(program: Path, strict_errors: str) -> None:
    """Without a `type: ignore`: newcomers check what they copy."""
    assert "type: ignore" not in program.read_text(encoding="utf-8")
    assert [line for line in strict_errors.splitlines() if f"{program.name}:" in line] == []


# --- the word index ---


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """Two readable files, in two folders, and two files that crash their reader."""
    (tmp_path / "sub" / "deep").mkdir(parents=True)
    (tmp_path / "one.txt").write_text("Words, more words.", encoding="utf-8")
    (tmp_path / "sub" / "deep" / "two.md").write_text("The last words", encoding="utf-8")
    (tmp_path / "sub" / "bytes.txt").write_bytes(b"words \xff\xfe")
    with open(tmp_path / "huge.txt", "wb") as file:
        file.truncate(500 << 20)
    return tmp_path


def test_word_index_survives_files_that_end_its_workers(template: object, library: Path) -> None:
    """They are reported with the reason, and everything else is in the index."""
    read, huge, bytes_, words, nothing = run("word_index/index.py", str(library), "words", "zebra")
    assert read == "2 files, 4 words"
    assert huge.startswith("could not read huge.txt: limit: MemoryLimitExceeded")
    assert bytes_.startswith(f"could not read {Path('sub', 'bytes.txt')}: failed: UnicodeDecodeError")
    assert words == f"words: one.txt (2), {Path('sub', 'deep', 'two.md')} (1)"
    assert nothing == "zebra: nowhere"


def test_word_index_of_an_empty_folder_is_empty(template: object, tmp_path: Path) -> None:
    """Nobody waits for files that do not exist."""
    assert run("word_index/index.py", str(tmp_path)) == ["0 files, 0 words"]


# --- the chat room ---


class Client:
    """Somebody who chats, over a real socket; waits at most a minute for a line."""

    made: ClassVar[list[Client]] = []
    """All that a test has made, which its server closes."""

    def __init__(self, port: int) -> None:
        self.made.append(self)
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._lines = self.socket.makefile("r", encoding="utf-8")
        self.name = self.read().split()[1]

    def type(self, line: str) -> None:
        self.socket.sendall(f"{line}\n".encode())

    def read(self) -> str:
        return self._lines.readline().rstrip("\n")

    def hears(self, line: str) -> bool:
        """Return whether this line appears in the input, sooner or later."""
        return any(line == heard for heard in iter(self.read, ""))

    def close(self) -> None:
        self._lines.close()
        self.socket.close()


@pytest.fixture
def port(template: object) -> Iterator[int]:
    """The port of a server that has just been started."""
    command = [sys.executable, EXAMPLES / "chat_room" / "server.py", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield int(server.stdout.readline().rsplit(maxsplit=1)[1])
        finally:
            while Client.made:
                Client.made.pop().close()
            server.terminate()
            _, errors = server.communicate()
    assert "Traceback" not in errors


def test_chat_room_lets_people_talk(port: int) -> None:
    """Everybody else hears a line; names can be changed and people ignored."""
    ann, bob, cat = Client(port), Client(port), Client(port)
    ann.type("/name ann")
    assert bob.hears("room: guest1 is now ann")
    bob.type("/ignore ann")
    ann.type("good morning")
    assert cat.hears("ann: good morning")
    ann.type("/calc 6 * 7")
    assert cat.hears("ann: 6 * 7 = 42")
    cat.type("hello")
    assert ann.hears("guest3: hello")
    assert bob.hears("guest3: hello")
    ann.type("/quit")
    assert ann.hears("goodbye (normal)")
    lines = []
    while not lines or "left" not in lines[-1]:
        lines.append(bob.read())
    assert lines == ["room: ann has left"]


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        ("/calc 1 / 0", "goodbye (failed) ZeroDivisionError"),
        ("/calc [0 for _ in iter(int, 1)]", "goodbye (limit) MemoryLimitExceeded"),
        ("/calc max(iter(int, 1))", "goodbye (limit) TimeLimitExceeded"),
        ("/calc __import__('os')._exit(3)", "goodbye (trap)"),
        ("/calc open('/etc/passwd').read()", "goodbye (failed) FileNotFoundError"),
        ("/calc connection.send(Say('x' * 10**6))", "goodbye (failed) LimitExceeded"),
        ("/calc [print('x' * 1000) for _ in range(100)]", "goodbye (limit) OutputLimitExceeded"),
        ("x" * 100_000, "goodbye (killed)"),
    ],
)
def test_chat_room_closes_the_connection_of_a_hostile_client_alone(port: int, typed: str, answer: str) -> None:
    """It is told how its process ended, its socket is closed, and the others go on talking."""
    ann, bob, eve = Client(port), Client(port), Client(port)
    eve.type(typed)
    assert next(line for line in iter(eve.read, "") if line.startswith("goodbye")).startswith(answer)
    assert eve.read() == ""
    assert bob.hears(f"room: {eve.name} has left")
    ann.type("still here")
    assert bob.hears(f"{ann.name}: still here")


def test_chat_room_waits_for_nobody(port: int) -> None:
    """Clients that send nonsense messages, never read, or vanish in the middle of a line cost the others nothing."""
    ann, bob = Client(port), Client(port)
    forger, silent, gone = Client(port), Client(port), Client(port)
    forger.type("/calc [connection.send(x) for x in (Rename(5), Say(None), Rename('room'), Show(b''), 7, None)]")
    for _ in range(20):
        forger.type("/calc [connection.send(Show('x' * 900)) for _ in range(10_000)]")
    silent.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
    silent.type("/calc [connection.send(Show('x' * 900)) for _ in range(100_000)]")
    gone.socket.sendall(b"half a line")
    gone.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    gone.close()
    assert bob.hears(f"room: {gone.name} has left")
    for number in range(20):
        ann.type(f"line {number}")
        assert bob.hears(f"{ann.name}: line {number}")


# --- actors ---


def test_ping_pong_answers_every_call(template: object) -> None:
    """The last answer is the number of calls."""
    assert run("actors/ping_pong.py", "50")[0].startswith("50 exchanges, ")


def test_ring_passes_the_number_through_every_process(template: object) -> None:
    """Each takes one off, so that it comes home as zero."""
    (line,) = run("actors/ring.py", "20", "3")
    assert line.startswith("20 processes in ")
    assert "; 60 hops down to 0, " in line


def test_skynet_adds_up(template: object) -> None:
    """A hundred processes with a number each, spawned by ten, which one has spawned."""
    assert run("actors/skynet.py", "100")[0].startswith("0 + 1 + ... + 99 = 4950 in ")


def test_every_example_is_named_in_the_readme() -> None:
    """A newcomer finds each of them."""
    text = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    for program in PROGRAMS:
        assert program.relative_to(EXAMPLES).as_posix() in text, os.fspath(program)


# --- arrays ---


@pytest.mark.timeout(1_800)  # an image with numpy is built, if it is not there
def test_two_processes_analyse_arrays_faster_than_one() -> None:
    """Needs numpy built for processes, which takes minutes: `capsend image add numpy`."""
    from capsend.image.native import store

    if store.find("numpy") is None:
        pytest.skip("numpy is not built for processes here")
    words = run("arrays/frequencies.py")[-1].split()
    assert words[:3] == ["two", "processes", "took"]
