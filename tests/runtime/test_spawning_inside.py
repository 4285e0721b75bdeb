"""Processes that spawn processes, as seen from within: what they may spawn, by which rules, and the results."""

from __future__ import annotations

import contextlib
import time
import traceback
from collections.abc import Callable
from typing import Any

import pytest

import capsend
from capsend import (
    CaptureError,
    Environment,
    LimitExceeded,
    Process,
    TimeLimitExceeded,
    process,
    registry,
    spawn,
)

PATIENCE = 60


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
    assert "Instead: return the value, take it from result(), and change it on the host" in str(refusal.value)


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
    """Code made by `exec` has no source in a process either."""

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
    """The host decides on the output's targets and the image."""

    def outer() -> tuple[str, str]:
        said = []
        for make in (lambda: Environment(stdout=print).spawn(pow, 2, 3), lambda: capsend.Image(packages=["rich"])):
            try:
                make()
            except (TypeError, capsend.ImageError) as refusal:
                said.append(str(refusal))
        return said[0], said[1]

    output, image = spawn(outer).result(PATIENCE)
    assert "its children write to its own" in output
    assert "its children start from its own image" in image


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
    assert "capsend/process.py" not in printed  # whose frames are not to blame
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
    """Limits of an environment made in a process hold, and the error is the same as the host's."""

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
