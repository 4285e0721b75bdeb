"""A process gets what is true at the spawn, however often the same function was spawned before."""

from __future__ import annotations

import gc
import sys
import weakref
from typing import Any

import pytest

from capsend import spawn

HERE = sys.modules[__name__]


class Base:
    def name(self) -> str:
        return "base"


class Derived(Base):
    level = 1


class Fixed:
    __slots__ = ()


FIXED = Fixed()


def read_what_is_not_there_yet() -> Any:
    return DEFINED_LATER  # type: ignore[name-defined]  # noqa: F821 - the test defines it


def call_a_builtin() -> Any:
    return len([1, 2])


def call_a_method() -> str:
    return Derived().name()


def read_a_class_attribute() -> int:
    return Derived.level


def has_default(number: int = 1) -> int:
    return number


def is_fixed(value: object) -> bool:
    return value is FIXED


def test_a_name_that_is_defined_after_a_failure_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a notebook one defines what was missing and runs the same function again."""
    with pytest.raises(NameError):
        spawn(read_what_is_not_there_yet).result(60)
    monkeypatch.setattr(HERE, "DEFINED_LATER", 5, raising=False)
    assert spawn(read_what_is_not_there_yet).result(60) == 5


def test_a_builtin_that_is_shadowed_later_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A global of the name of a built-in counts from its assignment on."""
    assert spawn(call_a_builtin).result(60) == 2
    monkeypatch.setattr(HERE, "len", lambda _: "mine", raising=False)
    assert spawn(call_a_builtin).result(60) == "mine"


def test_a_method_that_is_added_later_overrides_the_inherited_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A class that got another attribute is another class to a process."""
    assert spawn(call_a_method).result(60) == "base"
    monkeypatch.setattr(Derived, "name", lambda _: "derived", raising=False)
    assert spawn(call_a_method).result(60) == "derived"
    monkeypatch.undo()
    assert spawn(call_a_method).result(60) == "base"


def test_a_class_attribute_is_read_at_every_spawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process sees the present value of a class attribute."""
    assert spawn(read_a_class_attribute).result(60) == 1
    monkeypatch.setattr(Derived, "level", 2)
    assert spawn(read_a_class_attribute).result(60) == 2


def test_defaults_and_code_are_read_at_every_spawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """A function can get other defaults and even other code."""
    assert spawn(has_default).result(60) == 1
    monkeypatch.setattr(has_default, "__defaults__", (7,))
    assert spawn(has_default).result(60) == 7
    monkeypatch.setattr(has_default, "__code__", (lambda number=1: -number).__code__)
    assert spawn(has_default).result(60) == -7


def test_a_value_that_equals_only_itself_stays_the_same_object() -> None:
    """A sentinel that is captured, passed and returned is one object on each side."""
    assert spawn(is_fixed, FIXED).result(60)
    assert spawn(lambda: FIXED).result(60) is FIXED


def test_functions_that_nobody_needs_any_more_are_let_go() -> None:
    """Programs are kept for functions that may be spawned again, up to a limit."""
    first = lambda: 1
    gone = weakref.ref(first)
    spawn(first).result(60)
    del first
    for number in range(260):
        spawn(lambda number=number: number).result(60)
    gc.collect()
    assert gone() is None
