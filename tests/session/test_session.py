"""Sessions: state from cell to cell, variables, limits of each cell, interrupts that keep the state, and copies."""

from __future__ import annotations

import asyncio
import contextlib
import doctest
import json
import linecache
import re
import threading
import time
import traceback
from typing import TYPE_CHECKING

import attrs
import pytest

import capsend
from capsend import (
    CapsendError,
    Dir,
    Environment,
    HostFunction,
    LimitExceeded,
    Mailbox,
    MemoryLimitExceeded,
    OutputLimitExceeded,
    ProcessFailed,
    ProcessKilled,
    Record,
    SerializationError,
    Session,
    Source,
    TimeLimitExceeded,
    host_function,
)
from capsend.capabilities import handles
from capsend.session import session
from tests.bench.probes import private

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATIENCE = 30.0
LIMITED = Environment(timeout=PATIENCE)


@attrs.define
class Basket:
    """A class of the host's that goes in and out."""

    prices: list[int]

    def total(self) -> int:
        """Return the price."""
        return sum(self.prices)


@host_function
def shout(text: str) -> str:
    """A function of the host's."""
    return text.upper()


class Started:
    """Tells when a cell has begun, so that it is not interrupted before."""

    def __init__(self, target: Session) -> None:
        self._target = target
        self._begun = threading.Event()
        self.function = host_function(self._begin)

    def _begin(self) -> None:
        self._begun.set()

    def interrupt(self) -> None:
        """Wait until it has, and interrupt it."""
        assert self._begun.wait(PATIENCE)
        assert self._target.interrupt()


@pytest.fixture
def live() -> Iterator[Session]:
    """A session whose cells take half a minute at most."""
    with Session(LIMITED, shout=shout, rate=2) as made:
        yield made


def interrupted(target: Session, text: str) -> BaseException:
    """Return the error of a cell that is interrupted once it has begun."""
    started = Started(target)
    target["begun"] = started.function
    thread = threading.Thread(target=started.interrupt)
    thread.start()
    outcome = target.execute(text if "begun()" in text else f"begun()\n{text}")
    thread.join()
    assert outcome.error is not None
    return outcome.error


# --- cells and variables ---


def test_state_stays_from_cell_to_cell(live: Session) -> None:
    """Variables, functions, classes and imports."""
    live.run("import math\nx = 3\ndef f(): return x * rate")
    live.run("class Point:\n    def __init__(self): self.x = math.floor(2.5)")
    assert live.run("f()") == 6
    found = live.run("Point()")
    assert isinstance(found, Record)
    assert found.fields == {"x": 2}


def test_value_is_that_of_the_last_expression(live: Session) -> None:
    """And None where a cell ends with a statement."""
    assert (live.run("1 + 1"), live.run("x = 1"), live.run("")) == (2, None, None)


def test_tasks_of_one_cell_are_awaited_in_the_next(live: Session) -> None:
    """There is one event loop."""
    live.run("import asyncio\ntask = asyncio.create_task(asyncio.sleep(0.01, 7))\nawait asyncio.sleep(0)")
    assert live.run("await task") == 7


def test_variables_are_set_and_read_by_value(live: Session) -> None:
    """A copy in each direction."""
    given = [1]
    live["xs"] = given
    assert live.run("xs.append(2)\nxs") == [1, 2]
    assert (live["xs"], given) == ([1, 2], [1])
    del live["xs"]
    assert "xs" not in live
    assert live.names() == ["shout", "rate"]
    with pytest.raises(KeyError):
        live["xs"]


def test_instances_of_the_hosts_classes_are_variables(live: Session) -> None:
    """Their classes are sent once, and come back as themselves."""
    live["one"] = Basket([1])
    live.run("other.prices.append(one.total())", inputs={"other": Basket([2])})
    assert (live["other"], live.run("type(one) is type(other)")) == (Basket([2, 1]), True)


def test_call_whose_arguments_cannot_be_rebuilt_leaves_the_next_ones_right(live: Session) -> None:
    """The entities that it should have made are counted all the same."""
    with pytest.raises(SerializationError):
        live["lock"] = threading.Lock()
    live["basket"] = Basket([4])
    assert live.run("basket.total() + rate") == 6


def test_grants_are_what_a_session_may_use(live: Session) -> None:
    """Functions of the host; and later ones by assignment."""
    live["again"] = shout
    assert live.run("shout('a') + again('b')") == "AB"


def test_session_reads_the_folder_that_it_was_given(tmp_path: Path) -> None:
    """And cannot be copied then."""
    (tmp_path / "a.txt").write_text("seen", encoding="utf-8")
    with Session(LIMITED, folder=Dir(tmp_path)) as live:
        assert live.run("(folder / 'a.txt').read_text()") == "seen"
        with pytest.raises(CapsendError, match="given a Dir cannot be copied"):
            live.fork()


def test_calls_of_several_threads_are_done_in_turn(live: Session) -> None:
    """One cell at a time."""
    live.run("n = 0")

    def work() -> None:
        for _ in range(20):
            live.run("n += 1")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert live["n"] == 80


# --- errors and outcomes ---


def test_error_of_a_cell_has_its_lines_and_leaves_the_session_alive(live: Session) -> None:
    """Those of the cell that defined a function as well."""
    live.run(Source("def f(a):\n    return a / 0\n", name="first.py"))
    with pytest.raises(ZeroDivisionError) as caught:
        live.run(Source("f(1)", name="second.py"))
    shown = "".join(traceback.format_exception(caught.value))
    assert 'File "second.py", line 1' in shown
    assert 'File "first.py", line 2, in f\n    return a / 0\n' in shown
    assert live.run("rate") == 2


def test_syntax_error_is_told_with_its_place(live: Session) -> None:
    """Nothing of the cell runs."""
    with pytest.raises(SyntaxError) as caught:
        live.run("y = 1\nx = (\n")
    assert (caught.value.lineno, caught.value.filename) == (2, "<cell 1>")
    assert "y" not in live


@pytest.mark.parametrize(
    "text", ["import sys\nsys.exit(3)", "raise SystemExit", "raise KeyboardInterrupt", "def f(): f()\nf()"]
)
def test_no_exception_ends_a_session(live: Session, text: str) -> None:
    """Whatever would end an interpreter."""
    assert live.execute(text).error is not None
    assert live.run("rate") == 2


def test_outcome_of_a_cell_has_its_output_and_what_it_used(live: Session) -> None:
    """Its own, not that of the cells before."""
    live.run("print('before')", stdout=None)
    outcome = live.execute("print('out')\nsum(range(100_000))")
    assert (outcome.value, outcome.stdout, outcome.error, outcome.exit_reason) == (
        4_999_950_000,
        "out\n",
        None,
        "normal",
    )
    assert 0 < outcome.cpu_seconds <= outcome.seconds + 0.1
    told = json.loads(live.execute("1 / 0").to_json())
    assert (told["error"]["type"], told["exit_reason"]) == ("ZeroDivisionError", "failed")


def test_output_is_seen_while_a_cell_runs(live: Session) -> None:
    """Line by line."""
    seen: list[str] = []
    more = threading.Event()

    @host_function
    def wait() -> list[str]:
        assert more.wait(PATIENCE)
        return list(seen)

    def take(text: str) -> None:
        seen.append(text)
        more.set()

    live["wait"] = wait
    assert live.run("print('first')\nwait()", stdout=take) == ["first\n"]


# --- limits ---


def test_cell_that_takes_too_long_is_interrupted_and_the_state_is_kept(live: Session) -> None:
    """The limit is that of the call, or of the environment."""
    live.run("n = 0")
    with pytest.raises(TimeLimitExceeded, match=r"timeout of 0.2 s"):
        live.run("while True: n += 1", timeout=0.2)
    assert live["n"] > 0
    shown = live.execute("while True: n += 1", timeout=0.2).traceback
    assert shown.splitlines()[-2] == "KeyboardInterrupt"
    assert re.match(r"TimeLimitExceeded: .*timeout of 0.2 s", shown.splitlines()[-1])
    with Session(Environment(timeout=0.2)) as short:
        for _ in range(3):
            assert isinstance(short.execute("import time; time.sleep(60)").error, TimeLimitExceeded)
            time.sleep(0.1)
        assert short.run("1") == 1


def test_cpu_time_is_a_limit_of_each_cell() -> None:
    """A sleep does not count."""
    with Session(Environment(cpu=0.3)) as live:
        for _ in range(3):
            with pytest.raises(TimeLimitExceeded, match="CPU time"):
                live.run("while True: pass")
            assert live.run("import time\ntime.sleep(0.4)\n1") == 1


def test_cell_that_does_not_end_when_it_is_interrupted_ends_the_session(live: Session) -> None:
    """A second later; and what comes after says why, until `reset`."""
    text = "while True:\n    try:\n        while True: pass\n    except BaseException: pass"
    with pytest.raises(TimeLimitExceeded):
        live.run(text, timeout=0.2)
    live._life.finished.wait(PATIENCE)
    with pytest.raises(TimeLimitExceeded):
        live.run("1")
    assert live.process.exit_reason == "limit"
    live.reset()
    assert live.run("rate") == 2


def test_output_is_a_limit_of_each_cell() -> None:
    """The cell is interrupted, and the next one may write as much again."""
    lines: list[str] = []
    with Session(Environment(output=10_000, stdout=lines.append, timeout=PATIENCE)) as live:
        for _ in range(3):
            with pytest.raises(OutputLimitExceeded):
                live.run("while True: print('x' * 100)")
            live.run("print('y' * 9_000)")
    assert len("".join(lines)) <= 3 * 20_000


def test_memory_is_a_limit_of_the_session() -> None:
    """A cell that asks for too much fails, and what is let go can be used again."""
    with Session(Environment(memory=128 << 20, timeout=PATIENCE)) as live:
        for _ in range(3):
            with pytest.raises(MemoryLimitExceeded):
                live.run("x = bytearray(500 << 20)")
            assert live.run("len(bytearray(30 << 20))") == 30 << 20


def test_result_that_is_too_large_is_refused_and_the_session_goes_on() -> None:
    """It is decoded within the same bounds as any answer."""
    with Session(Environment(result=10_000, timeout=PATIENCE)) as live:
        with pytest.raises(OutputLimitExceeded):
            live.run("'x' * 20_000")
        assert live.run("1") == 1


def test_processes_that_a_cell_leaves_behind_end_by_the_limits_of_a_cell() -> None:
    """They go on after the cell that spawned them, but not for ever."""
    with Session(Environment(timeout=1, stdout=None, stderr=None)) as live:
        live.run("import capsend\nchild = capsend.spawn(capsend.Source('while True: pass'))")
        children = [each for each in capsend.processes() if each.parent == live.process.id]
        with Mailbox[object]() as inbox:
            inbox.monitor(children[0].address)
            assert inbox.receive(timeout=PATIENCE).reason == "limit"
        assert live.run("child.exit_reason") == "limit"
    with Session(Environment(cpu=0.3, timeout=PATIENCE, stdout=None, stderr=None)) as live:
        live.run("import capsend\nchild = capsend.spawn(capsend.Source('while True: pass'))")
        assert live.execute("child.result()").error is not None
        assert live.run("1") == 1


def test_more_capabilities_than_a_session_holds_are_an_error_of_the_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error has the cure; the session continues."""
    monkeypatch.setattr(handles, "MOST_HANDLES", 5)
    with Session(LIMITED) as live:

        def again() -> HostFunction[[], int]:
            def fresh() -> int:
                return 1

            return host_function(fresh)

        for _ in range(5):
            assert live.run("f()", inputs={"f": again()}) == 1
        for _ in range(3):
            with pytest.raises(LimitExceeded, match="the same HostFunction again"):
                live.run("f()", inputs={"f": again(), "b": Basket([1])})
        assert live.run("f()") == 1
        assert live.run("b.total()", inputs={"b": Basket([2])}) == 2


def test_interrupted_answer_is_no_part_of_the_next_one() -> None:
    """Parts that came ahead are forgotten."""
    with Session(Environment(result=20_000, output=1_000, timeout=PATIENCE, stdout=None, stderr=None)) as live:
        for _ in range(3):
            with pytest.raises(OutputLimitExceeded):
                live.run("print('x' * 2_000)\n'y' * 50_000")
            assert live.run("'z' * 10_000") == "z" * 10_000


def test_hundred_cells_of_megabytes_cost_the_host_little() -> None:
    """Texts are kept as long as tracebacks can show them, in the host and in the guest."""
    with Session(Environment(memory=128 << 20, timeout=PATIENCE)) as live:
        for _ in range(100):
            live.run("x = 1" + " " * 1_000_000)
        assert live.execute("\n" * 1_000_000 + "1 / 0").error is not None
        assert sum(map(len, live._texts.values())) < 1 << 20
        shown = [len(entry[2]) for name, entry in linecache.cache.items() if str(name).startswith("<cell ")]
        assert max(shown, default=0) < 1_000
        assert "1 / 0" in live.execute("1 / 0").traceback


def test_lines_of_one_session_are_never_shown_for_another() -> None:
    """Cells of the same name are not the same text."""
    with Session(LIMITED) as one, Session(LIMITED) as other:
        first, second = one.execute("'mine'; 1 / 0"), other.execute("'yours'; 1 / 0")
        for mine, yours, outcome in (("mine", "yours", first), ("yours", "mine", second)):
            shown = outcome.traceback + "".join(traceback.format_exception(outcome.error))
            assert shown.count(f"'{mine}'; 1 / 0") == 2
            assert yours not in shown


# --- interrupts ---


@pytest.mark.parametrize(
    "text",
    [
        "while True: pass",
        "n = 0\nwhile True: n += 1",
        "def f(n): return f(n - 1) if n else 0\nwhile True: f(50)",
        "import re\nre.match('(a*)*b', 'a' * 60)",
        "import time\ntime.sleep(600)",
        "import asyncio\nawait asyncio.sleep(600)",
        "async def f():\n    while True: pass\nawait f()",
        "hang()",
    ],
)
def test_interrupt_reaches_what_runs_and_keeps_the_state(live: Session, text: str) -> None:
    """A busy loop, a regular expression, a sleep, and a wait for the host."""
    release = threading.Event()

    @host_function
    def hang() -> None:
        release.wait(PATIENCE)

    live["hang"] = hang
    live.run("kept = [1]")
    error = interrupted(live, text)
    release.set()
    assert isinstance(error, ProcessFailed)
    assert (error.type_name, "continues" in str(error)) == ("builtins.KeyboardInterrupt", True)
    assert live.run("import asyncio\nawait asyncio.sleep(0)\nkept") == [1]


def test_interrupt_is_a_keyboard_interrupt_inside(live: Session) -> None:
    """`finally` blocks run, and what catches it goes on."""
    interrupted(live, "try:\n    begun()\n    while True: pass\nfinally:\n    cleaned = True")
    assert live["cleaned"]
    started = Started(live)
    live["begun"] = started.function
    thread = threading.Thread(target=started.interrupt)
    thread.start()
    assert (
        live.run("try:\n    begun()\n    while True: pass\nexcept KeyboardInterrupt:\n    'caught'\n'after'") == "after"
    )
    thread.join()


@pytest.mark.parametrize(
    "text", ["print('begun', flush=True)", "print('begun')", "import os\nos.write(1, b'begun\\n')"]
)
def test_line_that_an_interrupt_meets_is_written_once(text: str) -> None:
    """The interrupt comes while the host writes it."""
    lines: list[str] = []

    def write(line: str) -> None:
        lines.append(line)
        live.interrupt()

    with Session(Environment(stdout=write, timeout=PATIENCE)) as live:
        assert "KeyboardInterrupt" in live.execute(f"{text}\nwhile True: pass").traceback
        live.execute("print('next')")
    assert lines == ["begun\n", "next\n"]


def test_interrupt_of_an_idle_session_does_nothing(live: Session) -> None:
    """Nor to the next cell."""
    assert not live.interrupt()
    for _ in range(50):
        live.run("1")
        live.interrupt()
    assert live.run("rate") == 2


def test_changed_signal_handler_holds_for_its_cell_only(live: Session) -> None:
    """The next one can be interrupted as before."""
    live.run("import signal\nold = signal.signal(signal.SIGINT, signal.SIG_IGN)")
    assert isinstance(interrupted(live, "while True: pass"), ProcessFailed)


def test_cancelled_cell_is_interrupted(live: Session) -> None:
    """As a task that is cancelled."""

    async def run() -> object:
        live["n"] = 1
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(live.run_async("while True: pass"), 0.2)
        outcome = await live.execute_async("n")
        return outcome.value, await live.run_async("n + 1")

    assert asyncio.run(run()) == (1, 2)


def test_cancelled_cell_that_waits_never_runs_and_interrupts_nobody(live: Session) -> None:
    """The definitions that the cell would have brought exist for later calls."""

    async def run() -> object:
        running = asyncio.create_task(live.run_async("import time\nfor _ in range(100): time.sleep(0.005)\n'done'"))
        waiting = asyncio.create_task(live.run_async("ran = True", inputs={"basket": Basket([1])}))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
        return await running

    assert asyncio.run(run()) == "done"
    assert "ran" not in live
    assert live.run("basket.total()", inputs={"basket": Basket([2])}) == 2


# --- what is shown ---


def test_display_is_what_a_notebook_shows(live: Session) -> None:
    """Of any value, also of one that cannot be sent."""
    live.run("class Table:\n    def _repr_html_(self): return '<table>'\n    def __repr__(self): return 'Table()'")
    assert live.run("Table()", display=True) == {"text/plain": "Table()", "text/html": "<table>"}
    assert live.run("None", display=True) is None
    assert live.run("lambda: 1", display=True)["text/plain"].startswith("<function <lambda>")
    outcome = live.execute("class Dot:\n    def _repr_png_(self): return b'dot'\nDot()", display=True)
    assert outcome.value["image/png"] == "ZG90"
    assert "division" in str(live.execute("class Bad:\n    def __repr__(self): 1 / 0\nBad()", display=True).error)
    live.run("class Many:\n    def _repr_mimebundle_(self, **_): return {'text/x': 'y'}, {}")
    assert live.run("Many()", display=True)["text/x"] == "y"


# --- its life ---


def test_reset_begins_anew_with_the_grants(live: Session) -> None:
    """And nothing else, not even what a cell did to the interpreter."""
    live.execute("x = 1\nimport builtins\nbuiltins.len = None")
    live.reset()
    assert live.run("len('ab'), rate, shout('a')") == (2, 2, "A")
    assert "x" not in live


def test_closed_session_says_so() -> None:
    """And a second close does nothing."""
    live = Session(LIMITED)
    live.close()
    live.close()
    with pytest.raises(ProcessKilled):
        live.run("1")


def test_session_that_nobody_holds_ends() -> None:
    """As a process."""
    live = Session(LIMITED)
    life = live._life
    del live
    assert life.finished.wait(PATIENCE)


def test_fault_of_the_guest_ends_the_session(live: Session) -> None:
    """And is what the cell ends by."""
    with pytest.raises(ProcessFailed, match="ended itself"):
        live.run("import os\nos._exit(1)")
    with pytest.raises(ProcessFailed):
        live.run("1")


def test_hundred_idle_sessions_cost_what_idle_processes_cost() -> None:
    """Each is an instance that waits."""
    with contextlib.ExitStack() as stack:

        def run(number: int) -> None:
            for _ in range(number):
                assert stack.enter_context(Session(LIMITED)).run("1 + 1") == 2

        run(20)
        before = private()
        run(100)
        assert (private() - before) / 100 < 3 << 20


# --- copies ---


def test_fork_goes_on_from_what_a_session_is(live: Session) -> None:
    """Variables, classes of both sides, functions of the host; and then each on its own."""
    live.run("xs = [1]\ndef total(): return sum(xs) + basket.total()", inputs={"basket": Basket([1])})
    with live.fork() as other:
        other.run("xs.append(5)")
        assert (live.run("total()"), other.run("total()")) == (2, 7)
        other["more"] = Basket([3])
        assert other.run("more.total() + basket.total(), shout('a')") == (4, "A")
        assert other["basket"] == Basket([1])


def test_snapshot_starts_any_number_of_sessions(live: Session) -> None:
    """After the session is gone, too; and snapshots of what was started."""
    live.run("big = [str(i) for i in range(200_000)]")
    snapshot = live.snapshot()
    live.close()
    made = [snapshot.start() for _ in range(5)]
    for number, each in enumerate(made):
        each.run(f"big[7] = {number}")
    assert [each.run("(big[7], big[199_999], len(big))") for each in made] == [
        (number, "199999", 200_000) for number in range(5)
    ]
    again = made[3].fork().fork().fork()
    assert again.run("big[7], big[100_000], len(big), sum(map(len, big[10:]))") == (3, "100000", 200_000, 1088880)


def test_copies_have_random_numbers_of_their_own(live: Session) -> None:
    """They are seeded anew."""
    live.run("import random, uuid")
    snapshot = live.snapshot()
    found = [snapshot.start().run("random.random(), uuid.uuid4().hex") for _ in range(3)]
    assert len(set(found)) == 3


def test_copy_has_the_limits_and_interrupts_of_a_session(live: Session) -> None:
    """All that a session can do."""
    live.run("x = 1")
    with live.fork() as other:
        assert isinstance(interrupted(other, "while True: pass"), ProcessFailed)
        with pytest.raises(TimeLimitExceeded):
            other.run("while True: pass", timeout=0.2)
        with pytest.raises(MemoryLimitExceeded):
            other.run("bytearray(1_500_000_000)")
        assert other.run("import asyncio\nawait asyncio.sleep(0.001, x)") == 1
        assert other.execute("print('seen')").stdout == "seen\n"


def test_snapshot_says_what_it_needs(live: Session) -> None:
    """An environment with enough memory."""
    live.run("big = bytearray(50 << 20)")
    snapshot = live.snapshot()
    assert snapshot.size > 50 << 20
    with pytest.raises(MemoryLimitExceeded, match="Allow more"):
        snapshot.start(Environment(memory=64 << 20))
    with snapshot.start(Environment(timeout=0.2)) as short, pytest.raises(TimeLimitExceeded):
        short.run("while True: pass")


def test_docstring_examples_hold() -> None:
    """Every example of the module."""
    result = doctest.testmod(session)
    assert result.attempted
    assert not result.failed


def test_session_cannot_be_made_inside_a_process() -> None:
    """And the message says what to do."""
    with pytest.raises(CapsendError, match="Spawn a Source for each text"):
        capsend.spawn(Source("import capsend\ncapsend.Session()")).result()
