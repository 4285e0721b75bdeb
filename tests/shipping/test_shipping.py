"""Every form of callable is shipped: it does the same in the guest as on the host, under its own names."""

from __future__ import annotations

import abc
import asyncio
import collections
import collections.abc
import contextlib
import dataclasses
import doctest
import enum
import functools
import math
import operator
import os.path
import re
import subprocess
import sys
import textwrap
import threading
import types
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar, Final, Generic, NamedTuple, NewType, TypeVar

import attrs
import pytest

from capsend import CaptureError, PerProcess, SerializationError, Spawnable, check, process, spawn, unsafe_process_send

T = TypeVar("T")
Meters = NewType("Meters", int)
OFFSET = 5
TABLE: PerProcess[dict[str, int]] = {"a": 1}


class Color(enum.Enum):
    RED = 1
    BLUE = "b"


Mood = enum.Enum("Mood", "CALM WILD")
Pair = collections.namedtuple("Pair", "left right", defaults=[7])


class Row(NamedTuple):
    number: int
    text: str = "z"


@dataclasses.dataclass(frozen=True)
class Box(Generic[T]):
    content: T
    color: Color = Color.RED
    limit: ClassVar[int] = 10

    def plus(self) -> int:
        return self.content + OFFSET + countdown(2)  # type: ignore[operator]  # the tests put ints in

    @property
    def doubled(self) -> int:
        return self.content * 2  # type: ignore[operator]  # the tests put ints in

    @classmethod
    def of(cls, content: T) -> Box[T]:
        return cls(content)

    @staticmethod
    def one_more(number: int) -> int:
        return number + 1

    @dataclasses.dataclass(frozen=True)
    class Lid:
        width: int


class BigBox(Box[int]):
    def plus(self) -> int:
        return super().plus() * 10


@attrs.frozen
class Tag:
    name: str
    parts: tuple[int, ...] = attrs.field(default=(), converter=tuple)


class Adder:
    def __init__(self, number: int) -> None:
        self.number: Final = number

    def __call__(self, other: int = 1) -> int:
        return self.number + other


class Secret:
    def __init__(self) -> None:
        self.__code = 41

    def reveal(self) -> Any:
        def inner() -> int:
            return Secret()._Secret__code + len(self.__class__.__name__)  # type: ignore[attr-defined, no-any-return]  # the mangled name is what is tested

        return inner

    def private(self) -> int:
        return (lambda: self.__code)() + 1


class Problem(Exception):
    def __init__(self, code: int) -> None:
        super().__init__(f"problem {code}")
        self.code = code


def countdown(n: int) -> int:
    return n if n == 0 else countup(n - 1)


def countup(n: int) -> int:
    return n if n == 0 else countdown(n - 1)


@functools.lru_cache(maxsize=64)
def fib(n: int) -> int:
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def tagged(function: Any) -> Any:
    @functools.wraps(function)
    def wrapper(*args: Any) -> tuple[str, Any]:
        return "tagged", function(*args)

    return wrapper


@tagged
def decorated(x: int) -> int:
    return x + OFFSET


@process
def spawnable(n: int) -> int:
    return n * n


async def double(n: int) -> int:
    await asyncio.sleep(0)
    return n * 2


def squares(n: int) -> Any:
    for i in range(n):
        yield i * i


@contextlib.contextmanager
def bracketed(log: list[str]) -> Any:
    log.append("in")
    yield log
    log.append("out")


def use_bracketed() -> list[str]:
    with bracketed([]) as log:
        log.append("body")
    return log


def make_local(a: int) -> Any:
    b = a + 1

    def inner(c: int, d: int = a) -> tuple[list[int], dict[str, int], int]:
        return [(lambda q: q + a + b)(i) for i in range(c)], dict.fromkeys("xy", a), d

    return inner


def make_recursive() -> Any:
    def even(n: int) -> bool:
        return n == 0 or odd(n - 1)

    def odd(n: int) -> bool:
        return n != 0 and even(n - 1)

    return even


def read_table() -> dict[str, int]:
    TABLE["b"] = 2
    return TABLE


def fail(code: int) -> None:
    raise Problem(code)


def use_walrus_and_match(value: object) -> str:
    match value:
        case {"kind": str(kind), **rest} if (n := len(rest)) > 0:
            return f"{kind}{n}"
        case [first, *_]:
            return f"list of {first}"
        case _:
            return "other"


FORMS: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "function": (countdown, (3,)),
    "mutually recursive functions": (make_recursive(), (10,)),
    "decorated function": (decorated, (1,)),
    "lru_cache": (fib, (50,)),
    "local function with free variables and defaults": (make_local(3), (2,)),
    "bound method": (Box(3).plus, ()),
    "inherited method through super()": (BigBox(4).plus, ()),
    "unbound method": (Box.plus, (Box(1),)),
    "static method": (Box.one_more, (1,)),
    "class method": (Box.of, (3,)),
    "partial": (functools.partial(pow, 2, mod=100), (10,)),
    "partial of a user function": (functools.partial(make_local(1), d=9), (2,)),
    "callable object": (Adder(3), (4,)),
    "spawnable": (spawnable, (4,)),
    "built-in function": (len, ("abc",)),
    "function of a C module": (math.hypot, (3, 4)),
    "method descriptor": (str.upper, ("x",)),
    "bound built-in method": ("a-b".split, ("-",)),
    "class method of a built-in": (int.from_bytes, (b"a", "big")),
    "operator object": (operator.itemgetter(1), ((1, 2),)),
    "function of a stdlib module in Python": (textwrap.dedent, (" x",)),
    "context manager": (use_bracketed, ()),
    "private names": (Secret().private, ()) if False else (lambda: Secret().private(), ()),
    "private names in a local function": (lambda: Secret().reveal()(), ()),
    "match and walrus": (use_walrus_and_match, ({"kind": "k", "x": 1},)),
    "lambda": (lambda a, *, b=2: a + b + OFFSET, (1,)),
    "lambda in a default": ((lambda f=(lambda: 7): f()), ()),
    "first of two lambdas on a line": ([lambda: "first", lambda: "second"][0], ()),
    "second of two lambdas on a line": ([lambda: "first", lambda: "second"][1], ()),
    "nested lambda": (lambda x: (lambda y: lambda z: x + y + z)(2)(3), (1,)),
    "lambda from a comprehension": ([lambda i=i: i for i in range(3)][2], ()),
    "lambda over a comprehension variable": ([lambda: i for i in range(3)][0], ()),
    "generator inside": (lambda n: sum(squares(n)), (5,)),
    "named tuples, enums, attrs": (lambda: (Row(1), Pair(1), Mood.WILD, Color.BLUE, Tag("a", (2,))), ()),
    "nested class": (lambda: Box.Lid(3), ()),
    "property": (lambda: Box(2).doubled, ()),
    "class variable": (lambda: Box.limit, ()),
    "isinstance": (lambda v: isinstance(v, Box), (Box(1),)),
    "new type": (lambda: Meters(3), ()),
    "module attribute": (lambda: os.path.join("a", "b"), ()),
    "regular expression": (lambda: re.sub("a+", "b", "caat"), ()),
    "dataclasses tools": (lambda b: dataclasses.replace(b, content=9), (Box(1),)),
    "keyword only and star arguments": (lambda *a, **k: (a, k), (1, [2])),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_process_gives_what_a_call_gives(form: str) -> None:
    """A spawned callable returns an equal value of the same type as an ordinary call."""
    function, args = FORMS[form]
    expected = function(*args)
    result = spawn(function, *args).result(timeout=60)
    assert result == expected
    assert type(result) is type(expected)


def test_an_async_function_runs_on_an_event_loop_inside() -> None:
    """The result of a coroutine function is what it returns."""
    assert spawn(double, 4).result(timeout=60) == 8


def test_names_inside_are_those_outside() -> None:
    """Functions and classes keep their module and qualified name, and their module is importable by name."""
    names = spawn(
        lambda: (Box.__module__, Box.plus.__qualname__, decorated.__name__, sys.modules[Box.__module__].Box is Box)
    ).result(60)
    assert names == (__name__, "Box.plus", "decorated", True)


def test_a_function_that_was_sent_comes_back_as_itself() -> None:
    """A result that is a function or class of the program is the same object on the host."""
    assert spawn(lambda f: (f, Box), countdown).result(60) == (countdown, Box)


def test_only_what_is_needed_is_sent() -> None:
    """Names that the callable does not reach are there for who asks, as on the host, and refuse to be used."""
    assert spawn(lambda: hasattr(sys.modules[__name__], "GU" + "ARD")).result(60)
    with pytest.raises(CaptureError, match="GUARD was not sent"):
        spawn(lambda: getattr(sys.modules[__name__], "GU" + "ARD", None).locked()).result(60)


def test_a_placeholder_that_was_used_ends_the_process_whatever_the_program_made_of_it() -> None:
    """A program that catches the refusal must not answer something else than on the host."""

    def swallow() -> int:
        try:
            return len(getattr(sys.modules[__name__], "GU" + "ARD").__class__.__name__)
        except Exception:
            return 0

    with pytest.raises(CaptureError, match="GUARD was not sent"):
        spawn(swallow).result(60)


def test_a_per_process_table_goes_along_and_changes_alone() -> None:
    """A constant declared PerProcess is sent by value; changes by the process stay in the process."""
    assert spawn(read_table).result(60) == {"a": 1, "b": 2}
    assert TABLE == {"a": 1}
    TABLE["c"] = 3
    assert spawn(read_table).result(60) == {"a": 1, "b": 2, "c": 3}
    del TABLE["c"]


def test_spawn_takes_its_snapshot_at_the_call() -> None:
    """Later assignments do not change what was sent, and the next spawn sees them."""
    n = 1
    first = spawn(lambda: n)
    n = 2
    assert (first.result(60), spawn(lambda: n).result(60)) == (1, 2)


def test_a_cached_program_notices_a_changed_global(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that was encoded before is not used when a global that it reads has another value."""
    assert spawn(decorated, 1).result(60) == ("tagged", 6)
    monkeypatch.setattr(sys.modules[__name__], "OFFSET", 50)
    assert spawn(decorated, 1).result(60) == ("tagged", 51)


def test_a_changed_class_attribute_is_sent_as_it_is_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """A class statement is executed again inside, but attributes assigned since then count."""
    monkeypatch.setattr(Box, "limit", 99)
    assert spawn(lambda: Box.limit).result(60) == 99


def test_a_patched_method_is_sent_as_it_is_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """A function assigned to a class replaces the method inside too."""
    monkeypatch.setattr(Box, "plus", lambda self: "patched")
    assert spawn(lambda: Box(1).plus()).result(60) == "patched"


def test_user_exceptions_come_back_as_themselves() -> None:
    """An exception class that the callable reaches is raised on the host with its attributes."""
    with pytest.raises(Problem) as caught:
        spawn(fail, 3).result(60)
    assert (caught.value.code, str(caught.value)) == (3, "problem 3")


def test_a_method_nobody_calls_may_use_what_cannot_go_along() -> None:
    """The needs of an uncalled method are left out; if it is called after all, the error gives the reason."""
    assert spawn(lambda: Guarded(2).value).result(60) == 2
    with pytest.raises(CaptureError, match="GUARD"):
        spawn(lambda: Guarded(2).locked())
    with pytest.raises(CaptureError, match="GUARD was not sent with the program: it is lock"):
        spawn(lambda: getattr(Guarded(2), "dekcol"[::-1])()).result(60)


GUARD = __import__("threading").Lock()


class Guarded:
    def __init__(self, value: int) -> None:
        self.value: Final = value

    def locked(self) -> int:
        with GUARD:
            return self.value


@unsafe_process_send("the list is never changed after construction")
class Frozenish:
    def __init__(self) -> None:
        self.rows = [1, 2]


def test_an_unsafe_impl_travels_by_its_fields() -> None:
    """A class whose author promises that it is safe is captured by value."""
    frozenish = Frozenish()
    assert spawn(lambda: frozenish.rows).result(60) == [1, 2]


def test_package_of_several_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative imports, submodules, aliases and functions of other modules of a package are found inside."""
    monkeypatch.syspath_prepend(Path(__file__).parents[1])
    from programs import shop

    assert spawn(shop.total, ("tea", "cup")).result(60) == 13
    assert spawn(lambda: shop.prices.price("tea")).result(60) == 4
    with pytest.raises(shop.prices.Unknown):
        spawn(shop.total, ("pot",)).result(60)
    with pytest.raises(CaptureError, match="_lock_needed_by_nobody_inside"):
        spawn(shop.stock.locked)


SCRIPT = """
import capsend

FACTOR = 3

class Point:
    def __init__(self, x: int) -> None:
        self.x = x
    def scaled(self) -> int:
        return self.x * FACTOR

def work(n: int) -> Point:
    return Point(Point(n).scaled())

if __name__ == "__main__":
    p = capsend.spawn(work, 2).result(60)
    print(type(p) is Point, p.x, __name__)
    try:
        capsend.spawn(lambda: work("a").x + None).result(60)
    except TypeError as e:
        import traceback
        print("".join(traceback.format_exception(e)))
"""


def test_a_script_run_as_main(tmp_path: Path) -> None:
    """A script's own functions and classes live in `__main__`, inside too."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.startswith("True 6 __main__\n")
    assert 'capsend.spawn(lambda: work("a").x + None)' in done.stdout
    assert f'File "{script}"' in done.stdout


def test_a_notebook_cell() -> None:
    """IPython keeps the source of its cells, so functions of a cell can be sent."""
    code = (
        "from IPython.core.interactiveshell import InteractiveShell as S\n"
        "s = S.instance()\n"
        "r = s.run_cell('import capsend\\nK = 4\\nclass C:\\n    v = 1\\ndef f(n):\\n    return n + K + C.v')\n"
        "r = s.run_cell('capsend.spawn(f, 1).result(60)')\n"
        "assert r.result == 6, r\n"
        "r = s.run_cell('K = 5; capsend.spawn(lambda: f(1)).result(60)')\n"
        "assert r.result == 7, r\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120, capture_output=True)


def documented() -> None:
    """Show how it is used.

    >>> from capsend import spawn
    >>> def add(a, b):
    ...     return a + b + bonus
    >>> bonus = 10
    >>> spawn(add, 1, 2).result(60)
    13
    """


def test_a_doctest() -> None:
    """Functions defined in a doctest can be sent while it runs."""
    module = types.ModuleType("documented_module")
    tests = doctest.DocTestFinder().find(
        documented, "documented", module=module, globs={"__name__": "documented_module"}
    )
    runner = doctest.DocTestRunner(verbose=False)
    results = [runner.run(test, out=lambda _: None) for test in tests]
    assert [(r.failed, r.attempted) for r in results] == [(0, 4)]


def test_code_without_source_is_refused() -> None:
    """Code made by exec() has no source: the error states this and the cure."""
    namespace: dict[str, Any] = {"__name__": __name__}
    exec("def made():\n    return 1", namespace)
    with pytest.raises(CaptureError, match="put it into a file"):
        spawn(namespace["made"])


def test_a_source_that_changed_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A function whose file was edited since it was imported is refused: the process would run other code."""
    module = tmp_path / "edited_since.py"
    module.write_text("def f():\n    return 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    import edited_since  # type: ignore[import-not-found]  # written just now

    module.write_text("def f():\n    return 2  # edited\n")
    with pytest.raises(CaptureError, match="changed since it was imported"):
        spawn(edited_since.f)


def test_a_source_that_is_gone_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A function whose file was deleted is refused."""
    module = tmp_path / "gone_since.py"
    module.write_text("def f():\n    return 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    import gone_since  # type: ignore[import-not-found]  # written just now

    module.unlink()
    with pytest.raises(CaptureError, match="no source text"):
        spawn(gone_since.f)


def use_socket_module() -> str:
    import ssl

    return ssl.OPENSSL_VERSION


def use_guarded_import() -> str:
    try:
        import ssl  # noqa: F401 - only whether it is there
    except ImportError:
        return "no ssl"
    return "ssl"


def test_a_module_that_is_not_in_the_image_is_refused() -> None:
    """An import that would fail in the guest is refused on the host, unless the function handles the failure."""
    with pytest.raises(CaptureError, match="which is not in the image"):
        spawn(use_socket_module)
    assert spawn(use_guarded_import).result(60) == "no ssl"
    with pytest.raises(CaptureError, match=r'Image\(packages=\["pytest"\]\)'):
        spawn(lambda: pytest.approx(1))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: spawn(3), "needs a callable, not int"),
        (lambda: spawn(Box), "missing a required argument"),
        (lambda: spawn(countdown), "missing a required argument"),
        (lambda: spawn(countdown, 1, 2), "too many positional"),
        (lambda: spawn(countdown, m=2), "No process was started"),
    ],
)
def test_a_call_that_cannot_work_is_refused_before_a_process_starts(call: Any, message: str) -> None:
    """An object that is not a function, or arguments that do not fit, raise TypeError in the caller."""
    with pytest.raises(TypeError, match=message):
        call()


class Api:
    class V1:
        class NotFound(Exception):
            """Two classes deep."""

        class Kind(enum.Enum):
            USER = "user"

        @dataclasses.dataclass(frozen=True)
        class Answer:
            kind: Api.V1.Kind

            class __Hidden:
                deep = 4

            @classmethod
            def hidden(cls) -> type:
                return cls.__Hidden


def raise_nested() -> None:
    raise Api.V1.NotFound("x")


def test_nested_classes_come_back_from_any_depth() -> None:
    """As exceptions, members, instances and classes."""
    with pytest.raises(Api.V1.NotFound, match="x"):
        spawn(raise_nested).result(60)
    answer = spawn(lambda: [Api.V1.Answer(Api.V1.Kind.USER), Api.V1.Answer, Api.V1.Kind.USER]).result(60)
    assert answer == [Api.V1.Answer(Api.V1.Kind.USER), Api.V1.Answer, Api.V1.Kind.USER]
    assert spawn(lambda: Api.V1.Answer.hidden()).result(60) is Api.V1.Answer.hidden()


def test_nested_class_of_a_child_comes_back() -> None:
    """Also through a process between."""
    with pytest.raises(Api.V1.NotFound):
        spawn(lambda: spawn(raise_nested).result()).result(60)


class Counted:
    """A class that a process can be asked to make an instance of."""

    def __init__(self, start: int, *, step: int = OFFSET) -> None:
        self.value = start + step


@pytest.mark.parametrize(
    ("cls", "args", "result"),
    [
        (int, ("3",), 3),
        (str, (1,), "1"),
        (Decimal, ("1.5",), Decimal("1.5")),
        (Color, ("b",), Color.BLUE),
        (Box, (1,), Box(1)),
        (Row, (1,), Row(1)),
        (Pair, (1,), Pair(1)),
        (collections.Counter, ("aab",), collections.Counter("aab")),
        (list, ((1, 2),), [1, 2]),
    ],
)
def test_class_is_a_callable_whose_result_is_its_instance(cls: Any, args: Any, result: Any) -> None:
    """The instance comes back if it is data that can be sent."""
    answer = spawn(cls, *args).result(60)
    assert (type(answer), answer) == (type(result), result)


def test_class_of_the_user_is_called_with_all_that_it_needs() -> None:
    """Its methods and their globals go along."""
    assert spawn(Counted, 1).result(60).value == 1 + OFFSET
    assert spawn(functools.partial(Counted, step=2), 1).result(60).value == 3


def test_instance_that_cannot_come_back_is_refused_as_a_result() -> None:
    """The error is that of the result."""
    with pytest.raises(SerializationError, match="cannot send the result of Condition"):
        spawn(threading.Condition).result(60)


class Ring:
    """An instance that holds one of its own methods, and one that holds another's."""

    def __init__(self, other: Ring | None = None) -> None:
        self.other = other
        self.callbacks = [self.number, other.number if other is not None else None]

    def number(self) -> int:
        return OFFSET


def test_instance_that_holds_its_own_method_travels() -> None:
    """The judge meets the instance again behind the method, and knows that it has."""
    ring = spawn(lambda r: r, Ring(Ring())).result(60)
    assert ring.callbacks[0].__self__ is ring
    assert spawn(lambda r: [callback() for callback in r.callbacks], Ring(Ring())).result(60) == [OFFSET, OFFSET]


def test_an_argument_that_cannot_be_sent_is_named() -> None:
    """The error names the parameter and the path to the bad part."""
    with open(os.devnull) as file, pytest.raises(SerializationError) as caught:
        spawn(lambda rows: rows, [1, {"k": file}])
    assert "argument \"rows[1]['k']\"" in str(caught.value)
    assert caught.value.findings[0].variable == "rows"


def test_functions_as_arguments_bring_their_program_along() -> None:
    """A function or instance passed as an argument may need code that the callable itself does not."""
    assert spawn(lambda f, b: f(b.plus()), lambda n: n + OFFSET, Box(1)).result(60) == Box(1).plus() + OFFSET


def test_check_raises_what_spawn_would_and_runs_nothing() -> None:
    """`check` judges only."""
    ran: list[int] = []
    with pytest.raises(CaptureError, match="ran"):
        check(lambda: ran.append(1))
    check(countdown)
    assert ran == []


def test_spawnable_is_checked_where_it_is_made() -> None:
    """@process refuses a bad capture at the definition, and passes over names that are defined later."""
    ran: list[int] = []
    with pytest.raises(CaptureError):
        process(lambda: ran.append(1))

    @process
    def early() -> int:
        return defined_later()

    assert isinstance(early, Spawnable)
    assert early.spawn().result(60) == 1


def defined_later() -> int:
    return 1


def test_a_registration_between_two_classes_of_the_image_goes_along() -> None:
    """A process has the program's registrations with the library's abstract classes, not only the library's own."""
    collections.abc.Sized.register(textwrap.TextWrapper)
    try:
        assert spawn(lambda: isinstance(textwrap.TextWrapper(), collections.abc.Sized)).result(60)
    finally:
        collections.abc.Sized._abc_registry_clear()
        collections.abc.Sized._abc_caches_clear()
        abc.ABCMeta("New", (), {}).register(int)  # shows that there is a new registration
    assert not spawn(lambda: isinstance(textwrap.TextWrapper(), collections.abc.Sized)).result(60)
