"""Folders by capture: a process reads, and with the right writes, only the folders that it captured or was passed."""

import contextlib
import csv
import os
import pickle
import sqlite3
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from endless import swap_file_and_pipe

import capsend
from capsend import CaptureError, Dir, HostFunction, Mailbox, ProcessKilled, SerializationError, spawn
from capsend.engine import openings
from tests.capabilities.pricing import PATIENCE, error_of, price, result


def test_captured_folder_is_readable(tree):
    """open, pathlib and csv take paths in it; so do they when the path itself is captured."""
    folder = Dir(tree)
    file = folder / "x.csv"

    def work():
        with open(file, newline="") as lines:
            rows = list(csv.reader(lines))
        return rows, (folder / "sub" / "y").read_text(), sorted(path.name for path in folder.iterdir())

    assert result(work) == ([["a", "b"], ["1", "2"]], "why", ["sub", "x.csv"])


def test_folder_can_be_passed(tree):
    """As an argument of spawn, among others and in containers."""
    folder = Dir(tree)

    def work(places):
        return [(place / "x.csv").read_text() for place in places]

    assert result(work, [folder, folder]) == ["a,b\n1,2\n"] * 2


def test_inside_a_folder_is_an_ordinary_path_that_does_not_say_where_it_is(tree):
    """It is a pathlib.Path under a mount point."""
    folder = Dir(tree)
    inside, kind = result(lambda: (str(folder / "sub"), isinstance(folder, Path)))
    assert kind
    assert inside.startswith("/dirs/")
    assert str(tree) not in inside


def test_the_same_function_works_without_a_process(tree):
    """On the host a Dir can be used like its path."""
    folder = Dir(tree)

    def work():
        with open(folder / "x.csv") as lines:
            return lines.read(), sorted(path.name for path in folder.glob("*")), (folder / "sub" / "y").exists()

    assert work() == result(work)


def test_large_file_and_many_lines_come_in(tree):
    """Whole files and line by line."""
    (tree / "big").write_bytes(bytes(range(256)) * 40_000)
    (tree / "lines").write_text("line\n" * 100_000)
    folder = Dir(tree)

    def work():
        import hashlib

        with open(folder / "lines") as lines:
            return hashlib.sha256((folder / "big").read_bytes()).hexdigest(), sum(1 for _ in lines)

    assert result(work) == work()


def test_folder_is_read_only_by_default(tree):
    """Nothing in it can be made, changed or taken away."""
    folder = Dir(tree)

    def work():
        attempts = [
            lambda: (folder / "new").write_text("x"),
            lambda: open(folder / "x.csv", "a").write("x"),
            lambda: open(folder / "x.csv", "r+").write("x"),
            lambda: os.truncate(folder / "x.csv", 0),
            lambda: os.mkdir(folder / "new"),
            lambda: os.remove(folder / "x.csv"),
            lambda: os.rmdir(folder / "sub"),
            lambda: os.rename(folder / "x.csv", folder / "z.csv"),
            lambda: os.link(folder / "x.csv", folder / "z.csv"),
            lambda: os.symlink("x.csv", folder / "z.csv"),
            lambda: os.utime(folder / "x.csv", (1, 1)),
            lambda: sqlite3.connect(folder / "db").execute("create table t (a)"),
        ]
        return [error_of(attempt)[0] for attempt in attempts]

    before = (tree / "x.csv").stat()
    assert set(result(work)) <= {"PermissionError", "OperationalError", "OSError"}
    assert sorted(path.name for path in tree.rglob("*")) == ["sub", "x.csv", "y"]
    after = (tree / "x.csv").stat()
    assert (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)


def test_folder_can_be_written_when_granted(tree):
    """Files, folders, renames and a database; what is written is really there."""
    folder = Dir(tree, write=True)

    def work():
        (folder / "new").write_text("new\n")
        with open(folder / "big", "wb") as file:
            for _ in range(100):
                file.write(b"x" * 10_000)
        (folder / "deep" / "er").mkdir(parents=True)
        os.rename(folder / "x.csv", folder / "deep" / "z.csv")
        (folder / "sub" / "y").unlink()
        with sqlite3.connect(folder / "db") as database:
            database.execute("create table t (a)")
            database.executemany("insert into t values (?)", [(n,) for n in range(1000)])
        database.close()
        return True

    assert result(work)
    assert (tree / "new").read_text() == "new\n"
    assert (tree / "big").read_bytes() == b"x" * 1_000_000
    assert (tree / "deep" / "z.csv").exists()
    assert not (tree / "sub" / "y").exists()
    assert sqlite3.connect(tree / "db").execute("select sum(a) from t").fetchone() == (499_500,)


def test_a_database_in_a_folder_that_can_only_be_read_is_read(tmp_path):
    """By its path, by a URI, and by a name with a question mark; nothing can be written to it."""
    with contextlib.closing(sqlite3.connect(tmp_path / "what? 1.db")) as database, database:
        database.execute("create table t (a)")
        database.execute("insert into t values (5)")
    path = Dir(tmp_path) / "what? 1.db"

    def work():
        found = []
        for name, uri in [(path, False), (str(path), False), (f"file:{str(path).replace('?', '%3f')}?mode=ro", True)]:
            database = sqlite3.connect(name, uri=uri)
            found += database.execute("select a from t").fetchone()
            try:
                database.execute("insert into t values (6)")
            except sqlite3.OperationalError as error:
                found.append(str(error))
        return found

    assert result(work) == [5, "attempt to write a readonly database"] * 3


@pytest.mark.parametrize("write", [False, True])
@pytest.mark.parametrize(
    "path",
    [
        "{}/../secret", "{}/sub/../../secret", "{}/./../secret", "{}//../secret", "/etc/passwd", "/", "..", "/dirs",
        "{}/relative", "{}/absolute", "{}/up/secret", "{}/up", "{}/passwd", "{}/loop", "{}/sub/far", "{}/null",
    ],
)  # fmt: skip
def test_no_path_leads_out(tree, path, write):
    """Neither `..`, nor an absolute path, nor a symbolic link that was there before."""
    (tree / "relative").symlink_to("../secret")
    (tree / "absolute").symlink_to(tree.parent / "secret")
    (tree / "up").symlink_to("..")
    (tree / "passwd").symlink_to("/etc/passwd")
    (tree / "loop").symlink_to("loop")
    (tree / "sub" / "far").symlink_to("../up/secret")
    (tree / "null").symlink_to("/dev/null")
    folder = Dir(tree, write=write)

    def work():
        place = path.format(folder)
        return [error_of(open, place)[0], error_of(os.listdir, place)[0], error_of(open, place, "w")[0]]

    assert "no error" not in result(work)
    assert (tree.parent / "secret").read_text() == "secret"


def test_link_inside_the_folder_is_followed(tree):
    """A symbolic link from the folder into the folder is an ordinary one."""
    (tree / "link").symlink_to("sub/y")
    folder = Dir(tree)
    assert result(lambda: (folder / "link").read_text()) == "why"


def test_links_and_renames_of_the_process_lead_nowhere_else(tree):
    """A process that may write makes links of every kind, moves them, and still sees only its folder."""
    (tree / "out").symlink_to("../secret")
    folder = Dir(tree, write=True)

    def work():
        attempts = [
            lambda: os.symlink("../secret", folder / "l1"),
            lambda: (folder / "l1").read_text(),
            lambda: os.symlink("../../../../../../etc/passwd", folder / "sub" / "l2"),
            lambda: (folder / "sub" / "l2").read_text(),
            lambda: os.symlink("/etc", folder / "l3"),
            lambda: (folder / "l3" / "passwd").read_text(),
            lambda: os.link(folder / "out", folder / "l4"),
            lambda: (folder / "l4").read_text(),
            lambda: os.link(f"{folder}/../secret", folder / "l5"),
            lambda: (folder / "l5").read_text(),
            lambda: os.rename(f"{folder}/../secret", folder / "l6"),
            lambda: (folder / "l6").read_text(),
            lambda: os.rename(folder / "x.csv", f"{folder}/../x.csv"),
            lambda: os.symlink(".", folder / "here"),
            lambda: os.rename(folder / "sub", folder / "here" / ".." / ".." / "sub"),
            lambda: (folder / "here" / ".." / "secret").read_text(),
            lambda: os.mkdir(f"{folder}/../made"),
            lambda: os.remove(f"{folder}/../secret"),
            lambda: os.rmdir(f"{folder}/.."),
        ]
        return [error_of(attempt) for attempt in attempts]

    read = [text for kind, text in result(work) if kind == "no error"]
    assert "secret" not in str(read)
    assert "root:" not in str(read)
    assert sorted(path.name for path in tree.parent.iterdir()) == ["granted", "secret"]
    assert (tree.parent / "secret").read_text() == "secret"


def test_pipes_and_devices_cannot_be_opened_and_do_not_hang(tree):
    """Opening a pipe would block this program for ever."""
    os.mkfifo(tree / "pipe")
    folder = Dir(tree, write=True)
    attempt = lambda mode: error_of(open, folder / "pipe", mode)[0]
    assert result(lambda: [attempt("r"), attempt("w"), attempt("r+")]) == ["PermissionError"] * 3


def open_for(seconds: float, folder: Dir) -> int:
    """Open that path again and again; return how often."""
    end, times = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            os.close(os.open(folder / "path", os.O_RDONLY))
        times += 1
    return times


@pytest.fixture
def race(tree):
    """A folder in which a process swaps a file and a pipe."""
    (tree / "plain").write_text("x")
    os.mkfifo(tree / "pipe")
    folder = Dir(tree, write=True)
    with spawn(swap_file_and_pipe, folder) as swapping:
        yield folder
        swapping.kill()


def test_open_that_meets_a_pipe_after_all_goes_on(race):
    """A pipe that comes between the look and the open holds a process up for a moment, not for ever."""
    assert spawn(open_for, 4.0, race).result(timeout=30) > 1


@pytest.mark.skipif(sys.platform != "linux", reason="threads are found in /proc")
def test_process_that_waits_for_a_pipe_can_be_killed(race, monkeypatch):
    """At once, however much patience there is with slow file systems."""
    monkeypatch.setattr(openings, "_PATIENCE", 1_000.0)
    openers = [spawn(open_for, 1_000.0, race) for _ in range(4)]
    spawn(time.sleep, 3.0).result()
    for opener in openers:
        opener.kill()
    for opener in openers:
        with pytest.raises(ProcessKilled):
            opener.result(timeout=5.0)
    assert [opener.exit_reason for opener in openers] == ["killed"] * 4


def test_nothing_is_imported_from_a_folder(tree):
    """A module that lies there is no module of the process, unless the program says so."""
    (tree / "json.py").write_text("raise SystemExit")
    (tree / "planted.py").write_text("VALUE = 1")
    (tree / "sitecustomize.py").write_text("raise SystemExit")
    folder = Dir(tree)

    def work():
        before = list(sys.path)
        outcome = error_of(__import__, "planted")[0]
        sys.path.append(str(folder))
        return before, outcome, __import__("planted").VALUE

    assert result(work) == ([], "ModuleNotFoundError", 1)


def test_two_folders_and_the_same_one_twice(tree):
    """Each grant has a separate mount: the read-only one stays read-only next to a writable one."""
    first, again, sub = Dir(tree), Dir(tree, write=True), Dir(tree / "sub")

    def work():
        (again / "new").write_text("new")
        return [(first / "new").read_text(), error_of((first / "new").write_text, "x")[0], (sub / "y").read_text()]

    assert result(work) == ["new", "PermissionError", "why"]


def test_folder_in_a_folder_grants_no_more_than_itself(tree):
    """A Dir made from a path in another one is that folder alone."""
    sub = Dir(Dir(tree) / "sub")
    attempt = lambda: error_of(open, f"{sub}/../x.csv")[0]
    assert result(lambda: [(sub / "y").read_text(), attempt()]) == ["why", "PermissionError"]


def test_path_that_is_derived_carries_the_right(tree):
    """By `/`, `parent` and every method, and what a folder lists."""
    folder = Dir(tree)
    file = folder / "sub" / "y"
    ways = [
        folder.joinpath("sub", "y"),
        file.parent / "y",
        file.with_name("y"),
        file.with_suffix(""),
        file.with_stem("y"),
    ]
    for path in [*ways, *folder.rglob("y"), *(folder / "sub").iterdir(), *folder.glob("sub/y")]:
        assert path == file
        assert result(lambda path=path: path.read_text()) == "why"


def test_method_of_a_dir_is_refused_and_not_taken_without_its_right(tree):
    """The method is bound to the host's path, which opens nothing in the guest; the error has the cure."""
    read = (Dir(tree) / "x.csv").read_text
    assert read() == "a,b\n1,2\n"
    with pytest.raises(CaptureError, match="Capture the Dir, and call its method in the process"):
        spawn(lambda: read())
    with pytest.raises(SerializationError, match="Capture the Dir, and call its method in the process"):
        spawn(lambda method: method(), read)


def test_path_that_leads_out_is_an_ordinary_path(tree):
    """It carries no right: captured, it is only a name."""
    folder = Dir(tree)
    for path in (folder.parent, folder / "..", folder / "../secret", folder / "/etc", folder.joinpath("/etc")):
        assert not isinstance(path, Dir)
    assert isinstance(folder / "sub", Dir)
    outside = folder.parent / "secret"
    assert result(lambda: error_of(outside.read_text)[0]) == "FileNotFoundError"


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda p: Dir(p / "none"), FileNotFoundError, "there is no folder"),
        (lambda p: Dir(p / "x.csv"), NotADirectoryError, "is not a folder"),
        (lambda p: Dir("relative"), ValueError, "needs an absolute path"),
        (lambda p: Dir(""), ValueError, "needs an absolute path"),
        (lambda p: Dir(b"/tmp"), TypeError, "Dir needs a path"),
        (lambda p: Dir(3), TypeError, "PathLike"),
        (lambda p: Dir(p, write="yes"), TypeError, "Dir needs a path"),
    ],
)
def test_what_is_no_folder_is_refused_where_it_is_written(tree, make, error, words):
    """With the reason, before any process starts."""
    with pytest.raises(error, match=words):
        make(tree)


def test_folder_that_went_away_ends_the_process_with_the_reason(tree):
    """It was there when the Dir was made."""
    (tree / "gone").mkdir()
    folder = Dir(tree / "gone")
    (tree / "gone").rmdir()
    with pytest.raises(OSError, match="cannot be opened any more"):
        result(lambda: os.listdir(folder))


@pytest.mark.parametrize("right", [lambda tree: Dir(tree), lambda tree: Dir(tree) / "x.csv", lambda _tree: price])
def test_right_in_a_message_is_refused_with_the_reason(tree, right):
    """The rights of a process are fixed when it starts."""

    @capsend.process
    def work(inbox: Mailbox[Any]) -> str:
        return str(inbox.receive())

    with work.spawn() as process, pytest.raises(SerializationError, match="settled when it starts"):
        process.send([right(tree)])


def test_folder_cannot_be_pickled(tree):
    """Whoever can make a pickle could make a right."""
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(Dir(tree))


def test_process_in_a_slow_wait_with_files_is_killed_at_once(tree):
    """Waiting for files is passed on to WASI, and can be interrupted all the same."""
    folder, started = Dir(tree), threading.Event()
    tell = HostFunction(_telling(started))

    def work():
        import select

        (folder / "x.csv").read_text()
        tell()
        while True:
            select.select([], [], [], 600)

    process = spawn(work)
    assert started.wait(PATIENCE)
    began = time.monotonic()
    process.kill()
    with pytest.raises(capsend.ProcessKilled):
        process.result(timeout=PATIENCE)
    assert time.monotonic() - began < 5


def _telling(event):
    def tell() -> None:
        event.set()

    return tell


def test_open_files_do_not_exhaust_this_program(run_script, tree):
    """A process that opens files without end is refused before this program has none left."""
    source = f"""
        import os, resource
        from capsend import Dir, Environment
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
        folder = Dir({str(tree)!r})

        def hoard():
            files = []
            try:
                while True:
                    files.append(os.open(folder / "x.csv", os.O_RDONLY))
            except OSError:
                return len(files)

        if __name__ == "__main__":
            processes = [Environment().spawn(hoard) for _ in range(3)]
            print(max(p.result(60) for p in processes) < 200)
            print(len([open(os.devnull) for _ in range(40)]))
    """
    done = run_script(source, env=os.environ)
    assert done.stdout.split() == ["True", "40"], done.stderr


def test_open_listings_are_bounded(tree):
    """Each is kept in this program's memory; closing one makes room for another, and forgotten ones go with the process."""
    folder = Dir(tree)

    def work():
        def hoard():
            kept = []
            with contextlib.suppress(OSError):
                while len(kept) < 1_000:
                    kept.append(os.scandir(folder))
                    next(kept[-1])
            count = len(kept)
            for listing in kept:
                listing.close()
            return count

        return hoard() == hoard() < 50, len(os.listdir(folder))

    assert result(work) == (True, 2)
