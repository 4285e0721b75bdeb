"""The values of a walk: judge one, reach the code inside it, and give it a reference in the program."""

from __future__ import annotations

import dataclasses
import functools
import types
from typing import TYPE_CHECKING, Any

from capsend_traits.wording import Kind, Leaf

from capsend import typeforms
from capsend.captures.context import LRU_CACHE, Refused
from capsend.guest import codec
from capsend.handles import grant_of
from capsend.judge import Judge, TraitName, type_name

if TYPE_CHECKING:
    from capsend.captures import Walk
    from capsend.captures.context import Place
    from capsend.program import Reference


class Values:
    """Judges values and names the code inside them."""

    def __init__(self, walk: Walk) -> None:
        self._walk = walk
        self._context = walk.context
        self._judge = Judge(self.reach)

    def judge(self, value: object, kind: Kind, name: str, place: Place, *, trait: TraitName = "ProcessSend") -> bool:
        """Judge one value, and everything that it reaches; tell whether it can go along."""
        leaves = self.leaves(value, trait, name, place)
        if leaves:
            self._context.refuse(kind, name, type_name(type(value)), leaves, place, trait=trait)
        return not leaves

    def send(
        self, value: object, kind: Kind, name: str, place: Place, *, trait: TraitName = "ProcessSend"
    ) -> Reference | None:
        """Judge one value and return the reference to it, or None when it is refused."""
        if not self.judge(value, kind, name, place, trait=trait):
            return None
        program = self._context.program
        try:
            return program.value(value)
        except codec.NotEncodable as error:
            leaf = Leaf(path=name + error.path, type=type_name(type(error.value)), verdict=error.reason)
            self._context.refuse(kind, name, type_name(type(value)), [leaf], place, trait=trait)
            return None

    def leaves(self, value: object, trait: TraitName, name: str, place: Place) -> list[Leaf]:
        """Return the parts of a value that cannot go along."""
        outer, self._context.place = self._context.place, place
        try:
            return self._judge.leaves(value, trait, name)
        finally:
            self._context.place = outer
            self._context.reusable &= not self._judge.has_instances

    def reach(self, value: Any, trait: TraitName) -> list[Leaf] | None:
        """Answer the judge about code: no leaves when it can go along, None when it is not code after all."""
        if self._context.program.external(value) is not None:
            return []
        try:
            return self._code(value, trait)
        except Refused as refused:
            name = getattr(value, "__qualname__", None) or getattr(value, "__name__", "")
            type_ = f"class {name}" if isinstance(value, type) else type_name(type(value))
            return [Leaf(path="", type=type_, verdict=refused.verdict, cure=refused.cure, predicate=refused.predicate)]

    def _code(self, value: Any, trait: TraitName) -> list[Leaf] | None:
        program = self._context.program
        if (grant := grant_of(value)) is not None:
            program.carry(value, grant)
        elif isinstance(value, types.FunctionType):
            self._walk.functions.number(value)
        elif isinstance(value, type):
            self._walk.classes.number(value)
        elif isinstance(value, types.ModuleType):
            self._walk.names.module_value(value)
        elif isinstance(value, types.MethodType):
            return self._judge.leaves(value.__self__, trait, ".__self__") or self.reach(value.__func__, trait) or []
        elif isinstance(value, functools.partial):
            return None
        elif (named := self._context.origins.name_of(value)) is not None:
            program.make(value, "n", *named)
        elif hasattr(type(value), "__capsend_function__"):
            return self._spawnable(value, trait)
        elif isinstance(value, LRU_CACHE):
            inner: Any = value.__wrapped__
            parameters = value.cache_parameters()
            program.make(value, "w", self._walk.functions.number(inner), parameters["maxsize"], parameters["typed"])
        elif (form := typeforms.dissect(value)) is not None:
            return self.type_form(value, form, trait)
        elif isinstance(value, types.BuiltinFunctionType | types.MethodWrapperType):
            return self._builtin_method(value, trait)
        else:
            return None
        return []

    def type_form(self, value: object, form: typeforms.Form, trait: TraitName) -> list[Leaf]:
        """Reach a type that a call made."""
        leaves = self._judge.leaves(form.parts, trait, "")
        if not leaves:
            program = self._context.program
            program.make(value, "t", form.kind, *form.data, program.value(form.parts))
        return leaves

    def _spawnable(self, value: Any, trait: TraitName) -> list[Leaf]:
        function = value.__capsend_function__
        leaves = self._judge.leaves(function, trait, "")
        if not leaves:
            self._context.program.make(value, "p", self._context.program.value(function))
        return leaves

    def _builtin_method(self, method: Any, trait: TraitName) -> list[Leaf]:
        leaves = self._judge.leaves(method.__self__, trait, ".__self__")
        if not leaves:
            self._context.program.make(method, "y", self._context.program.value(method.__self__), method.__name__)
        return leaves


def with_cure(leaf: Leaf, cure: str) -> Leaf:
    """Return a leaf with another cure."""
    return dataclasses.replace(leaf, cure=cure)
