"""A program is used again with other plain constants, and answers as the host does: compared on the host, in values and in identities."""

from __future__ import annotations

import itertools
import sys
import types
from typing import TYPE_CHECKING

import pytest

from capsend import spawn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

COUNT = 1_000
TEXT = "a text of the module"
OTHER = "another text of the module"
LOOSE = 10_000
"""No function names it."""


def capturing(value: object) -> Callable[[], object]:
    return lambda: value


def with_default(value: object) -> Callable[[], object]:
    return lambda value=value: value


def with_both(value: object, other: object) -> Callable[[], object]:
    return lambda default=other: (value, default, value is default)


def with_the_text(value: object) -> Callable[[], object]:
    return lambda: (value, value is TEXT, TEXT)


def sharing(value: object) -> Callable[[], object]:
    def inner() -> object:
        return value

    return lambda: (value, inner(), value is inner())


def reading() -> object:
    """Read globals of the module."""
    return COUNT, TEXT, OTHER, TEXT is OTHER


def texts() -> Iterator[str]:
    """Yield texts that are objects of their own."""
    yield from (f"text number {number}" for number in itertools.count())


@pytest.mark.parametrize(
    ("make", "walked"),
    [
        (lambda number, text: capturing(number), 2),
        (lambda number, text: capturing(text), 2),
        (lambda number, text: capturing((number, text)), 2),
        (lambda number, text: with_default(text), 2),
        (lambda number, text: with_both(text, number), 2),
        (lambda number, text: with_both(text, text), 2),
        (lambda number, text: with_both((text,), number), 2),
        (lambda number, text: with_the_text(text), 2),
        (lambda number, text: lambda: 42, 2),
        (lambda number, text: sharing(text), 5),  # another function holds the cell
    ],
)
def test_closures_of_one_def_are_walked_once_for_all_constants(
    make: Callable[[int, str], Callable[[], object]], walked: int, walks: list[object]
) -> None:
    """From the second spawn on, as long as only plain constants differ; the answers are those of the host."""
    for number, text in zip(range(1_000, 1_005), texts(), strict=False):
        closure = make(number, text)
        assert spawn(closure).result() == closure()
    assert len(walks) == walked


def test_constants_that_begin_to_be_shared_are_shared_in_the_process() -> None:
    """A separate object may be the object of another place at the next spawn."""
    text, tuple_ = "a text of its own", ("a text of its own, too",)
    pairs: list[tuple[object, object]] = [
        *((text, 1_000), (text, "other"), ("other", text), (text, text), (TEXT, "other"), ("other", TEXT)),
        *((tuple_, tuple_[0]), (tuple_[0], tuple_), (tuple_, tuple_), ((text, text), text), (None, None), ("", "")),
    ]
    for value, other in pairs * 2:
        for closure in (with_both(value, other), with_the_text(value)):
            assert spawn(closure).result() == closure()


def test_globals_are_those_of_the_spawn(monkeypatch: pytest.MonkeyPatch, walks: list[object]) -> None:
    """This includes globals that the function names, globals that it does not name, and those that become one object."""
    for number in range(1_000, 1_004):
        monkeypatch.setattr(sys.modules[__name__], "COUNT", number)
        monkeypatch.setattr(sys.modules[__name__], "LOOSE", float(number))
        assert spawn(reading).result() == reading()
    assert len(walks) == 1
    monkeypatch.setattr(sys.modules[__name__], "TEXT", OTHER)
    assert spawn(reading).result() == reading() == (1_003, OTHER, OTHER, True)
    monkeypatch.setattr(sys.modules[__name__], "TEXT", "once more")
    assert spawn(reading).result() == reading()
    monkeypatch.setattr(sys.modules[__name__], "COUNT", "another type")
    assert spawn(reading).result() == reading()
    monkeypatch.delattr(sys.modules[__name__], "COUNT")
    with pytest.raises(NameError):
        spawn(reading).result()


def test_argument_that_is_a_constant_is_the_same_object_in_the_process() -> None:
    """With the program of the walk, and with one of other constants."""

    def asking(value: object) -> Callable[[object], bool]:
        return lambda given: given is value

    for text in itertools.islice(texts(), 4):
        assert spawn(asking(text), text).result() is True
        assert spawn(asking(text), "another").result() is False


def called(function: Callable[[], object]) -> object:
    """Call a function that is an argument: it is walked for this call alone, with the program of this function."""
    return function()


def test_argument_shares_the_constants_of_the_program() -> None:
    """A default of a function among the arguments is the global that the program has set already, whether code names the global or not."""

    def with_the_global(text: object = TEXT, loose: object = LOOSE) -> object:
        return text is TEXT, loose

    for _ in range(3):
        assert spawn(called, with_the_global).result() == with_the_global()


def test_lambdas_in_a_loop_of_a_script_are_walked_twice(walks: list[object]) -> None:
    """The loop counts in a global, which some of them read."""
    script = types.ModuleType("a_script_with_a_loop")
    script.__dict__.update(spawn=spawn, __file__=__file__)
    sys.modules[script.__name__] = script
    try:
        for number in range(1_000, 1_005):
            script.__dict__["number"] = number
            function = types.FunctionType(reads_number.__code__, vars(script), "reads_number")
            function.__module__ = script.__name__
            script.__dict__["reads_number"] = function
            assert spawn(function).result() == number
    finally:
        del sys.modules[script.__name__]


def reads_number() -> object:
    """Run with the globals of another module."""
    return number  # type: ignore[name-defined] # noqa: F821
