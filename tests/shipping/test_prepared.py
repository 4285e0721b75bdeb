"""Programs are prepared once and used again; none is kept in vain, and nothing of a spawn waits for the garbage collector."""

from __future__ import annotations

import gc
import importlib.metadata
import threading
import tracemalloc
import weakref
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from capsend import CaptureError, Executor, check, spawn
from capsend.environment import default
from capsend.shipping import prepared
from capsend.shipping.captures import origins
from capsend.shipping.reuse import Reuse
from capsend.shipping.ship import ship

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MEGABYTE = 1 << 20


def shipped(function: Callable[..., Any]) -> None:
    """Do what a spawn does before a process starts."""
    image = default().image
    ship(function, (), {}, knows=image.knows, image=image)


def closure_over(data: bytes) -> Callable[[], int]:
    """Return a function that captures bytes."""

    def size() -> int:
        return len(data)

    return size


def known() -> int:
    """Be a function of a module."""
    return 1


class Named:
    """Be a class of a module."""


def test_known_function_is_walked_once(walks):
    """A function of a module from the first spawn on, a closure from the second."""
    closure = closure_over(b"abc")
    for _ in range(4):
        for function in (known, Named, dict, closure):
            shipped(function)
    assert [walks.count(function) for function in (known, Named, dict, closure)] == [1, 1, 1, 2]


ROWS: list[int] = []


def refused_one() -> int:
    """Read what cannot be sent."""
    ROWS.append(1)
    return len(ROWS)


def test_refusal_is_remembered_while_nothing_changed(monkeypatch, walks):
    """It costs one walk, until something that was read is another."""
    messages = set()
    for _ in range(3):
        with pytest.raises(CaptureError, match="ROWS") as refusal:
            shipped(refused_one)
        messages.add(str(refusal.value))
    assert (walks.count(refused_one), len(messages)) == (1, 1)
    ROWS.append(1)
    with pytest.raises(CaptureError, match="ROWS"):
        shipped(refused_one)
    assert walks.count(refused_one) == 2
    monkeypatch.setattr(refused_one, "__code__", known.__code__)
    shipped(refused_one)


def entities_of(function: Callable[..., Any]) -> list[object]:
    image = default().image
    return ship(function, (), {}, knows=image.knows, image=image).entities


def test_closures_that_hold_the_same_objects_are_walked_twice_and_no_more(walks):
    """Each result is the process's function all the same, so that the spawned function itself comes back."""
    data = b"the same"
    closures = [closure_over(data) for _ in range(5)]
    for closure in closures:
        found = entities_of(closure)
        assert closure in found
        assert not any(other in found for other in closures if other is not closure)
    assert walks == closures[:2]


def changed(closure: Any, name: str, value: object) -> Any:
    setattr(closure, name, value)
    return closure


def with_default(data: bytes, more: object) -> Callable[[], object]:
    return lambda more=more: (data, more)


def shares_its_cell(data: bytes) -> Callable[[], object]:
    def inner() -> int:
        return len(data)

    return lambda: (data, inner())


def test_closures_that_differ_in_anything_are_walked(walks):
    """They may differ in the objects that they hold, or in a change to one of them."""
    data = b"the same once more"
    pairs: list[tuple[Any, Any]] = [
        (closure_over(data), closure_over(data * 100)),
        (with_default(data, "a"), with_default(data, b"a")),
        (with_default(data, (1, 2)), with_default(data, (1, 2.5))),
        (closure_over(data), changed(closure_over(data), "note", 1)),
        (closure_over(data), changed(closure_over(data), "__doc__", "Another.")),
        (closure_over(data), changed(closure_over(data), "__qualname__", "other.<locals>.name")),
        (with_default(data, 1.5), with_default(data, 2)),
        (closure_over(data), changed(closure_over(data), "__annotations__", {"return": float})),
        (shares_its_cell(data), shares_its_cell(data)),
    ]
    for first, second in pairs:
        prepared._kept.__init__()  # type: ignore[misc]  # nothing is kept of the pair before
        for _ in range(2):
            shipped(first)
        walks.clear()
        shipped(second)
        assert walks == [second]


def test_an_argument_that_is_the_closure_itself_is_the_function_of_the_process():
    """A program of another closure is not extended: its function would be a second one."""
    data = b"an argument"

    def closure() -> Callable[[object], object]:
        return lambda f: (f is not None, data)

    for _ in range(4):
        function = closure()
        assert spawn(function, function).result() == (True, data)


def test_fresh_closures_are_not_kept():
    """Each would be kept under a key that is never asked for again."""
    shipped(closure_over(b"0"))
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(40):
            shipped(closure_over(bytes([65 + number]) * MEGABYTE))
        assert tracemalloc.get_traced_memory()[0] - before < 4 * MEGABYTE
    finally:
        tracemalloc.stop()


def test_closures_that_come_again_are_kept_within_bounds():
    """A few of one `def`, and no more bytes than the bound."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(20):
            closure = closure_over(bytes([65 + number]) * MEGABYTE)
            for _ in range(3):
                shipped(closure)
        kept = tracemalloc.get_traced_memory()[0] - before
        assert kept < (prepared.MOST_OF_ONE_CODE + 1) * 4 * MEGABYTE
    finally:
        tracemalloc.stop()


def test_bytes_of_kept_programs_are_bounded(monkeypatch):
    """The oldest go first."""
    monkeypatch.setattr(prepared, "MOST_BYTES", 200_000)
    kept = prepared._Kept()
    image = default().image
    for name in ("a", "b", "c"):
        function: Any = type(known)(known.__code__, {"__name__": __name__}, name)
        text, reuse = " " * 30_000, Reuse(30_000)
        reuse.take_code("ab" * 20_000)  # counts as well
        program = attrs.evolve(prepared.prepared_for(known, image.knows, image), text=text, reuse=reuse)
        for _ in range(2):
            kept.keep(function, image, program)
    sizes = [program.size for _, program in kept._programs.values()]
    assert sum(sizes) <= 200_000
    assert len(sizes) == 1


@attrs.frozen
class Receiver:
    """An instance that can be captured, and watched."""

    number: int = 1

    def get(self) -> int:
        """Return what it holds."""
        return self.number


@attrs.define
class Argument:
    """An instance that can be passed, and watched."""

    items: list[int] = attrs.field(factory=list)


def take(_argument: object) -> None:
    """Take an argument and leave it."""


def watched(thing: object) -> threading.Event:
    """Return what is set when a thing goes away; the thread of a process may still be on its way out with it."""
    event = threading.Event()
    weakref.finalize(thing, event.set)
    return event


@pytest.fixture
def collector_off() -> Iterator[None]:
    """Whatever goes away meanwhile goes by its reference count."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


WAYS: dict[str, Callable[[Any, Any], None]] = {
    "spawn": lambda receiver, argument: (spawn(receiver.get).result(60), spawn(take, argument).result(60)),  # type: ignore[dict-item,func-returns-value]  # for both in one line
    "check": lambda receiver, _: check(receiver.get),
    "ship": lambda receiver, _: shipped(receiver.get),
    "capture": lambda receiver, _: spawn(lambda: receiver.number).result(60),  # type: ignore[dict-item]  # as above
}


@pytest.mark.parametrize("way", WAYS)
def test_nothing_of_receiver_and_arguments_waits_for_the_collector(way, collector_off, template):
    """As soon as a spawn is over and its handle is gone, so are they."""
    receiver, argument = Receiver(), Argument([1])
    gone = watched(receiver), watched(argument)
    WAYS[way](receiver, argument)
    del receiver, argument
    assert [event.wait(10) for event in gone] == [True, True]


def test_nothing_of_a_task_waits_for_the_collector(collector_off, template):
    """CPython requires this of its own executors: `test_no_stale_references`."""
    receiver, argument = Receiver(), Argument([1])
    gone = watched(receiver), watched(argument)
    with Executor(max_workers=1) as executor:
        executor.submit(receiver.get).result(60)
        executor.submit(take, argument).result(60)
        del receiver, argument
    assert [event.wait(10) for event in gone] == [True, True]


def test_installed_distributions_are_looked_through_once(monkeypatch):
    """However many modules a refusal names that the image lacks: it takes seconds."""
    scans: list[int] = []
    monkeypatch.setattr(importlib.metadata, "packages_distributions", lambda: scans.append(1) or {})
    origins._scanned.cache_clear()
    for name in ("no_such_module_a", "no_such_module_b", "no_such_module_a"):
        assert f'packages=["{name}"]' in origins.missing_module_cure(name)
    origins._scanned.cache_clear()
    assert scans == [1]
