"""Writes random programs that spawn: random types with values of them, in random forms of capture, at random depths.

`loose` marks a program whose types say less than its values: there the plugin may refuse what the run time takes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator

HEADER: Final = """
from __future__ import annotations
import contextvars, datetime, decimal, enum, functools, io, pathlib, random, re, threading, types, uuid, weakref
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Generic, NamedTuple, NewType, TypedDict, TypeVar
import attrs
from capsend import PerProcess, not_process_send, process, spawn, unsafe_process_send
T = TypeVar("T")
def numbers() -> Iterator[int]:
    yield 1
class Color(enum.Enum):
    RED = 1
class Odd(enum.Enum):
    A = [1]
UserId = NewType("UserId", int)
class Options(TypedDict):
    n: int
@dataclass(frozen=True)
class Box(Generic[T]):
    item: T
class Pair(NamedTuple, Generic[T]):
    first: int
    second: T
@not_process_send("it is mine")
@dataclass(frozen=True)
class Negative:
    n: int
@dataclass(frozen=True)
class SubNegative(Negative):
    m: int
@unsafe_process_send("nobody writes it")
class Unsafe:
    def __init__(self) -> None:
        self.rows = [1]
"""

ATOMS: Final = (
    ("int", "1"), ("str", "'a'"), ("bytes", "b'a'"), ("float", "1.5"), ("bool", "True"), ("None", "None"), ("complex", "1j"),
    ("decimal.Decimal", "decimal.Decimal(1)"), ("datetime.date", "datetime.date(2026, 1, 1)"), ("uuid.UUID", "uuid.UUID(int=1)"),
    ("datetime.timedelta", "datetime.timedelta(1)"), ("pathlib.PurePosixPath", "pathlib.PurePosixPath('a')"), ("range", "range(3)"),
    ("re.Pattern[str]", "re.compile('a')"), ("Color", "Color.RED"), ("UserId", "UserId(3)"), ("Unsafe", "Unsafe()"),
    ("type[int]", "int"), ("types.ModuleType", "re"),
)  # fmt: skip
BAD: Final = (
    ("list[int]", "[1]"), ("dict[str, int]", "{'a': 1}"), ("set[int]", "{1}"), ("bytearray", "bytearray(b'a')"), ("deque[int]", "deque([1])"),
    ("OrderedDict[str, int]", "OrderedDict(a=1)"), ("Options", "{'n': 1}"), ("Odd", "Odd.A"),
)  # fmt: skip
NEVER: Final = (
    ("threading.Lock", "threading.Lock()"), ("Iterator[int]", "numbers()"), ("threading.Event", "threading.Event()"), ("Negative", "Negative(1)"),
    ("SubNegative", "SubNegative(1, 2)"), ("random.Random", "random.Random(1)"), ("io.StringIO", "io.StringIO()"),
    ("contextvars.ContextVar[int]", "contextvars.ContextVar('c')"), ("memoryview", "memoryview(b'a')"), ("ValueError", "ValueError('x')"),
)  # fmt: skip
LOOSE: Final = (
    ("Sequence[int]", "(1,)"), ("Mapping[str, int]", "{'a': 1}"), ("object", "1"), ("Any", "1"),
    ("Callable[[int], int]", "abs"),
)  # fmt: skip


@dataclass
class Program:
    """One generated program.

    Attributes:
        name: the function that spawns.
        definitions: the statements before it.
        body: its statements.
        loose: whether a type in it says less than its value.
    """

    name: str
    definitions: list[str] = field(default_factory=list)
    body: list[str] = field(default_factory=list)
    loose: bool = False

    def text(self) -> str:
        """Return the program as source."""
        body = "".join(f"    {line}\n" for block in self.body for line in block.splitlines())
        return "\n".join(self.definitions) + f"\ndef {self.name}() -> None:\n{body}"


class Writer:
    """Writes one program, with choices from a random generator."""

    def __init__(self, rng: random.Random, index: int) -> None:
        self.rng = rng
        self.index = index
        self.program = Program(f"case_{index}")
        self.count = 0

    def fresh(self, stem: str) -> str:
        """Return a name that nothing in the module has."""
        self.count += 1
        return f"{stem}_{self.index}_{self.count}"

    def value(self, depth: int) -> tuple[str, str]:
        """Return a random type with a value of it."""
        kind = self.rng.random()
        if depth == 0 or kind < 0.25:
            return self._leaf()
        return self.rng.choice(
            [self._tuple, self._many, self._union, self._box, self._pair, self._class, self._class, self._container]
        )(depth - 1)

    def _leaf(self) -> tuple[str, str]:
        kind = self.rng.random()
        if kind < 0.72:
            return self.rng.choice(ATOMS)
        if kind < 0.86:
            return self.rng.choice(BAD)
        if kind < 0.96:
            return self.rng.choice(NEVER)
        self.program.loose = True
        return self.rng.choice(LOOSE)

    def _tuple(self, depth: int) -> tuple[str, str]:
        parts = [self.value(depth) for _ in range(self.rng.randint(1, 3))]
        return f"tuple[{', '.join(t for t, _ in parts)}]", f"({', '.join(v for _, v in parts)},)"

    def _many(self, depth: int) -> tuple[str, str]:
        part, value = self.value(depth)
        return f"tuple[{part}, ...]", f"({value},)"

    def _union(self, depth: int) -> tuple[str, str]:
        part, value = self.value(depth)
        return f"{part} | None" if part != "None" else part, value

    def _box(self, depth: int) -> tuple[str, str]:
        part, value = self.value(depth)
        return f"Box[{part}]", f"Box({value})"

    def _pair(self, depth: int) -> tuple[str, str]:
        part, value = self.value(depth)
        return f"Pair[{part}]", f"Pair(1, {value})"

    def _container(self, depth: int) -> tuple[str, str]:
        part, value = self.value(depth)
        return self.rng.choice([(f"list[{part}]", f"[{value}]"), (f"dict[str, {part}]", f"{{'k': {value}}}")])

    def _class(self, depth: int) -> tuple[str, str]:
        name = self.fresh("C")
        parts = [self.value(depth) for _ in range(self.rng.randint(1, 2))]
        fields = [(f"f{i}", t, v) for i, (t, v) in enumerate(parts)]
        how = self.rng.choice(["frozen", "frozen", "slots", "mutable", "attrs", "define", "final", "ordinary"])
        self.program.definitions.append(_class_text(name, how, fields))
        return name, f"{name}({', '.join(v for _, _, v in fields)})"

    # Forms of capture

    def write(self) -> Program:
        """Return a program that spawns once."""
        form = self.rng.choice(
            [self.in_lambda, self.in_lambda, self.in_function, self.nested, self.default, self.partial, self.receiver, self.argument, self.argument,
             self.global_read, self.global_helper, self.class_attribute, self.callable_object, self.comprehension, self.callable_argument,
             self.per_process, self.written, self.method_of_capture, self.alias, self.conditional]
        )  # fmt: skip
        form()
        return self.program

    def variable(self) -> str:
        """Bind a random value to a local variable; return its name."""
        shape, value = self.value(self.rng.randint(0, 3))
        name = self.fresh("v")
        self.program.body.append(f"{name}: {shape} = {value}")
        return name

    def add(self, *lines: str) -> None:
        """Add statements to the spawning function."""
        self.program.body += lines

    def in_lambda(self) -> None:
        """A lambda that reads one or two variables."""
        names = ", ".join(self.variable() for _ in range(self.rng.randint(1, 2)))
        self.add(f"spawn(lambda: len(repr(({names},))))")

    def in_function(self) -> None:
        """A local function."""
        name = self.variable()
        self.add(f"def work() -> str:\n    return repr({name})", "spawn(work)")

    def nested(self) -> None:
        """A local function, through another one and a lambda."""
        name = self.variable()
        self.add(
            f"def inner() -> str:\n    return (lambda: repr({name}))()",
            "def outer() -> str:\n    return inner()",
            "spawn(lambda: outer())",
        )

    def default(self) -> None:
        """A default."""
        name = self.variable()
        self.add(f"def work(k: object = {name}) -> str:\n    return repr(k)", "spawn(work)")

    def partial(self) -> None:
        """A piece of a partial."""
        name = self.variable()
        self.add(f"spawn(functools.partial(repr, {name}))")

    def receiver(self) -> None:
        """A bound method."""
        shape, value = self.value(2)
        name = self.fresh("R")
        self.program.definitions.append(
            _class_text(name, self.rng.choice(["frozen", "final", "mutable"]), [("f0", shape, value)]) + METHOD
        )
        self.add(f"spawn({name}({value}).method)")

    def method_of_capture(self) -> None:
        """A method of a captured instance that reads a global."""
        shape, value = self.value(1)
        name, held = self.fresh("M"), self.fresh("G")
        method = f"\n    def method(self) -> int:\n        return len(repr({held}))"
        self.program.definitions += [
            f"{held}: Final[{shape}] = {value}",
            _class_text(name, "frozen", [("n", "int", "1")]) + method,
        ]
        self.add(f"one = {name}(1)", self.rng.choice(["spawn(lambda: one.method())", "spawn(one.method)"]))

    def argument(self) -> None:
        """An argument, by position or by name."""
        name = self.variable()
        self.add(
            self.rng.choice([f"spawn(lambda a: len(repr(a)), {name})", f"spawn(lambda a: len(repr(a)), a={name})"])
        )

    def callable_argument(self) -> None:
        """A callable as an argument."""
        name = self.variable()
        self.program.definitions.append(f"def apply_{self.index}(f: Callable[[], str]) -> str:\n    return f()")
        self.add(f"spawn(apply_{self.index}, lambda: repr({name}))")

    def global_read(self) -> None:
        """A function that reads a global."""
        shape, value = self.value(2)
        name = self.fresh("G")
        self.program.definitions += [
            f"{name}: {shape} = {value}",
            f"def reads_{self.index}() -> str:\n    return repr({name})",
        ]
        self.add(f"spawn(reads_{self.index})")

    def global_helper(self) -> None:
        """A global that is read two calls away."""
        self.global_read()
        self.program.definitions.append(f"def calls_{self.index}() -> str:\n    return reads_{self.index}()")
        self.program.body[-1] = f"spawn(lambda: calls_{self.index}())"

    def class_attribute(self) -> None:
        """An attribute of a class."""
        shape, value = self.value(1)
        name = self.fresh("K")
        self.program.definitions.append(f"class {name}:\n    held: ClassVar[{shape}] = {value}")
        self.add(f"spawn(lambda: repr({name}.held))")

    def callable_object(self) -> None:
        """An object with `__call__`."""
        shape, value = self.value(2)
        name = self.fresh("O")
        text = _class_text(name, self.rng.choice(["frozen", "mutable"]), [("f0", shape, value)])
        self.program.definitions.append(text + METHOD.replace("method", "__call__"))
        self.add(f"spawn({name}({value}))")

    def comprehension(self) -> None:
        """A comprehension variable."""
        shape, value = self.value(2)
        self.add(f"values: list[{shape}] = [{value}]", "[spawn(lambda: repr(x)) for x in values]")

    def per_process(self) -> None:
        """A table that every process may own a copy of."""
        shape, value = self.value(2)
        name = self.fresh("P")
        self.program.definitions += [
            f"{name}: PerProcess[{shape}] = {value}",
            f"def table_{self.index}() -> str:\n    return repr({name})",
        ]
        self.add(f"spawn(table_{self.index})")

    def written(self) -> None:
        """Return a write to a variable of an outer scope, or to a local one."""
        outer = self.rng.random() < 0.5
        self.add(
            "n = 0",
            f"def work() -> int:\n    {'nonlocal n' if outer else 'n = 1'}\n    n += 1\n    return n",
            "spawn(work)",
            "print(n) if n else None",
        )

    def alias(self) -> None:
        """A callable under another name."""
        name = self.variable()
        self.add(f"work = lambda: repr({name})", "other = work", "spawn(other)")

    def conditional(self) -> None:
        """One of two callables, both of which hold the same variable."""
        name = self.variable()
        self.add(f"a = lambda: repr({name})", f"b = lambda: str({name})", "spawn(a if len('x') else b)")


METHOD: Final = "\n    def method(self) -> str:\n        return repr(self.f0)"


def _class_text(name: str, how: str, fields: list[tuple[str, str, str]]) -> str:
    decorators = {
        "frozen": "@dataclass(frozen=True)", "slots": "@dataclass(frozen=True, slots=True)", "mutable": "@dataclass", "attrs": "@attrs.frozen",
        "define": "@attrs.define",
    }  # fmt: skip
    if how in decorators:
        return f"{decorators[how]}\nclass {name}:\n" + "\n".join(f"    {f}: {t}" for f, t, _ in fields)
    final = "Final[{}]" if how == "final" else "{}"
    arguments = ", ".join(f"{f}: {t}" for f, t, _ in fields)
    body = "\n".join(f"        self.{f}: {final.format(t)} = {f}" for f, t, _ in fields)
    return f"class {name}:\n    def __init__(self, {arguments}) -> None:\n{body}"


def programs(make: Callable[[int], random.Random], count: int) -> Iterator[Program]:
    """Yield programs, each from a separate random generator: the n-th program is always the same."""
    for index in range(count):
        yield Writer(make(index), index).write()
