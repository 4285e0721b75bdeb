"""The state of one walk: place, findings, program, pending tasks."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import functools
import inspect
import types
from typing import TYPE_CHECKING, Any, Final

import attrs
from capsend_traits.wording import GLOBAL_CURE, Finding, Kind, Leaf, changed_cure, receiver_cure

from capsend.codec.instances import defines, is_a
from capsend.shipping.captures.observed import ABSENT, Observed
from capsend.shipping.program import Program
from capsend.source.modules import shown_name
from capsend.traits.judge import type_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from capsend.shipping.captures.origins import Origins

__all__ = ["ABSENT", "LRU_CACHE", "Context", "Place", "Refused", "callable_name", "functions_in", "place_of"]

LRU_CACHE: Final = type(functools.lru_cache(lambda: None))
_OF_CODE: Final = frozenset(
    {
        *(Kind.ATTACHED, Kind.CAPTURED, Kind.CLASS, Kind.CLASS_ATTRIBUTE, Kind.DEFAULT, Kind.FUNCTION, Kind.GLOBAL),
        Kind.WRITTEN,
    }
)
"""The kinds whose cure is to change the code at their place."""
_CHANGEABLE: Final = frozenset({Kind.CAPTURED, Kind.CLASS_ATTRIBUTE, Kind.DEFAULT, Kind.GLOBAL})
"""The kinds of values that a function may change visibly for its caller."""
CANNOT_BE_SENT: Final = "which cannot be sent"
_SHARED: Final = frozenset({Kind.GLOBAL, Kind.CLASS_ATTRIBUTE})
NOT_IN_IMAGE: Final = "which is not in the image"


class Refused(Exception):
    """Code that cannot be sent; carries the data of the `Leaf` to report."""

    def __init__(self, verdict: str, cure: str = "", predicate: str = CANNOT_BE_SENT) -> None:
        super().__init__(verdict)
        self.verdict = verdict
        self.cure = cure
        self.predicate = predicate


@attrs.frozen
class Place:
    """The place where a name is read: the function, the path to the function, and the line."""

    function: str = ""
    via: tuple[str, ...] = ()
    file: str = ""
    line: int = 0

    def at(self, line: int) -> Place:
        """Return the same function at another line."""
        return attrs.evolve(self, line=line)

    @property
    def inner(self) -> tuple[str, ...]:
        """The path to objects that this function reaches."""
        return (*self.via, self.function) if self.function else self.via


def _fitting(leaf: Leaf, kind: Kind, place: Place, *, is_changed: bool) -> Leaf:
    """Return a leaf whose cure fits the refused object, if the cure is to pass an argument."""
    if is_changed and leaf.cure.startswith("pass it as an argument, or capture"):
        return dataclasses.replace(leaf, cure=changed_cure(leaf.type))
    if kind is Kind.RECEIVER:
        return dataclasses.replace(leaf, cure=receiver_cure(leaf.cure, place.function))
    if kind in _SHARED and leaf.cure.startswith("pass it as an argument, or capture"):
        # An object with a name that outlives the call can also be declared to belong to each process.
        return dataclasses.replace(leaf, cure=GLOBAL_CURE)
    return leaf


def place_of(function: Any, via: tuple[str, ...] = ()) -> Place:
    """Return where a callable is defined."""
    while isinstance(function, functools.partial):
        function = function.func
    function = getattr(function, "__capsend_function__", function)
    if isinstance(function, LRU_CACHE):
        function = inspect.unwrap(function)
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    if not isinstance(code, types.CodeType):
        return Place(callable_name(function), via)
    return Place(callable_name(function), via, code.co_filename, code.co_firstlineno)


def callable_name(function: Any) -> str:
    """Name a callable in messages: its qualified name without the enclosing functions and classes."""
    while isinstance(function, functools.partial):
        function = function.func
    name = getattr(function, "__qualname__", None) or getattr(function, "__name__", None) or type(function).__qualname__
    return shown_name(str(name))


@attrs.define
class Context:
    """The state of one walk.

    A walk is *strict* about objects that code is known to use: a finding if one cannot be sent. It is *tolerant* about the rest: the process has a
    placeholder for an object that cannot be sent.

    Attributes:
        origins: the origins of modules, by the content of the image.
        defining: True passes over names that have no value yet, as at a definition.
        program: the program under construction, which rebuilds every object of the walk.
        findings: the objects that cannot be sent, in the order of the walk.
        observed: everything that the walk read; a cached program is valid while these observations hold.
        reusable: True if the same observations always give the same program.
        place: the present place of the walk.
        tolerant: True while objects that cannot be sent are left out without a finding.
        changed: {function: names} of the globals and attributes that functions change, for which another cure is right.
    """

    origins: Origins
    defining: bool = False
    program: Program = attrs.field(factory=Program)
    findings: list[Finding] = attrs.field(factory=list)
    observed: Observed = attrs.field(factory=Observed)
    reusable: bool = True
    place: Place = attrs.field(factory=Place)
    tolerant: bool = False
    changed: dict[str, frozenset[str]] = attrs.field(factory=dict)
    _queue: collections.deque[Callable[[], object]] = attrs.field(factory=collections.deque)
    _possible: collections.deque[Callable[[], object]] = attrs.field(factory=collections.deque)
    _reported: set[tuple[Kind, str, str]] = attrs.field(factory=set)

    def refuse(
        self, kind: Kind, name: str, type_: str, leaves: Iterable[Leaf], place: Place, *, trait: str = "ProcessSend"
    ) -> None:
        """Note that an object cannot be sent, once; a tolerant walk notes nothing."""
        is_changed = kind in _CHANGEABLE and name.rpartition(".")[2] in self.changed.get(place.function, ())
        leaves = tuple(_fitting(leaf, kind, place, is_changed=is_changed) for leaf in leaves)
        if not self.tolerant and kind in _OF_CODE and (cure := self.origins.library_cure(place.file)):
            leaves = tuple(
                leaf if leaf.predicate == NOT_IN_IMAGE else dataclasses.replace(leaf, cure=cure) for leaf in leaves
            )
        key = (kind, leaves[0].path, place.function)
        if not self.tolerant and key not in self._reported:
            self._reported.add(key)
            self.findings.append(
                Finding(kind, name, type_, trait, leaves, place.function, place.via, place.file, place.line)
            )

    def stays(self, value: object, file: object) -> str:
        """Return the reason why a value stays on the host; for code of an installed package a second line has the cure.

        Args:
            value: the value.
            file: the file of the code that holds it, if it has one.
        """
        cure = self.origins.library_cure(file) if isinstance(file, str) else ""
        reason = f"it is {type_name(type(value))}, which is not ProcessSend"
        return f"{reason}\n{cure}" if cure else reason

    def later(self, task: Callable[[], object]) -> None:
        """Put off a task until the present one is done; it is as strict or tolerant as the present one."""
        (self._possible if self.tolerant else self._queue).append(task)

    def possibly(self, task: Callable[[], object]) -> None:
        """Put off a tolerant task until all strict ones are done; objects that it cannot send are left out."""
        self._possible.append(task)

    def drain(self) -> None:
        """Do all strict tasks."""
        while self._queue:
            self._queue.popleft()()

    def include_what_is_possible(self) -> None:
        """Do the tolerant tasks, after all strict ones; their refusals do not concern the user."""
        self.drain()
        while self._possible:
            with self.tolerating():
                self._possible.popleft()()
            self.drain()

    @contextlib.contextmanager
    def tolerating(self) -> Iterator[None]:
        """Be tolerant in the block; code that cannot be sent ends the block early."""
        outer, self.tolerant = self.tolerant, True
        try:
            yield
        except Refused:
            pass
        finally:
            self.tolerant = outer


def functions_in(raw: Any) -> Iterator[types.FunctionType]:
    """Yield the functions behind an entry of a class's namespace."""
    if is_a(raw, types.FunctionType):
        yield raw
    elif is_a(raw, staticmethod | classmethod):
        yield from functions_in(raw.__func__)
    elif is_a(raw, property | types.DynamicClassAttribute):
        for part in (raw.fget, raw.fset, raw.fdel):
            yield from functions_in(part)
    elif is_a(raw, functools.cached_property | functools.partialmethod):
        yield from functions_in(raw.func)
    elif is_a(raw, functools.singledispatchmethod):
        yield from functions_in(raw.func)
        for implementation in raw.dispatcher.registry.values():
            yield from functions_in(implementation)
    elif is_a(raw, LRU_CACHE):
        yield from functions_in(raw.__wrapped__)
    elif defines(type(raw), "__capsend_function__"):
        yield from functions_in(raw.__capsend_function__)
