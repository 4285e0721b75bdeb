"""Processes that spawn processes, as the ones inside see it: what they may spawn, by which rules, and what comes back.

All programs of `tests/forms` are spawned from inside a process, once as programs that the process itself made, once as programs that it was
given: what is taken gives the same value as outside, and what is refused is refused in the same words.
"""

from __future__ import annotations

import asyncio
import contextlib
import csv
import importlib.abc
import importlib.util
import inspect
import linecache
import os
import pickle
import pprint
import re
import sqlite3
import sys
import time
import traceback
import types
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from form_cases import CASES, Case, assert_equal, expected_of, load

import capsend
from capsend import (
    Address,
    CapsendError,
    CaptureError,
    Dir,
    Environment,
    HostFunction,
    LimitExceeded,
    Mailbox,
    PerProcess,
    Process,
    ProcessGroup,
    ProcessKilled,
    Supervisor,
    TimeLimitExceeded,
    WasmModule,
    process,
    registry,
    spawn,
)

DIFFERENT = {
    "third_party_not_in_image": "what is not in the image cannot be imported inside in the first place",
    "third_party_class_instance": "the same",
    "third_party_unused_name": "the same",
    "native_module": "the same",
    "numpy_like_absent": "the same",
    "file_cure": "a process has no /dev/null to open",
    "executor_handle": "a process has no Executor",
    "stdout_captured": "sys.stdout is of another class inside",
    "stdout_from_import": "the same",
    "third_party_that_a_function_imports": "under which name a package is installed is not known inside",
    "annotations_of_a_module": "newer Pythons make the annotations of a module when somebody asks for the attribute",
    "empty_annotations_of_a_module": "the same",
    "dataclass_make": "newer Pythons know the module of what make_dataclass() makes",
}
"""Programs of which a process cannot make what the host can: {name: why}."""

DIFFERENT_AGAIN = {
    "lru_state": "how often a cache was asked is counted anew",
    "setstate_globals": "its own __setstate__ does something each time that it travels",
    "result_logger": "a process takes a logger from another one only if it has one of that name itself",
}
"""Programs whose result cannot pass through a process that knows nothing of it: {name: why}."""

TAKEN = [case for case in CASES if not case.refused and not case.raises and sys.version_info >= case.python]


class Texts(importlib.abc.InspectLoader, importlib.abc.MetaPathFinder):
    """Imports modules from texts, {path: text}, as if they were files."""

    def __init__(self, texts: dict[str, str]) -> None:
        self._texts = texts

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        stem = name.replace(".", "/")
        for file in (f"{stem}/__init__.py", f"{stem}.py"):
            if file in self._texts:
                is_package = file.endswith("__init__.py")
                spec = importlib.util.spec_from_loader(name, self, origin=f"/forms/{file}", is_package=is_package)
                spec.has_location = True
                return spec
        if any(file.startswith(f"{stem}/") for file in self._texts):
            return importlib.util.spec_from_loader(name, None, is_package=True)
        return None

    def get_source(self, fullname: str) -> str:
        stem = fullname.replace(".", "/")
        return self._texts.get(f"{stem}.py") or self._texts[f"{stem}/__init__.py"]

    def exec_module(self, module: types.ModuleType) -> None:
        source = self.get_source(module.__name__)
        linecache.cache[module.__file__] = (len(source), None, source.splitlines(keepends=True), module.__file__)
        exec(compile(source, module.__file__, "exec", dont_inherit=True), vars(module))


def spawn_made_inside(name: str, texts: dict[str, str]) -> tuple[str, str]:
    """Import a program here, in this process, and spawn its target; say how that went and what came of it."""
    sys.meta_path.insert(0, Texts(texts))
    return outcome(name)


def bare(text: str) -> str:
    """Leave out what differs from one Python, or one run of it, to the next."""
    return re.sub(r" at 0x[0-9a-f]+", "", text).replace("EncodedFile", "TextIOWrapper")


def outcome(name: str) -> tuple[str, str]:
    try:
        module = importlib.import_module(name)
        result = capsend.spawn(module.TARGET, *getattr(module, "ARGS", ())).result(60)
    except (capsend.CaptureError, capsend.SerializationError) as refusal:
        return "refused", str(refusal)
    except Exception as error:
        return "raised", "".join(traceback.format_exception(error))
    expected = module.TARGET(*getattr(module, "ARGS", ()))
    if inspect.iscoroutine(expected):
        expected = asyncio.run(expected)
    same = result == expected
    shown, wanted = (pprint.pformat(value, width=1, sort_dicts=False) for value in (result, expected))
    return ("same", shown) if same and shown == wanted else ("different", f"{shown}\ninstead of\n{wanted}")


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_program_made_inside_is_taken_or_refused_as_outside(case: Case, folder: Path) -> None:
    """The verdict, its words and the result are those that the program gets when the host spawns it."""
    name = f"form_{case.name}"
    inside = capsend.spawn(spawn_made_inside, name, {f"{name}.py": case.source, **case.files}).result(120)
    if case.name in DIFFERENT:
        return
    if sys.version_info < case.python:
        assert inside[0] == "same", inside[1]
        return
    load(case, folder)
    outside = outcome(name)
    assert inside[0] == outside[0], inside
    if inside[0] == "refused":
        assert bare(inside[1]) == bare(outside[1].replace(str(folder), "/forms"))


@pytest.mark.parametrize("case", TAKEN, ids=[case.name for case in TAKEN])
def test_what_a_process_was_given_it_can_spawn_in_turn(case: Case, folder: Path) -> None:
    """A function that was shipped is shipped again from the pieces that came with it, three processes deep."""
    module = load(case, folder)
    target, args = module.TARGET, getattr(module, "ARGS", ())
    if case.name in DIFFERENT_AGAIN:
        return
    expected = expected_of(module)
    assert_equal(capsend.spawn(spawn_again, target, args, 2).result(120), expected)


def spawn_again(target: Any, args: tuple[Any, ...], depth: int) -> Any:
    if depth:
        return capsend.spawn(spawn_again, target, args, depth - 1).result(60)
    return capsend.spawn(target, *args).result(60)


PATIENCE = 60


# --- what is refused ---


def test_a_capture_refused_inside_is_reported_with_file_and_line() -> None:
    """The report names the variable, the reason, the cure and the line in the user's own file, and comes back as itself."""

    def outer() -> None:
        box = [42]
        spawn(lambda: box.append(1))

    with pytest.raises(CaptureError) as refusal:
        spawn(outer).result(PATIENCE)
    finding = refusal.value.findings[0]
    line = outer.__code__.co_firstlineno + 2
    assert (finding.variable, finding.type, finding.file, finding.line) == ("box", "list", __file__, line)
    assert f"in <lambda>, {__file__}:{line}" in str(refusal.value)
    assert "Instead: pass it as an argument, or capture tuple(box)" in str(refusal.value)


def test_a_decorated_function_is_checked_where_it_is_defined_inside() -> None:
    """`@process` refuses at the definition, as outside; what came with the program is not checked again."""

    def outer() -> str:
        box: list[int] = []
        try:

            @process
            def append() -> None:
                box.append(1)

        except CaptureError as refusal:
            return str(refusal).partition("\n")[0]
        return "taken"

    assert spawn(outer).result(PATIENCE).startswith("cannot define append")


def test_code_without_a_text_is_refused_inside() -> None:
    """What `exec` makes in a process has no source there either."""

    def outer() -> str:
        made: dict[str, Any] = {}
        exec("def f(): return 1", made)
        with contextlib.suppress(CaptureError):
            spawn(made["f"])
            return "taken"
        return "refused"

    assert spawn(outer).result(PATIENCE) == "refused"


def test_a_handle_of_a_process_stays_where_it_is() -> None:
    """A `Process` is neither captured, nor passed, nor returned; its address is."""

    def captured() -> None:
        p = spawn(time.sleep, 1000)
        spawn(lambda: p.result())

    def returned() -> Process[None]:
        return spawn(time.sleep, 1000)

    with pytest.raises(CaptureError, match="belongs to the process or program that made it"):
        spawn(captured).result(PATIENCE)
    with pytest.raises(capsend.SerializationError, match="send its address"):
        spawn(returned).result(PATIENCE)


@pytest.mark.parametrize("options", [{"timeout": 100_000}, {"memory": 2 << 30}])
def test_a_child_cannot_have_more_than_its_parent(options: dict[str, int]) -> None:
    """Asking for more says so, and starts nothing."""

    def outer(options: dict[str, int]) -> str:
        try:
            Environment(**options).spawn(pow, 2, 3)
        except LimitExceeded as refusal:
            return str(refusal)
        return "started"

    assert "at most its parent's" in spawn(outer, options).result(PATIENCE)


def test_output_and_image_cannot_be_chosen_inside() -> None:
    """Where output goes and what a process starts from is the host's to say."""

    def outer() -> tuple[str, str]:
        said = []
        for make in (lambda: Environment(stdout=print).spawn(pow, 2, 3), lambda: capsend.Image(packages=["rich"])):
            try:
                make()
            except (TypeError, capsend.ImageError) as refusal:
                said.append(str(refusal))
        return said[0], said[1]

    output, image = spawn(outer).result(PATIENCE)
    assert "writes where it does itself" in output
    assert "starts from its own image" in image


# --- what comes back ---


def grandchild_fails() -> None:
    raise KeyError("deep")


def child_lets_it_pass() -> None:
    spawn(grandchild_fails).result()


def test_an_exception_passes_through_processes_with_all_tracebacks() -> None:
    """It comes back as itself; its causes show every process that it went through, innermost last, in the user's own lines."""
    with pytest.raises(KeyError, match="deep") as failure:
        spawn(child_lets_it_pass).result(PATIENCE)
    printed = "".join(traceback.format_exception(failure.value))
    assert 'raise KeyError("deep")' in printed
    assert "spawn(grandchild_fails).result()" in printed
    assert "<image capsend/process.py>" in printed
    assert f"test_spawning_inside.py:{grandchild_fails.__code__.co_firstlineno + 1} in grandchild_fails" in printed


class Mine(Exception):
    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def test_an_exception_of_the_users_own_is_caught_inside() -> None:
    """The class is the same on both sides of the spawn inside."""

    def fail() -> None:
        raise Mine(4)

    def outer() -> int:
        try:
            spawn(fail).result()
        except Mine as error:
            return error.number
        return 0

    assert spawn(outer).result(PATIENCE) == 4


def whereis() -> object:
    return capsend.registry.whereis("x")


def names_imported_inside() -> object:
    from capsend import registry

    return registry.names()


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (whereis, "capsend.registry.whereis"),
        (names_imported_inside, "capsend.registry.names"),
        (lambda: registry.ensure("x", lambda: None), "capsend.registry.ensure"),
        (lambda: capsend.processes(), r"capsend.processes\(\)"),
    ],
)
def test_nothing_is_reached_by_its_name_inside(function: Callable[[], object], name: str) -> None:
    """The names and processes of the program are no business of a process: the error says so, and what to do instead."""
    with pytest.raises(capsend.CapsendError, match=f"^{name} cannot be used inside a process"):
        capsend.spawn(function).result(timeout=60)


def test_processes_spawn_four_deep() -> None:
    """Each level is judged and shipped by the one above it."""

    def down(depth: int) -> list[int]:
        return [depth, *(spawn(down, depth - 1).result() if depth else [])]

    assert spawn(down, 4).result(PATIENCE) == [4, 3, 2, 1, 0]


def test_what_a_child_prints_goes_where_its_parent_prints() -> None:
    """Output of all levels reaches the target of the root's environment."""
    lines: list[str] = []

    def outer() -> None:
        spawn(print, "from below").result()

    Environment(stdout=lines.append).spawn(outer).result(PATIENCE)
    assert lines == ["from below\n"]


def test_a_handle_tells_how_its_process_ended() -> None:
    """`done`, `exit_reason`, `kill`, `with` and the timeout of `result` do what they do outside."""

    def outer() -> list[Any]:
        with spawn(time.sleep, 1000) as p:
            before = p.done(), p.exit_reason
            try:
                p.result(0.001)
            except TimeoutError as late:
                words = str(late)
        q = spawn(pow, 2, 3)
        q.result()
        return [before, words.partition(" is")[2], p.exit_reason, p.done(), q.exit_reason, q.stats().sent]

    expected = [(False, None), " still running after 0.001 s of waiting", "killed", True, "normal", 0]
    assert spawn(outer).result(PATIENCE) == expected


def test_figures_of_a_child_reach_the_host() -> None:
    """`stats` inside gives what it gives outside, and its value can be returned."""

    def outer() -> Any:
        p = spawn(print, "four")
        p.result()
        return p.stats()

    stats = Environment(stdout=None).spawn(outer).result(PATIENCE)
    assert (stats.output_bytes, stats.received, stats.memory > 1 << 20) == (5, 0, True)


def test_a_child_runs_into_a_limit_that_its_parent_chose() -> None:
    """Limits of an environment made inside hold, and the error is the one that the host would raise."""

    def burn() -> None:
        while True:
            pass

    def outer() -> tuple[float, float]:
        limits = []
        for environment in (Environment(timeout=0.05), Environment(cpu=0.05)):
            try:
                environment.spawn(burn).result()
            except TimeLimitExceeded as error:
                limits.append(error.limit)
        return limits[0], limits[1]

    assert spawn(outer).result(PATIENCE) == (0.05, 0.05)


# --- groups, supervisors, event loops ---


def double(n: int) -> int:
    return n * 2


def fail(n: int) -> None:
    raise ValueError(f"bad {n}")


def test_a_group_waits_for_its_processes_inside() -> None:
    """Leaving the block waits for all."""

    def outer() -> list[int]:
        with ProcessGroup() as group:
            started = [group.spawn(double, n) for n in range(4)]
        return [p.result() for p in started]

    assert spawn(outer).result(PATIENCE) == [0, 2, 4, 6]


def test_a_group_kills_the_rest_at_the_first_failure_inside() -> None:
    """The one that sleeps for ever is killed, and what failed is raised in a group."""

    def outer() -> tuple[list[str], str | None]:
        try:
            with ProcessGroup() as group:
                sleeper = group.spawn(time.sleep, 1000)
                group.spawn(fail, 3)
        except ExceptionGroup as errors:
            return [str(error) for error in errors.exceptions], sleeper.exit_reason
        return [], None

    assert spawn(outer).result(PATIENCE) == (["bad 3"], "killed")


async def in_an_async_group() -> tuple[list[int], list[str]]:
    async with ProcessGroup() as group:
        started = [group.spawn(double, n) for n in range(3)]
    results = [await p for p in started]
    try:
        async with ProcessGroup() as group:
            group.spawn(time.sleep, 1000)
            group.spawn(fail, 7)
    except ExceptionGroup as errors:
        return results, [str(error) for error in errors.exceptions]
    return results, []


def test_a_group_works_on_an_event_loop_inside() -> None:
    """`async with` waits without blocking the loop, and kills the rest at the first failure."""
    assert spawn(in_an_async_group).result(PATIENCE) == ([0, 2, 4], ["bad 7"])


async def several_at_once() -> tuple[list[int], str]:
    results = await asyncio.gather(*(spawn(double, n) for n in range(3)))
    sleeper = spawn(time.sleep, 1000)
    try:
        async with asyncio.timeout(0.01):
            await sleeper
    except TimeoutError:
        return results, repr(sleeper.exit_reason)
    return results, "in time"


def test_an_event_loop_inside_waits_for_several_processes() -> None:
    """Awaiting a process does not block the others, and a wait that is given up leaves the process alone."""
    assert spawn(several_at_once).result(PATIENCE) == ([0, 2, 4], "None")


def test_a_supervisor_inside_starts_a_child_again() -> None:
    """Without a thread of its own it acts while the process waits."""

    def outer() -> tuple[int, bool, int]:
        with Supervisor(restarts=5) as supervisor:
            supervisor.spawn(time.sleep, 1000, name="a")
            first = supervisor.process("a")
            first.kill()
            with ProcessGroup() as group:
                results = [group.spawn(double, 4)]
            while supervisor.restarted == 0:
                spawn(double, 1).result()
            return supervisor.restarted, supervisor.process("a").id != first.id, results[0].result()

    assert spawn(outer).result(PATIENCE) == (1, True, 8)


def test_a_supervisor_inside_lets_each_child_wait_for_itself() -> None:
    """The back-off of one delays no other, and nothing else that the process waits for."""

    def outer() -> tuple[bool, bool]:
        with Supervisor(restarts=50, backoff=0.5, period=60) as supervisor:
            for name in "ab":
                supervisor.spawn(time.sleep, 1000, name=name)
            began = time.monotonic()
            for name in "ab":
                supervisor.process(name).kill()
            while supervisor.process("a") is None or supervisor.process("b") is None or supervisor.restarted < 2:
                spawn(double, 1).result()
            return supervisor.restarted == 2, 0.5 <= time.monotonic() - began < 0.95

    assert spawn(outer).result(PATIENCE) == (True, True)


def test_a_supervisor_inside_gives_up() -> None:
    """Too many ends within the period end it, with what the last child raised as the cause."""

    def outer() -> tuple[str, int]:
        try:
            with Supervisor(restarts=2) as supervisor:
                supervisor.spawn(fail, 1)
                supervisor.wait(PATIENCE)
        except CapsendError as error:
            return repr(error.__cause__), supervisor.restarted
        return "", 0

    assert spawn(outer).result(PATIENCE) == ("ValueError('bad 1')", 2)


async def messages_and_ends(inbox: Mailbox[int]) -> list[int]:
    me = inbox.address

    def later(n: int) -> int:
        me.send(n)
        return n * 10

    started = [spawn(later, n) for n in range(3)]
    received, ended = await asyncio.gather(
        asyncio.gather(*(inbox.receive_async() for _ in range(3))), asyncio.gather(*started)
    )
    return [*sorted(received), *ended]


def test_an_event_loop_inside_waits_for_messages_and_ends_at_once() -> None:
    """Neither kind of wait keeps the other from being woken."""
    assert spawn(messages_and_ends).result(PATIENCE) == [0, 1, 2, 0, 10, 20]


# --- messages ---


@dataclass(frozen=True)
class Ask:
    number: int
    back: Address[int]


def serve(inbox: Mailbox[Ask]) -> int:
    for count, ask in enumerate(inbox):
        if ask.number == 0:
            return count
        ask.back.send(ask.number * 2)
    return -1


def test_a_process_talks_to_what_it_has_spawned() -> None:
    """`send` and `call` work on the handle of a child with a mailbox, and the classes of its messages go along."""

    def outer() -> tuple[int, int]:
        server = spawn(serve)
        answer = server.call(lambda back: Ask(4, back), timeout=PATIENCE)
        server.send(Ask(0, server.address))
        return answer, server.result(PATIENCE)

    assert spawn(outer).result(PATIENCE) == (8, 1)


def test_a_child_talks_to_its_parent() -> None:
    """The parent's address is captured like any other."""

    def parent(inbox: Mailbox[str]) -> tuple[str, int]:
        me = inbox.address

        def child() -> int:
            me.send("hello")
            return 3

        p = spawn(child)
        return inbox.receive(PATIENCE), p.result(PATIENCE)

    assert spawn(parent).result(PATIENCE) == ("hello", 3)


def test_an_address_comes_back_from_a_child() -> None:
    """A result may hold addresses; they are the same ones, re-indexed."""

    def outer() -> tuple[int, bool]:
        server = spawn(serve)
        address = server.address
        returned = spawn(lambda: address).result()
        return returned.call(lambda back: Ask(5, back), timeout=PATIENCE), returned is address

    assert spawn(outer).result(PATIENCE) == (10, True)


def test_a_child_is_monitored_by_its_parent() -> None:
    """One notice comes, with the reason."""

    def parent(inbox: Mailbox[Any]) -> tuple[str, str]:
        p = spawn(time.sleep, 1000)
        inbox.monitor(p.address)
        p.kill()
        notice = inbox.receive(PATIENCE)
        return type(notice).__name__, notice.reason

    assert spawn(parent).result(PATIENCE) == ("Down", "killed")


def test_a_process_spawns_linked_processes() -> None:
    """The end of one is the end of the other."""

    def outer() -> str | None:
        first = spawn(time.sleep, 1000)
        second = first.spawn_linked(time.sleep, 1000)
        first.kill()
        with contextlib.suppress(ProcessKilled):
            second.result(PATIENCE)
        return second.exit_reason

    assert spawn(outer).result(PATIENCE) == "killed"


# --- authority ---


@HostFunction
def length(text: str) -> int:
    return len(text)


def test_a_function_of_the_host_is_handed_down_by_capture_and_as_an_argument() -> None:
    """Whoever holds it can give it to what it spawns; it still runs in the host."""

    def outer(function: HostFunction[[str], int]) -> tuple[int, int]:
        return spawn(lambda: length("abc")).result(), spawn(lambda f: f("abcd"), function).result()

    assert spawn(outer, length).result(PATIENCE) == (3, 4)


def test_a_folder_is_handed_down_with_its_rights_or_fewer(tmp_path: Path) -> None:
    """`Dir` of a folder that was given: read-only unless `write=True`, and never more than the parent may."""
    (tmp_path / "x.txt").write_text("text")

    def read(folder: Path) -> str:
        return (folder / "x.txt").read_text()

    def write(folder: Path) -> str:
        try:
            (folder / "y.txt").write_text("")
        except OSError as error:
            return type(error).__name__
        return "written"

    def outer(folder: Path) -> list[str]:
        weak, strong = Dir(folder), Dir(folder, write=True)
        captured = spawn(lambda: read(weak)).result()
        return [captured, spawn(write, weak).result(), spawn(write, strong).result()]

    assert spawn(outer, Dir(tmp_path, write=True)).result(PATIENCE) == ["text", "PermissionError", "written"]
    assert spawn(outer, Dir(tmp_path)).result(PATIENCE) == ["text", "PermissionError", "PermissionError"]


def test_a_folder_that_was_not_given_cannot_be_handed_down(tmp_path: Path) -> None:
    """Neither another path of the host nor a part of a folder makes a `Dir`."""
    (tmp_path / "sub").mkdir()

    def outer(folder: Path) -> list[str]:
        said = []
        for path in ("/", "/etc", folder / "sub", folder.parent):
            try:
                Dir(path)
            except ValueError as refusal:
                said.append(str(refusal).partition(":")[2][:20])
        return said

    assert spawn(outer, Dir(tmp_path)).result(PATIENCE) == [" only a folder that "] * 4


def test_a_path_gives_a_child_no_right_to_the_folder(tmp_path: Path) -> None:
    """What a process has as a path is a name; only a `Dir` is a right."""
    (tmp_path / "x.txt").write_text("text")

    def outer(folder: Path) -> bool:
        path = str(folder)
        return spawn(lambda: Path(path, "x.txt").exists()).result()

    assert spawn(outer, Dir(tmp_path)).result(PATIENCE) is False


@pytest.fixture
def stock(tmp_path: Path) -> Dir:
    """A folder with a file in it, and one below."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "x.txt").write_text("text")
    (tmp_path / "sub" / "y, ä%.csv").write_text("1,2")
    return Dir(tmp_path)


def test_a_folder_that_is_captured_deep_below_is_there(stock: Dir) -> None:
    """What a function captures goes along at every level, whoever spawns it."""

    def read() -> str:
        return (stock / "x.txt").read_text()

    def parent() -> str:
        return spawn(read).result()

    def grandparent() -> str:
        return spawn(parent).result()

    assert spawn(grandparent).result(PATIENCE) == "text"


@dataclass
class Rights:
    place: Any
    function: HostFunction[[str], int]


class Holder:
    function: Any = length


@pytest.mark.parametrize("levels", [0, 2])
def test_rights_go_along_in_whatever_holds_them(stock: Dir, levels: int) -> None:
    """Fields, containers, defaults, class attributes and partials, as captures and as arguments, three processes deep."""
    file = stock / "x.txt"
    nested, held = (stock, (frozenset({file}), length)), Rights(stock, length)

    def by_default(place: Path = stock, function: Any = length) -> int:
        return function((place / "x.txt").read_text())

    def by_class() -> int:
        return Holder.function((stock / "x.txt").read_text())

    def by_nesting() -> int:
        return nested[1][1](next(iter(nested[1][0])).read_text())

    def by_field(rights: Rights) -> int:
        return rights.function((rights.place / "x.txt").read_text())

    ways = [(by_default, ()), (by_class, ()), (by_nesting, ()), (partial(by_default, stock), ()), (by_field, (held,))]
    assert [spawn(spawn_again, way, args, levels).result(PATIENCE) for way, args in ways] == [4] * len(ways)


def test_a_folder_inside_is_both_a_path_and_a_dir(stock: Dir, tmp_path: Path) -> None:
    """Whatever takes a path takes it, and what has to know a right knows it."""
    books = Dir(tmp_path / "sub", write=True)

    def outer() -> list[Any]:
        with open(next(stock.glob("sub/*")), newline="") as lines:
            rows = list(csv.reader(lines))
            with contextlib.closing(sqlite3.connect(books / "db")) as database:
                one = database.execute("select 1").fetchall()
        kinds = isinstance(stock, Path), isinstance(stock, Dir), isinstance(stock, os.PathLike)
        plain = Path(str(stock)) / "sub"
        return [rows, one, kinds, stock / "sub" == plain, hash(stock / "sub") == hash(plain), stock.write]

    assert spawn(outer).result(PATIENCE) == [[["1", "2"]], [(1,)], (True, True, True), True, True, False]


def test_paths_derived_inside_carry_the_right(stock: Dir) -> None:
    """Every way that leads to a place in the folder; a child finds the same file."""
    file = stock / "sub" / "y, ä%.csv"

    def outer() -> list[tuple[bool, str]]:
        name = file.name
        ways = [
            file, stock.joinpath("sub", name), file.parent / name, file.with_name("a").with_name(name), file.with_suffix(".csv"),
            next(file.parent.iterdir()), next(stock.rglob("*.csv")), file.resolve(), file.absolute(), file.parents[1] / "sub" / name,
        ]  # fmt: skip
        return [(isinstance(way, Dir), spawn(lambda: spawn(Path.read_text, way).result()).result()) for way in ways]

    assert spawn(outer).result(PATIENCE) == [(True, "1,2")] * 10


def test_paths_that_lead_out_inside_carry_none(stock: Dir) -> None:
    """They are ordinary paths, as outside, and so is what is made from a name."""

    def outer() -> list[str]:
        out = (stock.parent, stock / "..", stock / "../x", stock / "/etc", stock / "sub" / ".." / "x.txt")
        named = (Path(str(stock)), Path(stock), (stock / "x.txt").relative_to(stock))
        return [type(path).__name__ for path in (*out, *named)]

    assert set(spawn(outer).result(PATIENCE)) == {"PosixPath"}


def test_a_folder_to_read_stays_so_beside_the_same_one_to_write(tmp_path: Path) -> None:
    """A child that is given both has a mount for each, and what it spawns has."""
    strong = Dir(tmp_path, write=True)

    def outer() -> list[str]:
        weak = Dir(strong)

        def use() -> str:
            (strong / "x").write_text("x")
            try:
                (weak / "x").write_text("y")
            except PermissionError:
                return (weak / "x").read_text() + str(weak.write)
            return "written"

        return [spawn(use).result(), spawn(lambda: spawn(use).result()).result()]

    assert spawn(outer).result(PATIENCE) == ["xFalse", "xFalse"]


def test_a_dir_in_a_message_is_refused_inside_as_outside(stock: Dir) -> None:
    """What a process may use is settled when it starts; the path can be sent as text. Nor can it be pickled."""
    with Mailbox[Any]() as inbox:
        address = inbox.address

        def outer() -> list[str]:
            said = []
            for attempt in (lambda: address.send([stock / "x.txt"]), lambda: pickle.dumps(stock)):
                try:
                    attempt()
                except (capsend.SerializationError, TypeError) as refusal:
                    said.append(str(refusal))
            address.send(str(stock / "x.txt"))
            return said

        refusals = spawn(outer).result(PATIENCE)
        assert inbox.receive(PATIENCE).endswith("/x.txt")
    assert refusals[0].startswith(
        "message[0] cannot be sent: which folders a process may use is settled when it starts"
    )
    assert refusals[1].startswith("a Dir cannot be pickled")


def test_a_path_that_comes_back_is_a_name(stock: Dir) -> None:
    """As a result, in an exception and for a function of the host, from a child as well: it says where the file is inside, and no more."""
    kind = HostFunction(kind_of)

    def fail() -> None:
        raise ValueError(stock / "x.txt")

    def outer() -> list[Any]:
        path = spawn(lambda: [stock / "x.txt"]).result()[0]
        try:
            spawn(fail).result()
        except ValueError as error:
            raised = error.args[0]
        return [path, raised, isinstance(path, Dir), kind(stock / "x.txt"), spawn(kind, Path(stock)).result()]

    *paths, is_dir, told, told_by_child = spawn(outer).result(PATIENCE)
    assert [(type(path), path.name) for path in paths] == [(type(Path()), "x.txt")] * 2
    assert (is_dir, told, told_by_child) == (False, type(Path()).__name__, type(Path()).__name__)


def kind_of(path: Path) -> str:
    return type(path).__name__


def test_a_path_is_told_to_a_module_that_a_process_spawns(stock: Dir) -> None:
    """A process in another language learns the very path, two processes deep."""
    where = WasmModule.from_wat(WHERE).function("where")

    def outer() -> bytes:
        return spawn(lambda: spawn(where, b"", stock / "sub").result()).result()

    assert spawn(outer).result(PATIENCE).endswith(b"/sub")


WHERE = """
(module
  (import "capsend" "argument" (func $argument (param i32) (result i32)))
  (import "capsend" "read" (func $take (param i32 i32) (result i32)))
  (import "capsend" "describe" (func $describe (param i32 i32 i32) (result i32)))
  (import "capsend" "result" (func $result (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "capsend_abi_1"))
  (func (export "where") (result i32)
    (drop (call $argument (i32.const 0))) (drop (call $take (i32.const 1024) (i32.const 256)))
    (call $result (i32.const 2048) (call $describe (i32.load (i32.const 256)) (i32.const 2048) (i32.const 200)))))
"""


def test_more_paths_than_can_be_told_are_refused(stock: Dir) -> None:
    """A limit is an error that says so, before anything starts."""

    def outer() -> list[str]:
        said = []
        for paths in ([stock / f"{number:0200}" for number in range(11_000)], [stock / str(n) for n in range(10_001)]):
            try:
                spawn(len, paths)
            except LimitExceeded as refusal:
                said.append(str(refusal))
        return said

    long, many = spawn(outer).result(PATIENCE)
    assert "Give it folders rather than the paths in them" in long
    assert "too many handles" in many


def test_rights_are_charged_to_the_tree(stock: Dir) -> None:
    """The host keeps what a process says of them: many long paths are memory that the tree uses."""

    def outer() -> tuple[int, str]:
        large = Environment(memory=120 << 20)
        names = [f"{number:0200}" for number in range(9_000)]
        count = large.spawn(len, names).result()
        try:
            large.spawn(len, [stock / name for name in names])
        except LimitExceeded as refusal:
            return count, str(refusal)
        return count, "started"

    count, refusal = Environment(memory=256 << 20, tree_memory=128 << 20).spawn(outer).result(PATIENCE)
    assert count == 9_000
    assert "memory" in refusal


def test_limits_of_a_function_hold_for_all_of_a_tree() -> None:
    """Whoever is given it below counts as the one process that the host spawned; the next tree begins anew."""
    few = length.limited(calls=4)

    def leaf() -> int:
        try:
            return few("abc")
        except LimitExceeded:
            return 0

    def middle() -> list[int]:
        return [leaf(), spawn(leaf).result()]

    def outer() -> list[int]:
        return [leaf(), *spawn(middle).result(), spawn(leaf).result(), leaf(), spawn(leaf).result()]

    assert [spawn(outer).result(PATIENCE) for _ in range(2)] == [[3, 3, 3, 3, 0, 0]] * 2


NOTES: PerProcess[list[int]] = [0]


def note(depth: int) -> list[list[int]]:
    NOTES.append(depth)
    below = spawn(note, depth - 1).result() if depth else []
    return [list(NOTES), *below]


def test_a_global_of_each_process_goes_down_as_a_copy() -> None:
    """A child begins with what its parent has at that moment, and changes only its own."""
    assert spawn(note, 2).result(PATIENCE) == [[0, 2], [0, 2, 1], [0, 2, 1, 0]]
    assert NOTES == [0]
