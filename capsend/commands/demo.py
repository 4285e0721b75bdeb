"""The demonstration: the forum program refused and cured, a survey of the standard library in processes, and figures."""

from __future__ import annotations

import contextlib
import inspect
import io
import operator
import os
import statistics
import sysconfig
import threading
import time
import tokenize
from collections import Counter
from concurrent.futures import as_completed
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.rule import Rule
from rich.syntax import Syntax
from rich.text import Text

from capsend.commands import showcase
from capsend.commands.display import hanging, table
from capsend.environment import Environment
from capsend.exceptions import CaptureError
from capsend.executor import Executor
from capsend.image.image import Image

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console

_NOT_THE_LIBRARY: Final = frozenset({"site-packages", "dist-packages", "test", "tests", "idle_test", "__pycache__"})
_LATENCIES: Final = 51
_IDLE: Final = 32
_PLAIN_STEPS: Final = 4


@attrs.frozen
class Figures:
    """The measured figures.

    Attributes:
        spawn: seconds from spawn to result of a trivial function, the median.
        memory: bytes of private memory of one more live, idle process; None where the system does not report it.
    """

    spawn: float
    memory: float | None


def run(to: Console) -> bool:
    """Show the whole demonstration; return whether the processes' results were those of the host."""
    Image().ensure()
    _forum(to)
    same = _survey(to)
    _show_figures(measure(), to)
    return same


def _forum(to: Console) -> None:
    forum = showcase.load("forum")
    _title(to, "The forum program: a captured list")
    _source(forum.as_it_was, to)
    output, refusal = _refused(forum.as_it_was)
    to.print(output.rstrip())
    message = f"CaptureError: {refusal}".replace(f"{showcase.FOLDER}{os.sep}", "")
    if to.is_terminal:
        # The border and its padding take four columns.
        message = hanging(message, to.width - 4)
        to.print(Panel(Text(message), border_style="red", title="refused before it ran"))
    else:
        to.print(message)
    for cure, title in ((forum.by_value, "Cured: passed by value"), (forum.immutable, "Cured: captured as a tuple")):
        _title(to, title)
        _source(cure, to)
        with contextlib.redirect_stdout(io.StringIO()) as written:
            cure()
        to.print(written.getvalue().rstrip())


def _refused(program: Callable[[], None]) -> tuple[str, CaptureError]:
    with contextlib.redirect_stdout(io.StringIO()) as written:
        try:
            program()
        except CaptureError as error:
            return written.getvalue(), error
    message = "the forum program was not refused; please report this"
    raise AssertionError(message)


def _source(function: Callable[[], None], to: Console) -> None:
    lines, _ = inspect.getsourcelines(function)
    shown = [line for line in lines if not line.strip().startswith('"""')]
    code = "".join(line.partition("  # type:")[0].rstrip() + "\n" for line in shown).rstrip()
    if to.is_terminal:
        to.print(Syntax(code, "python", background_color="default"))
    else:
        to.print(code)
    to.print()


def _survey(to: Console) -> bool:
    program = showcase.load("survey")
    sources = list(standard_library())
    workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    cores = f"on {workers} core" + ("s" if workers > 1 else "")
    _title(to, "A job: survey the standard library")
    to.print(f"{len(sources)} modules of this Python, a fresh process for each, {cores}.")
    to.print()
    inside = []
    started = time.perf_counter()
    with _progress(len(sources), to) as advance, Executor(workers) as executor:
        try:
            for future in as_completed([executor.submit(program.survey, *source) for source in sources]):
                inside.append(future.result())
                advance()
        except BaseException:
            # Else leaving the executor would wait for all remaining tasks.
            executor.shutdown(wait=False, cancel_futures=True)
            raise
    taken = time.perf_counter() - started
    started = time.perf_counter()
    here = [program.survey(*source) for source in sources]
    host = time.perf_counter() - started
    inside.sort(key=operator.itemgetter("module"))
    here.sort(key=operator.itemgetter("module"))
    _results(inside, to)
    same = inside == here
    verdict = "identical" if same else "DIFFERENT"
    to.print(f"in {len(sources)} processes: {taken:.1f} s, {cores}")
    to.print(f"here, without any: {host:.1f} s, on one core")
    to.print(Text(f"Results of the processes and of the host: {verdict}.", style="green" if same else "bold red"))
    return same


def standard_library() -> Iterator[tuple[str, str]]:
    """Yield (module, source) of every module of this Python's standard library, its own tests left out."""
    root = Path(sysconfig.get_path("stdlib"))
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        if _NOT_THE_LIBRARY.isdisjoint(parts):
            with tokenize.open(path) as file:
                yield ".".join(parts).removesuffix(".__init__"), file.read()


def _results(surveys: list[dict[str, Any]], to: Console) -> None:
    columns = ("modules", "lines", "functions", "classes", "branches")
    totals: dict[str, Counter[str]] = {}
    for survey in surveys:
        package = survey["module"].partition(".")[0]
        count = totals.setdefault(package, Counter())
        count.update({"modules": 1, **{column: survey[column] for column in columns[1:]}})
    shown = table("package", *columns, to=to, right=columns)
    largest = sorted(totals.items(), key=lambda pair: -pair[1]["lines"])
    for package, count in largest[:8]:
        shown.add_row(package, *(f"{count[column]:,}" for column in columns))
    rest: Counter[str] = sum((count for _, count in largest[8:]), Counter())
    shown.add_row(f"{len(largest[8:])} others", *(f"{rest[column]:,}" for column in columns))
    total: Counter[str] = sum(totals.values(), Counter())
    shown.add_row("all", *(f"{total[column]:,}" for column in columns), style="bold")
    to.print(shown)
    to.print()
    for title, field, unit in (
        ("longest function", "longest", "lines"),
        ("most branches", "branchiest", "branches"),
        ("deepest nesting", "deepest", "blocks"),
    ):
        size, where = max(survey[field] for survey in surveys)
        to.print(f"{title + ':':18}{where}, {size} {unit}")
    to.print()


@contextlib.contextmanager
def _progress(total: int, to: Console) -> Iterator[Callable[[], None]]:
    """Yield a function to be called for each process that is done."""
    if to.is_terminal:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=to, transient=True) as progress:
            task = progress.add_task("processes", total=total)
            yield lambda: progress.advance(task)
        return
    done = 0

    def advance() -> None:
        nonlocal done
        done += 1
        if done * _PLAIN_STEPS // total > (done - 1) * _PLAIN_STEPS // total:
            to.print(f"{done} of {total} processes are done")

    yield advance


def measure() -> Figures:
    """Measure the latency of a spawn and the memory of a process, on this machine and now."""
    program = showcase.load("selftest")
    environment = Environment()
    environment.spawn(program.nothing).result()
    times = []
    for _ in range(_LATENCIES):
        started = time.perf_counter()
        environment.spawn(program.nothing).result()
        times.append(time.perf_counter() - started)
    return Figures(spawn=statistics.median(times), memory=_memory_of_one(program.rest))


def _memory_of_one(rest: Callable[[float], None]) -> float | None:
    ready = threading.Semaphore(0)
    environment = Environment(stdout=lambda _text: ready.release())
    before = _private_memory()
    if before is None:
        return None
    with contextlib.ExitStack() as stack:
        for _ in range(_IDLE):
            stack.enter_context(environment.spawn(rest, 60.0))
        for _ in range(_IDLE):
            ready.acquire(timeout=60)
        return ((_private_memory() or before) - before) / _IDLE


def _private_memory() -> int | None:
    """Return the bytes of memory that belong to this OS process alone; None on systems other than Linux."""
    try:
        text = Path("/proc/self/smaps_rollup").read_text(encoding="ascii")
    except OSError:
        return None
    return sum(int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("Private_"))


def _show_figures(figures: Figures, to: Console) -> None:
    _title(to, "Figures, measured here and now")
    to.print(f"from spawn to result, a fresh process: {figures.spawn * 1000:.1f} ms (median of {_LATENCIES})")
    if figures.memory is not None:
        to.print(f"memory of one more live, idle process: {figures.memory / 1e6:.1f} MB (mean of {_IDLE})")


def _title(to: Console, title: str) -> None:
    to.print()
    to.print(Rule(Text(title, style="bold"), align="left", style="dim") if to.is_terminal else f"== {title}")
    to.print()
