"""An exception comes back as itself with the user's own lines, however hostile the exception or its description is."""

from __future__ import annotations

import errno
import json
import linecache
import os
import pickle
import queue
import re
import socket
import sqlite3
import subprocess
import sys
import threading
import traceback
import warnings
import zlib
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import pytest

import capsend
from capsend.exceptions import GuestTraceback, ProcessExited, ProcessFailed, ProcessInterrupted
from capsend.shipping.description import describe
from capsend.shipping.failure import rebuild

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = __file__
FILES = frozenset({HERE})


class Boom(Exception):
    def __init__(self, code: int, *, lock: Any = None) -> None:
        super().__init__(f"boom {code}")
        self.code = code
        self.lock = lock


class Picky(Exception):
    def __init__(self, one: int, two: int) -> None:
        super().__init__(one + two)


@attrs.define
class Defined(Exception):
    x: int
    y: list[int]


class Slotted(Exception):
    __slots__ = ("value",)


class Both(KeyError, OSError):
    pass


class Grouped(ExceptionGroup):
    def derive(self, excs: Any) -> Grouped:
        return Grouped(self.message, excs)


CLASSES = {cls.__name__: cls for cls in (Boom, Picky, Defined, Slotted, Both, Grouped)}


def externals(thing: object) -> Any:
    name = getattr(thing, "__name__", "")
    return {"n": [HERE, name]} if CLASSES.get(name) is thing else None


def resolve(reference: Any) -> Any:
    return CLASSES[reference["n"][1]]


def described(error: BaseException) -> str:
    return describe(error, externals=externals)


def again(error: BaseException) -> Any:
    """Bring an exception through its description."""
    return rebuild(described(error), resolve=resolve, process_id=3, files=FILES)


def raised(function: Any, *args: Any) -> BaseException:
    try:
        function(*args)
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


def printed(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


# Classes and their data


@pytest.mark.parametrize(
    "error",
    [
        ValueError("x", 1, (2,)), KeyError("k"), ZeroDivisionError(), IndexError(None), StopIteration([1]),
        MemoryError(), AssertionError("no"), OSError(2, "gone", "file"), OSError("text"),
        FileNotFoundError(2, "No such file", "a", None, "b"), ImportError("no", name="m", path="p"), NameError("n", name="n"),
        AttributeError("a", name="a"), UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"),
        UnicodeEncodeError("ascii", "\ud800", 0, 1, "bad"), SyntaxError("bad", ("f.py", 1, 2, "a b", 1, 3)),
        Boom(3), Picky(1, 2), Defined(1, [2]), Both(2, "x"), zlib.error("z"), sqlite3.IntegrityError("dup"), re.error("r", "(", 0),
        queue.Empty(), subprocess.CalledProcessError(1, ["x"], b"out"), TimeoutError(), socket.gaierror(1, "name"),
        RuntimeError("wrapped", KeyError("inner")), ExceptionGroup("g", [ValueError(1), Boom(2)]),
        Grouped("mine", [ValueError(1), ExceptionGroup("in", [KeyError(2)])]),
    ],
    ids=lambda e: type(e).__name__,
)  # fmt: skip
def test_an_exception_comes_back_as_itself(error: BaseException) -> None:
    """Class, args, fields, what the built-in class keeps, and the text are as before."""
    result = again(error)
    assert type(result) is type(error)
    assert str(result) == str(error)
    if not isinstance(error, BaseExceptionGroup):
        assert repr(result.args) == repr(error.args)
    assert {n: v for n, v in vars(result).items()} == vars(error)
    for name in ("errno", "filename", "filename2", "name", "path", "value", "code", "object", "lineno", "text"):
        assert getattr(result, name, None) == getattr(error, name, None)
    assert type(result.__cause__) is GuestTraceback


@pytest.mark.parametrize(
    "error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit(), BaseExceptionGroup("b", [SystemExit(1)])]
)
def test_an_exception_that_would_end_the_host_is_process_failed(error: BaseException) -> None:
    """An exception that is not an `Exception` passes every `except Exception`: a process must not raise one on the host."""
    result = again(error)
    assert isinstance(result, ProcessFailed)
    assert result.type_name == f"builtins.{type(error).__name__}"
    assert isinstance(result, ProcessExited) == isinstance(error, SystemExit)
    assert isinstance(result, ProcessInterrupted) == isinstance(error, KeyboardInterrupt)
    assert not isinstance(result, (SystemExit, KeyboardInterrupt))
    assert type(again(ValueError("x", error)).args[1]) is type(error)


@pytest.mark.parametrize("given", [3, 0, "bye", None])
def test_sys_exit_keeps_its_code(given: object) -> None:
    """Also in a copy of the error."""
    result = again(SystemExit(given))
    assert result.code == given
    assert pickle.loads(pickle.dumps(result)).code == result.code


def test_errors_of_other_modules_come_back() -> None:
    """json, decimal, sockets and such raise classes of their own."""
    for make in (lambda: json.loads("{"), lambda: Decimal("x"), lambda: os.stat("/no/such"), lambda: int("x")):
        error = raised(make)
        result = again(error)
        assert type(result) is type(error)
        assert str(result) == str(error)
    assert again(raised(lambda: json.loads("{"))).pos == 1


def test_no_method_of_the_class_runs() -> None:
    """`__init__` with other parameters than args does not matter: it is not called."""
    assert again(Picky(1, 2)).args == (3,)
    slotted = Slotted()
    slotted.value = [1]
    assert again(slotted).value == [1]


def test_what_cannot_be_sent_becomes_process_failed() -> None:
    """An exception that holds a lock says its class, its message, why, and where it was raised."""
    result = again(raised(fail_with_lock))
    assert type(result) is ProcessFailed
    assert result.type_name == f"{__name__}.Boom"
    assert result.guest_message == "boom 1"
    assert f"process 3 failed: {__name__}.Boom: boom 1\n" in str(result)
    assert "its attribute lock cannot be sent: _thread.lock" in str(result)
    assert "in fail_with_lock" in str(result.__cause__)


def fail_with_lock() -> None:
    raise Boom(1, lock=threading.Lock())


def test_a_class_that_was_not_sent_becomes_process_failed() -> None:
    """The host makes no class up, and imports none by a name that the process chose."""

    class Local(Exception):
        pass

    result = again(Local("x"))
    assert type(result) is ProcessFailed
    assert "was not sent" in str(result)
    for name in ("antigravity.Error", "os.path.join", "subprocess.Popen", "builtins.int", "builtins.print", "nonsense"):
        text = json.dumps(
            {"errors": [{"type": name, "message": "m", "payload": 'g1a:[["t"],["d",{}],["t",[0],[1],[1]]]'}]}
        )
        assert type(rebuild(text, resolve=resolve, process_id=1)) is ProcessFailed
    assert "antigravity" not in sys.modules


def test_notes_survive() -> None:
    """`__notes__` come back, of the exception and of its cause."""
    error = ValueError("x")
    error.add_note("one")
    error.__cause__ = KeyError("y")
    error.__cause__.add_note("two")
    result = again(error)
    assert result.__notes__ == ["one"]
    assert result.__cause__.__cause__.__notes__ == ["two"]


# The place


def divide(by: int) -> float:
    café = ["é", 1 / by]  # noqa: PLC2401 - columns count bytes, carets count characters
    return café[1]


def chained() -> None:
    try:
        divide(0)
    except ZeroDivisionError as error:
        raise Boom(
            7,
        ) from error


def in_context() -> None:
    try:
        divide(0)
    except ZeroDivisionError:
        {}["missing"]


def test_the_traceback_shows_the_users_lines() -> None:
    """File, line, function, source text and carets are those of the user's file."""
    text = printed(again(raised(divide, 0)))
    assert f'File "{HERE}", line {divide.__code__.co_firstlineno + 1}, in divide' in text
    assert '    café = ["é", 1 / by]' in text
    assert "\n                 ~~^~~~\n" in text
    assert text.index(
        "GuestTraceback: ZeroDivisionError: division by zero (in process 3, test_failure.py:"
    ) < text.index("The above exception was the direct cause")
    assert text.rstrip().endswith("ZeroDivisionError: division by zero")


def test_the_cause_says_the_place_in_one_line() -> None:
    """`str` of the cause names the process and the innermost frame of the user's own code; `.text` is the whole traceback."""
    cause = again(raised(json_error)).__cause__
    line = json_error.__code__.co_firstlineno + 1
    assert str(cause).startswith("json.decoder.JSONDecodeError: Expecting")
    assert str(cause).endswith(f"(in process 3, test_failure.py:{line} in json_error)")
    assert 'File "<image json/decoder.py>"' in cause.text
    assert cause.text.endswith("(char 1)\n")


def test_the_line_of_the_cause_is_short() -> None:
    """The cause of a long message is one line; the exception itself has the whole message."""
    result = again(ValueError("first\nsecond" + "x" * 10_000))
    assert str(result.__cause__) == "ValueError: first... (in process 3)"
    assert len(str(result)) == 10_012
    assert len(str(again(ValueError("x" * 10_000)).__cause__)) < 400


def json_error() -> None:
    json.loads("{")


def test_chains_come_back() -> None:
    """Causes and contexts are rebuilt as exceptions of their own classes, each with its traceback."""
    cause = again(raised(chained)).__cause__
    assert type(cause.__cause__) is ZeroDivisionError
    assert traceback.extract_tb(cause.__cause__.__traceback__)[-1].name == "divide"
    assert "direct cause" in cause.text
    context = again(raised(in_context)).__cause__
    assert type(context.__context__) is ZeroDivisionError
    assert not context.__suppress_context__
    assert "During handling" in context.text


def test_a_cyclic_chain_ends() -> None:
    """A cause that is its own context is told once."""
    one, two = ValueError(1), KeyError(2)
    one.__context__, two.__context__ = two, one
    result = again(one)
    assert type(result.__cause__.__context__) is KeyError
    assert printed(result)


def test_members_of_groups_have_their_own_tracebacks() -> None:
    """Each member shows where it was raised."""
    group = ExceptionGroup("g", [raised(divide, 0), raised(chained)])  # type: ignore[list-item] # both are Exceptions
    one, two = again(group).exceptions
    assert traceback.extract_tb(one.__traceback__)[-1].name == "divide"
    assert type(two.__cause__) is ZeroDivisionError
    assert "1 / by" in printed(again(group))


def test_deep_recursion_is_cut() -> None:
    """A traceback of a thousand frames shows its two ends."""

    def down() -> None:
        down()

    result = again(raised(down))
    assert type(result) is RecursionError
    assert len(traceback.extract_tb(result.__cause__.__traceback__)) == 100


def test_files_that_were_not_sent_are_not_read() -> None:
    """A process cannot have a line of a file of the host shown, whatever path it writes."""
    for path in (
        "/etc/passwd",
        "../../etc/passwd",
        "<image>/../etc/passwd",
        HERE + "/../conftest.py",
        "conftest.py",
        "\x1b[31m",
    ):
        told = {"type": "builtins.ValueError", "message": "", "frames": [[path, 1, 1, 0, 5, "f\x1b[0m"]]}
        cause = rebuild(json.dumps({"errors": [told]}), resolve=resolve, process_id=1, files=FILES).__cause__
        (frame,) = traceback.extract_tb(cause.__traceback__)
        assert (frame.filename[0], frame.filename[-1]) == ("<", ">")
        assert ".." not in frame.filename
        assert not frame.line
        assert "\x1b" not in printed(cause)


def test_code_that_was_made_inside_is_labelled_with_its_own_path() -> None:
    """A plug-in's frames say which plug-in and line, and not that it belongs to the image."""
    frames = [
        ["/srv/plugins/careless.py", 3, 3, None, None, "main"],
        ["/python/json/decoder.py", 9, 9, None, None, "f"],
    ]
    told = {"type": "builtins.ValueError", "message": "", "frames": frames}
    cause = rebuild(json.dumps({"errors": [told]}), resolve=resolve, process_id=1, files=FILES).__cause__
    assert 'File "<srv/plugins/careless.py>", line 3, in main' in cause.text
    assert 'File "<image json/decoder.py>", line 9, in f' in cause.text


def test_one_error_shows_one_number() -> None:
    """The number of a system error is translated, in the text of the traceback too."""
    error = spawn_error(open_nothing)
    assert error.errno == errno.ENOENT
    assert f"[Errno {errno.ENOENT}]" in error.__cause__.text
    assert f"[Errno {errno.ENOENT}]" in str(error.__cause__)
    assert "[Errno 44]" not in printed(error)


def open_nothing() -> None:
    raise FileNotFoundError(errno.ENOENT, "no such thing", "name")


def spawn_error(function: Callable[[], object]) -> Any:
    try:
        capsend.spawn(function).result(60)
    except Exception as error:
        return error
    raise AssertionError(function)


def test_the_traceback_survives_pickling_as_text() -> None:
    """An exception can go on to another OS process; its cause keeps the text."""
    cause = again(raised(divide, 0)).__cause__
    assert pickle.loads(pickle.dumps(cause)).text == cause.text


def test_a_script_prints_the_users_lines(tmp_path: Path) -> None:
    """The interpreter's own printer, which reads files by itself, shows the same."""
    script = tmp_path / "script.py"
    script.write_text(
        "from capsend.shipping.failure import rebuild\nfrom capsend.shipping.description import describe\n"
        "def work(n):\n    return [1 / n]\n"
        "try:\n    work(0)\nexcept ZeroDivisionError as error:\n    text = describe(error, externals=lambda t: None)\n"
        "raise rebuild(text, resolve=None, process_id=1, files=frozenset({__file__}))\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert "in work\n    return [1 / n]\n            ~~^~~\n" in done.stderr
    assert done.stderr.rstrip().endswith("ZeroDivisionError: division by zero")


# Hostile exceptions


class NoText(Exception):
    def __str__(self) -> str:
        raise SystemExit("no text")

    __repr__ = __str__


class Endless(Exception):
    def __str__(self) -> str:
        return "x" * 10_000_000


class Liar(Exception):
    __class__ = int  # type: ignore[assignment] # the lie
    args = property(lambda self: 1 / 0)  # type: ignore[assignment] # the trap
    __cause__ = property(lambda self: 1 / 0)  # type: ignore[assignment] # the trap
    __notes__ = property(lambda self: 1 / 0)  # type: ignore[assignment] # the trap
    __traceback__ = property(lambda self: 1 / 0)  # type: ignore[assignment] # the trap

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError("no attributes")


class Exhausted(Exception):
    def __str__(self) -> str:
        raise MemoryError

    def __getstate__(self) -> Any:
        raise MemoryError


def odd_notes() -> Exception:
    error = ValueError("x")
    error.__notes__ = [1, "kept", None]  # type: ignore[list-item] # that is the point
    return error


def deep_group() -> BaseException:
    error: Exception = ValueError("leaf")
    for _ in range(500):
        error = ExceptionGroup("g", [error])
    return error


def long_chain() -> BaseException:
    error: BaseException = ValueError("first")
    for k in range(1000):
        following = ValueError(k)
        following.__context__ = error
        error = following
    return error


@pytest.mark.parametrize("make", [NoText, Endless, Liar, Exhausted, odd_notes, deep_group, long_chain])
def test_hostile_exceptions_are_described(make: Callable[[], BaseException]) -> None:
    """Whatever an exception does when it is looked at, its description is bounded and can be rebuilt and printed."""
    text = described(make())
    assert len(text) < 1_000_000
    result = rebuild(text, resolve=resolve, process_id=1)
    assert printed(result)
    if isinstance(make, type):
        assert type(result) is ProcessFailed
        assert result.type_name == f"{__name__}.{make.__name__}"


def test_describing_without_memory_tells_the_class(monkeypatch: pytest.MonkeyPatch) -> None:
    """When even describing fails, the class still comes back."""

    def fail(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr("capsend.shipping.description._Description.all_of", fail)
    result = again(MemoryError())
    assert type(result) is MemoryError
    assert "while describing" in str(result)


# Hostile descriptions


@pytest.mark.parametrize(
    "text",
    [
        "", "x", "null", "[]", "{}", '{"errors":[]}', '{"errors":{}}', '{"errors":[1]}', '{"errors":[null]}', "[" * 100_000,
        '{"errors":[{"type":1,"message":[],"frames":[1,[]],"notes":[1],"members":["x"],"cause":-1}]}',
        '{"errors":[{"type":"builtins.ExceptionGroup","group":"g","members":[0],"payload":"t[[],{},{}]"}]}',
        '{"errors":[{"type":"builtins.ValueError","payload":"s"}]}',
        '{"errors":[{"type":"builtins.ValueError","payload":"g9:[[\\"x\\",1]]"}]}',
    ],
    ids=range(14),
)  # fmt: skip
def test_malformed_descriptions_are_process_failed(text: str) -> None:
    """Whatever comes instead of a description is ProcessFailed."""
    result = rebuild(text, resolve=resolve, process_id=1)
    assert type(result) is ProcessFailed
    assert printed(result)


def hostile(name: str, native: dict[str, Any], args: tuple[Any, ...] = ()) -> BaseException:
    from capsend import codec

    told = {"type": f"builtins.{name}", "message": "m", "payload": codec.encode((args, {}, native))}
    return rebuild(json.dumps({"errors": [told]}), resolve=resolve, process_id=1)


def test_native_fields_that_would_crash_the_interpreter_are_refused() -> None:
    """Unicode errors trust their positions and syntax errors their columns, so these are checked."""
    for native in (
        {"encoding": "u", "object": "text", "start": 0, "end": 1, "reason": "r"},
        {"encoding": "u", "object": b"x", "start": -(10**9), "end": 1 - 10**9, "reason": "r"},
        {"encoding": "u", "object": b"x", "start": 0, "end": 10**9, "reason": "r"},
        {},
    ):
        assert type(hostile("UnicodeDecodeError", native)) is ProcessFailed
    assert (
        type(hostile("SyntaxError", {"msg": "m", "lineno": 1, "offset": 1, "end_offset": 10**12, "text": "a"}))
        is ProcessFailed
    )
    assert printed(hostile("SyntaxError", {"msg": "m", "lineno": 1, "offset": 900_000, "end_offset": 1, "text": "a"}))


def test_rebuilding_leaves_nothing_behind() -> None:
    """No source is cached for files of the image, and no warning is shown."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert printed(again(raised(json_error)))
    assert not [name for name in linecache.cache if str(name).startswith("<image")]


def test_number_of_an_os_error_is_that_of_the_system_which_gets_it() -> None:
    """WASI counts errors in its own way: what says ENOENT inside says so outside, in `errno`, the args and the text."""
    with pytest.raises(FileNotFoundError) as caught:
        capsend.spawn(open, "/no such file").result(timeout=60)
    assert caught.value.errno == caught.value.args[0] == errno.ENOENT
    assert str(caught.value) == f"[Errno {errno.ENOENT}] No such file or directory: '/no such file'"


def test_number_that_no_system_knows_stays() -> None:
    """An `OSError` of somebody's own making is left as it is, whatever symbol a process claims for it."""
    result = again(OSError(123_456, "mine"))
    assert (result.errno, result.args) == (123_456, (123_456, "mine"))
