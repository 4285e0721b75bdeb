"""The values of a walk: judge one, reach the code inside it, and give it a reference in the program."""

from __future__ import annotations

import contextlib
import functools
import types
from typing import TYPE_CHECKING, Any

from capsend_traits.wording import STATE_CURE, Kind, Leaf

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
        outer, self._judge.singular = self._judge.singular, []
        try:
            leaves = self.leaves(value, trait, name, place)
            if leaves:
                self._context.refuse(kind, name, type_name(type(value)), leaves, place, trait=trait)
            else:
                self._prepare_decoding(place)
                self._keep_singular()
        finally:
            self._judge.singular = outer
        return not leaves

    def _prepare_decoding(self, place: Place) -> None:
        """What runs when a value is decoded needs its globals before the step that has the value."""
        rebuilt, self._judge.rebuilt = self._judge.rebuilt, []
        for cls, method in rebuilt:
            self._walk.classes.attribute(cls, method, place)
        if rebuilt:
            self._context.drain()

    def _keep_singular(self) -> None:
        """Make entities of values that equal only themselves, so that a sentinel is the same object wherever the process meets it."""
        program = self._context.program
        for value in reversed(self._judge.singular):
            if program.number(value) is not None:
                continue
            if type(value) is object:
                program.make(value, "o")
                continue
            with contextlib.suppress(codec.NotEncodable):  # whoever sends the whole will say so
                program.make(value, "v", program.value(value))

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
            leaf = Leaf(
                path=name + error.path, type=type_name(type(error.value)), verdict=error.reason, cure=STATE_CURE
            )
            self._context.refuse(kind, name, type_name(type(value)), [leaf], place, trait=trait)
            return None

    def send_copy(self, value: object, kind: Kind, name: str, place: Place) -> Reference | None:
        """Judge a value of which each process owns a copy; all names that it has here are names of the one copy there."""
        reference = self.send(value, kind, name, place, trait="Serializable")
        self._context.reusable = False
        return self._context.program.make(value, "v", reference) if isinstance(reference, str) else reference

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
            if "registry" in vars(value) and value.__globals__.get("__name__") == "functools":
                return self._dispatcher(value, trait)
            self._walk.functions.number(value)
        elif isinstance(value, type):
            self._walk.classes.number(value)
        elif isinstance(value, types.ModuleType):
            self._walk.names.module_value(value)
        elif isinstance(value, types.MethodType) and self._context.origins.name_of(value) is None:
            return None  # its receiver may hold it in turn: the judge, which does not recurse, goes on with both
        elif (named := self._context.origins.name_of(value)) is not None:
            program.make(value, "n", *named)
        elif isinstance(value, functools.partial):
            return None
        elif hasattr(type(value), "__capsend_function__"):
            return self._spawnable(value, trait)
        elif isinstance(value, LRU_CACHE):
            inner: Any = value.__wrapped__
            parameters = value.cache_parameters()
            program.make(value, "w", self._walk.functions.number(inner), parameters["maxsize"], parameters["typed"])
        elif type(value).__name__ == "TypeAliasType":
            self._walk.classes.alias(value)
        elif (form := typeforms.dissect(value)) is not None:
            return self.type_form(value, form, trait)
        elif isinstance(value, types.BuiltinFunctionType | types.MethodWrapperType):
            return self._builtin_method(value, trait)
        else:
            return None
        return []

    def type_form(self, value: object, form: typeforms.Form, trait: TraitName) -> list[Leaf]:
        """Reach a type that a call made."""
        leaves = self._judge.leaves(form.parts, trait, ".__args__")
        if not leaves:
            program = self._context.program
            program.make(value, "t", form.kind, *form.data, program.value(form.parts))
        return leaves

    def _dispatcher(self, function: Any, trait: TraitName) -> list[Leaf]:
        registry = dict(function.registry)
        leaves = self._judge.leaves(tuple(registry.items()), trait, ".registry")
        if not leaves:
            program = self._context.program
            base = program.value(registry.pop(object))
            program.make(
                function, "d", base, [[program.value(cls), program.value(made)] for cls, made in registry.items()]
            )
            self._context.reusable = False  # more may be registered with it later
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
