"""Fuzz what the host does with the answer of a process: mutated answers of real processes, received as real ones are.

`CAPSEND_FUZZ_SECONDS=600 pytest -s tests/codec/test_answer_fuzz.py` fuzzes for ten minutes, not a few seconds, and prints how many answers it tried.
"""

from __future__ import annotations

import ast
import collections
import contextlib
import copy
import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import functools
import importlib
import ipaddress
import json
import os
import pathlib
import random
import re
import sys
import time
import traceback
import uuid
from pathlib import Path
from typing import Any, NamedTuple

import capsend_traits
import pytest

from capsend import CapsendError, Image, engine
from capsend.exceptions import GuestTraceback
from capsend.shipping.ship import Shipment, ship

pytestmark = pytest.mark.filterwarnings("ignore")
SECONDS = float(os.environ.get("CAPSEND_FUZZ_SECONDS", "5"))
SLOWEST = 20.0


@dataclasses.dataclass
class Order:
    """A class that is sent, with fields of several kinds."""

    number: int
    lines: list[Any]
    buyer: Any = None


class Colour(enum.Enum):
    """An enum that is sent."""

    RED = 1
    BLUE = "blue"


class Permission(enum.Flag):
    """Flags that are sent."""

    READ = 1
    WRITE = 2


class Place(NamedTuple):
    """A named tuple that is sent."""

    x: int
    y: float


class Slotted:
    """A class with slots and its own `__getstate__`."""

    __slots__ = ("a", "b")

    def __getstate__(self) -> object:
        return (self.a, self.b)

    def __setstate__(self, state: Any) -> None:
        self.a, self.b = state


class Money(int):
    """A subclass of a built-in class."""


class Refused(ValueError):
    """An exception that is sent."""

    def __init__(self, code: int, *, hint: str) -> None:
        super().__init__(code)
        self.hint = hint


def plain() -> object:
    return [{"id": n, "name": f"name {n}", "price": n / 4, "tags": ["a", None, True]} for n in range(3)]


def every_standard_kind() -> object:
    when = dt.datetime(2024, 1, 2, 3, 4, 5, 6, tzinfo=dt.timezone(dt.timedelta(hours=1)))
    return [
        b"bytes\xff", bytearray(b"x"), 2**3000, 1j, float("nan"), "\ud800", range(3, 9, 2), slice(1, None, 2), {1, 2.5}, frozenset("ab"),
        decimal.Decimal("1.5"), fractions.Fraction(1, 3), uuid.UUID(int=7), when, when.date(), when.timetz(), dt.timedelta(1, 2),
        pathlib.PurePosixPath("a/b"), ipaddress.ip_network("10.0.0.0/8"), re.compile("(a|b)+", re.I), Ellipsis, collections.Counter("abca"),
        collections.deque([1, 2], 5), collections.defaultdict(list, a=[1]), collections.OrderedDict(b=1, a=2),
    ]  # fmt: skip


def instances() -> object:
    slotted = Slotted()
    slotted.a, slotted.b = [1], {"x": (2,)}
    order = Order(
        1, [Place(1, 2.0), Colour.RED, Permission.READ | Permission.WRITE, slotted], buyer={"money": Money(15)}
    )
    order.buyer["order"] = order
    return [order, order, Order, Colour, functools.partial(Place, 1), {Place(1, 1.0): Colour.BLUE}]


def cycles() -> object:
    things: list[Any] = [1, (2,)]
    things.append(things)
    mapping = {"things": things}
    mapping["itself"] = mapping  # type: ignore[assignment] # that is the point
    return (things, mapping, {(1, (2, (3,)))})


def failing() -> object:
    try:
        try:
            return {}["missing"]
        except KeyError as error:
            raise Refused(3, hint="x" * 20) from error
    except Refused as error:
        error.add_note("a note")
        group = ExceptionGroup(
            "several", [error, UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"), OSError(2, "gone", "file")]
        )
        raise group from SyntaxError("bad", ("f.py", 1, 2, "a b", 1, 3))


def failing_deeply() -> object:
    def down(n: int) -> object:
        return 1 // n if n == 0 else down(n - 1)

    return down(30)


def unsendable() -> object:
    return {"key": [1, (n for n in range(3))]}


PROGRAMS = (plain, every_standard_kind, instances, cycles, failing, failing_deeply, unsendable)


@pytest.fixture(scope="module")
def answers(template: engine.Template) -> list[tuple[Shipment, str]]:
    """The answers of real processes, with the calls that they belong to."""
    found = []
    for program in PROGRAMS:
        shipment = ship(program, (), {}, knows=Image().knows, image=Image())
        guest = engine.Guest(template, memory=256 << 20, host=lambda operation, payload: "")
        found.append((shipment, guest.run(shipment.program, shipment.call)))
        guest.close()
    return found


def declared() -> list[list[str]]:
    """Module and name of every class of the standard library that may come from a process."""
    folder = Path(capsend_traits.__file__).parent / "declarations"
    found = []
    for path in sorted(folder.rglob("*.pyi")):
        module = ".".join(path.relative_to(folder).with_suffix("").parts).removesuffix(".__init__")
        with contextlib.suppress(ImportError):
            importlib.import_module(module)  # only what is loaded in the host can be named
        classes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ClassDef)]
        found += [[module, node.name] for node in classes if "Never" not in map(ast.unparse, node.bases)]
    return found


class Mutator:
    """Makes bad answers of good ones: by characters, and by the parts of their JSON."""

    def __init__(self, answers: list[tuple[Shipment, str]], seed: int) -> None:
        self._chance = random.Random(seed)
        self._answers = answers
        self._declared = declared()
        self._parts = [part for _, text in answers for part in parts_of(tree(text)[1])]

    def next(self) -> tuple[Shipment, str]:
        """A call, and an answer to it that is probably wrong."""
        chance = self._chance
        shipment, text = chance.choice(self._answers)
        if chance.random() < 0.1:
            text = chance.choice(self._answers)[1]
        if chance.random() < 0.35:
            return shipment, self._characters(text)
        if chance.random() < 0.2:
            return shipment, self._instance()
        form, root, rest = tree(text)
        root = copy.deepcopy(root)
        for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
            self._change(root)
        body = json.dumps(root, separators=(",", ":"))
        return shipment, f"vg{len(body):x}:{body}{rest}" if form == "vg" else form + body + rest

    def _characters(self, text: str) -> str:
        chance = self._chance
        for _ in range(chance.randint(1, 4)):
            at, width = chance.randrange(len(text) + 1), chance.choice((0, 1, 1, 2, 9, 200))
            piece = chance.choice(
                [
                    "",
                    "[",
                    "]",
                    "{",
                    "}",
                    ",",
                    '"',
                    "0",
                    "-",
                    "9" * 40,
                    "[0]",
                    "null",
                    "\\ud800",
                    chance.choice(text or "x"),
                ]
            )
            text = text[:at] + piece + text[at + width :]
        return text

    def _instance(self) -> str:
        """An instance of a class of the standard library, with a state that it never had."""
        chance = self._chance
        module, name = chance.choice(self._declared)
        nodes: list[Any] = [["x", {"n": [module, name]}]]
        nodes += [["l", self._atom(), self._atom()] for _ in range(chance.randrange(3))]
        names = [
            "x",
            "data",
            "name",
            "args",
            "_path",
            "func",
            "__class__",
            *dir(getattr(sys.modules.get(module), name, object)),
        ]
        fields = {chance.choice(names): self._atom() for _ in range(chance.randrange(4))}
        tag = chance.choice("iiiiioooookKTeE")
        state: Any = fields if tag in "ik" else self._atom()
        nodes.append(
            ["T", [0], *fields.values()] if tag == "T" else [tag, [0], *([self._atom()] if tag in "kK" else []), state]
        )
        if chance.random() < 0.4:
            nodes.append(
                chance.choice([["f", [len(nodes) - 1]], ["d", [len(nodes) - 1], 1], ["s", [len(nodes) - 1], 1]])
            )
        text = json.dumps(nodes, separators=(",", ":"))
        return f"vg{len(text):x}:{text}"

    def _change(self, root: Any) -> None:
        chance = self._chance
        inner = [part for part in parts_of(root) if type(part) in {list, dict} and part]
        if not inner:
            return
        part = chance.choice(inner)
        keys = list(range(len(part))) if type(part) is list else list(part)
        key = chance.choice(keys)
        action = chance.randrange(6)
        if action == 0:
            del part[key]
        elif action == 1 and type(part) is list:
            part.insert(key, self._atom())
        elif action == 2:
            part[key] = copy.deepcopy(chance.choice(self._parts))
        elif action == 3:
            other = chance.choice(keys)
            part[key], part[other] = part[other], part[key]
        elif action == 4 and type(part) is dict:
            part[chance.choice(["__class__", "n", "p", "q", "args", "frames", "class", "payload", "cause"])] = (
                self._atom()
            )
        else:
            part[key] = self._atom()

    def _atom(self) -> Any:
        chance = self._chance
        names = ("os", "sys", "builtins", "subprocess", "tempfile", "json", "__main__")
        quals = (
            "system",
            "eval",
            "Popen",
            "object.__subclasses__",
            "JSONDecodeError",
            "_TemporaryFileCloser",
            "type",
            "",
        )
        return chance.choice(
            [
                None,
                True,
                -1,
                0,
                1,
                2**31,
                2**64,
                10**400,
                1.5,
                1e308,
                "",
                "x",
                "l",
                "t",
                "x" * 1000,
                "/etc/passwd",
                "\ud800",
                "9" * 5000,
                "1E999999999",
                [chance.randrange(40)],
                [-1],
                [10**9],
                [],
                {},
                {"p": chance.randrange(-2, 30)},
                {"p": 0, "q": "__init__.__globals__"},
                {"m": "os"},
                {"n": [chance.choice(names), chance.choice(quals)]},
                {"e": chance.randrange(5)},
                ["x", {"n": ["os", "system"]}],
                ["/etc/passwd", 1, 1, 0, 5, "f"],
                "builtins." + chance.choice(["SystemExit", "KeyboardInterrupt", "ExceptionGroup", "OSError", "int"]),
            ]
        )


def tree(text: str) -> tuple[str, Any, str]:
    """Split an answer into the letters in front, its JSON, and what follows it."""
    if text[:2] == "vg":
        size, _, rest = text[2:].partition(":")
        return "vg", json.loads(rest[: int(size, 16)]), rest[int(size, 16) :]
    form = text[:2] if text[0] == "v" else text[:1]
    return form, json.loads(text[len(form) :]), ""


def parts_of(root: Any) -> list[Any]:
    """Everything in a JSON value, itself included."""
    found, index = [root], 0
    while index < len(found):
        part = found[index]
        found.extend(part if type(part) is list else part.values() if type(part) is dict else ())
        index += 1
    return found


class Watch:
    """Notices what the host must never do because of an answer."""

    FORBIDDEN = (
        "os.system",
        "subprocess.Popen",
        "socket.",
        "os.exec",
        "os.posix_spawn",
        "os.fork",
        "os.remove",
        "os.kill",
        "pickle.",
        "marshal.",
        "ctypes.dlopen",
    )

    def __init__(self) -> None:
        self.on = False
        self.seen: list[str] = []
        sys.addaudithook(self)

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.on:
            return
        if event.startswith(self.FORBIDDEN) or (event == "open" and "passwd" in str(arguments[0])):
            self.seen.append(f"{event} {arguments!r}"[:500])


def receive(shipment: Shipment, text: str) -> str:
    """Receive an answer as a process's thread does, and use the outcome as a user would; returns what came of it."""
    try:
        value = shipment.receive(text, 1)
    except Exception as error:
        caught = error
    else:
        with contextlib.suppress(Exception):  # of a state that it never had
            repr(value)
        return "a value"
    assert isinstance(caught, CapsendError) or isinstance(caught.__cause__, GuestTraceback), type(caught)
    assert len("".join(traceback.format_exception(caught))) < 20_000_000
    return type(caught).__name__


def test_mutated_answers_are_survived(answers: list[tuple[Shipment, str]]) -> None:
    """A value, or an error of capsend or one rebuilt with its guest's traceback: nothing else, soon, and without doing anything."""
    seed = random.randrange(2**32)
    mutator, watch = Mutator(answers, seed), Watch()
    outcomes: collections.Counter[str] = collections.Counter()
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        shipment, text = mutator.next()
        start = time.perf_counter()
        try:
            watch.on = True
            outcomes[receive(shipment, text)] += 1
            watch.on = False
            assert watch.seen == []
            assert time.perf_counter() - start < SLOWEST
        except BaseException:
            watch.on = False
            print(f"seed {seed}: {text[:5000]!r}")
            raise
    print(f"\n{sum(outcomes.values())} answers in {SECONDS:g} s, seed {seed}: {dict(outcomes.most_common(12))}")
    assert len(outcomes) > 3


def test_many_classes_are_declared() -> None:
    """The fuzzer found them."""
    assert len(declared()) > 100


def test_unchanged_answers_are_received(answers: list[tuple[Shipment, str]]) -> None:
    """The unmutated answers are valid."""
    assert [receive(shipment, text) for shipment, text in answers] == [
        "a value", "a value", "a value", "a value", "ExceptionGroup", "ZeroDivisionError", "SerializationError",
    ]  # fmt: skip
