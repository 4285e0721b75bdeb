"""The description shows every difference between the host's objects and the rebuilt ones."""

from __future__ import annotations

import abc
import dataclasses
import enum
import functools
import json
import sys
import types
from typing import Any

import attrs
import pytest

from capsend.environment import default, prepare
from capsend.shipping.entity_description import UNKNOWN, compare, describe


def made(*, change: str = "") -> list[Any]:
    """Entities of all kinds, the same at each call but for what a statement changes."""
    module = sys.modules["made_up"] = types.ModuleType("made_up")  # dataclasses looks for it
    namespace = vars(module)
    namespace.update(abc=abc, dataclasses=dataclasses, enum=enum, functools=functools)
    exec(compile(ENTITIES, "made_up.py", "exec"), namespace)
    if change:
        exec(compile(change, "made_up.py", "exec"), namespace)
    names = ("f", "g", "C", "Color", "Point", "Base", "part", "cached", "ONE", "show", "Sub")
    return [*(namespace[name] for name in names), module]


ENTITIES = """
def f(a, b=(1, 2), *, c="long word"):
    "its doc"
    return a
def outer(value):
    def g():
        return value
    def h():
        return value
    return g, h
g, h = outer([1])
f.tag = "tag"
class Base(abc.ABC):
    "base"
class C(Base):
    n: int = 1
    other = made = (1, 2)
    def m(self, x=1): return x
    @property
    def p(self): return 1
    @staticmethod
    def s(): return 2
    @classmethod
    def k(cls): return 3
    @functools.cached_property
    def cp(self): return 4
class Sub(C): pass
class Color(enum.Enum):
    RED = 1
    def __init__(self, n):
        self.hits = 0
@dataclasses.dataclass(frozen=True)
class Point:
    x: int = 1
    y: tuple = (3, 4)
part = functools.partial(f, 1, c="c")
@functools.lru_cache(maxsize=4)
def cached(n): return n
ONE = Point(5)
LIMIT = 3
ALSO = WORDS = ("one", "two")
@functools.singledispatch
def show(x): return "object"
"""


def test_the_same_program_has_the_same_description() -> None:
    """A faithfully rebuilt object shows no difference, even after a round trip through JSON."""
    assert compare(json.loads(json.dumps(describe(made()))), describe(made())) is None


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ("f.__defaults__ = ((1, 3),)", r"#0.__defaults__"),
        ("f.__kwdefaults__ = {'c': 'other word'}", "#0.__kwdefaults__[c]"),
        ("f.__name__ = 'renamed'", "#0.__name__"),
        ("f.__doc__ = None", "#0.__doc__"),
        ("f.__annotations__ = {'a': int}", "#0.__annotations__[a]"),
        ("f.tag = 'other'", "#0.tag"),
        ("f.more = 1", "#0.more"),
        ("g.__closure__[0].cell_contents.append(2)", "#1(value)"),
        ("C.n = 2", "#2.n"),
        ("C.added = 1", "#2.added"),
        ("del C.n", "#2.n"),
        ("C.m = lambda self: 1", "#2.m"),
        ("C.m.__defaults__ = (3,)", "#2.m.__defaults__"),
        ("C.p = property(lambda self: 2, doc='x')", "#2.p"),
        ("C.s = C.s", "#2.s"),
        ("C.__annotations__['n'] = str", "#2.__annotations__[n]"),
        ("C.__doc__ = 'words'", "#2.__doc__"),
        ("C.made = (1, 2) if C.other else None; C.made = tuple([1, 2])", "is #2"),
        ("Color.RED.hits = 4", "#3[RED].hits"),
        ("Color.extra = 4", "#3.extra"),
        ("Point.x = 9", "#4.x"),
        ("Point.__dataclass_fields__['x'].default = 4", "#4<x>.default"),
        ("Base.register(int)", "#5.register()"),
        ("part.keywords['d'] = 1", "#6.keywords[d]"),
        ("object.__setattr__(ONE, 'x', 6)", "#8.x"),
        ("show.register(int, lambda x: 'int')", "#9"),
        ("other = C", "#11.other"),
        ("LIMIT = 4", "#11.LIMIT"),
        ("ALSO = tuple(list(WORDS))", "#11.ALSO is #11.WORDS"),
        ("class B(Base): pass\nSub.__bases__ = (B,)", "#10.__bases__"),
    ],
)
def test_a_change_is_seen_at_its_path(change: str, path: str) -> None:
    """Whatever is not as it was is named with its path."""
    found = compare(describe(made()), describe(made(change=change)))
    assert found is not None
    assert path in found


def test_one_object_at_two_places_is_one_object_on_both_sides() -> None:
    """Equal objects are no substitute for the same one."""
    shared, other = ("a", "b"), tuple("ab")
    found = compare(describe([[shared, shared]]), describe([[shared, other]]))
    assert found == "#0[0] is #0[1] on the host, and not in the guest"
    found = compare(describe([[shared, other]]), describe([[shared, shared]]))
    assert found == "#0[0] is #0[1] in the guest, and not on the host"


def test_the_order_of_a_set_does_not_matter() -> None:
    """Sets are described in an order of their texts."""
    assert describe([{"a", "bb", "ccc"}]) == describe([{"ccc", "a", "bb"}])


def test_what_the_guest_only_knows_of_equals_everything() -> None:
    """A placeholder equals every object."""
    marker = object()
    guest = describe([[1, marker]], is_unknown=lambda value: value is marker)
    assert guest["texts"]["#0[1]"] == UNKNOWN
    assert compare(describe([[1, [2, 3]]]), guest) is None


def test_a_cycle_ends() -> None:
    """An object that contains itself is described once."""
    one: list[Any] = [1]
    one.append(one)
    assert compare(describe([one]), describe([one])) is None


def twelve(n: int = 12345) -> int:
    """A function with a default that is easy to find in its program."""
    return n


def test_a_process_that_has_rebuilt_something_else_fails_with_the_path(
    template: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With CAPSEND_COMPARE a process compares its rebuilt objects with the host's description before it runs anything."""
    monkeypatch.setenv("CAPSEND_COMPARE", "1")
    prepared = prepare(default(), lambda: twelve(), (), {})
    assert prepared.start().result() == 12345
    forged = prepared.shipment.program.replace("p12345", "p54321")
    assert forged != prepared.shipment.program
    changed = attrs.evolve(prepared, shipment=attrs.evolve(prepared.shipment, program=forged))
    with pytest.raises(AssertionError, match=r"CAPSEND_COMPARE: .*#\d+: int 12345 on the host, int 54321"):
        changed.start().result()


def test_an_instance_of_a_library_s_class_that_has_lost_its_name_is_compared(
    template: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`enum` keeps the one instance of a class under the name of the class, so the class is sent, without its `__repr__`."""
    monkeypatch.setenv("CAPSEND_COMPARE", "1")
    value = enum.auto()
    assert prepare(default(), lambda: type(value) is enum.auto, (), {}).start().result()


def test_nothing_is_described_unless_asked_for(template: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Spawns of users contain no description."""
    monkeypatch.delenv("CAPSEND_COMPARE", raising=False)
    assert '"description"' not in prepare(default(), lambda: twelve(), (), {}).shipment.program
