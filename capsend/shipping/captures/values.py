"""The values of a walk: a value is judged, the code in it is reached, and it gets a reference in the program."""

from __future__ import annotations

import dataclasses
import enum
import functools
import sys
import types
from typing import TYPE_CHECKING, Any, Final

from capsend_traits.wording import CACHED_CURE, STATE_CURE, Kind, Leaf

from capsend.capabilities.handles import grant_of
from capsend.codec.instances import class_attribute, defines, is_a
from capsend.shipping.captures import type_expressions
from capsend.shipping.captures.caches import contents
from capsend.shipping.captures.context import LRU_CACHE, Refused
from capsend.shipping.package_state import TooLarge, data_of, state_of
from capsend.traits.judge import Judge, TraitName, type_name
from capsend.traits.parts import ATOMS
from capsend.traits.per_process import declares_per_process

if TYPE_CHECKING:
    from capsend.codec.text import NotEncodable
    from capsend.shipping.captures.context import Place
    from capsend.shipping.captures.protocols import Walk
    from capsend.shipping.entities import Entity, Reference

_JUDGED_AGAIN: Final = frozenset("cfgm")
"""The kinds of entities that code with smaller demands may have reached earlier."""
_MOST_CALLS: Final = 100_000
"""The most calls of a cache that the guest repeats to make its counters equal the host's."""
OF_VARIABLES: Final = frozenset({"__bound__", "__constraints__", "__default__", "has_default"})
_BY_VALUE: Final = frozenset({Kind.ARGUMENT, Kind.RESULT})


class Values:
    """Judges values, and makes references to the code in them."""

    def __init__(self, walk: Walk) -> None:
        self._walk = walk
        self._context = walk.context
        self._judge = Judge(self.reach, self._goes_by_name)
        self._met: dict[int, object] = {}

    def judge(
        self,
        value: object,
        kind: Kind,
        name: str,
        place: Place,
        *,
        trait: TraitName = "ProcessSend",
        held: bool = False,
    ) -> bool:
        """Judge a value and everything that it reaches; return whether the value can be sent.

        Args:
            value: the value.
            kind: the relation to the callable, such as a capture or an argument.
            name: the name in the user's code.
            place: the place where the value is read.
            trait: the required trait.
            held: True for an instance held by a class, such as a descriptor: then only later changes make it mutable.
        """
        judge = self._judge
        outer, before = (judge.singular, judge.visited, judge.held), judge.rebuilt
        judge.singular, judge.visited, judge.held, judge.rebuilt = [], [], held, []
        try:
            leaves = self.leaves(value, trait, name, place)
            if leaves:
                holder = value.__self__ if is_a(value, types.MethodType) else value
                if trait == "ProcessSend" and (cure := self._context.origins.package_cure(holder)):
                    leaves = [dataclasses.replace(leaf, cure=cure) for leaf in leaves]
                self._context.refuse(kind, name, type_name(type(value)), leaves, place, trait=trait)
            else:
                made = self._keep_identity(kind, name, place, trait)
                self._run_when_decoded(made, judge.rebuilt, place)
        finally:
            before += judge.rebuilt
            judge.rebuilt = before
            judge.singular, judge.visited, judge.held = outer
        return not leaves

    def _keep_identity(self, kind: Kind, name: str, place: Place, trait: TraitName) -> list[Entity]:
        """Make and return entities of the parts whose identity the process can observe."""
        program, judge = self._context.program, self._judge
        made = [
            program.make(part, "o" if type(part) is object else "v")
            for part in judge.singular
            if program.entity(part) is None
        ]
        for part in judge.visited if kind not in _BY_VALUE else ():
            if id(part) not in self._met:
                self._met[id(part)] = part
            elif program.entity(part) is None:
                made.append(program.make(part, "v"))
        for entity in made:
            self._blame(entity, kind, name, place, trait)
        return made

    def _blame(self, entity: Entity, kind: Kind, name: str, place: Place, trait: TraitName) -> None:
        """Return the verdict on a value that was judged good but has no encoding."""
        context, tolerant = self._context, self._context.tolerant

        def refuse(error: NotEncodable) -> bool:
            leaf = Leaf(
                path=name + error.path, type=type_name(type(error.value)), verdict=error.reason, cure=STATE_CURE
            )
            if not tolerant:
                context.refuse(kind, name, type_name(type(entity.thing)), [leaf], place, trait=trait)
            return True

        if entity.kind == "v":
            entity.blame = refuse

    def send(
        self,
        value: object,
        kind: Kind,
        name: str,
        place: Place,
        *,
        trait: TraitName = "ProcessSend",
        held: bool = False,
    ) -> Reference | None:
        """Judge a value and return a reference to the value, or None when it is refused; see `judge`."""
        outer, rebuilt = self._judge.rebuilt, list[tuple[type, str]]()
        self._judge.rebuilt = rebuilt
        try:
            if not self.judge(value, kind, name, place, trait=trait, held=held):
                return None
        finally:
            self._judge.rebuilt = outer
        program = self._context.program
        is_new = program.entity(value) is None
        reference = program.value(value)
        if is_new and not isinstance(reference, str):
            self._blame(reference, kind, name, place, trait)
            self._run_when_decoded([reference], rebuilt, place)
        return reference

    def _run_when_decoded(self, made: list[Entity], rebuilt: list[tuple[type, str]], place: Place) -> None:
        """Write, before these values, the code that runs when they are decoded."""
        if not rebuilt:
            return
        for cls, method in rebuilt:
            self._walk.classes.attribute(cls, method, place)
        classes = (self._context.program.entity(cls) for cls, _ in rebuilt)
        ready = tuple(dict.fromkeys(each for each in classes if each is not None))
        for entity in made:
            if entity.kind == "v":
                entity.ready = ready

    def send_or_placeholder(
        self, value: object, kind: Kind, name: str, place: Place, *, trait: TraitName = "ProcessSend"
    ) -> Reference:
        """Judge a value and return a reference to the value, or to a placeholder when it is refused."""
        reference = self.send(value, kind, name, place, trait=trait)
        return self.placeholder(name, value) if reference is None else reference

    def placeholder(self, name: str, value: object) -> Entity:
        """Return a placeholder for a value that stays on the host."""
        reason = self._context.stays(value, self._context.place.file)
        return self._context.program.make(_Stays(value), "u", name, reason)

    def send_copy(self, value: object, kind: Kind, name: str, place: Place) -> Reference | None:
        """Judge a value of which each process owns a copy; all the host's names of the value are names of one copy in the process."""
        self._context.reusable = False
        return self.send(value, kind, name, place, trait="Serializable")

    def send_constant(self, value: object, kind: Kind, name: str, place: Place) -> Reference | None:
        """Judge and send a mutable value that is never changed.

        If it is changed after all, the program is not used again.
        """
        self._context.observed.container(value)
        sent = self.send(value, kind, name, place, trait="Serializable")
        if sent is not None:
            # The process, which has no source of the module, can hand the constant down in turn.
            self._context.program.act(None, "k", sent)
        return sent

    def leaves(self, value: object, trait: TraitName, name: str, place: Place) -> list[Leaf]:
        """Return the parts of a value that cannot be sent."""
        outer, self._context.place = self._context.place, place
        try:
            leaves = self._judge.leaves(value, trait, name)
            for part in (value, *self._judge.visited):
                if is_a(part, functools.partial):
                    self._context.observed.partial(part)
            return leaves
        finally:
            self._context.place = outer
            self._context.reusable &= not self._judge.has_instances

    def _goes_by_name(self, value: object) -> bool:
        """Send an instance by a package's name for it, with its state for comparison.

        Returns:
            Whether the instance is sent so.
        """
        program = self._context.program
        known = program.entity(value)
        named = None if known is not None else self._context.origins.package_name_of(value)
        if named is None:
            return known is not None and known.kind == "n"
        is_own = declares_per_process(vars(sys.modules[named[0]]), named[1], value)
        try:
            state = state_of(value, is_own=is_own)
        except TooLarge:
            return False
        entity = program.make(value, "n", *named)
        program.need(entity)
        program.act(None, "S", entity, ".".join(named), state, data_of(value), is_own)
        self._context.observed.answer(lambda: (state_of(value, is_own=is_own), data_of(value)))
        return True

    def send_settings(self) -> None:
        """Send the plain data of the settings of each package of the image that the program uses: any code of the package may read them.

        A setting is an instance of a class of the package that its top-level module names, and that cannot be called.
        """
        program = self._context.program
        for top in sorted(self._context.origins.packages):
            for name, value in list(vars(sys.modules.get(top, types)).items()):
                if _is_setting(value, top) and program.entity(value) is None and (data := data_of(value)):
                    entity = program.make(value, "n", top, name)
                    program.need(entity)
                    program.act(None, "D", entity, f"{top}.{name}", data)
                    self._context.observed.answer(functools.partial(data_of, value))

    def reach(self, value: Any, trait: TraitName) -> list[Leaf] | None:
        """Answer the judge about code.

        Returns:
            The leaves that cannot be sent, empty when all can; None when the value is not code.
        """
        entity = self._context.program.entity(value)
        if entity is not None and entity.kind not in _JUDGED_AGAIN:
            return []
        try:
            return self._code(value, trait)
        except Refused as refused:
            name = getattr(value, "__qualname__", None) or getattr(value, "__name__", "")
            type_ = f"class {name}" if is_a(value, type) else type_name(type(value))
            return [Leaf(path="", type=type_, verdict=refused.verdict, cure=refused.cure, predicate=refused.predicate)]

    def _code(self, value: Any, trait: TraitName) -> list[Leaf] | None:
        program, origins = self._context.program, self._context.origins
        if (grant := grant_of(value)) is not None:
            program.carry(value, grant)
        elif is_a(value, types.FunctionType):
            if "registry" in vars(value) and value.__globals__.get("__name__") == "functools":
                return self._dispatcher(value, trait)
            self._walk.functions.entity(value)
        elif is_a(value, type):
            self._walk.classes.entity(value)
        elif is_a(value, types.ModuleType):
            self._walk.names.module_value(value)
        elif is_a(value, types.MethodType) and origins.name_of(value) is None:
            return None  # its receiver may hold it in turn: the judge is not recursive and handles both
        elif (named := origins.name_of(value)) is not None:
            program.make(value, "n", *named)
        elif is_a(value, functools.partial):
            return None
        elif defines(type(value), "__capsend_function__"):
            return self._spawnable(value, trait)
        elif is_a(value, LRU_CACHE):
            return self._cache(value, trait)
        elif type(value).__name__ == "TypeAliasType":
            self._walk.classes.alias(value)
        elif (form := type_expressions.dissect(value)) is not None:
            return self.type_form(value, form, trait)
        elif is_a(value, types.BuiltinFunctionType | types.MethodWrapperType):
            return self._builtin_method(value, trait)
        else:
            return None
        return []

    def type_form(self, value: object, form: type_expressions.Form, trait: TraitName) -> list[Leaf]:
        """Reach a type made by a call."""
        leaves = self._judge.leaves(form.parts, trait, ".__args__")
        if not leaves:
            program = self._context.program
            entity = program.make(value, "t", form.kind, *form.data, program.value(form.parts))
            if form.kind == "variable":
                self._context.possibly(lambda: self._send_bounds(entity, value))
        return leaves

    def _send_bounds(self, entity: Entity, variable: Any) -> None:
        """Send the bound and constraints of a type variable if code reads them."""
        bounds = type_expressions.restrictions_of(variable)
        is_own = any(
            variable in class_attribute(cls, "__parameters__", ()) if isinstance(cls, type) else ()
            for cls in (bounds[0], *bounds[1], *bounds[2:])
        )
        if is_own or not self._walk.classes.mentions(OF_VARIABLES):
            return
        place = self._context.place
        reference = self.send(bounds, Kind.CAPTURED, variable.__name__, place, trait="Serializable")
        if reference is not None:
            entity.parts = (*entity.parts[:-1], reference)

    def _dispatcher(self, function: Any, trait: TraitName) -> list[Leaf]:
        self._context.observed.table(function.registry)
        registry = dict(function.registry)
        leaves = self._judge.leaves(tuple(registry), trait, ".registry")
        program, place = self._context.program, self._context.place
        registered = [
            [program.value(cls), self._walk.classes.part(made, place)] for cls, made in registry.items() if not leaves
        ]
        if not leaves:
            program.make(function, "d", registered)
        return leaves

    def _cache(self, cached: Any, trait: TraitName) -> list[Leaf]:
        function = cached.__wrapped__
        self._context.observed.answer(lambda: cached.cache_info()[2:])
        leaves = self.reach(function, trait) or []
        try:
            held = contents(cached)
        except LookupError as error:
            raise Refused(f"its entries cannot be seen: {error}", "clear it before the spawn") from None
        leaves += self._judge.leaves([part for entry in held for part in entry], "Serializable", ".cache")
        for args, _, result in held:
            shown = ", ".join(map(repr, args)) if set(map(type, args)) <= ATOMS else "..."
            found = self._judge.leaves(result, trait, f"({shown})")
            leaves += [dataclasses.replace(leaf, cure=CACHED_CURE) for leaf in found]
        if not leaves:
            program, parameters = self._context.program, cached.cache_parameters()
            entries = [
                [program.value(args), program.value(keywords), program.value(result)] for args, keywords, result in held
            ]
            pieces = program.value(function), parameters["maxsize"], parameters["typed"], entries
            entity = program.make(cached, "w", *pieces, [])
            self._context.possibly(lambda: self._count(entity, pieces, cached))
        if held:
            self._context.reusable = False
        return leaves

    def _count(self, entity: Entity, pieces: tuple[Any, ...], cached: Any) -> None:
        """Send the counters of a cache if code reads them."""
        info = cached.cache_info()
        if self._walk.classes.mentions({"cache_info"}) and max(info.hits, info.misses) <= _MOST_CALLS:
            entity.parts = (*pieces, [info.hits, info.misses])
            self._context.observed.answer(cached.cache_info)

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


class _Stays:
    """Represents one use of a value that stays on the host."""

    def __init__(self, value: object) -> None:
        self.value = value


def _is_setting(value: object, package: str) -> bool:
    cls = type(value)
    is_code = is_a(value, type | types.ModuleType | enum.Enum) or defines(cls, "__call__")
    return str(cls.__module__).partition(".")[0] == package and not is_code
