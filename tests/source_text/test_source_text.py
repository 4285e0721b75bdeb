"""Source text as a callable: its result, its inputs, its errors, and the records of its own classes."""

from __future__ import annotations

import asyncio
import contextlib
import doctest
import json
import linecache
import threading
import traceback
from typing import TYPE_CHECKING, Any

import attrs
import pytest

import capsend
from capsend import (
    Dir,
    Environment,
    Executor,
    ProcessFailed,
    ProcessGroup,
    ProcessKilled,
    SerializationError,
    Source,
    TimeLimitExceeded,
    host_function,
    outcome,
    spawn,
)
from capsend.shipping import records
from capsend.source_text import shipment, type_check
from capsend.source_text import source as source_text

if TYPE_CHECKING:
    from pathlib import Path

SHARED = Source("n * 2", name="shared.py")


@attrs.define
class Basket:
    """A class of the host's that goes in and out."""

    prices: list[int]

    def total(self) -> int:
        """Return the price."""
        return sum(self.prices)


def value_of(text: str, /, **inputs: Any) -> Any:
    """The value of a text."""
    return spawn(Source(text), **inputs).result()


# --- values and inputs ---


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("x = 1", None),
        ("x = 1\nx + 1", 2),
        ("def f(): return 3\nf()", 3),
        ("import asyncio\nawait asyncio.sleep(0, 'slept')", "slept"),
        ("import asyncio\nx = await asyncio.sleep(0, 1)\nx + await asyncio.sleep(0, 1)", 2),
        ("import asyncio\nt = asyncio.create_task(asyncio.sleep(0, 7))\nawait t", 7),
        ("async def f(): return 4\nf()", 4),
        ("(__name__, __file__)", ("__main__", "cell.py")),
        ("'ä🎈\\ud800'", "ä🎈\ud800"),
        ("type X = int\ndef f[T](x: T) -> T: return x\nf(f'{'new'}')", "new"),
    ],
)
def test_value_is_that_of_the_last_expression(text: str, value: object) -> None:
    """As in a notebook cell; `await` is allowed at the top level, and new syntax whatever the host's Python is."""
    assert spawn(Source(text, name="cell.py")).result() == value


def test_arguments_are_globals() -> None:
    """By value, with what a class of the host's can do."""
    assert value_of("basket.total() + extra", basket=Basket([1, 2]), extra=3) == 6


def test_instances_of_the_hosts_classes_come_back_as_themselves() -> None:
    """And changed, where the text changes them; the host's own stays as it is."""
    given = Basket([1])
    assert value_of("basket.prices.append(2)\nbasket", basket=given) == Basket([1, 2])
    assert given == Basket([1])


def test_host_function_is_a_permission_that_a_text_is_given() -> None:
    """It runs on the host."""
    fetched = []

    @host_function
    def fetch(url: str) -> str:
        fetched.append(url)
        return url.upper()

    assert value_of("fetch('a') + fetch('b')", fetch=fetch) == "AB"
    assert fetched == ["a", "b"]


def test_folder_is_a_permission_that_a_text_is_given(tmp_path: Path) -> None:
    """And without it there is no file."""
    (tmp_path / "data.txt").write_text("seen", encoding="utf-8")
    assert value_of("(folder / 'data.txt').read_text()", folder=Dir(tmp_path)) == "seen"
    with pytest.raises(FileNotFoundError):
        value_of(f"open({str(tmp_path / 'data.txt')!r})")


def test_function_of_a_text_is_called_as_that_of_a_module() -> None:
    """With positional and keyword arguments, awaited where it is asynchronous."""
    plugin = Source("RATE = 2\nasync def total(prices, *, extra): return sum(prices) * RATE + extra", name="plugin.py")
    assert spawn(plugin.function("total"), [1, 2], extra=1).result() == 7
    assert spawn(Source("def f(): return __name__", name="lib/plugin.py").function("f")).result() == "plugin"


def test_missing_function_is_told_with_those_that_are_there() -> None:
    """In the process: what a text defines is known when it has run."""
    with pytest.raises(NameError, match=r"plugin.py defines no function totl. It defines total"):
        spawn(Source("def total(): pass", name="plugin.py").function("totl")).result()


@pytest.mark.parametrize("name", ["__name__", "__builtins__", "not a name"])
def test_what_is_python_s_own_is_no_input(name: str) -> None:
    """Nor is what no text could read."""
    with pytest.raises(TypeError, match="cannot be a global"):
        spawn(Source("1"), **{name: 1})


def test_inputs_are_keyword_arguments() -> None:
    """And the message says how to write them."""
    with pytest.raises(TypeError, match=r"Write spawn\(source, name=value\)"):
        spawn(Source("1"), 5)


def test_inputs_are_judged_before_a_process_starts() -> None:
    """As the arguments of a function are."""
    with pytest.raises(SerializationError, match='argument "lock" is lock'):
        spawn(Source("1"), lock=threading.Lock())


def test_indented_text_is_moved_to_the_left() -> None:
    """As a text within a program is written."""
    assert (
        value_of("""
        if True:
            x = 1
        x
    """)
        == 1
    )


def test_text_of_a_file_has_its_path_as_name(tmp_path: Path) -> None:
    """So that tracebacks lead there."""
    file = tmp_path / "plugin.py"
    file.write_text("6 * 7", encoding="utf-8")
    source = Source.from_file(file)
    assert (source.name, spawn(source).result()) == (str(file), 42)


# --- ways to run it ---


def test_executor_and_group_take_source_text() -> None:
    """As any callable."""
    with Executor(1) as executor:
        assert executor.submit(SHARED, n=1).result() == 2
        with pytest.raises(SyntaxError):
            executor.submit(Source("1 +"))
    with ProcessGroup() as group:
        made = group.spawn(SHARED, n=2)
    assert made.result() == 4


def test_source_can_be_captured_and_spawned_by_a_process() -> None:
    """It is a value."""
    assert spawn(lambda: spawn(SHARED, n=3).result()).result() == 6


def test_source_text_spawns_processes() -> None:
    """Of its own functions, and of other texts; a text that cannot be compiled is refused there as well."""
    assert value_of("import capsend\ndef f(): return 5\ncapsend.spawn(f).result()") == 5
    assert value_of("import capsend\ncapsend.spawn(capsend.Source('1 + x'), x=2).result()") == 3
    with pytest.raises(SyntaxError):
        value_of("import capsend\ncapsend.spawn(capsend.Source('1 +'))")


def test_process_of_a_text_can_be_killed() -> None:
    """As any process."""
    with spawn(Source("while True: pass")) as p:
        p.kill()
        with pytest.raises(ProcessKilled):
            p.result()


def test_called_source_runs_in_a_process() -> None:
    """Source text never runs on the host."""
    assert SHARED(n=4) == 8
    assert Source("def f(a): return a").function("f")(1) == 1


# --- errors ---


def test_syntax_error_comes_before_a_process_starts() -> None:
    """With the name, line and caret of the text."""
    before = capsend.spawn(len, "").id
    with pytest.raises(SyntaxError) as caught:
        spawn(Source("x = 1\ny = (\n", name="bill.py"))
    assert spawn(len, "").id == before + 1
    shown = "".join(traceback.format_exception(caught.value))
    assert 'File "bill.py", line 2\n    y = (\n        ^\n' in shown
    assert "text_shipment" not in shown
    with pytest.raises(SyntaxError, match="'return' outside function"):
        capsend.check(Source("return 1"))


@pytest.mark.parametrize("text", ["-" * 100_000 + "1", "(" * 100_000, "\0", "x = '\ud800'", "x" * 3_000_000 + "("])
def test_no_text_hurts_what_compiles_it(text: str) -> None:
    """It is refused, or runs, and the next one is compiled as before."""
    with contextlib.suppress(SyntaxError, NameError, capsend.LimitExceeded):
        spawn(Source(text)).result()
    assert value_of("1 + 1") == 2


def test_error_carries_the_text_s_own_name_lines_and_carets() -> None:
    """In the traceback that Python prints on the host, too."""
    source = Source("def f(a):\n    return a / 0\n\nf(1) + 2\n", name="bill.py")
    with pytest.raises(ZeroDivisionError) as caught:
        spawn(source).result()
    shown = "".join(traceback.format_exception(caught.value))
    assert '  File "bill.py", line 4, in <module>\n    f(1) + 2\n' in shown
    assert '  File "bill.py", line 2, in f\n    return a / 0\n           ~~^~~\n' in shown


def test_lines_shown_on_the_host_print_nothing_but_text() -> None:
    """A text could hold what a terminal obeys; and there are never more than a hundred texts to show."""
    with pytest.raises(ZeroDivisionError):
        spawn(Source("1 / 0 # \x1b[31m", name="red.py")).result()
    (label,) = [name for name in linecache.cache if str(name) == "red.py"]
    assert linecache.getline(label, 1) == "1 / 0 # ?[31m\n"
    for number in range(200):
        shipment.show_lines(f"<many {number}>", "x")
    assert len([name for name in linecache.cache if name.startswith("<many ")]) == 100


def test_long_text_has_no_lines_in_tracebacks_and_costs_the_host_nothing() -> None:
    """A line costs the host more than its character."""
    with pytest.raises(ZeroDivisionError) as caught:
        spawn(Source("\n" * 3_000_000 + "1 / 0", name="long.py")).result()
    assert 'File "long.py", line 3000001' in "".join(traceback.format_exception(caught.value))
    assert "long.py" not in map(str, linecache.cache)


def test_two_texts_of_one_name_are_shown_with_their_own_lines() -> None:
    """Nobody sees what somebody else wrote."""
    errors = []
    for line in ("1 / 0  # mine", "1 / 0  # yours"):
        with pytest.raises(ZeroDivisionError) as caught:
            spawn(Source(line, name="same.py")).result()
        errors.append(caught.value)
    shown = ["".join(traceback.format_exception(error)) for error in errors]
    assert ["# mine" in shown[0], "# yours" in shown[0], "# mine" in shown[1], "# yours" in shown[1]] == [
        True,
        False,
        False,
        True,
    ]


def test_error_of_a_class_of_the_text_s_own_says_its_name() -> None:
    """The class stays in the process."""
    with pytest.raises(ProcessFailed, match="BadPrice: too low") as caught:
        value_of("class BadPrice(Exception): pass\nraise BadPrice('too low')")
    assert caught.value.type_name == "__main__.BadPrice"


def test_value_that_cannot_be_sent_is_refused() -> None:
    """As that of a function."""
    with pytest.raises(SerializationError, match="result is function"):
        value_of("lambda: 1")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Source(b"x"), "must be a str, not bytes"),  # type: ignore[arg-type]  # which is refused
        (lambda: Source("x", name=""), "printable text"),
        (lambda: Source("x", name="a\nb"), "printable text"),
        (lambda: Source("x" * (source_text.LONGEST + 1)), "can have 4194304 characters"),
        (lambda: Source("x").function("no name"), "identifier"),
        (lambda: spawn("x = 1"), r"write Source\(text\)"),  # type: ignore[arg-type]  # as above
    ],
)
def test_what_cannot_be_meant_is_refused_with_a_cure(make: Any, message: str) -> None:
    """At once."""
    with pytest.raises((TypeError, ValueError), match=message):
        make()


# --- records ---

CLASSES = """
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple
@dataclass(frozen=True)
class Point:
    x: int
    y: object = None
class Color(Enum):
    RED = 1
class Pair(NamedTuple):
    left: int
    right: int
class Bag(list): pass
class Slots:
    __slots__ = ("a",)
"""


def test_instances_of_the_text_s_own_classes_come_back_as_records() -> None:
    """Records have the name of the class and the fields, at any depth, and are the same object for the same instance."""
    found = value_of(
        CLASSES + "p = Point(1, Point(2))\nSlots.a\ns = Slots(); s.a = 5\n[p, p, Color.RED, Pair(3, 4), Bag([6]), s]"
    )
    point, again, color, pair, bag, slots = found
    assert point is again
    assert (point.name, point.fields["x"], point.fields["y"].fields) == ("Point", 1, {"x": 2, "y": None})
    assert (color.name, color.fields) == ("Color", {"name": "RED", "value": 1})
    assert (pair.name, pair.fields) == ("Pair", {"left": 3, "right": 4})
    assert (bag.name, bag.fields, bag.content) == ("Bag", {}, [6])
    assert (slots.name, slots.fields) == ("Slots", {"a": 5})
    assert repr(point) == "Point(x=1, y=Point(x=2, y=None))"


def test_records_are_keys_elements_and_cycles() -> None:
    """Records can be everywhere that an instance can be."""
    found = value_of(CLASSES + "class Node: pass\nn = Node(); n.me = n\n({Point(1): 'a'}, {Point(2)}, n)")
    (key,), (element,), node = found
    assert (key.name, element.fields["x"], node.fields["me"]) == ("Point", 2, node)
    assert repr(node) == "Node(me=...)"


def test_record_can_be_passed_on() -> None:
    """It is data."""
    record = value_of(CLASSES + "Point(1)")
    assert value_of("p.fields['x'] + 1", p=record) == 2


# --- outcomes ---


def test_outcome_has_all_that_is_to_be_known_of_a_run() -> None:
    """And as JSON."""
    found = Environment().execute(
        Source(CLASSES + "import sys\nprint('out')\nprint('err', file=sys.stderr)\n(Point(1), {2}, 1.5)")
    )
    assert (found.stdout, found.stderr, found.error, found.exit_reason) == ("out\n", "err\n", None, "normal")
    assert found.seconds > 0
    assert found.memory > 1 << 20
    assert found.cpu_seconds >= 0
    told = json.loads(found.to_json())
    assert told["value"] == [{"class": "Point", "fields": {"x": 1, "y": None}}, [2], 1.5]
    assert (told["stdout"], told["error"], told["exit_reason"]) == ("out\n", None, "normal")


def test_outcome_of_a_failure_has_its_error_and_its_output() -> None:
    """`result` raises it."""
    found = Environment().execute(Source("print('before')\n1 / 0", name="cell.py"))
    with pytest.raises(ZeroDivisionError):
        found.result()
    told = json.loads(found.to_json())
    assert (told["stdout"], told["value"], told["error"]["type"]) == ("before\n", None, "ZeroDivisionError")
    assert told["error"]["message"] == "division by zero"
    assert told["error"]["traceback"].startswith('Traceback (most recent call last):\n  File "cell.py", line 2')


def test_outcome_of_what_ran_into_a_limit_is_an_outcome() -> None:
    """Whatever the process did."""
    found = Environment(timeout=0.3).execute(Source("print('on')\nwhile True: pass"))
    assert isinstance(found.error, TimeLimitExceeded)
    assert (found.stdout, found.exit_reason) == ("on\n", "limit")
    failed = Environment().execute(Source("class E(Exception): pass\nraise E('oh')"))
    assert json.loads(failed.to_json())["error"]["type"] == "E"


def test_outcome_of_a_function_has_its_type() -> None:
    """Any callable can be executed."""
    assert Environment().execute(divmod, 7, 2).result() == (3, 1)


def test_output_goes_to_the_environment_s_own_target_as_well() -> None:
    """So that it can be followed while it runs."""
    lines: list[str] = []
    found = Environment(stdout=lines.append).execute(Source("print('seen')"))
    assert (found.stdout, lines) == ("seen\n", ["seen\n"])


def test_asynchronous_outcome_does_not_block_the_loop() -> None:
    """And a cancelled one kills its process."""

    async def run() -> object:
        slow = asyncio.create_task(Environment().execute_async(Source("import time\ntime.sleep(100)")))
        quick = await Environment().execute_async(Source("1 + 1"))
        slow.cancel()
        with pytest.raises(asyncio.CancelledError):
            await slow
        return quick.result()

    assert asyncio.run(run()) == 2


@pytest.mark.parametrize("value", [float("nan"), b"bytes", {1: 2}, 1j])
def test_what_json_cannot_say_is_told_by_its_repr(value: object) -> None:
    """Never an error."""
    found = Environment().execute(lambda value: value, value)
    assert json.loads(found.to_json())["value"] == {"repr": repr(value)}


@pytest.mark.parametrize("module", [source_text, outcome, records], ids=lambda module: module.__name__)
def test_docstring_examples_hold(module: Any) -> None:
    """Every example of the modules."""
    result = doctest.testmod(module)
    assert result.attempted
    assert not result.failed


# --- types ---


def test_type_errors_are_found_before_the_text_runs() -> None:
    """Against the types of what it will be given, with the text's own lines."""

    @host_function
    async def fetch(url: str, *, retries: int = 3) -> dict[str, list[int]]:
        return {url: [retries]}

    text = "from __future__ import annotations\ndata = await fetch('a', retries='b')\ndata['a'].append('b')\nrows + folder.name\nn.bit_length()"
    found = Source(text, name="cell.py").check(rows=list[str] | None, fetch=fetch, n=3, folder=Dir)
    assert [(problem.line, problem.code) for problem in found] == [
        (2, "arg-type"),
        (3, "arg-type"),
        (4, "operator"),
        (4, "operator"),
    ]
    assert str(found[0]).startswith('cell.py:2:33: error: Argument "retries" to "fetch" has incompatible type "str"')


def test_text_without_type_errors_has_none() -> None:
    """And the command says so as well."""
    assert Source("import json\njson.dumps(rows)").check(rows=list[dict[str, Any]]) == ()


def test_checking_a_text_runs_nothing_of_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process may have been given it to write to: mypy is that of this Python."""
    for name in ("mypy", "runpy", "capsend_mypy", "sitecustomize", "resource"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()\n")
    monkeypatch.chdir(tmp_path)
    assert [problem.line for problem in Source("1\n1 + rows").check(rows=str)] == [2]
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "text",
    [
        "(" * 3_000 + ")" * 3_000,
        "x = " + "[" * 3_000,
        "\0",
        "a" * 100_000,
        "# mypy: plugins=evil\n1",
        "# type: ignore[" * 99,
    ],
)
def test_text_that_is_hard_on_mypy_is_checked_or_refused(text: str) -> None:
    """Mypy runs in a separate OS process, which may end in any way."""
    told: list[object] = []
    with contextlib.suppress(capsend.CapsendError, SyntaxError, ValueError):
        told += Source(text).check()
    assert all(len(str(problem)) < 200_000 for problem in told)


def test_a_check_that_takes_too_much_memory_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The OS process of mypy ends, and this program does not."""
    monkeypatch.setattr(type_check, "MEMORY", 60 << 20)
    with pytest.raises(capsend.CapsendError, match="mypy could not check the text"):
        Source("1 + rows").check(rows=str)
