"""The demonstration: a refused capture, hostile functions that are contained, an isolated crash, and all cores at work."""

from __future__ import annotations

import contextlib
import inspect
import io
import json
import operator
import os
import subprocess
import sys
import sysconfig
import time
import tokenize
from concurrent.futures import as_completed
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.rule import Rule
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

import capsend
from capsend.commands import showcase
from capsend.commands.display import hanging
from capsend.environment import Environment
from capsend.exceptions import CapsendError, CaptureError, ProcessFailed
from capsend.executor import Executor
from capsend.image.image import Image
from capsend.runtime.workers import processors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from capsend_traits.wording import Finding
    from rich.console import Console

_NOT_THE_LIBRARY: Final = frozenset({"site-packages", "dist-packages", "test", "tests", "idle_test", "__pycache__"})
_NOT_SURVEYED: Final = frozenset(
    {"distutils", "encodings", "idlelib", "lib2to3", "pydoc_data", "tkinter", "turtledemo"}
)
"""Packages of tables, desktop packages and obsolete ones: they would only lengthen the demonstration."""

_MARGIN: Final = "  "
_SUBJECT: Final = 17
"""Columns for the first words of a line."""

_SMALL: Final = 128 << 20
_SHORT: Final = 0.5


@attrs.frozen
class Figures:
    """The measured figures.

    Attributes:
        spawn: seconds from spawn to result of a trivial function, the median.
        spawns: how many were measured.
        memory: bytes of private memory of one more live, idle process; None if the system does not report it.
        processes: how many were measured.
    """

    spawn: float
    spawns: int
    memory: float | None
    processes: int


def run(to: Console) -> bool:
    """Show the whole demonstration.

    Returns:
        True if everything was contained and processes answered like the host.
    """
    to.print(
        "capsend runs Python functions in processes with memory of their own: WebAssembly instances with a CPython in each."
    )
    Image().ensure()
    _forum(to)
    figures = measure()
    contained = _hostile(to)
    alone = _crash(to)
    same = _survey(to)
    _show_figures(figures, to)
    return contained and alone and same


def _forum(to: Console) -> None:
    forum = showcase.load("forum")
    _title(to, "A captured list is refused, before anything runs")
    _source(forum.as_it_was, to, refused=_refused(forum.as_it_was))
    for title, cure in (
        ("Cured: passed, as a copy on purpose", forum.by_value),
        ("Cured: captured as a tuple", forum.immutable),
    ):
        _title(to, title)
        _source(cure, to)
        with contextlib.redirect_stdout(io.StringIO()) as written:
            cure()
        to.print(Text(f"{_MARGIN}prints: {written.getvalue().rstrip()}", style="green"))


def _refused(program: Callable[[], None]) -> Finding:
    try:
        program()
    except CaptureError as error:
        return error.findings[0]
    message = "the forum program was not refused; please report this"
    raise AssertionError(message)


def _source(function: Callable[[], None], to: Console, *, refused: Finding | None = None) -> None:
    """Show the body of a function, with the refusal below the captured name."""
    lines, first = inspect.getsourcelines(function)
    for number, line in enumerate(lines, first):
        if number == first or line.strip().startswith('"""'):
            continue
        code = _MARGIN + line.strip()
        to.print(Syntax(code, "python", theme="ansi_dark", background_color="default") if to.is_terminal else code)
        if refused is not None and number == refused.line:
            leaf = refused.leaves[0]
            column = len(_MARGIN) + column_of(line.strip(), refused.variable)
            to.print(Text(" " * column + "^", style="bold red"))
            to.print(
                _wrapped(
                    f'CaptureError: captured "{refused.variable}" is {refused.type}, which is not {refused.trait}',
                    to,
                    "bold red",
                )
            )
            to.print(_wrapped(leaf.verdict, to, "red"))
            to.print(_wrapped(f"Instead: {leaf.cure}.", to, "cyan"))


def column_of(line: str, name: str) -> int:
    """Return the column of the last use of a name in a line of Python."""
    tokens = tokenize.generate_tokens(io.StringIO(line).readline)
    return max(token.start[1] for token in tokens if token.type == tokenize.NAME and token.string == name)


def _wrapped(text: str, to: Console, style: str) -> Text:
    indented = _MARGIN + text
    return Text(hanging(indented, to.width) if to.is_terminal else indented, style=style)


def _hostile(to: Console) -> bool:
    program = showcase.load("hostile")
    _title(to, "Hostile functions are contained")
    memory = _ended(program.hoard, Environment(memory=_SMALL))
    _line(
        to,
        "memory limit",
        f"takes all it can get, of {_SMALL >> 20} MiB: {memory}",
        good="MemoryLimitExceeded" in memory,
    )
    spinning = _ended(program.spin, Environment(timeout=_SHORT))
    _line(
        to,
        "time limit",
        f"loops for ever, and catches whatever would end it: {spinning}",
        good="TimeLimitExceeded" in spinning,
    )
    attempts = Environment().spawn(program.steal).result()
    met = ", ".join(f"{attempt} {error}" for attempt, error in attempts.items())
    untouched = "SUCCEEDED" not in attempts.values()
    _line(to, "files, network", met, good=untouched)
    return "MemoryLimitExceeded" in memory and "TimeLimitExceeded" in spinning and untouched


def _ended(function: Callable[[], object], environment: Environment) -> str:
    """Return how and when a function ends in a process."""
    started = time.perf_counter()
    try:
        outcome = f"returned {environment.spawn(function).result()!r}"
    except CapsendError as error:
        outcome = type(error).__name__
    return f"{outcome} after {time.perf_counter() - started:.2f} s"


def _crash(to: Console) -> bool:
    program = showcase.load("hostile")
    _title(to, "A crash takes nothing along")
    beside = [Environment().spawn(program.bystander) for _ in range(2)]
    try:
        fault = f"returned {Environment().spawn(program.crash).result()!r}"
    except ProcessFailed as error:
        fault = str(error).partition(": ")[2]
    for number, process in enumerate(beside, 1):
        process.address.send(number)
    answers = [process.result() for process in beside]
    good = not fault.startswith("returned") and answers == [2, 4]
    _line(to, "one process", f"runs bytecode that makes CPython read wild memory: {fault}", good=good)
    _line(to, "two beside it", f"answer afterwards: {answers[0]} and {answers[1]}", good=good)
    return good


def _line(to: Console, subject: str, text: str, *, good: bool) -> None:
    if not to.is_terminal:
        to.print(f"{_MARGIN}{subject:{_SUBJECT}}{text}")
        return
    line = Table.grid(padding=(0, 1))
    line.add_column(width=len(_MARGIN) + _SUBJECT, style="bold green" if good else "bold red")
    line.add_column(overflow="fold")
    line.add_row(_MARGIN + subject, text)
    to.print(line)


def _survey(to: Console) -> bool:
    program = showcase.load("survey")
    sources = list(standard_library())
    workers = processors()
    plural = "s" if workers > 1 else ""
    _title(to, f"A job: survey the standard library, with {workers} worker{plural}")
    inside = []
    started, busy = time.perf_counter(), time.process_time()
    with _progress(len(sources), to) as advance, Executor(workers) as executor:
        try:
            for future in as_completed([executor.submit(program.survey, *source) for source in sources]):
                inside.append(future.result())
                advance()
        except BaseException:
            # Otherwise leaving the executor would wait for all remaining tasks.
            executor.shutdown(wait=False, cancel_futures=True)
            raise
    taken, busy = time.perf_counter() - started, time.process_time() - busy
    _results(inside, to)
    cores = busy / taken
    job = f"{len(sources)} modules, each in a process of its own, in {taken:.1f} s"
    _line(to, "cores", f"{job}: {busy:.1f} s of work, which kept {cores:.1f} of {workers} core{plural} busy", good=True)
    inside.sort(key=operator.itemgetter("module"))
    same = inside == sorted((program.survey(*source) for source in sources), key=operator.itemgetter("module"))
    verdict = "identical" if same else "DIFFERENT"
    _line(to, "answers", f"Results of the processes and of the host: {verdict}.", good=same)
    return same


def standard_library() -> Iterator[tuple[str, str]]:
    """Yield (module, source) of every module of this Python's standard library, without tests and `_NOT_SURVEYED`."""
    root = Path(sysconfig.get_path("stdlib"))
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        if (_NOT_THE_LIBRARY | _NOT_SURVEYED).isdisjoint(parts):
            with tokenize.open(path) as file:
                yield ".".join(parts).removesuffix(".__init__"), file.read()


def _results(surveys: list[dict[str, Any]], to: Console) -> None:
    total = {column: sum(survey[column] for survey in surveys) for column in ("lines", "functions", "classes")}
    _line(to, "found", ", ".join(f"{count:,} {column}" for column, count in total.items()), good=True)
    for title, field, unit in (
        ("longest", "longest", "lines"),
        ("most branches", "branchiest", "branches"),
        ("deepest nesting", "deepest", "blocks"),
    ):
        size, where = max(survey[field] for survey in surveys)
        _line(to, title, f"{where}, {size} {unit}", good=True)


@contextlib.contextmanager
def _progress(total: int, to: Console) -> Iterator[Callable[[], None]]:
    """Yield a function to call for each finished process; only a terminal shows the progress."""
    if not to.is_terminal:
        yield lambda: None
        return
    columns = (TextColumn(_MARGIN + "{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=to, transient=True) as progress:
        task = progress.add_task("processes", total=total)
        yield lambda: progress.advance(task)


def measure() -> Figures:
    """Measure the present latency of a spawn and the memory of a process on this machine.

    Raises:
        subprocess.CalledProcessError: the program of `showcase/figures.py` failed.
    """
    ours = str(Path(capsend.__file__).parents[1])
    paths = os.pathsep.join(path for path in (ours, os.environ.get("PYTHONPATH")) if path)
    printed = subprocess.run(  # noqa: S603 # our own file
        [sys.executable, "-P", showcase.FOLDER / "figures.py"],
        env={**os.environ, "PYTHONPATH": paths},
        stdout=subprocess.PIPE,
        check=True,
    ).stdout
    return Figures(**json.loads(printed))


def _show_figures(figures: Figures, to: Console) -> None:
    _title(to, "Figures, measured here and now")
    _line(
        to,
        "start",
        f"{figures.spawn * 1000:.1f} ms from spawn to result, a fresh process (median of {figures.spawns})",
        good=True,
    )
    if figures.memory is not None:
        text = f"{figures.memory / 1e6:.1f} MB for one more live, idle process (mean of {figures.processes})"
        _line(to, "memory", text, good=True)


def _title(to: Console, title: str) -> None:
    to.print()
    to.print(Rule(Text(title, style="bold"), align="left", style="dim") if to.is_terminal else f"== {title}")
    to.print()
