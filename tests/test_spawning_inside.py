"""Processes that spawn processes, as the ones inside see it: what they may spawn, by which rules, and what comes back.

All programs of `tests/forms` are spawned from inside a process, once as programs that the process itself made, once as programs that it was
given: what is taken gives the same value as outside, and what is refused is refused in the same words.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.abc
import importlib.util
import inspect
import linecache
import pprint
import re
import sys
import time
import traceback
import types
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

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
    Process,
    ProcessGroup,
    ProcessKilled,
    Supervisor,
    TimeLimitExceeded,
    process,
    registry,
    spawn,
)

sys.path.insert(0, str(Path(__file__).parent))

from form_cases import CASES, Case, assert_equal, expected_of, load

DIFFERENT = {
    "third_party_not_in_image": "what is not in the image cannot be imported inside in the first place",
    "third_party_class_instance": "the same",
    "third_party_unused_name": "the same",
    "native_module": "the same",
    "numpy_like_absent": "the same",
    "file_cure": "a process has no /dev/null to open",
    "executor_handle": "a process has no Executor",
    "third_party_that_a_function_imports": "under which name a package is installed is not known inside",
    "dataclass_make": "newer Pythons know the module of what make_dataclass() makes",
}
"""Programs of which a process cannot make what the host can: {name: why}."""

DIFFERENT_AGAIN = {
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
        assert inside[0] == "same"
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
