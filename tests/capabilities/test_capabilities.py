"""Authority by capture: a process touches what it captured or was passed at its start, and nothing else."""

import asyncio
import contextlib
import csv
import email.message
import errno
import functools
import importlib
import json
import os
import pickle
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any, Literal, NamedTuple, NewType, Protocol, TypedDict
from urllib.error import HTTPError

import attrs
import pytest

import capsend
from capsend import (
    CaptureError,
    Dir,
    Environment,
    HostFunction,
    Mailbox,
    ProcessKilled,
    SerializationError,
    host_function,
    not_process_send,
    spawn,
)
from capsend.capabilities.host_functions import HostCall
from capsend.engine import openings

PATIENCE = 60


def result(function, *args, **limits):
    """What a process with these limits returns."""
    return Environment(**limits).spawn(function, *args).result(timeout=PATIENCE)


def error_of(function, *args):
    """What a function that runs inside raises, by class and text."""
    try:
        return ("no error", repr(function(*args)))
    except Exception as error:
        return (type(error).__name__, str(error))


# --- variables ---


@host_function
def tripled(n: int) -> int:
    return 3 * n


class Api:
    tripled = tripled

    @staticmethod
    @host_function
    def quadrupled(n: int) -> int:
        return 4 * n


def test_function_of_the_host_is_an_attribute_of_a_class():
    """A class that is captured brings the functions of the host that its statement made; they run in the host all the same."""
    assert Api.quadrupled(2) == 8
    assert spawn(lambda: Api.quadrupled(2)).result(PATIENCE) == 8


def test_attribute_of_the_name_of_a_global_is_that_global():
    """A class statement reads a global of the same name as its attribute before it has one of its own."""
    assert spawn(lambda: Api.tripled(2)).result(PATIENCE) == 6


def test_no_variable_is_inherited(monkeypatch):
    """What is in this program's environment is not in a process's."""
    monkeypatch.setenv("CAPSEND_SECRET", "1")
    assert result(lambda: dict(os.environ)) == {}


def test_variables_are_what_the_environment_says():
    """They are `os.environ` inside, any text included."""
    given = {"TZ": "UTC", "NAME": "Žofie = \N{SNOWMAN}", "EMPTY": ""}
    assert result(lambda: dict(os.environ), env=given) == given


def test_environment_keeps_its_variables():
    """Changing the dict afterwards changes nothing, and equal ones are equal."""
    given = {"A": "1"}
    environment = Environment(env=given)
    given["A"] = "2"
    assert environment.env == {"A": "1"}
    assert environment == Environment(env={"A": "1"}) != Environment(env=given)
    assert hash(environment) == hash(Environment(env={"A": "1"}))
    assert pickle.loads(pickle.dumps(environment)) == environment


def test_variables_are_not_shown():
    """What stands in a log must not be a secret."""
    assert "hunter2" not in repr(Environment(env={"PASSWORD": "hunter2"}))


@pytest.mark.parametrize("env", [{"": "x"}, {"A=B": "x"}, {"A\0": "x"}, {"A": "\0"}, {"A": "\ud800"}])
def test_impossible_variable_is_refused_by_name(env):
    """Where the environment is written."""
    with pytest.raises(ValueError, match=r"^env: .* cannot be a variable"):
        Environment(env=env)


@pytest.mark.parametrize("env", ["A=B", ["A"], {"A": 1}, {1: "A"}, {"A": None}])
def test_variables_of_the_wrong_type_are_refused(env):
    """A wrong type is an error where it is written; the value is not shown, it may be a secret."""
    with pytest.raises(TypeError, match=r"^env must"):
        Environment(env=env)


# --- folders ---


@pytest.fixture
def tree(tmp_path):
    """A folder to grant, with things around it that must stay out of reach."""
    (tmp_path / "secret").write_text("secret")
    folder = tmp_path / "granted"
    (folder / "sub").mkdir(parents=True)
    (folder / "x.csv").write_text("a,b\n1,2\n")
    (folder / "sub" / "y").write_text("why")
    return folder


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
    """Here a Dir is used like the path that it stands for."""
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


def swap_file_and_pipe(folder: Dir) -> None:
    """Let one path be a file and a pipe by turns, for ever."""
    file, pipe, path = (str(folder / name) for name in ("plain", "pipe", "path"))
    while True:
        os.rename(file, path)
        os.rename(path, file)
        os.rename(pipe, path)
        os.rename(path, pipe)


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
    """Each grant is a mount of its own: the read-only one stays so beside one that can be written."""
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
    """It is bound to the path here, which opens nothing inside; the error says what to do instead."""
    read = (Dir(tree) / "x.csv").read_text
    assert read() == "a,b\n1,2\n"
    with pytest.raises(CaptureError, match="Capture the Dir, and call its method inside"):
        spawn(lambda: read())
    with pytest.raises(SerializationError, match="Capture the Dir, and call its method inside"):
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
    """What a process may use is settled when it starts."""

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


# --- functions of the host ---


class Colour(Enum):
    RED = 1
    BLUE = 2


@attrs.frozen
class Order:
    sku: str
    count: int


class Point(NamedTuple):
    x: int
    y: int


class Settings(TypedDict, total=False):
    name: str


@attrs.frozen
class Rights:
    folder: Dir
    sell: HostFunction[[str], Decimal]


def use_rights(rights: Rights) -> Decimal:
    """Use them through annotated functions."""

    def inner(folder: Dir, sell: HostFunction[[str], Decimal]) -> Decimal:
        assert folder.is_dir()
        return sell("tea")

    return inner(rights.folder, rights.sell)


class Thing:
    """Something that goes away."""


class OutOfStock(Exception):
    """An exception of the user's."""


Sku = NewType("Sku", str)


@host_function
def price(sku: str, count: int = 1) -> Decimal:
    """The price of something."""
    if sku == "gone":
        raise OutOfStock(sku)
    return Decimal("1.5") * count


@host_function
async def fetch(n: int) -> list[int]:
    """What takes a while."""
    await asyncio.sleep(0.001)
    return list(range(n))


def test_captured_function_runs_in_the_host():
    """By position and by name, with the defaults that it has; it sees this program's memory, and its thread is this program's."""
    seen = []

    def note(text: str) -> int:
        seen.append((text, os.getpid()))
        return len(seen)

    noted = HostFunction(note)
    assert result(lambda: (price("tea"), price(sku="tea", count=2), noted("x"))) == (Decimal("1.5"), Decimal(3), 1)
    assert seen == [("x", os.getpid())]


def test_function_is_called_by_whoever_holds_it():
    """Captured, passed, in a container, in a partial, or spawned itself."""
    assert result(lambda functions: functions["price"]("tea"), {"price": price}) == Decimal("1.5")
    assert result(functools.partial(lambda function: function("tea"), price)) == Decimal("1.5")
    assert result(price, "tea") == Decimal("1.5")
    assert price("tea") == Decimal("1.5")


def test_async_function_is_awaited_inside():
    """Also several at once; they come one after the other."""

    async def work():
        return await asyncio.gather(fetch(1), fetch(2))

    assert result(work) == [[0], [0, 1]]


def test_bound_method_keeps_its_state_here():
    """Calls of several processes meet the same object."""

    class Counter:
        def __init__(self):
            self.lock = threading.Lock()
            self.count = 0

        def add(self, n: int) -> int:
            with self.lock:
                self.count += n
                return self.count

    counter = Counter()
    add = HostFunction(counter.add)
    for process in [spawn(lambda: [add(1) for _ in range(50)]) for _ in range(4)]:
        process.result(timeout=PATIENCE)
    assert counter.count == 200


def test_arguments_and_results_keep_their_classes():
    """Instances, enumerations and the standard library's values, both ways."""

    def work(order: Order, colour: Colour, point: Point) -> tuple[Order, Colour, Point]:
        return attrs.evolve(order, count=order.count + 1), Colour.BLUE, Point(point.y, point.x)

    swap = HostFunction(work)
    inside = lambda: swap(Order("tea", 1), Colour.RED, Point(1, 2)) == (Order("tea", 2), Colour.BLUE, Point(2, 1))
    assert result(inside)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: price(3), "sku must be str, not int"),
        (lambda: price(), "missing a required argument"),
        (lambda: price("a", 1, 2), "too many positional"),
        (lambda: price("a", colour=1), "unexpected keyword"),
        (lambda: price("a", count="2"), "count must be int, not str"),
        (lambda: price("a", count=None), "count must be int, not NoneType"),
    ],
)
def test_wrong_arguments_never_reach_the_function(call, words):
    """They are a TypeError inside, which shows the signature."""
    with pytest.raises(TypeError, match=words):
        result(call)


def test_annotation_of_a_right_is_evaluated_inside_as_well():
    """The names exist there; and a class of the user's may hold a right."""
    assert result(use_rights, Rights(Dir("/"), price)) == Decimal("1.5")


def test_annotation_that_names_nothing_is_told_when_the_function_is_given_away():
    """Not defined yet is no error at the definition; never defined is one at the spawn."""

    def function(x: "Missing") -> None:  # noqa: F821 - the point
        pass

    late = HostFunction(function)
    with pytest.raises(TypeError, match="cannot be evaluated: name 'Missing' is not defined"):
        spawn(late, 1)


def test_what_cannot_be_sent_is_refused_inside():
    """An argument without an encoding is an error of the caller."""
    assert result(lambda: error_of(price, (n for n in range(3)))[0]) == "SerializationError"


def test_exception_of_the_function_is_raised_inside():
    """With its class and its arguments, for built-in classes and for those that went along."""

    def work():
        try:
            price("gone")
        except OutOfStock as error:
            return error.args

    assert result(work) == ("gone",)


def test_uncaught_exception_of_the_function_comes_back():
    """The same class, with the traceback from inside as its cause."""
    with pytest.raises(OutOfStock, match="gone") as caught:
        result(lambda: (price("gone"), OutOfStock))
    assert isinstance(caught.value.__cause__, capsend.exceptions.GuestTraceback)


class Unknown(Exception):
    """An exception that no program mentions."""


@pytest.mark.parametrize("raised", [Unknown("why"), SystemExit("why"), KeyboardInterrupt("why"), GeneratorExit("why")])
def test_exception_of_an_unknown_class_is_a_runtime_error_with_its_name(raised):
    """So is one that would end the process by its class."""

    def fail() -> None:
        raise raised

    failing = HostFunction(fail)
    name, text = result(lambda: error_of(failing))
    assert (name, text) == ("RuntimeError", f"{type(raised).__name__}: why")


class Twice(Exception):
    """An exception whose `__init__` takes what its args do not hold."""

    def __init__(self, a: int, b: int, *, lock: object = None) -> None:
        super().__init__(f"{a}{b}")
        self.a = a
        self.lock = lock


class DatabaseError(OSError):
    """An exception that no program mentions, of a class that all know."""

    def __str__(self) -> str:
        return "the database is away"


RAISED = {
    "init": lambda: Twice(1, 2, lock=threading.Lock()),
    "json": lambda: json.JSONDecodeError("bad", "{", 1),
    "http": lambda: HTTPError("http://x", 404, "not found", email.message.Message(), None),
    "errno": lambda: OSError(errno.EADDRINUSE, "in use", "file.txt"),
    "base": lambda: DatabaseError(errno.ENOENT, "away"),
    "unicode": lambda: UnicodeDecodeError("utf-8", b"a\xff", 1, 2, "bad"),
    "group": lambda: ExceptionGroup("some", [KeyError("k"), ExceptionGroup("inner", [Twice(3, 4)])]),
    "lock": lambda: ValueError("bad", threading.Lock()),
    "large": lambda: ValueError("x" * 3_000_000),
}


@host_function
def fails(how: str) -> None:
    """Raise."""
    error = RAISED[how]()
    error.add_note("a note")
    raise error


def told_inside(how):
    """What is inside of what `fails` raises, and whether it is of the class that says so best."""
    try:
        fails(how)
    except Twice as error:
        return error.a, str(error), hasattr(error, "lock")
    except json.JSONDecodeError as error:
        return error.pos, error.lineno, str(error)
    except HTTPError as error:
        return error.code, error.filename, str(error)
    except FileNotFoundError as error:
        return errno.errorcode[error.errno], error.strerror, error.__notes__
    except OSError as error:
        return errno.errorcode[error.errno], error.strerror, error.filename
    except UnicodeDecodeError as error:
        return error.start, error.object, str(error)
    except ExceptionGroup as error:
        return error.message, repr(error.exceptions[0]), error.exceptions[1].exceptions[0].a, error.__notes__
    except ValueError as error:
        return len(str(error)), "lock" in str(error)


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("init", (1, "12", False)),
        ("json", (1, 1, "bad: line 1 column 2 (char 1)")),
        ("http", (404, "http://x", "HTTP Error 404: not found")),
        ("errno", ("EADDRINUSE", "in use", "file.txt")),
        (
            "base",
            ("ENOENT", "away", [f"raised in the host as {__name__}.DatabaseError: the database is away", "a note"]),
        ),
        ("unicode", (1, b"a\xff", str(RAISED["unicode"]()))),
        ("group", ("some", "KeyError('k')", 3, ["a note"])),
        ("lock", (len(str(RAISED["lock"]())), True)),
        ("large", (2_000, False)),
    ],
)
def test_exception_of_the_function_arrives_with_what_it_holds(how, told):
    """Of its own class or the nearest base that is known inside, without its `__init__`; what cannot be sent stays here."""
    assert result(told_inside, how) == told


def test_traceback_of_the_function_stays_here():
    """A process learns the message, and no file names of the host."""

    def fail() -> None:
        raise ValueError("why")

    failing = HostFunction(fail)

    def work():
        import traceback

        try:
            failing()
        except ValueError:
            return traceback.format_exc()

    shown = result(work)
    assert "ValueError: why" in shown
    assert "raise ValueError" not in shown


def test_wrong_result_is_an_error_inside():
    """A function that does not keep its own promise is told so."""

    def work() -> int:
        return "text"

    broken = HostFunction(work)
    assert result(lambda: error_of(broken)) == ("TypeError", "the result of work must be int, not str")


def test_result_that_cannot_be_sent_is_an_error_inside():
    """A lock stays here."""

    def work() -> Any:
        return threading.Lock()

    locked = HostFunction(work)
    assert result(lambda: error_of(locked)[0]) == "SerializationError"


def test_function_cannot_hand_out_more_rights():
    """A Dir as a result is refused: rights are settled at the start; an address is delivered."""
    inbox = Mailbox[int]()

    def folder() -> Any:
        return Dir("/")

    def address() -> Any:
        return inbox.address

    get_folder, get_address = HostFunction(folder), HostFunction(address)

    def work():
        get_address().send(7)
        return error_of(get_folder)

    name, text = result(work)
    assert name == "SerializationError"
    assert "settled when it starts" in text
    assert inbox.receive(timeout=PATIENCE) == 7


@pytest.mark.parametrize(
    "make",
    [
        lambda: HostFunction(lambda x: x),
        lambda: HostFunction(eval("lambda: 1")),
        lambda: HostFunction(3),
        lambda: HostFunction(Order),
        lambda: HostFunction(_annotated(Protocol)),
        lambda: HostFunction(_annotated(type[int])),
        lambda: price.limited(calls="3"),
        lambda: price.limited(calls=1.5),
        lambda: price.limited(timeout=True),
        lambda: price.limited(log=3),
    ],
)
def test_what_cannot_be_checked_is_refused_at_the_definition(make):
    """Functions without annotations, and annotations that say nothing of data."""
    with pytest.raises(TypeError):
        make()


def _annotated(annotation):
    def function(x):
        return None

    function.__annotations__ = {"x": annotation, "return": None}
    return function


@pytest.mark.parametrize(
    "limits", [{"calls": 0}, {"calls": -1}, {"rate": 0}, {"timeout": -1}, {"timeout": float("nan")}]
)
def test_absurd_limit_is_refused(limits):
    """Where it is written."""
    with pytest.raises(ValueError, match="must be more than 0"):
        price.limited(**limits)


@pytest.mark.parametrize(
    ("annotation", "good", "bad"),
    [
        (int, [1, True], ["1", 1.0, None]),
        (float, [1.5, 1], ["1", None]),
        (str | None, ["a", None], [1]),
        (list[int], [[], [1]], [["a"], (1,), [1, None]]),
        (dict[str, list[int]], [{}, {"a": [1]}], [{1: [1]}, {"a": 1}, {"a": ["b"]}]),
        (tuple[int, ...], [(), (1, 2)], [("a",), [1]]),
        (tuple[int, str], [(1, "a")], [(1,), ("a", 1), (1, "a", 2)]),
        (set[str], [{"a"}], [{1}, ["a"]]),
        (Iterable[int], [[1], (1,), {1}], [3, ["a"]]),
        (Literal["a", 1], ["a", 1], ["b", True, 1.0]),
        (Colour, [Colour.RED], ["RED", 1]),
        (Order, [Order("a", 1)], [("a", 1)]),
        (Sku, ["a"], [1]),
        (Settings, [{}, {"name": "a"}], [{"name": 1}, {"other": 1}, []]),
        (Any, [1, None, [[]]], []),
    ],
)
def test_annotation_says_what_is_taken(annotation, good, bad):
    """Containers are looked into, subclasses are taken, and a bool is an int as everywhere in Python."""
    from capsend.capabilities.signatures import check_of

    check = check_of(annotation, "x")
    assert [value for value in good if check(value)] == []
    assert [value for value in bad if not check(value)] == []


# --- limits of functions ---


def test_number_of_calls_is_limited_per_process():
    """What is beyond is LimitExceeded inside; another process has its own count."""
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


# --- faults ---


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
    """What nobody waits for does not go on."""
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
    """It calls back from a thread of its own."""
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


# --- what can be seen of it ---


def test_every_call_can_be_logged():
    """Calls that returned, that raised and that were refused."""
    calls: list[HostCall] = []
    logged = price.limited(log=calls.append)
    process = spawn(lambda: [error_of(logged, sku)[0] for sku in ("tea", "gone", 3)])
    assert process.result(timeout=PATIENCE) == ["no error", "RuntimeError", "TypeError"]
    assert [(call.process, call.function, call.outcome) for call in calls] == [
        (process.id, "price", "returned"), (process.id, "price", "raised"), (process.id, "price", "refused"),
    ]  # fmt: skip
    assert calls[0].arguments == {"sku": "tea"}
    assert isinstance(calls[1].error, OutOfStock)
    assert all(call.seconds >= 0 for call in calls)


def test_log_that_fails_changes_nothing(caplog):
    """It is logged itself."""

    def fail(call: HostCall) -> None:
        raise ValueError("log")

    logged = price.limited(log=fail)
    assert result(lambda: logged("tea")) == Decimal("1.5")
    assert "the log of price raised an exception" in caplog.text


AUDIT = """
    import sys, tempfile
    from capsend import Dir, Environment, host_function
    seen = []

    def hook(event, args):
        if event.startswith("capsend."):
            seen.append((event, args))
            if event == "capsend.host_call" and args[2] == {"sku": "forbidden"}:
                raise PermissionError("not this one")
            if event == "capsend.spawn" and "forbidden" in args[1]:
                raise PermissionError("not this one")

    @host_function
    def price(sku: str) -> int:
        return len(sku)

    folder = Dir(tempfile.gettempdir())

    def work():
        folder, price("tea")
        try:
            price("forbidden")
        except PermissionError as error:
            return str(error)

    def forbidden():
        pass

    if __name__ == "__main__":
        sys.addaudithook(hook)
        process = Environment().spawn(work)
        assert process.result() == "not this one"
        n = process.id
        assert sorted(seen, key=str) == sorted([
            ("capsend.spawn", (n, "work")),
            ("capsend.grant", (n, "dir", f"the folder {folder} (read only)")),
            ("capsend.grant", (n, "function", "the host's function price(sku: 'str') -> 'int'".replace("'str'", "str").replace("'int'", "int"))),
            ("capsend.host_call", (n, "price", {"sku": "tea"})),
            ("capsend.host_call", (n, "price", {"sku": "forbidden"})),
        ], key=str), seen
        try:
            Environment().spawn(forbidden)
        except PermissionError:
            print("audited")
"""


def test_audit_events_tell_of_spawns_grants_and_calls(run_script):
    """And a hook that raises refuses the spawn, or the call."""
    done = run_script(AUDIT)
    assert done.stdout == "audited\n", done.stderr


def test_explanation_lists_what_may_be_touched(tree):
    """From the captures alone."""
    from capsend.commands.explain import explain

    folder, few = Dir(tree, write=True), price.limited(calls=3)
    lines = list(explain(lambda: (folder, few)).lines())
    start = next(index for index, line in enumerate(lines) if "it may touch" in line)
    assert sorted(line.strip() for line in lines[start:]) == [
        "yes it may touch, besides what it is passed",
        f"yes the folder {tree} (read and write)",
        "yes the host's function price(sku: str, count: int = 1) -> decimal.Decimal, at most 3 calls",
    ]


def test_plugin_takes_the_capture_of_a_right(tmp_path, mypy_caches):
    """Dir, HostFunction and Address are ProcessSend to mypy as well, and a call inside is checked like any other."""
    program = tmp_path / "rights.py"
    program.write_text(
        "from capsend import Address, Dir, HostFunction, host_function, spawn\n"
        "@host_function\n"
        "def price(sku: str) -> int:\n"
        "    return len(sku)\n"
        "data = Dir('/')\n"
        "def work(folder: Dir, sell: HostFunction[[str], int], to: Address[int]) -> int:\n"
        "    return len((folder / 'x').read_text()) + sell('a') + price('b') + len(list(data.glob('*')))\n"
        "def start(to: Address[int]) -> None:\n"
        "    spawn(work, data, price, to)\n"
        "    spawn(lambda: to.send(1))\n"
        "    price(3)\n"
    )
    (tmp_path / "mypy.ini").write_text("[mypy]\nplugins = capsend_mypy\nstrict = true\n")
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--config-file=mypy.ini",
        f"--cache-dir={mypy_caches / 'strict'}",
        "rights.py",
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[:-1] == [
        'rights.py:11: error: Argument 1 to "__call__" of "HostFunction" has incompatible type "int"; expected "str"  [arg-type]'
    ]


def test_host_function_cannot_be_made_inside():
    """A process has no way to make the host run something: the error says where it is made."""

    def work() -> str:
        from capsend import host_function

        try:
            host_function(len)
        except capsend.CapsendError as error:
            return str(error)
        return "made"

    assert result(work).startswith("len runs inside and cannot become a function of the host")


def test_result_of_a_function_that_is_declared_to_stay_is_refused():
    """A negative impl holds for what a host function returns, as for what a process is passed."""

    @not_process_send("a session belongs to its connection")
    class Session:
        pass

    @host_function
    def connect() -> Session:
        return Session()

    with pytest.raises(
        SerializationError, match="Session is declared not sendable: a session belongs to its connection"
    ):
        result(lambda: connect())
