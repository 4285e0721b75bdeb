"""Host functions: who may call them, which arguments and results are accepted, and how their exceptions arrive."""

import asyncio
import email.message
import errno
import functools
import json
import os
import threading
from collections.abc import Iterable
from decimal import Decimal
from enum import Enum
from typing import Any, Literal, NamedTuple, NewType, Protocol, TypedDict
from urllib.error import HTTPError

import attrs
import pytest

import capsend
from capsend import Dir, HostFunction, Mailbox, SerializationError, host_function, not_process_send, spawn
from tests.capabilities.pricing import PATIENCE, OutOfStock, error_of, price, result


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
    """A class statement reads a global for a name until the class has an attribute of that name."""
    assert spawn(lambda: Api.tripled(2)).result(PATIENCE) == 6


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


Sku = NewType("Sku", str)


@host_function
async def fetch(n: int) -> list[int]:
    """Return a number after a while."""
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
    """Return the parts of the exception that `fails` raises, and whether its class is the best match."""
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
    """The exception has its own class, or the nearest base that the guest has, without running `__init__`; other parts stay on the host."""
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
    """A lock cannot be sent."""

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
    """The limit is refused where it is written."""
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


def test_host_function_cannot_be_made_inside():
    """A process has no way to make the host run something: the error says where it is made."""

    def work() -> str:
        from capsend import host_function

        try:
            host_function(len)
        except capsend.CapsendError as error:
            return str(error)
        return "made"

    assert result(work).startswith("len runs in a process and cannot become a host function")


def test_result_of_a_function_that_is_declared_to_stay_is_refused():
    """A negative impl holds for the result of a host function, as for the arguments of a process."""

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
